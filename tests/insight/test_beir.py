"""Retrieval sets in the layout of BEIR."""

from __future__ import annotations

from pathlib import Path

import pytest

from searchsite.insight import beir
from searchsite.insight.beir import BadSet, Document
from tests.insight.sets import write_set

TEXTS = {"d1": "one", "d2": "two", "d3": "three"}
LETTERS = "abcdefgh"
# As sha256sum has them, sorted.
BY_HASH = list("dfcbehag")
ENDING_EVEN = set("dce")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_set(tmp_path / "set", TEXTS, {"q1": "first", "q2": "second"}, {"q1": {"d1": 2, "d3": 1}})


def test_a_set_is_its_corpus_in_order_and_the_queries_that_have_judgements(folder: Path) -> None:
    found = beir.read(folder)
    assert found.documents == [Document("d1", "", "one"), Document("d2", "", "two"), Document("d3", "", "three")]
    assert found.queries == {"q1": "first"}
    assert found.qrels == {"q1": {"d1": 2, "d3": 1}}
    assert found.missing == 0


def test_judgements_may_lie_where_beir_has_them(folder: Path) -> None:
    (folder / "qrels").mkdir()
    (folder / "qrels.tsv").rename(folder / "qrels" / "test.tsv")
    assert beir.read(folder).qrels == {"q1": {"d1": 2, "d3": 1}}


@pytest.mark.parametrize("outside", [True, False])
def test_other_judgements_are_named_by_their_path_or_their_path_within_the_folder(folder, tmp_path, outside) -> None:
    other = (tmp_path if outside else folder / "qrels") / "dev.tsv"
    other.parent.mkdir(exist_ok=True)
    other.write_text("query-id\tcorpus-id\tscore\nq2\td2\t1\n")
    found = beir.read(folder, str(other) if outside else "qrels/dev.tsv")
    assert found.queries == {"q2": "second"}
    assert found.qrels == {"q2": {"d2": 1}}


def test_judgements_without_a_header_and_files_as_windows_writes_them_are_read_whole(folder: Path) -> None:
    (folder / "qrels.tsv").write_bytes(b"q1\td1\t1\r\nq2\td2\t1\r\n")
    (folder / "queries.jsonl").write_bytes(
        b'\xef\xbb\xbf{"_id": "q1", "text": "first"}\r\n\r\n{"_id": "q2", "text": "second"}\r\n'
    )
    assert beir.read(folder).qrels == {"q1": {"d1": 1}, "q2": {"d2": 1}}


def test_grades_of_0_and_below_say_that_a_document_is_no_answer(folder: Path) -> None:
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td2\t0\nq1\td3\t-1\nq2\td1\t0\n")
    assert beir.read(folder).qrels == {"q1": {"d1": 1}}


def test_of_a_document_without_text_its_title_is_the_text_and_titles_are_one_line(tmp_path: Path) -> None:
    documents = {"d1": {"title": "A\n title ", "text": " "}, "d2": {"title": None, "text": "x"}}
    found = beir.read(write_set(tmp_path / "set", documents, {"q": "?"}, {"q": {"d1": 1}}))
    assert found.documents == [Document("d1", "A title", "A title"), Document("d2", "", "x")]


def test_ids_may_be_numbers(folder: Path) -> None:
    (folder / "queries.jsonl").write_text('{"_id": 7, "text": "seventh"}')
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n7\td1\t1\n")
    assert beir.read(folder).queries == {"7": "seventh"}


@pytest.mark.parametrize(("limit", "fold"), [(0, None), (3, None), (0, 0), (0, 1), (2, 1)])
def test_queries_are_chosen_by_the_hash_of_their_ids(tmp_path: Path, limit: int, fold: int | None) -> None:
    judged = {letter: {"d1": 1} for letter in LETTERS}
    folder = write_set(tmp_path / "set", TEXTS, dict.fromkeys(LETTERS, "?"), judged)
    wanted = [letter for letter in BY_HASH if fold is None or (letter in ENDING_EVEN) == (fold == 0)]
    found = beir.read(folder, limit=limit, fold=fold)
    assert list(found.queries) == list(found.qrels) == (wanted[:limit] if limit else wanted)


