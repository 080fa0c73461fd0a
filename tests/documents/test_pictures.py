"""Pictures of PDF pages, and the marks on them: at the right place, bounded, kept, and made in the child only."""

from __future__ import annotations

import io
import os
import shutil
import signal
from xml.etree import ElementTree

import numpy as np
import pytest
from django.core.files.base import ContentFile
from PIL import Image

from searchsite.documents import pictures, reading
from searchsite.documents.extract import ocr, pdf_picture
from searchsite.documents.models import Document, Passage
from searchsite.documents.pictures import Unavailable, Why
from searchsite.documents.problems import Problem
from tests.documents import files
from tests.documents.test_extract_pdf import form, stream

LINES = [
    "The committee met on the first day of the month and heard",
    "the report of the treasurer, who said that the funds of the",
    "society & its branches were in good order. All agreed.",
    "Nobody asked for more than had been given.",
]
CHINESE = ["委员会在每月的第一天开会听取报告", "司库说各分会的资金状况良好", "没有人要求更多的东西"]


def sheet(*pages: list[str], box="0 0 600 800", extra="", before="", text="1 0 0 1 50 750", chinese=False) -> bytes:
    """A PDF whose pages hold these lines, each at its place also when others are empty.

    extra: entries of each page. before: what stands first in its content. text: the matrix of the text.
    """
    descendant = (
        "<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light /DW 1000 "
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (GB1) /Supplement 2 >> >>"
    )
    font = (
        f"/Type0 /BaseFont /STSong-Light /Encoding /UniGB-UCS2-H /DescendantFonts [{descendant}]"
        if chinese
        else "/Type1 /BaseFont /Helvetica"
    )
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        3: f"<< /Type /Font /Subtype {font} >>".encode(),
        5: stream("/Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8", "x"),
    }
    numbers = range(100, 100 + 2 * len(pages), 2)
    objects[2] = f"<< /Type /Pages /Kids [{' '.join(f'{n} 0 R' for n in numbers)}] /Count {len(pages)} >>".encode()
    for number, lines in zip(numbers, pages, strict=True):
        shown = (f"<{line.encode('utf-16-be').hex()}>" if chinese else f"({files._quoted(line)})" for line in lines)
        content = f"{before} BT /F1 12 Tf {text} Tm " + "".join(f"{line} Tj 0 -20 Td " for line in shown) + "ET"
        objects[number + 1] = stream("", content)
        objects[number] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [{box}] {extra} /Contents {number + 1} 0 R "
            "/Resources << /Font << /F1 3 0 R >> /XObject << /I 5 0 R >> >> >>"
        ).encode()
    return files._with_table(objects, b"/Root 1 0 R")


def gray(webp: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(webp)).convert("L")).astype(int)


def rects(svg: str) -> list[tuple[float, float, float, float]]:
    """left, top, right, bottom of each."""
    found = [
        [float(rect.get(name)) for name in ("x", "y", "width", "height")]
        for rect in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}rect")
    ]
    return [(x, y, x + width, y + height) for x, y, width, height in found]


def covered(shape, boxes) -> np.ndarray:
    """Which pixels lie within one of the boxes."""
    mask = np.zeros(shape, bool)
    for x1, y1, x2, y2 in boxes:
        mask[int(y1) : int(np.ceil(y2)), int(x1) : int(np.ceil(x2))] = True
    return mask


def check_ink(boxes, alone: bytes, rest: bytes, number: int = 1) -> None:
    """The boxes cover the ink of a page with the marked lines alone, and none of a page with the rest."""
    ink, other = (gray(pdf_picture.picture(data, number)) < 128 for data in (alone, rest))
    mask = covered(ink.shape, boxes)
    assert ink.sum() > 300
    assert other.sum() > 300
    assert not (ink & ~mask).any()
    assert not (other & mask).any()
    assert mask.sum() < 25 * ink.sum()


def check_lines(lines: list[str], marked: set[int], passage: str, place: int, **options) -> list:
    """Mark a passage on a page, and check that it is exactly these lines."""
    found = pdf_picture.marks(sheet(lines, **options), 1, passage, place)
    alone = [line if index in marked else "" for index, line in enumerate(lines)]
    rest = ["" if index in marked else line for index, line in enumerate(lines)]
    check_ink(found.rects, sheet(alone, **options), sheet(rest, **options))
    return found.rects


