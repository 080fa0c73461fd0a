"""From names to descriptions, and what a folder says about itself."""

from __future__ import annotations

import json
from pathlib import Path

import huggingface_hub
import pytest

from encoder import EncoderError, hashing
from encoder.checkpoints import resolve
from tests.encoder.checkpoints import MAX_TOKENS, write_bert, write_old_bert


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args, **kwargs):
        raise AssertionError("the hub was asked")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_bert(tmp_path / "plain")


def test_a_folder_is_described_by_its_files(folder: Path, tmp_path: Path) -> None:
    found = resolve("plain", tmp_path)
    assert (found.folder, found.dim, found.max_tokens, found.pooling) == (folder, 32, MAX_TOKENS, "mean")
    assert (found.query_prefix, found.passage_prefix) == ("", "")


def test_the_old_form_of_bert_is_described(tmp_path: Path) -> None:
    write_old_bert(tmp_path / "chinese_wwm_ext_pytorch", {})
    assert resolve("chinese_wwm_ext_pytorch", tmp_path, "cls").dim == 32


@pytest.mark.parametrize("name", ["../outside", "/etc", "plain/../../outside", "..", ".", ""])
def test_a_name_cannot_leave_the_folder_of_models(name: str, folder: Path, tmp_path: Path) -> None:
    write_bert(tmp_path.parent / "outside")
    with pytest.raises(EncoderError, match="outside the folder of models"):
        resolve(name, tmp_path)


def test_a_link_to_a_folder_elsewhere_is_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "linked").symlink_to(folder)
    assert resolve("linked", tmp_path / "models").fingerprint == resolve("plain", tmp_path).fingerprint


def test_an_unknown_name_is_told_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r'no encoder "bge".*e5-small, minilm, tiny.*not a folder'):
        resolve("bge", tmp_path)


def test_an_unknown_pooling_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match='no pooling "max": choose one of mean, cls, tanh'):
        resolve("plain", tmp_path, "max")


@pytest.mark.parametrize(
    ("lost", "said"),
    [("config.json", "no config.json"), ("vocab.txt", "neither tokenizer.json"), ("model.safetensors", "no weights")],
)
def test_an_incomplete_folder_is_named(lost: str, said: str, folder: Path, tmp_path: Path) -> None:
    (folder / lost).unlink()
    with pytest.raises(EncoderError, match=said):
        resolve("plain", tmp_path)


def test_a_missing_shard_is_named(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(EncoderError, match=r"not there \(model-00002-of-00002.safetensors\)"):
        resolve("plain", tmp_path)


def test_the_operator_comes_before_the_authors(folder: Path, tmp_path: Path) -> None:
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 16}')
    (folder / "config_sentence_transformers.json").write_text('{"prompts": {"query": "q: ", "document": "d: "}}')
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    authors = resolve("plain", tmp_path)
    assert (authors.query_prefix, authors.passage_prefix) == ("q: ", "d: ")
    assert (authors.max_tokens, authors.pooling) == (16, "cls")
    (folder / "searchsite.json").write_text('{"query_prefix": "ask: ", "max_tokens": 20, "pooling": "tanh"}')
    operator = resolve("plain", tmp_path)
    assert (operator.query_prefix, operator.passage_prefix) == ("ask: ", "d: ")
    assert (operator.max_tokens, operator.pooling) == (20, "tanh")
    assert resolve("plain", tmp_path, "mean").pooling == "mean"


def test_no_more_tokens_than_the_model_has_positions(folder: Path, tmp_path: Path) -> None:
    (folder / "searchsite.json").write_text('{"max_tokens": 4096}')
    assert resolve("plain", tmp_path).max_tokens == MAX_TOKENS


def test_positions_of_roberta_begin_after_the_padding(folder: Path, tmp_path: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "xlm-roberta", "max_position_embeddings": 514, "pad_token_id": 1}
    (folder / "config.json").write_text(json.dumps(config))
    assert resolve("plain", tmp_path).max_tokens == 512


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"prefix": "q: "}', '"prefix": "q: "'),
        ('{"max_tokens": "512"}', "is not one of"),
        ('{"pooling": "max"}', 'no pooling "max"'),
        ("[]", "should hold a JSON object"),
        ("{", "cannot be read as JSON"),
    ],
)
def test_a_wrong_searchsite_json_is_named(text: str, said: str, folder: Path, tmp_path: Path) -> None:
    (folder / "searchsite.json").write_text(text)
    with pytest.raises(EncoderError, match=said) as raised:
        resolve("plain", tmp_path)
    assert "searchsite.json" in str(raised.value)