def test_the_limit_counts_judged_queries_only(tmp_path: Path) -> None:
    last = BY_HASH[-1]
    folder = write_set(tmp_path / "set", TEXTS, dict.fromkeys(LETTERS, "?"), {last: {"d1": 1}})
    assert list(beir.read(folder, limit=1).queries) == [last]


def test_judgements_of_documents_and_queries_that_are_not_there(folder: Path) -> None:
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\tgone\t1\nq9\td1\t1\nq9\tgone\t1\n")
    found = beir.read(folder)
    assert found.qrels == {"q1": {"d1": 1, "gone": 1}}, "what is gone counts as not found"
    assert found.missing == 1, "of the queries that are asked"


@pytest.mark.parametrize(
    ("file", "line", "sentence"),
    [
        ("corpus.jsonl", '{"_id": "d4", "text": ', 'line 4: “{"_id": "d4", "text": ” is no JSON object'),
        ("corpus.jsonl", '["d4"]', 'line 4: “["d4"]” is no JSON object'),
        ("corpus.jsonl", '{"text": "four"}', "line 4: it has no “_id”"),
        ("corpus.jsonl", '{"_id": "d4"}', "line 4: its “text” is missing"),
        ("corpus.jsonl", '{"_id": "d4", "text": 4}', "line 4: its “text” is no text"),
        ("corpus.jsonl", '{"_id": "d4", "text": "", "title": []}', "line 4: its “title” is no text"),
        ("corpus.jsonl", '{"_id": "d2", "text": ""}', "line 4: the “_id” d2 is that of line 2, too"),
        ("queries.jsonl", '{"_id": "q3"}', "line 3: its “text” is missing"),
        ("qrels.tsv", "q2 d2 1", "line 4: “q2 d2 1” is no query, document and whole number between tabs"),
        ("qrels.tsv", "q2\td2", "line 4: “q2\td2” is no query"),
        ("qrels.tsv", "q2\td2\thigh", "line 4: “q2\td2\thigh” is no query"),
    ],
)
def test_a_line_that_cannot_be_used_is_refused_by_file_and_number(folder, file, line, sentence) -> None:
    with (folder / file).open("a") as out:
        out.write(line + "\n")
    with pytest.raises(BadSet) as refused:
        beir.read(folder)
    assert str(refused.value).startswith(f"{folder / file}, {sentence}")


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("corpus.jsonl", "{folder} has no corpus.jsonl."),
        ("queries.jsonl", "{folder} has no queries.jsonl."),
        ("qrels.tsv", "{folder} has no judgements: neither qrels.tsv nor qrels/test.tsv. Name the file: --qrels FILE."),
    ],
)
def test_a_file_that_is_missing_is_named(folder: Path, file: str, sentence: str) -> None:
    (folder / file).unlink()
    with pytest.raises(BadSet) as refused:
        beir.read(folder)
    assert str(refused.value) == sentence.format(folder=folder)


def test_a_folder_or_a_file_of_judgements_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(BadSet, match=r"There is no folder .*nowhere\."):
        beir.read(folder / "nowhere")
    with pytest.raises(BadSet, match=r"There is no file other\.tsv"):
        beir.read(folder, "other.tsv")


def test_a_file_that_is_not_in_utf_8_is_named(folder: Path) -> None:
    (folder / "queries.jsonl").write_bytes('{"_id": "q1", "text": "één"}'.encode("latin-1"))
    with pytest.raises(BadSet, match=r"queries\.jsonl is not in UTF-8"):
        beir.read(folder)


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [("q1\td1\t0\n", "no query in queries.jsonl has a judgement above 0"), ("q1\tgone\t1\n", "is in corpus.jsonl")],
)
def test_judgements_that_have_nothing_to_do_with_the_set_are_refused(folder: Path, lines: str, sentence: str) -> None:
    (folder / "qrels.tsv").write_text(f"query-id\tcorpus-id\tscore\n{lines}")
    with pytest.raises(BadSet) as refused:
        beir.read(folder)
    assert sentence in str(refused.value)
