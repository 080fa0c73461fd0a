"""ZIP archives: what is in them, and what is refused before it costs anything."""

from __future__ import annotations

import contextlib
import io
import random
import struct
import sys
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import pytest

from searchsite.documents.problems import Problem
from searchsite.documents.sources import Found, archives
from searchsite.documents.sources.archives import entries, open_archive
from tests.documents.hostile_archives import (
    FIFO,
    FOLDER,
    SYMLINK,
    UTF_8,
    Entry,
    bomb,
    built,
    ending,
    many,
    names,
    ordinary,
    overlapping,
    unicode_path,
)

MB = 2**20
RANDOM = random.Random(4).randbytes(3 * MB)


@contextlib.contextmanager
def listed(data: bytes):
    with open_archive(io.BytesIO(data), len(data)) as archive:
        yield list(entries(archive, "/x/pack.zip", "pack.zip"))


def found_in(data: bytes) -> list[Found]:
    with listed(data) as found:
        return found


def read(data: bytes) -> list[bytes]:
    """The contents of all that can be opened, in order."""
    with listed(data) as found:
        contents = []
        for one in found:
            if one.open:
                with one.open() as part:
                    contents.append(part.read())
        return contents


def refusal(data: bytes) -> Problem:
    with pytest.raises(Problem) as raised:
        read(data)
    return raised.value


def test_what_is_in_it_is_found_in_its_order_and_read():
    data = ordinary({"b/guide.md": b"# Guide", "a.txt": b"Text.", "b/paper.docx": b"PK"})
    found = found_in(data)
    assert [(one.source, one.name, one.path, one.size, one.problem) for one in found] == [
        ("/x/pack.zip!/b/guide.md", "guide.md", "pack.zip/b/guide.md", 7, None),
        ("/x/pack.zip!/a.txt", "a.txt", "pack.zip/a.txt", 5, None),
        ("/x/pack.zip!/b/paper.docx", "paper.docx", "pack.zip/b/paper.docx", 2, None),
    ]
    assert read(data) == [b"# Guide", b"Text.", b"PK"]


def test_a_file_larger_than_what_is_held_in_memory_is_read_whole_and_again():
    with listed(ordinary({"large.txt": RANDOM})) as [found], found.open() as part:
        assert part.read() == RANDOM
        part.seek(0)
        assert part.read(10) == RANDOM[:10]


def test_what_was_given_stays_open():
    handle = io.BytesIO(ordinary({"a.txt": b"Text."}))
    with open_archive(handle, len(handle.getvalue())):
        pass
    assert not handle.closed


def test_an_archive_behind_other_bytes_is_read():
    assert read(b"#!/bin/sh\n" + ordinary({"a.txt": b"Text."})) == [b"Text."]


