"""A look into an encoder: every figure of the report against transformers and torch alone."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import asdict
from io import StringIO
from pathlib import Path

import pytest
import torch
import transformers
from django.core.management import CommandError, call_command
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForSequenceClassification, BertModel, BertTokenizer, PreTrainedModel

from encoder import EncoderError, describe, local
from encoder.checkpoints import resolve
from encoder.inspection import inspect
from encoder.report import Mismatched, Parameter, Renamed, Report
from encoder.report_text import as_text
from tests.encoder.checkpoints import (
    MAX_TOKENS,
    VOCABULARY,
    bert_config,
    change_config,
    old_heads,
    vocabulary_as_json,
    write_bert,
    write_classifier,
    write_old_bert,
    write_vocabulary,
)

TEXT = "the cat sat on 你 好 mats"
SIZES = {
    "vocab_size": len(VOCABULARY),
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "pad_token_id": 0,
}


def rewrite(folder: Path, drop: tuple[str, ...] = ()) -> Path:
    """The folder's weights without some."""
    state = load_file(folder / "model.safetensors")
    save_file({k: t for k, t in state.items() if k not in drop}, folder / "model.safetensors", {"format": "pt"})
    return folder


def old(tmp_path: Path, name: str = "bert_config.json") -> Path:
    state = load_file(write_bert(tmp_path / "new", seeded(3)) / "model.safetensors")
    return write_old_bert(tmp_path / "chinese_wwm_ext_pytorch", state, name)


def seeded(seed: int) -> BertModel:
    """Not the seed of the report, so that random weights are told from those in the file."""
    torch.manual_seed(seed)
    return BertModel(bert_config())


def run(model: PreTrainedModel, report: Report):
    with torch.inference_mode():
        return model.eval()(torch.tensor([[token.id for token in report.tokens]]))


def parameters(report: Report) -> dict[str, Parameter]:
    return {row.name: row for row in report.parameters}


# What the model is


@pytest.mark.parametrize("how", ["checkpoint", "config", "state-dict"])
def test_every_parameter_is_the_models_with_totals(how: str, tmp_path: Path) -> None:
    report = inspect(write_bert(tmp_path / "bert", seeded(3)), tmp_path, TEXT, how)
    model = BertModel.from_pretrained(tmp_path / "bert")
    found = [(row.name, row.shape, row.numbers, row.dtype, row.requires_grad) for row in report.parameters]
    assert found == [
        (name, tuple(values.shape), values.numel(), "float32", True) for name, values in model.named_parameters()
    ]
    assert report.total.numbers == report.total.trainable == sum(values.numel() for values in model.parameters())
    assert report.total.bytes == 4 * report.total.numbers
    assert [group.group for group in report.groups] == ["embeddings", "layer 0", "layer 1", "pooler"]
    assert sum(group.numbers for group in report.groups) == report.total.numbers
    layer = sum(values.numel() for values in model.encoder.layer[1].parameters())
    assert report.groups[2].numbers == layer


def test_the_architecture_is_told_in_the_terms_of_bert_for_its_relatives_too(tmp_path: Path) -> None:
    write_bert(tmp_path / "bert")
    config = transformers.DistilBertConfig(
        vocab_size=len(VOCABULARY), dim=32, n_layers=1, n_heads=4, hidden_dim=64, max_position_embeddings=MAX_TOKENS
    )
    transformers.DistilBertModel(config).save_pretrained(write_vocabulary(tmp_path / "distil"))
    bert, distil = (inspect(name, tmp_path, TEXT).architecture for name in ("bert", "distil"))
    assert (bert.name, bert.layers, bert.heads, bert.hidden_size, bert.positions) == ("BertModel", 2, 2, 32, MAX_TOKENS)
    assert (bert.vocabulary, bert.hidden_dropout, bert.activation) == (len(VOCABULARY), 0.1, "gelu")
    assert (distil.name, distil.layers, distil.heads, distil.hidden_size) == ("DistilBertModel", 1, 4, 32)
    assert (distil.intermediate_size, distil.hidden_dropout, distil.token_types) == (64, 0.1, None)


