"""Cross-encoders: scores are those of transformers' own tokenizer and model; what would score at random is refused."""

from __future__ import annotations

import json
import random
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertForMaskedLM,
    BertForSequenceClassification,
    BertModel,
    FNetConfig,
    FNetForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from encoder import EncoderError, cross, load_cross_encoder
from encoder.checkpoints import resolve
from tests.encoder.checkpoints import MAX_TOKENS, VOCABULARY, WORDS, bert_config, write_bert

_random = random.Random(0)
_WHOLE = [word for word in WORDS.split() if "#" not in word]
QUESTION = "the cat sat in the park"
PASSAGES = [" ".join(_random.choices(_WHOLE, k=1 + i % 13)) for i in range(40)]
LONG = " ".join(_random.choices(_WHOLE, k=60))


@pytest.fixture(autouse=True)
def in_float32(monkeypatch) -> None:
    """Also on processors that compute in bfloat16, so that scores can be compared to 1e-4."""
    monkeypatch.setattr(cross, "computes_in_bfloat16", lambda device: False)


def write_cross(folder: Path, labels: int = 1, **changes) -> Path:
    torch.manual_seed(1)
    return write_bert(folder, BertForSequenceClassification(bert_config(num_labels=labels, **changes)))


def write_roberta(folder: Path) -> Path:
    """<s> a </s></s> b </s>, one token type, positions counted from after the padding token's id."""
    vocabulary = {word: i for i, word in enumerate(["<s>", "<pad>", "</s>", "<unk>", *_WHOLE])}
    split = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    split.normalizer = normalizers.BertNormalizer(lowercase=True)
    split.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    split.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    PreTrainedTokenizerFast(
        tokenizer_object=split, bos_token="<s>", cls_token="<s>", eos_token="</s>", sep_token="</s>",
        pad_token="<pad>", unk_token="<unk>",
    ).save_pretrained(folder)  # fmt: skip
    torch.manual_seed(2)
    RobertaForSequenceClassification(
        RobertaConfig(
            vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
            intermediate_size=64, max_position_embeddings=MAX_TOKENS + 2, type_vocab_size=1, num_labels=1,
            pad_token_id=1, bos_token_id=0, eos_token_id=2, initializer_range=0.5,
        )
    ).save_pretrained(folder)  # fmt: skip
    return folder


def write_decoder(folder: Path, pad: int | None = 4) -> Path:
    """One that reads its score off the last token that is not padding, behind a BERT's tokenizer."""
    torch.manual_seed(4)
    config = GPT2Config(
        vocab_size=len(VOCABULARY), n_positions=128, n_embd=32, n_layer=2, n_head=2, num_labels=1,
        pad_token_id=pad, initializer_range=0.5,
    )  # fmt: skip
    write_bert(folder, GPT2ForSequenceClassification(config))
    rewrite(folder / "searchsite.json", max_tokens=128)
    return folder


def rewrite(path: Path, **changes) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes) if path.is_file() else json.dumps(changes))


def without(folder: Path, *keys: str) -> None:
    state = load_file(folder / "model.safetensors")
    save_file({k: t for k, t in state.items() if k not in keys}, folder / "model.safetensors", {"format": "pt"})


def theirs(folder: Path, question: str, passages: list[str], **options) -> np.ndarray:
    """The logits by transformers alone; one pair at a time unless `padding` is asked for."""
    split = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    groups = [passages] if "padding" in options else [[passage] for passage in passages]
    with torch.inference_mode():
        given = (split([question] * len(group), group, return_tensors="pt", **options) for group in groups)
        return np.concatenate([model(**one).logits[:, 0].numpy() for one in given])


def given_to(encoder, question: str, passages: list[str]) -> list[dict[str, torch.Tensor]]:
    """What goes into the model, one batch after another."""
    met: list[dict[str, torch.Tensor]] = []
    hook = encoder.model.register_forward_pre_hook(lambda _module, _args, kwargs: met.append(kwargs), with_kwargs=True)
    encoder.scores(question, passages)
    hook.remove()
    return met


@pytest.fixture
def encoder(tmp_path: Path):
    return load_cross_encoder(write_cross(tmp_path / "bert"))


