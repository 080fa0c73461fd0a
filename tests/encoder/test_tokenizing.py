"""Offsets of tokens, with the tokenizers library alone."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from encoder import EncoderError
from encoder.checkpoints import resolve
from encoder.tiny import TINY
from encoder.tokenizing import clean, token_offsets_function
from tests.encoder.checkpoints import VOCABULARY, write_bert

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def offsets(tmp_path: Path):
    write_bert(tmp_path / "plain")
    return token_offsets_function(resolve("plain", tmp_path))


def pieces(text: str, offsets) -> list[str]:
    return [text[start:end] for start, end in offsets(text)]


def test_offsets_point_into_the_text_as_given(offsets) -> None:
    assert pieces("The cats  sat,\n你好 CAR", offsets) == ["The", "cat", "s", "sat", ",", "你", "好", "CAR"]


def test_surrogates_and_nul_move_nothing(offsets) -> None:
    text = "cat \ud83d\ude00 \0dog \udfff猫"
    found = pieces(text, offsets)
    assert [found[0], found[-2], found[-1]] == ["cat", "dog", "猫"]
    assert len(clean(text)) == len(text)


def test_special_tokens_in_a_text_are_text(offsets) -> None:
    assert pieces("cat [SEP] dog", offsets) == ["cat", "[", "SEP", "]", "dog"]


@pytest.mark.parametrize("text", ["", " ", "\n\n\t"])
def test_no_words_no_tokens(text: str, offsets) -> None:
    assert offsets(text) == []


def test_a_long_text_is_cut_at_newlines_and_nothing_is_lost(offsets, monkeypatch) -> None:
    from encoder import tokenizing

    text = "the cat sat on the mat\n" * 40 + "猫狗" * 40 + "\n\nthe car"
    whole = offsets(text)
    monkeypatch.setattr(tokenizing, "_SEGMENT", 50)
    assert offsets(text) == whole
    assert len(whole) == 6 * 40 + 80 + 2


def test_a_tokenizer_json_is_used_uncut(tmp_path: Path) -> None:
    from tokenizers.implementations import BertWordPieceTokenizer

    folder = write_bert(tmp_path / "plain")
    saved = BertWordPieceTokenizer(str(folder / "vocab.txt"))
    saved.enable_truncation(4)
    saved.enable_padding(length=4)
    saved.save(str(folder / "tokenizer.json"))
    offsets = token_offsets_function(resolve("plain", tmp_path))
    assert len(offsets("the cat sat on the mat")) == 6
    assert len(offsets("cat")) == 1


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [("tokenizer.json", '{"version": "1.0"}', "cannot be read as a tokenizer"), ("modules.json", "[1]", "should hold")],
)
def test_a_damaged_file_is_a_sentence(name: str, content: str, said: str, tmp_path: Path) -> None:
    (write_bert(tmp_path / "plain") / name).write_text(content)
    with pytest.raises(EncoderError, match=said):
        token_offsets_function(resolve("plain", tmp_path))


@pytest.mark.parametrize(("lower", "known"), [("true", True), ("false", False)])
def test_the_case_is_kept_where_the_checkpoint_says_so(lower: str, known: bool, tmp_path: Path) -> None:
    from encoder.tokenizing import tokenizer

    folder = write_bert(tmp_path / "plain")
    (folder / "tokenizer_config.json").write_text(f'{{"do_lower_case": {lower}}}')
    ids = tokenizer(resolve("plain", tmp_path)).encode("CAT", add_special_tokens=False).ids
    assert ([VOCABULARY[i] for i in ids] == ["cat"]) is known


def test_the_tiny_encoder_has_offsets_too() -> None:
    assert pieces("two words", token_offsets_function(TINY)) == ["two", "words"]


def test_neither_torch_nor_transformers_is_needed(tmp_path: Path) -> None:
    write_bert(tmp_path / "plain")
    code = (
        "import sys, pathlib\n"
        "from encoder.checkpoints import resolve\n"
        "from encoder.tokenizing import token_offsets_function\n"
        "print(token_offsets_function(resolve('plain', pathlib.Path(sys.argv[1])))('a cat'))\n"
        "print([m for m in ('torch', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["[(0, 1), (2, 5)]", "[]"]


@pytest.mark.meaning
def test_three_million_characters_take_seconds(real_models: Path) -> None:
    offsets = token_offsets_function(resolve("e5-small", real_models))
    line = "语义搜索按意思而不是按字面查找文档，a search by meaning finds what was meant. "
    text = (line * 20 + "\n") * (3_000_000 // (len(line) * 20 + 1))
    start = time.process_time()
    found = offsets(text)
    assert time.process_time() - start < 60  # it takes about 5 s; quadratic time would take hours
    assert text[found[-1][0] :].strip() in ("", ".")
    assert len(found) > 600_000