def test_what_the_folder_says_and_the_fingerprint_are_those_of_describe(tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "said")
    (folder / "searchsite.json").write_text(json.dumps({"query_prefix": "ask: ", "max_tokens": 9, "pooling": "cls"}))
    serving = inspect("said", tmp_path, TEXT).serving
    assert (serving.query_prefix, serving.passage_prefix, serving.max_tokens) == ("ask: ", "", 9)
    assert serving.fingerprint == describe("said", tmp_path, "cls").fingerprint
    assert serving.refusal is None


@pytest.mark.parametrize("as_json", [False, True])
def test_the_tokens_are_those_of_transformers(as_json: bool, tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "bert")
    theirs = BertTokenizer.from_pretrained(folder)(TEXT)["input_ids"]
    report = inspect(vocabulary_as_json(folder) if as_json else folder, tmp_path, TEXT)
    assert [token.id for token in report.tokens] == theirs
    assert [token.piece for token in report.tokens] == [VOCABULARY[one] for one in theirs]
    assert [token.special for token in report.tokens] == [True, *[False] * (len(theirs) - 2), True]
    assert [TEXT[token.start : token.end] for token in report.tokens[1:3]] == ["the", "cat"]
    assert report.outputs.sequence == (1, len(theirs), 32)
    assert report.outputs.pooled_output == (1, 32)


def test_of_a_long_text_the_start_is_taken_with_the_special_tokens(tmp_path: Path) -> None:
    report = inspect(write_bert(tmp_path / "bert"), tmp_path, "cat dog " * 50)
    assert len(report.tokens) == report.outputs.sequence[1] == MAX_TOKENS
    assert [report.tokens[place].piece for place in (0, 1, 2, -1)] == ["[CLS]", "cat", "dog", "[SEP]"]
    assert report.left_out == 100 + 2 - MAX_TOKENS


def test_a_special_token_that_somebody_wrote_is_text(tmp_path: Path) -> None:
    report = inspect(write_bert(tmp_path / "bert"), tmp_path, "cat [SEP] dog \ud800")
    assert [token.special for token in report.tokens].count(True) == 2
    assert [token.id for token in report.tokens].count(VOCABULARY.index("[SEP]")) == 1


# The pooled output


def test_the_pooled_output_is_measured_as_torch_alone_measures_it(tmp_path: Path) -> None:
    report = inspect(write_bert(tmp_path / "bert", seeded(3)), tmp_path, TEXT)
    found = run(BertModel.from_pretrained(tmp_path / "bert"), report)
    pooled, states = found.pooler_output[0], found.last_hidden_state[0]
    shown = report.outputs.pooled
    cosine = torch.nn.CosineSimilarity(dim=0)
    assert shown.formula_difference < 1e-6
    assert shown.distance == pytest.approx(float((pooled - states[0]).square().sum().sqrt()), rel=1e-4)
    assert shown.cosine == pytest.approx(float(cosine(pooled, states[0])), abs=1e-5)
    assert shown.cosine_with_mean == pytest.approx(float(cosine(pooled, states.mean(dim=0))), abs=1e-5)
    assert report.outputs.cosine_first_mean == pytest.approx(float(cosine(states[0], states.mean(dim=0))), abs=1e-5)
    sizes = [abs(number) for number in pooled.tolist()]
    assert shown.above_90 == pytest.approx(sum(size > 0.9 for size in sizes) / 32)
    assert shown.above_99 == pytest.approx(sum(size > 0.99 for size in sizes) / 32)
    assert shown.mean_absolute == pytest.approx(sum(sizes) / 32, rel=1e-5)
    assert shown.above_90 > shown.above_99 > 0  # these weights are large, so there is something to count


def albert() -> PreTrainedModel:
    config = transformers.AlbertConfig(**SIZES, embedding_size=16, max_position_embeddings=MAX_TOKENS)
    return transformers.AlbertModel(config)


def mpnet() -> PreTrainedModel:
    return transformers.MPNetModel(transformers.MPNetConfig(**SIZES))