@pytest.mark.parametrize("write", [write_cross, write_roberta])
def test_scores_are_those_of_transformers_in_the_order_of_the_passages(write, tmp_path: Path) -> None:
    folder = write(tmp_path / "cross")
    scores = load_cross_encoder(folder).scores(QUESTION, PASSAGES)
    assert (scores.shape, scores.dtype) == ((40,), np.float32)
    np.testing.assert_allclose(scores, theirs(folder, QUESTION, PASSAGES), atol=1e-4)
    # and they are so far apart that another order, or other tokens, would not pass
    assert np.diff(np.sort(scores)).mean() > 0.01


@pytest.mark.parametrize("write", [write_cross, write_roberta])
def test_scores_are_those_of_one_padded_batch(write, tmp_path: Path) -> None:
    folder = write(tmp_path / "cross")
    padded = theirs(folder, QUESTION, PASSAGES, padding=True, padding_side="right")
    np.testing.assert_allclose(load_cross_encoder(folder).scores(QUESTION, PASSAGES), padded, atol=1e-4)


@pytest.mark.parametrize("side", ["left", "right"])
def test_how_a_tokenizer_was_saved_to_pad_and_cut_moves_no_score(side: str, tmp_path: Path) -> None:
    expected = load_cross_encoder(write_roberta(tmp_path / "plain")).scores(QUESTION, PASSAGES)
    folder = write_roberta(tmp_path / "saved")
    saved = Tokenizer.from_file(str(folder / "tokenizer.json"))
    saved.enable_padding(direction=side, pad_id=1, pad_token="<pad>", length=MAX_TOKENS)
    saved.enable_truncation(8, direction=side)
    saved.save(str(folder / "tokenizer.json"))
    rewrite(folder / "tokenizer_config.json", padding_side=side)
    np.testing.assert_allclose(load_cross_encoder(folder).scores(QUESTION, PASSAGES), expected, atol=1e-5)


@pytest.mark.parametrize("write", [write_cross, write_roberta])
def test_a_long_passage_is_cut_at_its_end(write, tmp_path: Path) -> None:
    folder = write(tmp_path / "cross")
    cut = theirs(folder, QUESTION, [LONG], truncation="only_second", max_length=MAX_TOKENS)
    encoder = load_cross_encoder(folder)
    np.testing.assert_allclose(encoder.scores(QUESTION, ["cat", LONG])[1:], cut, atol=1e-4)
    assert given_to(encoder, QUESTION, [LONG])[0]["attention_mask"].sum() == MAX_TOKENS


def test_a_long_question_is_cut_to_half_so_that_the_passage_is_read(encoder) -> None:
    words = LONG.split()
    half = (MAX_TOKENS - 3) // 2
    expected = encoder.scores(" ".join(words[:half]), PASSAGES)
    np.testing.assert_allclose(encoder.scores(LONG, PASSAGES), expected, atol=1e-5)
    assert np.ptp(expected) > 0.1
    ids = given_to(encoder, LONG, [LONG])[0]["input_ids"][0].tolist()
    known = [VOCABULARY.index(word) for word in words]
    assert ids == [2, *known[:half], 3, *known[: MAX_TOKENS - 3 - half], 3]


def test_the_model_is_told_which_text_is_which(encoder) -> None:
    given = given_to(encoder, "cat", ["big dog"])[0]
    assert given["token_type_ids"][0, :8].tolist() == [0, 0, 0, 1, 1, 1, 0, 0]
    assert encoder.scores("cat", ["dog"]) != pytest.approx(encoder.scores("dog", ["cat"]), abs=1e-3)


def test_types_are_left_out_where_the_tokenizer_leaves_them_out(tmp_path: Path) -> None:
    folder = write_cross(tmp_path / "bert")
    rewrite(folder / "tokenizer_config.json", model_input_names=["input_ids", "attention_mask"])
    expected = theirs(folder, QUESTION, PASSAGES)
    np.testing.assert_allclose(load_cross_encoder(folder).scores(QUESTION, PASSAGES), expected, atol=1e-4)
    assert np.abs(expected - theirs(write_cross(tmp_path / "told"), QUESTION, PASSAGES)).max() > 0.01


def test_a_model_with_one_type_is_given_none(tmp_path: Path) -> None:
    folder = write_roberta(tmp_path / "roberta")
    expected = load_cross_encoder(folder).scores(QUESTION, PASSAGES)
    saved = Tokenizer.from_file(str(folder / "tokenizer.json"))
    saved.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B:1 </s>:1", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    saved.save(str(folder / "tokenizer.json"))
    np.testing.assert_allclose(load_cross_encoder(folder).scores(QUESTION, PASSAGES), expected, atol=1e-5)


