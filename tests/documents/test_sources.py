"""Where documents come from on this machine: files and folders, and tables in which each row is a document."""

from __future__ import annotations

import gzip
import json
import os
import random
import tracemalloc
from pathlib import Path

import pytest

from searchsite.documents.problems import Problem
from searchsite.documents.sources import as_path, as_source
from searchsite.documents.sources.files import file, files_in
from searchsite.documents.sources.rows import Columns, MissingColumns, beir, csv_rows, is_beir, jsonl_rows

MB = 2**20
WHOLE = Columns(("text",), "title", "id")


# Sources and paths


def test_sources_differ_where_places_do_and_fit_the_column():
    long = "/x/" + "d/" * 400
    places = ["/x/a.md", long + "a.md", "/y/" + long + "a.md", "/x/\udce9.md", "/x/\udcff.md", "/x/�.md", "a\0b", "a�b"]
    places += ["\ud800"]
    sources = [as_source(place) for place in places]
    assert len(set(sources)) == len(places)
    assert all(len(source) <= 500 and "\0" not in source and source.encode() for source in sources)
    assert sources[0] == "/x/a.md"


def test_a_path_shows_nothing_that_is_not_seen():
    assert as_path("a\x1b[2J\u202ecod.md\n") == "a�[2J�cod.md�"
    assert as_path("文档/指南.md") == "文档/指南.md"
    shortened = as_path("d/" * 400 + "guide.md")
    assert len(shortened) == 500
    assert shortened.endswith("/guide.md")