def roberta() -> PreTrainedModel:
    config = transformers.XLMRobertaConfig(**SIZES, max_position_embeddings=MAX_TOKENS + 1)
    return transformers.XLMRobertaModel(config)


@pytest.mark.parametrize("make", [albert, mpnet, roberta])
def test_the_formula_holds_for_relatives_of_bert(make, tmp_path: Path) -> None:
    make().save_pretrained(write_vocabulary(tmp_path / "relative"))
    report = inspect("relative", tmp_path, TEXT)
    assert report.outputs.pooled.formula_difference < 1e-6
    assert not report.outputs.pooled.weight.new
    assert report.loading.missing == report.loading.unexpected == ()


def test_a_pooler_of_another_kind_is_not_said_to_be_the_formula(tmp_path: Path, monkeypatch) -> None:
    from transformers.models.bert import modeling_bert

    folder = write_bert(tmp_path / "bert", seeded(3))
    monkeypatch.setattr(modeling_bert.nn, "Tanh", torch.nn.ReLU)
    report = inspect(folder, tmp_path, TEXT)
    assert report.outputs.pooled.formula_difference > 0.1
    assert "NOT the same" in as_text(report)


def test_an_architecture_without_a_pooler_has_no_pooled_output(tmp_path: Path) -> None:
    config = transformers.DistilBertConfig(
        vocab_size=len(VOCABULARY), dim=32, n_layers=1, n_heads=4, hidden_dim=64, max_position_embeddings=MAX_TOKENS
    )
    transformers.DistilBertModel(config).save_pretrained(write_vocabulary(tmp_path / "distil"))
    report = inspect("distil", tmp_path, TEXT)
    assert report.outputs.pooled is report.outputs.pooled_output is None
    assert report.outputs.sequence == (1, len(report.tokens), 32)
    assert "this architecture has none" in as_text(report)


def test_a_pooler_that_the_checkpoint_lacks_is_said_to_be_made_up(tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "bare", pooler=False)
    report = inspect("bare", tmp_path, TEXT)
    assert report.loading.missing == ("pooler.dense.bias", "pooler.dense.weight")
    assert {row.name for row in report.parameters if row.new} == set(report.loading.missing)
    assert report.outputs.pooled.weight.key is None
    assert "pooler.dense.weight [32, 32], newly made" in as_text(report)
    assert report.serving.fingerprint == resolve("bare", tmp_path).fingerprint
    (folder / "searchsite.json").write_text('{"pooling": "tanh"}')
    tanh = inspect("bare", tmp_path, TEXT).serving
    assert tanh.fingerprint is None
    assert 'Use the pooling "mean"' in tanh.refusal


# Ways to a model


@pytest.mark.parametrize("config_name", ["bert_config.json", "config.json"])
def test_an_old_chinese_bert_is_filled_whole_under_new_names(config_name: str, tmp_path: Path) -> None:
    report = inspect(old(tmp_path, config_name), tmp_path, TEXT)
    new = inspect(tmp_path / "new", tmp_path, TEXT)
    assert report.loading.missing == report.loading.mismatched == ()
    assert set(report.loading.unexpected) == set(old_heads())
    renamed = {one.key: one.name for one in report.loading.renamed}
    assert sorted(renamed.values()) == sorted(parameters(new))
    assert renamed["bert.encoder.layer.1.output.LayerNorm.gamma"] == "encoder.layer.1.output.LayerNorm.weight"
    assert renamed["bert.embeddings.LayerNorm.beta"] == "embeddings.LayerNorm.bias"
    assert report.outputs.pooled.weight.file == "pytorch_model.bin"
    assert report.outputs.pooled.weight.key == "bert.pooler.dense.weight"
    assert report.outputs.pooled.mean_absolute == pytest.approx(new.outputs.pooled.mean_absolute, rel=1e-5)
    assert report.serving.fingerprint == resolve("chinese_wwm_ext_pytorch", tmp_path).fingerprint
    assert "from pytorch_model.bin, where its key is bert.pooler.dense.bias" in as_text(report)