def test_a_layer_that_would_be_left_out_is_refused(folder: Path, tmp_path: Path) -> None:
    modules = [{"type": f"sentence_transformers.models.{kind}"} for kind in ("Transformer", "Pooling", "Dense")]
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(EncoderError, match=r"\(Dense\) that is not supported"):
        resolve("plain", tmp_path)


@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("e5-base-v2", "query: "),
        ("multilingual-e5-large", "query: "),
        ("multilingual-e5-large-instruct", ""),
        ("route5-small", ""),
    ],
)
def test_models_called_e5_get_their_prefixes(name: str, prefix: str, tmp_path: Path) -> None:
    write_bert(tmp_path / name)
    assert resolve(name, tmp_path).query_prefix == prefix


def test_the_same_checkpoint_elsewhere_has_the_same_fingerprint(folder: Path, tmp_path: Path) -> None:
    write_bert(tmp_path / "copy")
    config = json.loads((tmp_path / "copy" / "config.json").read_text())
    (tmp_path / "copy" / "config.json").write_text(json.dumps(config | {"transformers_version": "4.8.2"}))
    assert resolve("copy", tmp_path).fingerprint == resolve("plain", tmp_path).fingerprint


@pytest.mark.parametrize("changed", ["model.safetensors", "vocab.txt", "config.json"])
def test_every_file_that_vectors_depend_on_is_in_the_fingerprint(changed: str, folder: Path, tmp_path: Path) -> None:
    before = resolve("plain", tmp_path).fingerprint
    data = (folder / changed).read_bytes()
    # the same size, as a retrained model or a swapped word has
    swapped = data.replace(b'"gelu"', b'"relu"') if changed == "config.json" else data[:-2] + data[-1:] + data[-2:-1]
    assert len(swapped) == len(data)
    assert swapped != data
    (folder / changed).write_bytes(swapped)
    assert resolve("plain", tmp_path).fingerprint != before


def test_weights_are_read_once_and_not_at_each_start(folder: Path, tmp_path: Path, monkeypatch) -> None:
    read: list[str] = []
    really = hashing.file_sha256

    def watched(path: Path) -> str:
        read.append(path.name)
        return really(path)

    monkeypatch.setattr(hashing, "file_sha256", watched)
    monkeypatch.setattr(hashing, "_known", {})
    first = resolve("plain", tmp_path)
    assert sorted(read) == ["model.safetensors", "vocab.txt"]
    monkeypatch.setattr(hashing, "_known", {})  # another process
    assert resolve("plain", tmp_path) == first
    assert len(read) == 2
    (tmp_path / ".sha256.json").write_text("damaged")
    monkeypatch.setattr(hashing, "_known", {})
    assert resolve("plain", tmp_path) == first
    assert len(read) == 4


def test_a_models_folder_that_cannot_be_written_will_do(folder: Path, tmp_path: Path, monkeypatch) -> None:
    def refuse(*args, **kwargs):
        raise PermissionError("read-only")

    monkeypatch.setattr(hashing, "_known", {})
    monkeypatch.setattr(Path, "write_text", refuse)
    assert resolve("plain", tmp_path).dim == 32
    assert not (tmp_path / ".sha256.json").exists()


@pytest.mark.parametrize("name", ["hub:owner/model", "owner/model"])
def test_a_hub_name_is_fetched_once_and_no_code_with_it(name: str, tmp_path: Path, monkeypatch) -> None:
    asked: list[dict] = []

    def download(repository: str, *, local_dir: Path, **options) -> None:
        asked.append({"repository": repository, **options})
        write_bert(local_dir)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert resolve(name, tmp_path).folder == tmp_path / "owner--model"
    assert resolve(name, tmp_path).dim == 32
    assert [call["repository"] for call in asked] == ["owner/model"]
    assert not [pattern for pattern in asked[0]["allow_patterns"] if pattern in ("*", "*.py")]


def test_a_hub_out_of_reach_is_a_sentence_and_leaves_nothing(tmp_path: Path, monkeypatch) -> None:
    def download(repository: str, *, local_dir: Path, **options) -> None:
        (local_dir / "config.json").write_text("{}")
        raise huggingface_hub.errors.LocalEntryNotFoundError("No route to the hub.")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    with pytest.raises(EncoderError, match=r"owner/model could not be fetched.*No route.*use e5-small"):
        resolve("owner/model", tmp_path)
    assert list(tmp_path.iterdir()) == []