def test_folders_and_what_is_hidden_are_left_out():
    data = built(
        *(Entry(name) for name in (b".DS_Store", b"a/.git/x.md", b"__MACOSX/a.md", b"a/Thumbs.db", b"b/desktop.ini")),
        Entry(b"a/", b""),
        Entry(b"as-unix.md", b"", mode=FOLDER),
        Entry(b"./shown.md"),
    )
    assert [one.path for one in found_in(data)] == ["pack.zip/./shown.md"]


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        (Entry(b"../up.md"), "unsafe_path"),
        (Entry(b"a/../../up.md"), "unsafe_path"),
        (Entry(b"..\\up.md"), "unsafe_path"),
        (Entry(b"a/.. /up.md"), "unsafe_path"),
        (Entry(b"/etc/passwd.txt"), "unsafe_path"),
        (Entry(b"\\\\host\\share.txt"), "unsafe_path"),
        (Entry(b"C:\\windows.txt"), "unsafe_path"),
        (Entry(b"c:relative.txt"), "unsafe_path"),
        (Entry(b"good.md\0.exe"), "unsafe_path"),
        (Entry(b"link.md", b"/etc/passwd", mode=SYMLINK), "unsafe_link"),
        (Entry(b"pipe.md", mode=FIFO), "unsafe_link"),
        (Entry(b"inner.zip"), "archive_within"),
        (Entry(b"INNER.TAR.GZ"), "archive_within"),
        (Entry(b"inner.7z"), "archive_within"),
        (Entry(b"secret.md", flags=0x1), "archive_password"),
        (Entry(b"empty.md", b""), "empty_file"),
        (Entry(b"program.exe"), "unsupported_kind"),
        (Entry(b"README"), "unsupported_kind"),
        (Entry(b"packed.md", method=zipfile.ZIP_BZIP2), "archive_damaged"),
        (Entry(b"\x01\x02"), "unsupported_kind"),
        (Entry(b"a/\x01.md\xe2\x80\xae", flags=UTF_8), "unsupported_kind"),
    ],
)
def test_a_file_is_refused_for_what_it_is_and_the_rest_is_read(entry, code):
    refused, good = found_in(built(entry, Entry(b"good.md")))
    assert refused.problem is not None
    assert (refused.problem.code, refused.open, good.problem) == (code, None, None)
    assert "%" not in str(refused.problem)


def test_a_file_over_the_limit_is_refused_by_what_it_claims(settings):
    settings.SEARCHSITE_MAX_FILE_MB = 1
    assert found_in(ordinary({"a.txt": RANDOM}))[0].problem.code == "too_large"


def test_documents_that_are_zips_are_no_archives():
    found = found_in(names(b"a.docx", b"b.epub", b"c.xlsx", b"d.odt", b"e.pptx"))
    assert [one.problem for one in found] == [None] * 5


def test_a_name_with_the_separators_of_windows_is_a_path():
    assert [one.path for one in found_in(names(b"docs\\guide.md"))] == ["pack.zip/docs/guide.md"]


def test_of_two_files_with_one_name_the_second_is_numbered():
    found = found_in(names(b"a.md", b"a.md", b"a.md (2)", b"a.md"))
    assert [one.source.partition("!/")[2] for one in found] == ["a.md", "a.md (2)", "a.md (2) (2)", "a.md (3)"]
    assert len({one.path for one in found}) == 4


def test_names_that_differ_in_what_is_not_shown_have_sources_and_paths_of_their_own():
    long = b"x" * 3000
    raw = [b"a\xe2\x80\x8b.md", b"a\xe2\x80\x8c.md", long + b"1.md", b"y" + long + b"1.md"]
    found = found_in(names(*raw, flags=UTF_8))
    assert len({one.source for one in found}) == len({one.path for one in found}) == 4
    assert all(len(text) <= 500 for one in found for text in (one.source, one.path))


def steps_of(call) -> int:
    """How many lines of the module it took."""
    steps = 0

    def count(frame, event, _argument):
        nonlocal steps
        steps += event == "line"
        return count if frame.f_code.co_filename == archives.__file__ else None

    before = sys.gettrace()
    sys.settrace(count)
    try:
        call()
    finally:
        sys.settrace(before)
    return steps