def test_a_state_dict_with_old_names_fills_nothing_and_says_why(tmp_path: Path) -> None:
    loading = inspect(old(tmp_path), tmp_path, TEXT, "state-dict").loading
    model = BertModel(bert_config())
    theirs = model.load_state_dict(torch.load(tmp_path / "chinese_wwm_ext_pytorch" / "pytorch_model.bin"), strict=False)
    assert loading.loaded == 0
    assert loading.missing == tuple(sorted(theirs.missing_keys))
    assert loading.unexpected == tuple(sorted(theirs.unexpected_keys))
    assert Renamed(key="bert.pooler.dense.weight", name="pooler.dense.weight") in loading.not_renamed
    assert {one.name for one in loading.not_renamed} == set(loading.missing)


def test_a_state_dict_with_the_same_names_gives_the_checkpoints_outputs(tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "bert", seeded(3))
    whole, filled = (inspect(folder, tmp_path, TEXT, how, training=True) for how in ("checkpoint", "state-dict"))
    assert filled.outputs == whole.outputs
    assert filled.modes == whole.modes
    assert filled.loading.loaded == len(filled.parameters)
    assert filled.serving.fingerprint is None


def test_a_configuration_alone_reads_no_weights_and_never_serves(tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "bert", seeded(3))
    whole = inspect(folder, tmp_path, TEXT)
    (folder / "model.safetensors").unlink()
    report = inspect(folder, tmp_path, TEXT, "config")
    assert set(report.loading.missing) == set(parameters(report))
    assert all(row.new for row in report.parameters)
    assert report.outputs.cosine_first_mean != pytest.approx(whole.outputs.cosine_first_mean, abs=1e-3)
    assert report.serving.fingerprint is None
    assert "never to serve" in report.serving.refusal
    assert "MADE UP AT RANDOM" in as_text(report)
    with pytest.raises(EncoderError, match="holds no weights"):
        inspect(folder, tmp_path, TEXT)


def test_a_checkpoint_with_gaps_is_looked_at_and_refused_as_serving_refuses_it(tmp_path: Path) -> None:
    gaps = ("embeddings.LayerNorm.bias", "encoder.layer.1.output.dense.weight")
    rewrite(write_bert(tmp_path / "holed", seeded(3)), drop=gaps)
    report = inspect("holed", tmp_path, TEXT)
    assert report.loading.missing == gaps
    assert tuple(row.name for row in report.parameters if row.new) == gaps
    with pytest.raises(EncoderError) as refused:
        local.load(resolve("holed", tmp_path), dtype="float32")
    assert report.serving.refusal == str(refused.value)


@pytest.mark.parametrize("how", ["checkpoint", "state-dict"])
def test_weights_of_another_shape_are_listed_with_both(how: str, tmp_path: Path) -> None:
    folder = change_config(write_bert(tmp_path / "bert", seeded(3)), max_position_embeddings=20)
    report = inspect(folder, tmp_path, TEXT, how)
    name = "embeddings.position_embeddings.weight"
    assert report.loading.mismatched == (Mismatched(name=name, in_file=(MAX_TOKENS, 32), in_model=(20, 32)),)
    assert report.loading.missing == ()
    assert [row.name for row in report.parameters if row.new] == [name]
    assert report.serving.fingerprint is None
    assert f"{name}  [{MAX_TOKENS}, 32] in the file, [20, 32] wanted" in as_text(report)


def test_a_checkpoint_in_shards_says_which_of_them(tmp_path: Path) -> None:
    seeded(3).save_pretrained(write_vocabulary(tmp_path / "shards"), max_shard_size="20KB")
    weight_map = json.loads((tmp_path / "shards" / "model.safetensors.index.json").read_text())["weight_map"]
    report = inspect("shards", tmp_path, TEXT)
    assert len(report.loading.files) > 2
    assert {row.name: row.file for row in report.parameters} == weight_map


def test_half_precision_in_the_file_is_told_beside_what_is_computed_in(tmp_path: Path) -> None:
    write_bert(tmp_path / "half", seeded(3).half())
    rows = inspect("half", tmp_path, TEXT).parameters
    assert {(row.stored, row.dtype) for row in rows} == {("float16", "float32")}