# --- where the lines stand


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"extra": "/Rotate 90"},
        {"extra": "/Rotate 180"},
        {"extra": "/Rotate 270"},
        {"extra": "/CropBox [30 600 500 780]"},
        {"extra": "/CropBox [30 600 500 780] /Rotate 90"},
        {"box": "-100 -50 700 900"},
        {"box": "1000 1000 1600 1800", "text": "1 0 0 1 1050 1750"},
        {"text": "0 1 -1 0 100 100"},  # running up
        {"text": "0 1 -1 0 100 100", "extra": "/Rotate 90"},  # and so, turned, across
        {"extra": "/UserUnit 2"},
    ],
    ids=str,
)
def test_the_lines_of_a_passage_are_marked_however_the_page_lies(options):
    boxes = check_lines(LINES, {1, 2}, "\n".join(LINES[1:3]), len(pdf_picture.compared(LINES[0])), **options)
    assert len(boxes) == 2


def test_part_of_a_line_is_marked_alone():
    data = sheet(LINES)
    (x1, _, x2, _), *others = pdf_picture.marks(data, 1, "report of the treasurer", 0).rects
    (left, _, right, _), *_ = pdf_picture.marks(data, 1, LINES[1], 0).rects
    assert not others
    assert left < x1 < x2 < right


@pytest.mark.parametrize(("place", "marked"), [(0, 0), (34, 1), (59, 2), (10_000, 3)])
def test_of_several_places_with_the_same_words_the_one_that_is_meant_is_marked(place, marked):
    check_lines(["Pears are sold by the dozen in boxes"] * 4, {marked}, "Pears are sold by the dozen in boxes", place)


def test_words_apart_on_one_line_are_one_mark_and_columns_are_not():
    words = "1 0 0 1 50 750 Tm (Pears) Tj 40 0 Td (are sold) Tj 52 0 Td (here) Tj 200 0 Td (not there) Tj"
    data = sheet([""], before=f"BT /F1 12 Tf {words} ET")
    assert len(pdf_picture.marks(data, 1, "Pears are sold here", 0).rects) == 1
    assert len(pdf_picture.marks(data, 1, "Pears are sold here not there", 0).rects) == 2


def test_a_passage_in_another_order_is_marked_by_its_sentences():
    boxes = check_lines(LINES, {0, 3}, f"{LINES[3]} Of this nothing is there at all. {LINES[0]}", 0)
    assert len(boxes) == 2


def test_ligatures_and_wide_letters_are_found_as_they_were_read():
    assert pdf_picture.compared("ﬁne ＡＢＣ－x²,\n½\x02ß") == "fineabcx212ss"


@pytest.mark.parametrize("passage", ["", "...", "Nothing of this stands on the page", "x" * 100_000])
def test_a_passage_that_is_not_there_has_no_marks(passage):
    assert pdf_picture.marks(sheet(LINES), 1, passage, 0).rects == []


def test_what_lies_outside_the_page_counts_for_nothing():
    """The first two lines are cut off, and the passage begins the page, so that its place is the first."""
    found = pdf_picture.marks(sheet([LINES[0], LINES[1], LINES[0], LINES[1]], extra="/CropBox [0 0 600 720]"), 1,
                              LINES[0], 0).rects  # fmt: skip
    (whole,) = pdf_picture.marks(sheet(["", "", LINES[0]], extra="/CropBox [0 0 600 720]"), 1, LINES[0], 0).rects
    assert found == [whole]


def test_many_marks_are_bounded():
    data = sheet(["word " * 20] * 1000, box="0 -20000 600 800")
    passage = "word" * 20_000
    assert len(pdf_picture.marks(data, 1, passage[:50_000], 0).rects) == pdf_picture.MOST_RECTS


# --- the picture


@pytest.mark.parametrize(
    "box",
    ["0 0 600 800", "0 0 1000000 1000000", "0 0 1 1", "0 0 0.001 14000", "0 0 14000 0.5", "0 0 0 0", "0 0 -5 -5",
     "0 0 9e9 9e9"],
)  # fmt: skip
def test_a_picture_is_bounded_and_its_marks_are_as_large_whatever_the_page_says(box):
    data = sheet(LINES, box=box)
    height, width = gray(pdf_picture.picture(data, 1)).shape
    found = pdf_picture.marks(data, 1, LINES[0], 0)
    assert (found.width, found.height) == (width, height)
    assert width <= 1000
    assert width * height <= 2_000_000
    if box == "0 0 600 800":
        assert (width, height) == (1000, 1333)


def test_what_was_filled_in_is_in_the_picture_and_marked():
    data = form(appearances=True)
    ((x1, y1, x2, y2),) = pdf_picture.marks(data, 1, "FILLED & <in>", 0).rects
    ink = gray(pdf_picture.picture(data, 1)) < 128
    assert ink[int(y1) : int(y2), int(x1) : int(x2)].sum() > 100