def test_a_decoder_reads_its_score_off_the_end_of_the_pair(tmp_path: Path) -> None:
    folder = write_decoder(tmp_path / "decoder")
    encoder = load_cross_encoder(folder)
    for passage in PASSAGES[:5]:
        ids = [2, *(VOCABULARY.index(word) for word in QUESTION.split()), 3]
        ids += [*(VOCABULARY.index(word) for word in passage.split()), 3]
        with torch.inference_mode():
            expected = encoder.model(torch.tensor([ids])).logits[0]
        np.testing.assert_allclose(encoder.scores(QUESTION, [passage, LONG])[:1], expected, atol=1e-4)


def test_neither_order_nor_company_moves_a_score(encoder, monkeypatch) -> None:
    alone = np.concatenate([encoder.scores(QUESTION, [passage]) for passage in PASSAGES])
    order = _random.sample(range(len(PASSAGES)), len(PASSAGES))
    mixed = encoder.scores(QUESTION, [PASSAGES[i] for i in order] + [LONG, ""])
    np.testing.assert_allclose(mixed[: len(order)], alone[order], atol=1e-4)
    monkeypatch.setitem(cross.BUDGET, "cpu", 64)
    np.testing.assert_allclose(encoder.scores(QUESTION, PASSAGES), alone, atol=1e-4)
    met = [batch["input_ids"].shape for batch in given_to(encoder, QUESTION, PASSAGES)]
    assert len(met) > 10
    assert all(rows * min(int(width), MAX_TOKENS) <= 64 + rows * 16 for rows, width in met)
    assert max(rows for rows, _ in met) > 1


def test_no_passages_no_scores(encoder) -> None:
    scores = encoder.scores(QUESTION, [])
    assert (scores.shape, scores.dtype) == ((0,), np.float32)


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\0", "\ud800", "\udfff猫\ud800", "[CLS] [SEP] [PAD]", "x" * 5000])
def test_strange_texts_have_scores_and_move_no_others(text: str, encoder) -> None:
    scores = encoder.scores(QUESTION, [text, "cat"])
    assert np.isfinite(scores).all()
    np.testing.assert_allclose(scores[1:], encoder.scores(QUESTION, ["cat"]), atol=1e-4)
    assert np.isfinite(encoder.scores(text, ["cat", text])).all()


def test_special_tokens_in_a_text_do_not_end_it(encoder) -> None:
    ids = given_to(encoder, "cat [SEP]", ["[PAD] dog"])[0]["input_ids"][0].tolist()
    cat, dog = VOCABULARY.index("cat"), VOCABULARY.index("dog")
    assert ids[:11] == [2, cat, 1, 1, 1, 3, 1, 1, 1, dog, 3]  # "[", "SEP" and "]" are not in this vocabulary


def test_several_threads_may_score_at_once(encoder) -> None:
    alone = encoder.scores(QUESTION, PASSAGES)
    with ThreadPoolExecutor(4) as pool:
        for scores in pool.map(lambda _: encoder.scores(QUESTION, PASSAGES), range(8)):
            np.testing.assert_allclose(scores, alone, atol=1e-5)


def test_an_operator_may_set_prefixes_and_a_length(encoder, tmp_path: Path) -> None:
    folder = write_cross(tmp_path / "set")
    rewrite(folder / "searchsite.json", query_prefix="big ", passage_prefix="small ", max_tokens=12)
    loaded = load_cross_encoder(folder)
    expected = encoder.scores("big cat", ["small dog", "small sun"])
    np.testing.assert_allclose(loaded.scores("cat", ["dog", "sun"]), expected, atol=1e-4)
    assert given_to(loaded, "cat", [LONG])[0]["attention_mask"].sum() == 12