@pytest.mark.parametrize("named", [True, False])
def test_a_classifier_is_shown_with_its_head_and_serves_as_an_encoder(named: bool, tmp_path: Path) -> None:
    folder = write_classifier(tmp_path / "classifier", labels=3)
    if not named:
        change_config(folder, architectures=None)
    report = inspect(folder, tmp_path, TEXT)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    assert report.architecture.name == "BertForSequenceClassification"
    assert report.total.numbers == sum(values.numel() for values in model.parameters())
    assert [row.name for row in report.parameters if row.group == "head"] == ["classifier.weight", "classifier.bias"]
    assert report.outputs.head == tuple(run(model, report).logits.shape) == (1, 3)
    assert report.outputs.pooled.weight.key == "bert.pooler.dense.weight"
    assert report.outputs.pooled.formula_difference < 1e-6
    assert report.loading.missing == report.loading.unexpected == ()
    assert report.serving.fingerprint == resolve("classifier", tmp_path).fingerprint


def test_a_classifier_without_its_head_or_its_encoder(tmp_path: Path) -> None:
    headless = rewrite(write_classifier(tmp_path / "headless"), drop=("classifier.weight",))
    report = inspect(headless, tmp_path, TEXT)
    assert report.loading.missing == ("classifier.weight",)
    assert report.serving.refusal is None
    holed = rewrite(write_classifier(tmp_path / "holed"), drop=("bert.embeddings.LayerNorm.weight",))
    with pytest.raises(EncoderError) as refused:
        local.load(resolve("holed", tmp_path), dtype="float32")
    assert inspect(holed, tmp_path, TEXT).serving.refusal == str(refused.value)


# Modes


def test_training_differs_from_itself_and_inference_does_not(tmp_path: Path) -> None:
    modes = inspect(write_bert(tmp_path / "bert", seeded(3)), tmp_path, TEXT).modes
    assert modes.training_difference > 0.01
    assert modes.inference_difference == 0
    assert modes.dropout == (0.1,)
    assert (modes.requires_grad_with_gradients, modes.requires_grad_in_inference_mode) == (True, False)