def test_numbering_long_names_that_begin_alike_takes_no_more_for_each_the_more_there_are():
    def found_of(pairs: int) -> list[Found]:
        return found_in(names(*(b"z" * 478 + b"%05d.md" % (n // 2) for n in range(2 * pairs))))

    found = found_of(200)
    assert len({one.path for one in found}) == len({one.source for one in found}) == 400
    assert all(len(text) <= 500 for one in found for text in (one.source, one.path))
    assert steps_of(lambda: found_of(200)) < 2.2 * steps_of(lambda: found_of(100))


@pytest.mark.parametrize(
    ("encoding", "texts"),
    [
        ("gbk", ["操作系统/第一章 进程与线程.txt", "操作系统/第二章 内存管理.txt"]),
        ("gbk", ["联通.txt", "公司年度报告.txt"]),
        ("big5", ["資料庫系統/第一章 關聯模型.txt", "會議記錄.txt"]),
        ("cp932", ["資料/プログラミングの基礎.txt", "会議の記録.txt"]),
        ("cp949", ["보고서/운영체제와 프로세스.txt"]),
        ("cp437", ["Übersicht über Größen.txt", "Köln.txt"]),
        ("utf-8", ["操作系统/进程.txt", "Café.txt"]),
        ("ascii", ["plain.txt"]),
    ],
)
def test_names_without_a_character_set_read_right(encoding, texts):
    found = found_in(names(*(text.encode(encoding) for text in texts), b"plain/ascii.md"))
    assert [one.path.removeprefix("pack.zip/") for one in found] == [*texts, "plain/ascii.md"]
    assert len(read(names(*(text.encode(encoding) for text in texts)))) == len(texts), "and can be opened"


def test_a_name_kept_beside_in_utf_8_counts_where_it_belongs_to_the_entry():
    raw = b"???.md"
    right = Entry(raw, extra=unicode_path(raw, "数据库.md"))
    stale = Entry(raw, extra=unicode_path(b"before.md", "evil.md"))
    leading_out = Entry(raw, extra=unicode_path(raw, "../up.md"))
    found = found_in(built(right, stale, leading_out))
    assert [one.path for one in found] == ["pack.zip/数据库.md", "pack.zip/???.md", "pack.zip/../up.md"]
    assert found[2].problem.code == "unsafe_path"


def peak_of(call) -> int:
    """Bytes that were held at most while it ran."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_hundred_thousand_files_are_refused_before_there_are_objects_of_them():
    data = many(100_000)
    raised = []
    peak = peak_of(lambda: raised.append(refusal(data)))
    assert (raised[0].code, raised[0].params["limit"]) == ("archive_too_many", 20_000)
    assert peak < 20 * MB, "the directory has six; a hundred thousand objects take more than sixty"


def test_a_directory_of_gigabytes_is_not_read(tmp_path: Path):
    path = tmp_path / "sparse.zip"
    size = 2 * 2**30
    with path.open("wb") as out:
        out.write(b"PK\1\2")
        out.truncate(size)
        out.seek(size)
        out.write(ending(1, size, 0))

    def opened() -> None:
        with (
            path.open("rb") as handle,
            pytest.raises(Problem, match="more than 20000"),
            open_archive(handle, path.stat().st_size),
        ):
            pass

    assert peak_of(opened) < 3 * MB


def test_the_limit_of_files_counts_neither_folders_nor_what_a_mac_adds(settings):
    settings.SEARCHSITE_MAX_ARCHIVE_FILES = 2
    data = names(b"a.md", b"docs/", b"docs/b.md", b"__MACOSX/docs/._b.md")
    assert len(found_in(data)) == 2
    assert refusal(names(b"a.md", b"b.md", b"c.md")).code == "archive_too_many"
    assert refusal(names(*(b"%d/" % n for n in range(9)))).code == "archive_too_many"


def test_what_expands_as_bombs_do_is_refused_by_its_ratio():
    problem = refusal(bomb(1000, 20))
    assert problem.code == "archive_expands"
    assert 400 < int(problem.params["ratio"]) < 1100


def test_a_small_file_that_packs_well_is_read():
    assert read(built(Entry(b"log.txt", bytes(5 * MB)))) == [bytes(5 * MB)]


def test_what_unpacks_to_more_than_the_limit_in_all_is_refused(settings):
    settings.SEARCHSITE_MAX_ARCHIVE_MB = 5
    part = RANDOM[: 2 * MB]
    assert read(ordinary({"a.txt": part, "b.txt": part})) == [part, part]
    problem = refusal(ordinary({"a.txt": part, "b.txt": part, "c.txt": part}))
    assert (problem.code, problem.params) == ("archive_too_large", {"size": "6", "limit": 5})


def test_files_that_claim_exabytes_are_refused():
    size = 2**62
    extra = struct.pack("<HHQ", 1, 8, size)
    assert refusal(built(Entry(b"a.txt", claimed=0xFFFFFFFF, extra=extra))).code == "archive_expands"


def test_data_beyond_what_is_claimed_is_never_unpacked():
    content = bytes(100 * MB)
    lying = built(Entry(b"a.txt", content, claimed=10))
    cut = built(Entry(b"a.txt", content, claimed=10, checksum=zlib.crc32(content[:10])))
    raised, contents = [], []
    assert peak_of(lambda: raised.append(refusal(lying))) < 3 * MB
    assert peak_of(lambda: contents.extend(read(cut))) < 3 * MB
    assert (raised[0].code, contents) == ("archive_damaged", [content[:10]])


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_less_data_than_is_claimed_or_other_data_is_damage(method):
    assert refusal(built(Entry(b"a.txt", claimed=1000, method=method))).code == "archive_damaged"
    assert refusal(built(Entry(b"a.txt", checksum=1, method=method))).code == "archive_damaged"


def test_files_that_lie_over_each_other_are_refused():
    assert refusal(overlapping(50, RANDOM[:10_000])).code == "archive_damaged"
    assert refusal(overlapping(10_000, bytes(MB))).code == "archive_expands"


def test_a_file_that_holds_a_piece_of_a_directory_is_read():
    piece = b"PK\1\2" + b"\xff" * 100
    assert read(ordinary({"a.txt": piece}, zipfile.ZIP_STORED)) == [piece]


def test_blocks_of_nothing_cost_no_more_than_the_archive_has():
    # A stored block of no bytes is five bytes of deflate; many files may claim to lie in one heap of them.
    nothing = b"\0\0\0\xff\xff" * 10_000
    heap = built(*(Entry(b"same.txt", nothing, shared=n > 0, method=zipfile.ZIP_STORED, claimed=1) for n in range(100)))
    assert refusal(heap).code == "archive_damaged"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"This is no archive.",
        ordinary({"a.txt": RANDOM[:1000]})[:-40],
        names(b"a.txt")[:-23] + names(b"a.txt")[-22:],
        built(Entry(b"a.txt"), directory_size=10**9),
        built(Entry(b"a.txt"), directory_offset=10**9),
        built(Entry(b"a.txt", extra=bytes(60_000))),
        built(Entry(b"\xff\xfe.txt", flags=UTF_8)),
        struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, 2**63, 2**63)
        + struct.pack("<4sIQI", b"PK\6\7", 0, 0, 1)
        + ending(0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF),
    ],
    ids=["empty", "text", "cut", "hole", "directory size", "directory offset", "extra", "name", "zip64"],
)
def test_what_is_broken_is_damaged(data):
    assert refusal(data).code == "archive_damaged"


@pytest.mark.parametrize("data", [ordinary({}), names(b"docs/", b".DS_Store", b"__MACOSX/._a.md")])
def test_an_archive_without_files_is_said_to_be_empty(data):
    assert refusal(data).code == "archive_empty"


def test_an_error_of_the_disk_is_no_fault_of_the_archive():
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"), open_archive(Failing(b"PK" * 100), 200):
        pass


def test_no_byte_of_an_archive_can_be_changed_so_that_another_error_comes_of_it():
    chance = random.Random(17)
    packed = ordinary({"docs/a.md": b"# A\n" * 50, "b.txt": RANDOM[:200]})
    refused = 0
    for _ in range(1500):
        changed = bytearray(packed)
        for _ in range(chance.randint(1, 4)):
            changed[chance.randrange(len(changed))] = chance.choice([0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)])
        try:
            contents = read(bytes(changed[: chance.choice([len(changed), chance.randrange(len(changed))])]))
        except Problem:
            refused += 1
        else:
            assert all(len(content) <= 200 for content in contents)
    assert 700 < refused < 1500