@pytest.mark.parametrize("data", [b"%PDF-1.4 and nothing more", b"", files.pdf("a", password="x"), sheet(LINES)])
def test_what_has_no_such_page_is_a_problem_in_words(data):
    with pytest.raises(Problem) as refused:
        pdf_picture.picture(data, 2)
    assert refused.value.code == "damaged"


# --- of documents


@pytest.fixture(autouse=True)
def a_folder_of_its_own(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    pictures._added.clear()


@pytest.fixture(scope="module", autouse=True)
def the_child_ends():
    yield
    reading.end_child()


@pytest.fixture
def put(public, django_capture_on_commit_callbacks):
    """put(data) -> a Document of that PDF, read and live."""

    def _put(data: bytes, name: str = "a.pdf") -> Document:
        with django_capture_on_commit_callbacks(execute=True):
            document = Document(collection=public, file=ContentFile(data, name))
            document.save()
        document.refresh_from_db()
        return document

    return _put


@pytest.fixture
def asked(monkeypatch) -> list[tuple[str, int]]:
    """What the child was asked."""
    asked = []
    real = reading.look

    def look(do, data, number, *rest, **values):
        asked.append((do, number))
        return real(do, data, number, *rest, **values)

    monkeypatch.setattr(reading, "look", look)
    return asked


def passage_of(document: Document, text: str, *, last: bool = False) -> Passage:
    """A passage with this text of a document, its first or last place."""
    revision = document.live_revision
    start = revision.text.rindex(text) if last else revision.text.index(text)
    page = sum(offset <= start for offset in revision.pages)
    return Passage(revision=revision, ordinal=10_000, start=start, end=start + len(text), page=page, text=text)


def test_a_page_comes_as_webp_and_the_next_time_from_the_disk(put, asked):
    document = put(sheet(LINES, LINES[:1]))
    first, second = pictures.picture(document, 1), pictures.picture(document, 2)
    assert gray(first.content).shape == (1333, 1000)
    assert (gray(first.content) < 128).sum() > (gray(second.content) < 128).sum() > 300
    assert pictures.picture(document, 1) == first
    assert asked == [("picture", 1), ("picture", 2)]
    assert first.key == pictures.key(document, 1) != second.key == pictures.key(document, 2)


def test_the_passage_on_page_3_is_marked_there(put, asked):
    pages = [LINES, LINES[::-1], LINES]
    document = put(sheet(*pages))
    passage = passage_of(document, LINES[2], last=True)
    assert passage.page == 3
    svg = pictures.marks(passage)
    check_ink(rects(svg), sheet([], [], ["", "", LINES[2]]), sheet([], [], [*LINES[:2], "", LINES[3]]), number=3)
    assert pictures.marks(passage) == svg
    assert asked == [("marks", 3)]


def test_the_second_of_two_same_sentences_is_marked_where_it_is_the_passage(put):
    lines = [LINES[3], LINES[0], LINES[3], LINES[1]]
    document = put(sheet(["Something before."], lines))
    for last in (False, True):
        svg = pictures.marks(passage_of(document, LINES[3], last=last))
        rest = [*([""] if not last else [LINES[3]]), LINES[0], *([""] if last else [LINES[3]]), LINES[1]]
        alone = ["", "", LINES[3]] if last else [LINES[3]]
        check_ink(rects(svg), sheet([], alone), sheet([], rest), number=2)


def test_a_word_divided_at_the_end_of_a_line_is_marked_on_both_lines(put):
    lines = ["The society has always held that the commit-", "tee may meet on any day but one.", "So it did."]
    document = put(sheet(lines))
    passage = passage_of(document, "committee may meet")
    boxes = rects(pictures.marks(passage))
    assert len(boxes) == 2
    (_, top, end, _), (start, below, _, _) = boxes
    assert below > top
    ink = gray(pictures.picture(document, 1).content) < 128
    line_ends = np.nonzero(ink[int(top) : int(boxes[0][3])].any(axis=0))[0]
    assert line_ends.max() <= end + 8  # the hyphen itself is no letter
    assert start <= np.nonzero(ink[int(below) : int(boxes[1][3])].any(axis=0))[0].min()


def test_chinese_text_is_marked(put):
    document = put(sheet(CHINESE, chinese=True))
    ((x1, y1, x2, y2),) = rects(pictures.marks(passage_of(document, CHINESE[1])))
    scale = 1000 / 600
    assert x1 < 55 * scale
    assert x2 > (50 + 12 * (len(CHINESE[1]) - 1)) * scale
    assert 70 * scale < (y1 + y2) / 2 + 12 < 90 * scale


def test_every_passage_that_was_made_of_a_document_is_found(put):
    document = put(sheet(LINES * 5, LINES[::-1] * 6, extra="/Rotate 270"))
    passages = list(document.live_revision.passages.all())
    assert {passage.page for passage in passages} == {1, 2}
    assert all(rects(pictures.marks(passage)) for passage in passages)


def test_a_scan_has_a_picture_and_no_marks(put, monkeypatch):
    monkeypatch.setattr(ocr, "available", lambda: False)
    scan = "q 600 0 0 800 0 0 cm /I Do Q"
    document = put(sheet([LINES[0]], []))
    scanned = Document.objects.get(pk=put(sheet([LINES[0]], before=scan)).pk)
    assert (gray(pictures.picture(scanned, 1).content) < 250).all()
    assert (gray(pictures.picture(document, 2).content) > 250).all()
    revision = document.live_revision
    read_by_ocr = Passage(revision=revision, start=len(revision.text), end=len(revision.text), page=2, text=LINES[0])
    svg = pictures.marks(read_by_ocr)
    assert rects(svg) == []
    assert 'viewBox="0 0 1000 1333"' in svg


def test_marks_are_made_of_numbers_only(put):
    document = put(sheet(["<script>alert(1)</script> & so on", *LINES]))
    svg = pictures.marks(passage_of(document, "<script>alert(1)</script> & so on"))
    elements = list(ElementTree.fromstring(svg).iter())
    assert [element.tag.rpartition("}")[2] for element in elements] == ["svg", "g", "rect"]
    assert {name for element in elements for name in element.keys()} == {  # noqa: SIM118 - an Element is no dict
        "width", "height", "viewBox", "preserveAspectRatio", "fill", "fill-opacity", "x", "y",
    }  # fmt: skip
    assert "script" not in svg


def test_the_same_content_under_two_documents_is_rendered_once(put, asked):
    one, other = put(sheet(LINES)), put(sheet(LINES), "b.pdf")
    assert one.pk != other.pk
    assert pictures.picture(one, 1) == pictures.picture(other, 1)
    assert asked == [("picture", 1)]


def test_while_a_new_file_waits_the_live_one_is_shown(put, django_capture_on_commit_callbacks):
    old, new = sheet(LINES[:1]), sheet(LINES[1:])
    document = put(old)
    with django_capture_on_commit_callbacks(execute=False):
        document.file = ContentFile(new, "b.pdf")
        document.save()
    document.refresh_from_db()
    assert document.content_hash != document.live_revision.content_hash
    assert pictures.picture(document, 1).content == pdf_picture.picture(old, 1)
    assert rects(pictures.marks(passage_of(document, LINES[0])))


@pytest.mark.parametrize(("number", "why"), [(0, Why.NO_PAGE), (2, Why.NO_PAGE), (-1, Why.NO_PAGE)])
def test_a_page_that_does_not_exist_is_not_asked_for(put, asked, number, why):
    document = put(sheet(LINES))
    with pytest.raises(Unavailable) as refused:
        pictures.picture(document, number)
    assert (refused.value.why, asked) == (why, [])


def test_what_is_no_pdf_has_no_pictures(add, public, put):
    text, pdf = add(public, "A pear"), put(sheet(LINES))
    assert not pictures.has_pictures(text.live_revision)
    assert pictures.has_pictures(pdf.live_revision)
    waiting = Document.objects.create(collection=public, text="not read yet")
    for document in (text, waiting):
        with pytest.raises(Unavailable) as refused:
            pictures.picture(document, 1)
        assert refused.value.why == Why.NOT_PDF
    with pytest.raises(Unavailable):
        pictures.marks(text.live_revision.passages.get())


def test_a_damaged_page_is_tried_once_and_the_others_are_shown(put, asked):
    document = put(sheet(LINES, LINES).replace(b"[100 0 R 102 0 R]", b"[100 0 R 999 0 R]"))
    assert len(document.live_revision.pages) == 2
    for _ in range(3):
        with pytest.raises(Unavailable) as refused:
            pictures.picture(document, 2)
        assert refused.value.why == Why.FAILED
    pictures.picture(document, 1)
    assert asked == [("picture", 2), ("picture", 1)]


def test_a_page_that_takes_too_long_is_remembered_for_a_day(put, asked, monkeypatch):
    document = put(sheet(LINES))
    monkeypatch.setattr(reading, "LOOK_SECONDS", 1)
    os.kill(reading._warm[os.getpid()].process.pid, signal.SIGSTOP)
    for _ in range(2):
        with pytest.raises(Unavailable) as refused:
            pictures.picture(document, 1)
        assert refused.value.why == Why.FAILED
    assert asked == [("picture", 1)]
    monkeypatch.setattr(reading, "LOOK_SECONDS", 10)
    (failed,) = pictures.folder().rglob("*.failed")
    os.utime(failed, (0, 0))
    assert gray(pictures.picture(document, 1).content).shape == (1333, 1000)


def test_while_others_are_read_a_picture_is_not_waited_for_long(put, monkeypatch):
    document = put(sheet(LINES))
    monkeypatch.setattr(reading, "LONGEST_WAIT", 0.1)
    with reading._turn, pytest.raises(Unavailable) as refused:
        pictures.picture(document, 1)
    assert refused.value.why == Why.BUSY
    assert pictures.picture(document, 1).content


def test_an_original_that_is_gone_is_no_picture_until_it_is_back(put):
    document = put(sheet(LINES, ["This file is of this test only"]))
    path = document.file.path
    os.rename(path, f"{path}.away")
    with pytest.raises(Unavailable) as refused:
        pictures.picture(document, 1)
    assert refused.value.why == Why.FAILED
    os.rename(f"{path}.away", path)
    assert pictures.picture(document, 1).content


def test_a_cache_that_cannot_be_written_costs_time_only(put, settings, tmp_path):
    document = put(sheet(LINES))
    (tmp_path / "file").write_text("no folder")
    settings.DATA_DIR = tmp_path / "file"
    assert pictures.picture(document, 1).content == pictures.picture(document, 1).content


def test_the_cache_is_bounded_and_drops_the_oldest(settings, tmp_path):
    settings.SEARCHSITE_PICTURES_MB = 1
    for number in range(30):
        path = pictures.folder() / "ab" / f"{number}.webp"
        pictures._keep(path, bytes(100_000))
        os.utime(path, (1_000_000 + number, 1_000_000 + number))
        kept = sorted(int(found.stem) for found in pictures.folder().rglob("*.webp"))
        assert sum(found.stat().st_size for found in pictures.folder().rglob("*.*")) <= 2**20
        assert kept == list(range(number + 1))[-len(kept) :]
    assert len(kept) >= 7


@pytest.mark.parametrize(("gone", "left"), [("ab", ["1.webp"]), ("", [])])
def test_a_cache_that_is_deleted_while_it_is_looked_at_costs_nobody_a_picture(gone, left, monkeypatch):
    """A folder in it, or all of it, when the first is opened."""
    for name in ("ab", "cd") if left else ("ab",):
        pictures._keep(pictures.folder() / name / "1.webp", bytes(10))
    scandir = os.scandir

    def deleted_before(path):
        if os.path.basename(path) == "ab":
            monkeypatch.setattr(os, "scandir", scandir)  # which deleting uses, too
            shutil.rmtree(pictures.folder() / gone)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", deleted_before)
    assert [os.path.basename(path) for _, _, path in pictures._files()] == left
    assert os.scandir is scandir, "it was deleted"


def test_a_cache_that_is_not_there_is_bounded(monkeypatch):
    monkeypatch.setattr(pictures, "_added", {})
    pictures._bound(10)
    assert not pictures.folder().exists()


def test_many_small_files_are_bounded_too(settings):
    settings.SEARCHSITE_PICTURES_MB = 1
    for number in range(600):
        pictures._keep(pictures.folder() / f"{number % 7}" / f"{number}.svg", b"<svg/>")
    assert len(list(pictures.folder().rglob("*.svg"))) <= 2**20 // pictures.LEAST_SIZE


@pytest.mark.parametrize(
    "answer",
    [
        None, [], {}, {"width": 1, "height": 1}, {"width": 10**9, "height": 10, "rects": []},
        {"width": '1"><script/>', "height": 10, "rects": []}, {"width": 10.5, "height": 10, "rects": []},
        {"width": 10, "height": float("inf"), "rects": []}, {"width": 10, "height": 10, "rects": [[1, 2, 3]]},
        {"width": 10, "height": 10, "rects": [["<", 2, 3, 4]]}, {"width": 10, "height": 10, "rects": [[1, 2, "<", 4]]},
        {"width": 10, "height": 10, "rects": [[1, 2, 3, 4]] * 401},
    ],
)  # fmt: skip
def test_marks_without_sense_are_refused(answer):
    """A file that took over its reader could say anything."""
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
        pictures._as_svg(answer)


@pytest.mark.parametrize("answer", [None, 3, "", "PHNjcmlwdD4=", "no base64", "é"])
def test_a_picture_that_is_no_webp_is_refused(answer):
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
        pictures._as_webp(answer)