def test_the_fingerprint_is_of_what_moves_scores(encoder, tmp_path: Path) -> None:
    copied = load_cross_encoder(Path(shutil.copytree(tmp_path / "bert", tmp_path / "elsewhere" / "other")))
    assert (encoder.name, copied.name) == ("bert", "other")
    assert copied.fingerprint == encoder.fingerprint
    shorter = write_cross(tmp_path / "shorter")
    rewrite(shorter / "searchsite.json", max_tokens=12)
    trained = write_cross(tmp_path / "trained")
    state = load_file(trained / "model.safetensors")
    save_file(state | {"classifier.bias": torch.ones(1)}, trained / "model.safetensors", {"format": "pt"})
    found = {load_cross_encoder(folder).fingerprint for folder in (shorter, trained)} | {encoder.fingerprint}
    assert len(found) == 3
    # the same weights as an encoder of one text are another thing
    assert resolve("bert", tmp_path, "cls").fingerprint not in found


@pytest.mark.parametrize(("most", "kept"), [(0.2, torch.bfloat16), (0.0, torch.float32)])
def test_bfloat16_stays_only_where_scores_stay(most: float, kept: torch.dtype, tmp_path: Path, monkeypatch) -> None:
    folder = write_cross(tmp_path / "bert")
    state = load_file(folder / "model.safetensors")
    state["classifier.bias"] += 1000  # between numbers so large, bfloat16 has steps of 4
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    exact = load_cross_encoder(folder).scores(QUESTION, PASSAGES)
    monkeypatch.setattr(cross, "computes_in_bfloat16", lambda device: True)
    monkeypatch.setattr(cross, "_MOST_MOVED", most)
    loaded = load_cross_encoder(folder)
    assert loaded.model.dtype == kept
    moved = np.abs(loaded.scores(QUESTION, PASSAGES) - exact).max()
    assert moved < (0.1 * np.ptp(exact) if kept == torch.bfloat16 else 1e-3)


@pytest.mark.parametrize("write", [write_roberta, write_decoder])
def test_relatives_of_bert_may_compute_in_bfloat16(write, tmp_path: Path, monkeypatch) -> None:
    folder = write(tmp_path / "cross")
    exact = load_cross_encoder(folder).scores(QUESTION, PASSAGES)
    monkeypatch.setattr(cross, "computes_in_bfloat16", lambda device: True)
    monkeypatch.setattr(cross, "_MOST_MOVED", 0.2)
    loaded = load_cross_encoder(folder)
    assert loaded.model.dtype == torch.bfloat16
    moved = np.abs(loaded.scores(QUESTION, PASSAGES) - exact).max()
    assert 0 < moved < 0.1 * np.ptp(exact)


