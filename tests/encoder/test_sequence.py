"""The sequence output of passages: which tokens, what each is, where it stands, and that they add up to the vector."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from encoder import TokenStates, local
from encoder.checkpoints import resolve
from encoder.sequence import labels
from encoder.tiny import TINY
from encoder.tokenizing import unknown_share
from tests.encoder.checkpoints import MAX_TOKENS, VOCABULARY, WORDS, write_bert

ROOT = Path(__file__).resolve().parents[2]
LONG = " ".join([word for word in WORDS.split() if "#" not in word] * 3)
STRANGE = [
    "The cats  sat,\n你好 CAR",
    "  cat",
    "",
    " \n\t",
    "\ud800cat\udfff猫",
    "𠀀𠀁 cat 😀 dog",
    "[CLS] [SEP] [PAD] cat",
    "small small",
    "\0cat",
    LONG,
]


@pytest.fixture
def encoder(tmp_path: Path, open_checkpoint):
    write_bert(tmp_path / "plain")
    (tmp_path / "plain" / "searchsite.json").write_text('{"query_prefix": "big ", "passage_prefix": "small "}')
    return open_checkpoint("plain")


def of_text(found: TokenStates) -> np.ndarray:
    return found.states[[kind == "text" for kind in found.kinds]]


def shown(text: str, found: TokenStates) -> list[str]:
    """Each token as the characters of the text that it stands for, or as its kind."""
    return [
        text[start:end] if kind == "text" else f"<{kind}>"
        for kind, (start, end) in zip(found.kinds, found.offsets, strict=True)
    ]


def test_the_mean_of_the_states_is_the_vector_of_the_passage(encoder) -> None:
    found = encoder.passage_sequences(STRANGE)
    for text, one, vector in zip(STRANGE, found, encoder.encode_passages(STRANGE), strict=True):
        assert one.linear
        assert (one.pooled == vector).all()
        assert len(one.states) == len(one.kinds) == len(one.offsets), text
        mean = one.states.mean(axis=0)
        np.testing.assert_allclose(mean / np.linalg.norm(mean), one.pooled, atol=1e-5)


def test_states_are_the_models_own_in_their_order(encoder) -> None:
    (found,) = encoder.passage_sequences(["cat sat"])
    ids = torch.tensor([[VOCABULARY.index(word) for word in ("[CLS]", "small", "cat", "sat", "[SEP]")]])
    with torch.inference_mode():
        expected = encoder.model(ids).last_hidden_state[0].numpy()
    assert found.states.dtype == np.float32
    np.testing.assert_allclose(found.states, expected, atol=1e-5)
    assert found.kinds == ("special", "prefix", "text", "text", "special")
    assert found.offsets == ((0, 0), (0, 0), (0, 3), (4, 7), (0, 0))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The cats  sat,\n你好 CAR", ["The", "cat", "s", "sat", ",", "你", "好", "CAR"]),
        ("  cat", ["cat"]),
        ("", []),
        (" \n\t", []),
        ("\ud800cat\udfff猫", ["cat", "猫"]),
        ("𠀀 cat 😀 dog", ["𠀀", "cat", "😀", "dog"]),
        ("cat ＦＵＬＬｗｉｄｔｈ　dog", ["cat", "ＦＵＬＬｗｉｄｔｈ", "dog"]),  # one [UNK] over nine characters
        ("[SEP] small", ["[", "SEP", "]", "small"]),
    ],
)
def test_offsets_point_into_the_text_as_given(text: str, expected: list[str], encoder) -> None:
    (found,) = encoder.passage_sequences([text])
    assert shown(text, found) == ["<special>", "<prefix>", *expected, "<special>"]


def test_each_window_has_special_tokens_and_only_the_first_the_prefix(encoder) -> None:
    cat, (found,) = encoder.passage_sequences(["cat"])[0], encoder.passage_sequences([LONG])
    room = MAX_TOKENS - 2
    words = LONG.split()
    sizes = [min(room, len(words) + 1 - start) for start in range(0, len(words) + 1, room)]
    assert len(sizes) > 3
    expected: list[str] = []
    for number, size in enumerate(sizes):
        expected += ["<special>", *(["<prefix>"] if number == 0 else [])]
        expected += [words.pop(0) for _ in range(size - (number == 0))] + ["<special>"]
    assert shown(LONG, found) == expected
    assert shown("cat", cat) == ["<special>", "<prefix>", "cat", "<special>"]


def test_a_text_in_windows_and_batches_has_its_states_in_order(encoder, monkeypatch) -> None:
    texts = ["cat", LONG, "the dog", LONG + " dog", "cat"]
    whole = encoder.passage_sequences(texts)
    monkeypatch.setitem(local.BUDGET, "cpu", 2 * MAX_TOKENS)
    for one, other, text in zip(whole, encoder.passage_sequences(texts), texts, strict=True):
        np.testing.assert_allclose(one.states, other.states, atol=1e-5)
        assert shown(text, one) == shown(text, other)
    assert shown("the dog", whole[2]) == ["<special>", "<prefix>", "the", "dog", "<special>"]


def test_what_is_of_the_text_is_what_passages_give_as_their_states(encoder) -> None:
    given: dict[int, list[np.ndarray]] = {}
    encoder.encode_passages(STRANGE, states=lambda text, some: given.setdefault(text, []).append(some))
    for place, found in enumerate(encoder.passage_sequences(STRANGE)):
        assert (of_text(found) == np.concatenate(given[place])).all(), STRANGE[place]


def test_the_same_text_goes_through_the_model_once(encoder, monkeypatch) -> None:
    seen: list[int] = []
    forward = encoder._forward

    def counting(batch):
        seen.append(len(batch))
        return forward(batch)

    monkeypatch.setattr(encoder, "_forward", counting)
    found = encoder.passage_sequences(["cat", "dog", "cat"])
    assert sum(seen) == 2
    assert (found[0].states == found[2].states).all()
    assert not np.allclose(found[0].states, found[1].states, atol=0.01)


def test_no_texts_no_sequences(encoder) -> None:
    assert encoder.passage_sequences([]) == []


@pytest.mark.parametrize("pooling", ["cls", "tanh"])
def test_other_poolings_have_the_same_states_and_no_shares(pooling: str, tmp_path: Path, open_checkpoint) -> None:
    write_bert(tmp_path / "plain")
    texts = ["the cat sat", LONG]
    mean = open_checkpoint("plain", "mean").passage_sequences(texts)
    other = open_checkpoint("plain", pooling)
    for one, found, vector in zip(mean, other.passage_sequences(texts), other.encode_passages(texts), strict=True):
        assert one.linear
        assert not found.linear
        np.testing.assert_allclose(found.states, one.states, atol=1e-5)
        assert found.kinds == one.kinds
        assert (found.pooled == vector).all()
        assert not np.allclose(found.pooled, one.pooled, atol=0.01)


@pytest.mark.parametrize(
    ("offsets", "prefix", "text", "expected"),
    [
        ([(0, 2), (2, 3), (3, 5)], "p: ", "ab", ["prefix", (0, 0), (0, 2)]),  # the prefix' space, a token alone
        ([(0, 2), (2, 5)], "p: ", "ab", ["prefix", (0, 2)]),  # the space in the next token
        ([(0, 2), (2, 3)], "p: ", "", ["prefix", "prefix"]),  # and no text that could have it
        ([(0, 1), (1, 3), (3, 4)], "p:", "ab", ["prefix", (0, 1), (1, 2)]),  # one token of prefix and text
        ([(0, 1), (0, 2)], "", "ab", [(0, 1), (0, 2)]),
        ([(0, 0), (0, 2)], "", "ab", [(0, 0), (0, 2)]),
    ],
)
def test_prefix_and_text_are_told_apart_by_offsets(offsets, prefix: str, text: str, expected: list) -> None:
    found = labels(offsets, prefix, text)
    assert [span if kind == "text" else kind for kind, span in found] == expected
    assert all(span == (0, 0) for kind, span in found if kind == "prefix")


def test_what_a_sequence_is_can_be_named_without_torch_or_numpy() -> None:
    code = (
        "import sys, encoder; print(encoder.TokenStates.__name__, [m for m in ('torch', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "TokenStates []"


@pytest.mark.parametrize(
    ("texts", "share"),
    [
        (["the cat sat on the mat"], 0),
        (["THE CAT"], 0),  # lower-cased, as the checkpoint does
        (["你好世界"], 0),
        (["语义搜索"], 1),
        (["你好", "语义"], 0.5),
        (["cat 语", "义"], 2 / 5),
        (["cat, 42 — 7; \n\t !?"], 0),  # digits and marks that the vocabulary lacks are no letters
        (["cat ＦＵＬ"], 3 / 6),  # one [UNK] of three letters
        (["xylophone cat"], 9 / 12),
        (["\ud800cat\udfff"], 0),
        (["", " ", "1 2 3"], 0),
        ([], 0),
    ],
)
def test_letters_that_the_vocabulary_lacks_are_counted(texts: list[str], share: float, tmp_path: Path) -> None:
    write_bert(tmp_path / "plain")
    assert unknown_share(resolve("plain", tmp_path), texts) == pytest.approx(share)


def test_a_long_text_is_counted_in_pieces(tmp_path: Path, monkeypatch) -> None:
    from encoder import tokenizing

    write_bert(tmp_path / "plain")
    monkeypatch.setattr(tokenizing, "_SEGMENT", 50)
    text = "the cat sat\n" * 30 + "语义语\n" * 90
    assert unknown_share(resolve("plain", tmp_path), [text]) == pytest.approx(0.5)


def test_letters_that_are_spelled_in_bytes_are_unknown(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    bytewise = Tokenizer(models.BPE())
    bytewise.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytewise.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, special_tokens=["<unk>"])
    bytewise.train_from_iterator(["the cat sat", "你好"] * 9, trainer)
    bytewise.save(str(write_bert(tmp_path / "bytewise") / "tokenizer.json"))
    description = resolve("bytewise", tmp_path)
    assert unknown_share(description, ["the cat sat", "tac"]) == 0
    assert unknown_share(description, ["你好"]) == 0
    assert unknown_share(description, ["语义 cat"]) == pytest.approx(2 / 5)


def test_bytes_in_place_of_the_unknown_token_are_unknown(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models

    pieces = [("<unk>", 0.0), ("c", -1.0), ("a", -1.0), ("t", -1.0), ("猫", -1.0), (" ", -1.0)]
    every_byte = [(f"<0x{byte:02X}>", -9.0) for byte in range(256)]
    for name, vocabulary, fallback in (("bytes", pieces + every_byte, True), ("none", pieces, False)):
        loaded = Tokenizer(models.Unigram(vocabulary, unk_id=0, byte_fallback=fallback))
        loaded.save(str(write_bert(tmp_path / name) / "tokenizer.json"))
        description = resolve(name, tmp_path)
        assert unknown_share(description, ["cat 猫"]) == 0, name
        assert unknown_share(description, ["cat 语义 猫"]) == pytest.approx(2 / 6), name


def test_the_tiny_encoder_knows_every_letter() -> None:
    assert unknown_share(TINY, ["语义 Ъ"]) == 0