def test_without_dropout_training_repeats_too(tmp_path: Path) -> None:
    change_config(write_bert(tmp_path / "dry"), hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    modes = inspect("dry", tmp_path, TEXT).modes
    assert (modes.training_difference, modes.dropout) == (0, ())


@pytest.mark.parametrize("how", ["checkpoint", "config"])
def test_a_report_repeats_and_leaves_the_random_generator_alone(how: str, tmp_path: Path) -> None:
    write_bert(tmp_path / "bare", pooler=False)
    torch.manual_seed(11)
    first = inspect("bare", tmp_path, TEXT, how)
    drawn = torch.rand(3)
    assert inspect("bare", tmp_path, TEXT, how) == first
    torch.manual_seed(11)
    assert torch.equal(torch.rand(3), drawn)


def test_outputs_in_training_mode_are_others_and_the_formula_holds(tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "bert", seeded(3))
    plain, train = (inspect(folder, tmp_path, TEXT, training=training).outputs for training in (False, True))
    assert (plain.training, train.training) == (False, True)
    assert abs(plain.cosine_first_mean - train.cosine_first_mean) > 1e-4
    assert train.pooled.formula_difference < 1e-6


def test_frozen_groups_are_not_trainable(tmp_path: Path) -> None:
    folder = write_classifier(tmp_path / "classifier")
    report = inspect(folder, tmp_path, TEXT, frozen=["embeddings", "1"])
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    still = [name for name, _ in model.named_parameters() if not re.search(r"embeddings|layer\.1\.", name)]
    assert [row.name for row in report.parameters if row.requires_grad] == still
    assert report.total.trainable == sum(model.get_parameter(name).numel() for name in still)
    assert report.frozen == ("embeddings", "layer 1")
    assert report.modes.requires_grad_with_gradients


def test_with_all_frozen_no_output_has_a_gradient(tmp_path: Path) -> None:
    report = inspect(write_bert(tmp_path / "bert"), tmp_path, TEXT, frozen=["all"])
    assert report.total.trainable == 0
    assert not report.modes.requires_grad_with_gradients


def test_what_is_not_there_cannot_be_frozen(tmp_path: Path) -> None:
    write_bert(tmp_path / "bert")
    with pytest.raises(EncoderError, match=r'called "2" to freeze.*choose from all, embeddings, 0, 1, pooler'):
        inspect("bert", tmp_path, TEXT, frozen=["2"])


# The command


@pytest.fixture
def site(settings, tmp_path: Path):
    settings.SEARCHSITE_MODELS_DIR = tmp_path
    settings.SEARCHSITE_ENCODER = "bert"
    return settings


def said(*words: str) -> str:
    out = StringIO()
    call_command("encoder", *words, stdout=out)
    return out.getvalue()


def test_json_is_the_report_of_the_settings_encoder(site, tmp_path: Path) -> None:
    write_bert(tmp_path / "bert", seeded(3))
    printed = json.loads(
        said("inspect", "--json", "--text", TEXT, "--how", "state-dict", "--freeze", "embeddings", "0")
    )
    report = inspect("bert", tmp_path, TEXT, "state-dict", ["embeddings", "0"])
    assert printed == json.loads(json.dumps(asdict(report)))


def test_the_text_names_every_parameter_key_and_token(site, tmp_path: Path) -> None:
    folder = old(tmp_path)
    printed = said("inspect", str(folder), "--text", TEXT, "--train")
    report = inspect(folder, tmp_path, TEXT)
    names = [row.name for row in report.parameters] + [one.key for one in report.loading.renamed]
    names += [*report.loading.unexpected, *(token.piece for token in report.tokens)]
    assert not [name for name in names if name not in printed]
    assert "in training mode" in printed
    assert f"{report.total.numbers:,} numbers" in printed


def test_a_folder_elsewhere_is_found_by_its_path_and_a_name_comes_first(site, tmp_path: Path, monkeypatch) -> None:
    elsewhere = tmp_path / "elsewhere"
    write_classifier(elsewhere / "bert")
    write_bert(elsewhere / "other")
    write_bert(tmp_path / "bert")
    monkeypatch.chdir(elsewhere)
    architectures = {
        given: json.loads(said("inspect", given, "--json"))["architecture"]["name"]
        for given in ("bert", "other", "./bert", str(elsewhere / "bert"))
    }
    assert architectures["bert"] == architectures["other"] == "BertModel"
    assert architectures[str(elsewhere / "bert")] == "BertForSequenceClassification"


def test_a_key_in_a_file_cannot_move_the_cursor(site, tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "bert")
    state = load_file(folder / "model.safetensors")
    save_file(state | {"\x1b[2Jgone": torch.zeros(1)}, folder / "model.safetensors", {"format": "pt"})
    printed = said("inspect")
    assert "\ufffd[2Jgone" in printed
    assert "\x1b" not in printed


class _Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("how", ["checkpoint", "state-dict"])
def test_a_pickle_is_not_run(how: str, site, tmp_path: Path) -> None:
    folder = old(tmp_path)
    torch.save({"bert.pooler.dense.weight": _Bomb(tmp_path / "ran")}, folder / "pytorch_model.bin")
    with pytest.raises(CommandError, match="holds more than weights"):
        said("inspect", str(folder), "--how", how)
    assert not (tmp_path / "ran").exists()
    torch.load(folder / "pytorch_model.bin", weights_only=False)
    assert (tmp_path / "ran").exists(), "the bomb is none"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def truncated(folder: Path) -> None:
    cut(write_bert(folder) / "model.safetensors")


def truncated_pickle(folder: Path) -> None:
    cut(write_old_bert(folder, seeded(3).state_dict()) / "pytorch_model.bin")


def no_table(folder: Path) -> None:
    torch.save([torch.zeros(1)], write_old_bert(folder, {}) / "pytorch_model.bin")


def keyed_by_numbers(folder: Path) -> None:
    torch.save({1: torch.zeros(1)}, write_old_bert(folder, {}) / "pytorch_model.bin")


def other_tokens(folder: Path) -> None:
    with (write_bert(folder) / "vocab.txt").open("a") as vocabulary:
        vocabulary.write("stray\n")


def damaged_tokenizer(folder: Path) -> None:
    (write_bert(folder) / "tokenizer.json").write_text('{"version": "1.0"}')


def no_tokenizer(folder: Path) -> None:
    (write_bert(folder) / "vocab.txt").unlink()


def no_numbers(folder: Path) -> None:
    model = seeded(3)
    model.embeddings.LayerNorm.bias.data[0] = float("nan")
    write_bert(folder, model)


def impossible(folder: Path) -> None:
    change_config(write_bert(folder), num_attention_heads=0)


def wrong_type(folder: Path) -> None:
    change_config(write_bert(folder), model_type=["bert"])


def image_model(folder: Path) -> None:
    change_config(write_bert(folder), model_type="vit", vocab_size=None)


def wants_images(folder: Path) -> None:
    change_config(write_bert(folder), model_type="clip")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (Path.mkdir, "is no checkpoint: it holds no config.json"),
        (truncated, "cannot be loaded"),
        (truncated_pickle, "cannot be loaded"),
        (no_table, "is no state dict"),
        (keyed_by_numbers, "is no state dict"),
        (other_tokens, "they do not belong together"),
        (damaged_tokenizer, "cannot be read as a tokenizer"),
        (no_tokenizer, "neither tokenizer.json nor vocab.txt"),
        (no_numbers, "vectors that are no numbers"),
        (impossible, "makes no model"),
        (wrong_type, "do not say what they should"),
        (image_model, "is no text encoder"),
        (wants_images, "cannot be given the tokens of a text"),
    ],
)
def test_what_cannot_be_looked_at_is_a_sentence(make, sentence: str, site, tmp_path: Path) -> None:
    make(tmp_path / "bert")
    with pytest.raises(CommandError, match=sentence):
        said("inspect")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("nowhere", 'no encoder "nowhere"'),
        ("owner/never-fetched", "Nothing is fetched"),
        ("../nowhere", 'no encoder "../nowhere"'),
        ("/no/such/folder", "There is no folder /no/such/folder"),
        ("tiny", "has no files"),
    ],
)
def test_a_name_without_files_is_a_sentence(given: str, sentence: str, site, monkeypatch) -> None:
    def refuse(*args, **kwargs):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(CommandError, match=re.escape(sentence)):
        said("inspect", given)