def test_a_model_that_cannot_compute_in_bfloat16_computes_in_float32(tmp_path: Path, monkeypatch) -> None:
    folder = write_cross(tmp_path / "bert")
    exact = load_cross_encoder(folder).scores(QUESTION, PASSAGES)

    def as_torch_does(_module, _inputs) -> None:
        raise RuntimeError("\"fft\" not implemented for 'BFloat16'")

    monkeypatch.setattr(cross, "computes_in_bfloat16", lambda device: True)
    monkeypatch.setattr(cross, "_in_bfloat16", lambda model: model.register_forward_pre_hook(as_torch_does))
    np.testing.assert_allclose(load_cross_encoder(folder).scores(QUESTION, PASSAGES), exact, atol=1e-5)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"There is no cross-encoder at .*nowhere"):
        load_cross_encoder(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(EncoderError, match="empty"):
        load_cross_encoder(tmp_path / "empty")


@pytest.mark.parametrize("kind", [BertModel, BertForMaskedLM])
def test_a_model_that_is_no_classifier_is_refused(kind, tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "plain", kind(bert_config()))
    with pytest.raises(EncoderError, match=f"no cross-encoder: it is a {kind.__name__}, and one whose name ends in"):
        load_cross_encoder(folder)


@pytest.mark.parametrize("says", [["BertForSequenceClassification"], None])
def test_a_classifier_without_its_head_is_refused(says: list[str] | None, tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "headless", BertModel(bert_config()))
    rewrite(folder / "config.json", architectures=says)
    with pytest.raises(EncoderError, match=r"would be random: classifier\.bias, classifier\.weight\.$"):
        load_cross_encoder(folder)


def test_a_classifier_without_its_pooler_is_refused(tmp_path: Path) -> None:
    folder = write_cross(tmp_path / "holed")
    without(folder, "bert.pooler.dense.weight")
    with pytest.raises(EncoderError, match=r"would be random: bert\.pooler\.dense\.weight\.$"):
        load_cross_encoder(folder)


@pytest.mark.parametrize("labels", [2, 3])
def test_several_labels_are_refused(labels: int, tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=f"has {labels} labels; a cross-encoder has one"):
        load_cross_encoder(write_cross(tmp_path / "classes", labels))


def test_a_head_of_another_shape_is_refused(tmp_path: Path) -> None:
    folder = write_cross(tmp_path / "mixed", labels=3)
    rewrite(folder / "config.json", id2label={"0": "score"}, label2id={"score": 0})
    with pytest.raises(EncoderError, match=r"classifier\.|shape|size"):
        load_cross_encoder(folder)


@pytest.mark.parametrize("kind", ["no-such-model", "clip", "whisper"])
def test_what_is_no_model_of_texts_is_refused(kind: str, tmp_path: Path) -> None:
    folder = write_cross(tmp_path / "other")
    rewrite(folder / "config.json", model_type=kind)
    with pytest.raises(EncoderError, match="other"):
        load_cross_encoder(folder)


def test_a_tokenizer_that_is_not_made_for_pairs_is_refused(tmp_path: Path) -> None:
    folder = write_cross(tmp_path / "single")
    saved = Tokenizer(models.WordLevel({word: i for i, word in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    saved.pre_tokenizer = pre_tokenizers.Whitespace()
    saved.save(str(folder / "tokenizer.json"))
    with pytest.raises(EncoderError, match="puts nothing between two texts"):
        load_cross_encoder(folder)


def test_no_room_for_a_pair_is_refused(tmp_path: Path) -> None:
    folder = write_cross(tmp_path / "short")
    rewrite(folder / "searchsite.json", max_tokens=4)
    with pytest.raises(EncoderError, match="max_tokens at 4 there is no room for a pair"):
        load_cross_encoder(folder)


def test_a_model_whose_scores_depend_on_their_company_is_refused(tmp_path: Path) -> None:
    """FNet mixes padding into every token."""
    torch.manual_seed(3)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "initializer_range": 0.5}
    config = FNetConfig(vocab_size=len(VOCABULARY), max_position_embeddings=128, pad_token_id=0, num_labels=1, **sizes)
    folder = write_bert(tmp_path / "fourier", FNetForSequenceClassification(config))
    with pytest.raises(EncoderError, match=r"FNetForSequenceClassification\) scores a pair otherwise when"):
        load_cross_encoder(folder)


def test_a_model_that_cannot_score_pairs_beside_each_other_is_refused(tmp_path: Path) -> None:
    """Without a padding token, a decoder cannot tell where a pair ends."""
    folder = write_decoder(tmp_path / "decoder", pad=None)
    with pytest.raises(EncoderError, match=r"cannot score a pair of texts \(ValueError: .*padding token"):
        load_cross_encoder(folder)


def test_scores_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    folder = write_cross(tmp_path / "broken")
    state = load_file(folder / "model.safetensors")
    state["classifier.weight"][0, 0] = float("nan")
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(EncoderError, match="scores that are no numbers"):
        load_cross_encoder(folder)


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path) -> None:
    folder = write_cross(tmp_path / "mixed")
    with (folder / "vocab.txt").open("a") as vocabulary:
        vocabulary.write("stray\n")
    with pytest.raises(EncoderError, match=rf"knows {len(VOCABULARY) + 1} tokens and the model only"):
        load_cross_encoder(folder)


class _Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_neither_a_pickle_nor_code_in_the_folder_is_run(tmp_path: Path) -> None:
    folder = write_cross(tmp_path / "evil")
    expected = load_cross_encoder(folder).scores(QUESTION, PASSAGES)
    auto = {"AutoConfig": "own.Config", "AutoModelForSequenceClassification": "own.Model"}
    rewrite(folder / "config.json", auto_map=auto, attn_implementation="somebody/kernel")
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    np.testing.assert_array_equal(load_cross_encoder(folder).scores(QUESTION, PASSAGES), expected)
    (folder / "model.safetensors").unlink()
    torch.save({"classifier.weight": _Bomb(tmp_path / "ran")}, folder / "pytorch_model.bin")
    with pytest.raises(EncoderError, match="holds more than weights"):
        load_cross_encoder(folder)
    assert not (tmp_path / "ran").exists()
    torch.load(folder / "pytorch_model.bin", weights_only=False)
    assert (tmp_path / "ran").exists(), "the bomb is none"