# Files and folders


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with all that is left out of it, beside b.md and docs/a.md."""
    papers = tmp_path / "papers"
    for name in ("b.md", "docs/a.md", ".git/x.md", "docs/.hidden.md", "program.exe", "pack.zip", "docs/PACK.ZIP"):
        (papers / name).parent.mkdir(parents=True, exist_ok=True)
        (papers / name).write_text("# Text")
    (papers / "link.md").symlink_to(papers / "b.md")
    (papers / "docs" / "loop").symlink_to(papers)
    os.mkfifo(papers / "pipe.md")
    return papers


def test_a_folder_gives_its_files_sorted_and_leaves_out_what_is_none(folder: Path):
    listing = files_in(folder)
    assert [(one.source, one.name, one.path, one.size) for one in listing] == [
        (str(folder / "b.md"), "b.md", "papers/b.md", 6),
        (str(folder / "docs/a.md"), "a.md", "papers/docs/a.md", 6),
    ]
    assert listing.unlistable == ()
    assert listing.archives == (folder / "docs/PACK.ZIP", folder / "pack.zip")
    first = listing.found[0].open
    assert first is not None
    with first() as handle:
        assert handle.read() == b"# Text"


def test_a_folder_is_known_by_the_path_it_is_named_by(folder: Path, tmp_path: Path, monkeypatch):
    """So that a link that is switched from one release to the next stays the same place."""
    (tmp_path / "there").symlink_to(folder)
    monkeypatch.chdir(folder)
    assert files_in(Path()).found[0].source == files_in(folder / "x" / "..").found[0].source == str(folder / "b.md")
    assert files_in(tmp_path / "there").found[0].source == str(tmp_path / "there" / "b.md")


def test_a_folder_that_cannot_be_listed_is_told_and_the_rest_is_found(folder: Path, monkeypatch):
    real = os.scandir

    def scandir(path):
        if Path(path).name == "docs":
            raise PermissionError(13, "Permission denied")
        return real(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", scandir)
        listing = files_in(folder)
    assert [one.name for one in listing] == ["b.md"]
    assert [(one.path, one.reason) for one in listing.unlistable] == [(str(folder / "docs"), "Permission denied")]


def test_a_folder_that_is_gone_is_told(tmp_path: Path):
    listing = files_in(tmp_path / "gone")
    assert (listing.found, len(listing.unlistable)) == ((), 1)


def test_a_file_that_cannot_be_looked_at_is_told(folder: Path, monkeypatch):
    real = os.lstat

    def lstat(path, **options):
        if str(path).endswith("b.md"):
            raise OSError(5, "Input/output error")
        return real(path, **options)

    monkeypatch.setattr(os, "lstat", lstat)
    listing = files_in(folder)
    assert [one.name for one in listing] == ["a.md"]
    assert [one.reason for one in listing.unlistable] == ["Input/output error"]


def test_files_that_will_not_do_are_found_with_the_reason(tmp_path: Path, settings):
    settings.SEARCHSITE_MAX_FILE_MB = 1
    (tmp_path / "empty.md").touch()
    (tmp_path / "large.md").write_bytes(bytes(MB + 1))
    assert [(one.problem.code, one.open) for one in files_in(tmp_path)] == [("empty_file", None), ("too_large", None)]


def test_names_that_are_no_utf_8_are_found_and_differ(tmp_path: Path):
    for raw in (b"caf\xe9.md", b"caf\xe8.md"):
        (tmp_path / os.fsdecode(raw)).write_text("Text")
    found = list(files_in(tmp_path))
    assert len({one.source for one in found}) == 2
    assert all(one.open and one.path.encode() and one.name.encode() for one in found)


def test_a_file_that_is_named_is_taken_whatever_its_kind(tmp_path: Path):
    path = tmp_path / "program.exe"
    path.write_bytes(b"MZ")
    (tmp_path / "link").symlink_to(path)
    assert file(path).open is not None
    assert file(tmp_path / "link").source == str(tmp_path / "link")
    with pytest.raises(FileNotFoundError):
        file(tmp_path / "gone.md")


# Rows


def table(tmp_path: Path, content: str | bytes, name: str = "data.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def codes(found) -> list[str]:
    return [one.problem.code if one.problem else "" for one in found]


def test_each_row_of_a_table_is_a_document(tmp_path: Path):
    path = table(tmp_path, 'id,title,text\n7,Apples,"Red,\nor green."\n\n8,,Pears\n')
    first, second = csv_rows(path, WHOLE)
    assert (first.source, first.name, first.path) == (f"rows:{path}#7", "7.txt", "data.csv, row 2")
    assert (first.title, first.text, first.size, first.open) == ("Apples", "Red,\nor green.", 14, None)
    assert (second.title, second.text, second.path) == ("", "Pears", "data.csv, row 4")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "utf-16"])
def test_delimiter_and_character_set_are_found(tmp_path: Path, delimiter: str, encoding: str):
    lines = [("编号", "标题", "正文"), ("1", "进程", "进程是程序的一次执行过程。"), ("2", "线程", "线程是调度的单位。")]
    content = "\r\n".join(delimiter.join(line) for line in lines).encode(encoding)
    found = list(csv_rows(table(tmp_path, content), Columns(("正文",), "标题", "编号")))
    assert [(one.title, one.text) for one in found] == [line[1:] for line in lines[1:]]


def test_a_character_set_that_shows_late_is_found(tmp_path: Path):
    content = b"id,text\n" + b"1,plain\n" * 140_000 + "2,进程是程序的一次执行过程。\n".encode("gbk")
    *_rest, last = csv_rows(table(tmp_path, content), Columns(("text",)))
    assert last.text == "进程是程序的一次执行过程。"


def test_several_columns_are_written_with_their_names(tmp_path: Path):
    path = table(tmp_path, "q,a,note\nWhy?,Because.,\n")
    assert [one.text for one in csv_rows(path, Columns(("q", "a", "note")))] == ["q: Why?\n\na: Because."]


@pytest.mark.parametrize(("name", "content"), [("d.csv", "id,body\n1,x\n"), ("d.jsonl", '{"id": 1, "body": "x"}\n')])
def test_a_column_that_is_missing_is_named_with_those_there_are(tmp_path: Path, name: str, content: str):
    read = csv_rows if name.endswith("csv") else jsonl_rows
    with pytest.raises(MissingColumns, match=r"d\.\w+ has no column text, title\. Its columns are: id, body\."):
        list(read(table(tmp_path, content, name), WHOLE))


def test_a_broken_row_is_told_and_no_row_behind_it_is_lost(tmp_path: Path):
    found = list(
        csv_rows(table(tmp_path, 'id,text\n1,"open\n2,two\n3,three,out of place\n4,four\n'), Columns(("text",)))
    )
    assert codes(found) == ["damaged", "", "damaged", ""]
    assert [one.path for one in found][::2] == ["data.csv, row 2", "data.csv, row 4"]
    assert [one.text for one in found][1::2] == ["two", "four"]


def test_a_broken_line_of_json_is_told_and_the_rest_goes_on(tmp_path: Path):
    deep = '{"text": ' + "[" * 100 + '"deep"' + "]" * 100 + "}"
    lines = ['{"text": "one"}', '{"text": ', "[1]", "[" * 100_000, deep, "", "{}", '{"text": "two"}']
    found = list(jsonl_rows(table(tmp_path, "\n".join(lines)), Columns(("text",))))
    assert codes(found) == ["", "damaged", "damaged", "damaged", "", "no_text", ""]
    assert [one.text for one in found if not one.problem] == ["one", "deep", "two"]
    assert found[1].path == "data.csv, line 2"
    assert len({one.source for one in found}) == len(found)


def test_values_of_json_become_text(tmp_path: Path):
    row = {"id": 5, "title": ["A", "B"], "text": {"x": [1, True, None, "y"], "z": "\ud800\0!", "none": None}}
    [found] = jsonl_rows(table(tmp_path, json.dumps(row)), WHOLE)
    assert (found.name, found.title, found.text) == ("5.txt", "A B", "x: 1\ntrue\ny\nz: �!")


def test_without_a_column_of_ids_equal_rows_are_one_document_that_keeps_its_source(tmp_path: Path):
    before = list(csv_rows(table(tmp_path, "text\na\nb\na\n"), Columns(("text",))))
    after = list(csv_rows(table(tmp_path, "text\nnew\nb\na\n"), Columns(("text",))))
    assert [one.text for one in before] == ["a", "b"]
    assert {one.source for one in before} < {one.source for one in after}


def test_the_second_row_of_an_id_is_refused(tmp_path: Path):
    found = list(csv_rows(table(tmp_path, "id,text\n1,a\n1,b\n2,c\n"), Columns(("text",), id="id")))
    assert [bool(one.problem) for one in found] == [False, True, False]
    assert found[1].text is None
    assert len({one.source for one in found}) == 3


def test_rows_of_nothing_and_of_too_much_are_refused(tmp_path: Path, settings):
    settings.SEARCHSITE_MAX_CHARACTERS = 1000
    long, too_long_a_line = "x" * 1001, "x" * 8001
    content = f'{{"id": 1, "text": " "}}\n{{"text": "{long}"}}\n{{"text": "{too_long_a_line}"}}\n{{"text": "good"}}'
    found = list(jsonl_rows(table(tmp_path, content), Columns(("text",))))
    assert codes(found) == ["no_text", "too_much_text", "too_much_text", ""]
    assert found[3].path.endswith("line 4")


def test_a_row_with_only_a_title_is_read_for_it(tmp_path: Path):
    [found] = csv_rows(table(tmp_path, "title,text\nOnly this,\n"), Columns(("text",), "title"))
    assert (found.title, found.text) == ("Only this", "Only this")


def test_an_id_is_no_path(tmp_path: Path):
    [found] = jsonl_rows(table(tmp_path, '{"id": "../../etc/x", "text": "y"}'), Columns(("text",), id="id"))
    assert found.name == ".._.._etc_x.txt"


def test_a_compressed_file_is_read_and_a_cut_one_is_refused_before_its_first_row(tmp_path: Path):
    packed = gzip.compress(b"".join(b'{"text": "line %d"}\n' % n for n in range(5000)))
    assert len(list(jsonl_rows(table(tmp_path, packed, "d.jsonl.gz"), Columns(("text",))))) == 5000
    with pytest.raises(Problem) as raised:
        next(jsonl_rows(table(tmp_path, packed[:-2000], "d.jsonl.gz"), Columns(("text",))))
    assert raised.value.code == "damaged"


@pytest.mark.parametrize("content", [bytes(range(256)) * 40, b"PK\3\4" + random.Random(3).randbytes(4000)])
def test_what_is_no_text_is_no_table(tmp_path: Path, content: bytes):
    with pytest.raises(Problem) as raised:
        list(csv_rows(table(tmp_path, content), Columns(("text",))))
    assert raised.value.code == "not_what_it_says"


@pytest.mark.parametrize("read", [csv_rows, jsonl_rows])
def test_a_long_file_is_read_as_a_stream(tmp_path: Path, read):
    row = "x" * 10_000
    line = f"{row}\n" if read is csv_rows else json.dumps({"text": row}) + "\n"
    path = table(tmp_path, ("text\n" if read is csv_rows else "") + line * 4000)
    tracemalloc.start()
    try:
        texts = [one.text for one in read(path, Columns(("text",)))]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert texts == [row]
    assert peak < 12 * MB < path.stat().st_size


def test_quotes_that_open_in_each_line_are_read_again_only_so_often(tmp_path: Path):
    opened = 'a",,"c\n'
    few = list(csv_rows(table(tmp_path, "id,text\n" + opened * 50), Columns(("text",))))
    assert codes(few) == ["damaged"] * len(few)
    assert len(few) == 50
    with pytest.raises(Problem) as raised:
        list(csv_rows(table(tmp_path, "id,text\n" + opened * 2000), Columns(("text",))))
    assert raised.value.code == "damaged"


def test_many_rows_that_break_alone_are_told_one_by_one(tmp_path: Path):
    rows = "".join(f'{n},"open\n{n},"closed"x\n{n},good\n' for n in range(3000))
    found = list(csv_rows(table(tmp_path, "id,text\n" + rows), Columns(("text",), id="id")))
    assert codes(found) == ["damaged", "damaged", ""] * 3000


def test_a_row_of_many_lines_is_read_and_where_it_breaks_it_is_not_held(tmp_path: Path):
    lines = "".join(f"line {n} of a text\n" for n in range(60_000))
    [found] = csv_rows(table(tmp_path, f'id,text\n1,"{lines}"\n'), Columns(("text",)))
    assert found.text == lines.strip()
    path = table(tmp_path, 'id,text\n1,"' + lines * 20)
    with pytest.raises(Problem) as raised:
        list(csv_rows(path, Columns(("text",))))
    assert raised.value.code == "damaged"


def test_a_quote_that_is_never_closed_costs_no_more_memory_than_a_row_may(tmp_path: Path, settings):
    settings.SEARCHSITE_MAX_CHARACTERS = 100_000
    path = table(tmp_path, "id,text\n" + 'a",,"c\n' * 1_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(Problem) as raised:
            list(csv_rows(path, Columns(("text",))))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert raised.value.code == "damaged"
    assert peak < 5 * MB < path.stat().st_size


def test_a_folder_laid_out_as_beir_is_told_and_read(tmp_path: Path):
    lines = [{"_id": "d1", "title": "One", "text": "First."}, {"_id": "d2", "text": "Second.", "metadata": {}}]
    corpus = table(tmp_path, "\n".join(map(json.dumps, lines)), "corpus.jsonl")
    assert not is_beir(tmp_path)
    table(tmp_path, "", "queries.jsonl")
    assert is_beir(tmp_path)
    assert [(one.source, one.title, one.text) for one in beir(tmp_path)] == [
        (f"rows:{corpus}#d1", "One", "First."),
        (f"rows:{corpus}#d2", "", "Second."),
    ]