def test_a_model_that_was_fetched_from_the_hub_is_found_by_its_name(site, tmp_path: Path) -> None:
    write_bert(tmp_path / "owner--model")
    assert str(tmp_path / "owner--model") in said("inspect", "owner/model")


def test_only_inspect_takes_a_name(site, tmp_path: Path) -> None:
    write_bert(tmp_path / "bert")
    with pytest.raises(CommandError, match="describe takes no name"):
        said("describe", "bert")


# Real weights


@pytest.mark.meaning
@pytest.mark.parametrize(("name", "has_pooler"), [("e5-small", False), ("minilm", True)])
def test_real_encoders_are_laid_open(name: str, has_pooler: bool, real_models: Path) -> None:
    report = inspect(name, real_models)
    model = AutoModel.from_pretrained(report.folder, dtype=torch.float32, local_files_only=True)
    assert report.total.numbers == sum(values.numel() for values in model.parameters())
    assert report.outputs.pooled.formula_difference < 1e-5
    assert report.outputs.pooled.weight.new is not has_pooler
    assert report.serving.fingerprint == resolve(name, real_models).fingerprint
    states = run(model, report).last_hidden_state
    expected = torch.nn.functional.cosine_similarity(states[:, 0], states.mean(dim=1))
    assert report.outputs.cosine_first_mean == pytest.approx(float(expected), abs=1e-4)
    assert report.modes.training_difference > 0.01
    assert report.modes.inference_difference == 0
