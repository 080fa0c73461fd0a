"""Pictures and OCR: what is refused without the extra, and what is read with it."""

from __future__ import annotations

import io
import logging
import socket
import struct
import zlib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFont

from searchsite.documents.extract import Extracted, Limits, extract, ocr
from searchsite.documents.problems import Problem

LIMITS = Limits(max_bytes=5_000_000, max_pages=3, max_characters=500_000)
CJK = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")
needs_cjk = pytest.mark.skipif(not CJK.exists(), reason="needs a font with Chinese (Debian: fonts-noto-cjk)")


def read(data: bytes, limits: Limits = LIMITS) -> Extracted:
    return extract(data, "a.png", limits)


def refusal(data: bytes, limits: Limits = LIMITS) -> str:
    with pytest.raises(Problem) as caught:
        read(data, limits)
    assert str(caught.value)
    return caught.value.code


def drawn(
    *lines: tuple[int, int, str], size: tuple[int, int] = (900, 300), font: Any = None, **ink: Any
) -> Image.Image:
    """A white picture with black text at these places."""
    image = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(image)
    for left, top, text in lines:
        pen.text((left, top), text, fill="black", font=font or ImageFont.load_default(30))
    return image


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def declared(width: int, height: int, colour: int = 2) -> bytes:
    """A PNG that says it is this large, and holds hardly any data."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


# --- with or without the extra


@pytest.mark.parametrize("available", [True, False])
@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\x89PNG\r\n\x1a\n", "damaged"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0", "damaged"),
        (b"\xff\xd8\xff\xe0", "damaged"),
        (b"II*\0\x08\0\0\0", "damaged"),
        (b"GIF89a", "damaged"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "damaged"),
        (declared(20_000, 20_000), "unpacks_too_large"),
        (declared(12_000, 12_000), "unpacks_too_large"),
        (declared(10_000, 10_000, 6), "unpacks_too_large"),
        (
            saved(Image.new("1", (9, 9)), "TIFF", save_all=True, append_images=[Image.new("1", (9, 9))] * 3),
            "too_many_pages",
        ),
    ],
)
def test_what_cannot_be_opened_is_refused(
    monkeypatch: pytest.MonkeyPatch, data: bytes, problem: str, available: bool
) -> None:
    monkeypatch.setattr(ocr, "available", lambda: available)

    assert refusal(data) == problem


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF"])
def test_without_the_extra_every_picture_asks_for_it(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(ocr, "available", lambda: False)

    assert refusal(saved(drawn(), kind)) == "needs_ocr"


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Image.Image]:
    """The pictures that an OCR, which reads the same in each, is shown."""
    images: list[Image.Image] = []

    def read_page(image: Image.Image) -> str:
        image.load()
        images.append(image.copy())
        return '2 < 3 & "4" > 1 党参'

    monkeypatch.setattr(ocr, "available", lambda: True)
    monkeypatch.setattr(ocr, "read_page", read_page)
    return images


def test_each_frame_of_a_tiff_is_a_page(shown: list[Image.Image]) -> None:
    told: list[tuple[int, int]] = []
    data = saved(drawn(), "TIFF", save_all=True, append_images=[drawn(size=(50, 60))])

    extracted = read(data, Limits(5_000_000, 3, 1000, lambda done, total: told.append((done, total))))

    assert extracted.text == '2 < 3 & "4" > 1 党参\n\n2 < 3 & "4" > 1 党参'
    assert extracted.pages == [0, extracted.text.rindex("2 <")]
    assert [image.size for image in shown] == [(900, 300), (50, 60)]
    assert told == [(0, 2), (1, 2)]


def test_of_an_animation_the_first_frame_is_read(shown: list[Image.Image]) -> None:
    frames = [Image.new("L", (40, 30), shade) for shade in (0, 200)]

    extracted = read(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))

    assert (len(shown), extracted.pages, extracted.kind) == (1, None, "image")


def test_exif_says_when_and_which_way_up(shown: list[Image.Image]) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[306] = 6, "2003:01:02 10:00:00"

    assert read(saved(drawn(), "JPEG", exif=exif)).written == date(2003, 1, 2)
    assert shown[0].size == (300, 900)
    exif[306] = "0000:00:00 00:00:00"
    assert read(saved(drawn(), "JPEG", exif=exif)).written is None


def test_a_large_jpeg_is_scaled_down_while_it_is_decoded(shown: list[Image.Image]) -> None:
    read(saved(Image.new("L", (9_000, 9_000), 255), "JPEG", quality=10))

    assert max(shown[0].size) < 5_000


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "GIF"])
def test_a_truncated_picture_is_damaged(shown: list[Image.Image], kind: str) -> None:
    data = saved(drawn((10, 10, "Some text to be lost"), size=(1000, 1000)), kind)

    assert refusal(data[: len(data) // 2]) == "damaged"


# --- putting lines together (needs no engine)


def line(text: str, left: float, top: float, right: float) -> ocr.Line:
    return ocr.Line(text, left, top, right, top + 20)


def paragraphs(*lines: ocr.Line) -> list[str]:
    return [paragraph for block in ocr._blocks(list(lines)) for paragraph in ocr._paragraphs(block)]


def test_lines_of_a_paragraph_are_joined_as_their_language_asks() -> None:
    english = [line("The first im-", 0, 0, 400), line("portant line", 0, 25, 400), line("& last", 0, 50, 100)]
    chinese = [line("高血压患者能吃", 0, 120, 400), line("党参吗？", 0, 145, 200), line("Next", 0, 170, 390)]

    assert paragraphs(*english, *chinese) == ["The first important line & last", "高血压患者能吃党参吗？", "Next"]


def test_columns_are_read_one_after_the_other_and_tables_across() -> None:
    rows = [line(f"{side}{n}", left, 25 * n, left + 300) for n in range(2, 8) for side, left in (("L", 0), ("R", 350))]
    title, number = line("A title over both", 150, 0, 500), line("Page 7", 290, 260, 370)
    table = [line(f"{side}{n}", left, 25 * n, left + 60) for n in range(4) for side, left in (("a", 0), ("b", 350))]

    assert paragraphs(title, *rows, number) == [
        "A title over both", "L2 L3 L4 L5 L6 L7", "R2 R3 R4 R5 R6 R7", "Page 7",
    ]  # fmt: skip
    assert " ".join(paragraphs(*table)) == "a0 b0 a1 b1 a2 b2 a3 b3"


# --- with the extra


@pytest.mark.ocr
def test_english_is_read_without_network_log_or_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def no_network(*_args: object) -> None:
        raise AssertionError("OCR went to the network")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.chdir(tmp_path)
    ocr._engine.cache_clear()

    extracted = read(saved(drawn((40, 60, "The committee approved the budget"), (40, 110, "of 2 < 3 & 4 > 1 million"))))

    assert extracted.text.replace("\n\n", " ") == "The committee approved the budget of 2 < 3 & 4 > 1 million"
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("RapidOCR").disabled


@pytest.mark.ocr
@needs_cjk
@pytest.mark.parametrize("points", [7, 10, 14])
def test_long_chinese_lines_are_read(points: int) -> None:
    text = "高血压患者能吃党参吗这是一个常见的问题医生说可以少量食用语义检索按意思寻找段落"
    font = ImageFont.truetype(CJK, points * 200 / 72)

    image = drawn(*[(60, 60 + int(n * points * 5), text) for n in range(5)], size=(1800, 600), font=font)

    assert read(saved(image)).text.count(text) == 5


@pytest.mark.ocr
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "LA", "CMYK", "I;16"])
def test_every_kind_of_colour_is_read(mode: str) -> None:
    image = drawn((40, 60, "Colours of the rainbow"))
    image = image.convert("L").convert("I").convert("I;16") if mode == "I;16" else image.convert(mode)

    assert "rainbow" in read(saved(image, "TIFF")).text.replace(" ", "")


@pytest.mark.ocr
def test_light_text_on_nothing_and_text_upside_down_are_read() -> None:
    clear = Image.new("RGBA", (900, 200), (0, 0, 0, 0))
    ImageDraw.Draw(clear).text((40, 60), "White on nothing", fill="white", font=ImageFont.load_default(40))

    assert "White" in read(saved(clear)).text
    assert "upside down" in read(saved(drawn((40, 60, "A page that is upside down")).rotate(180))).text


@pytest.mark.ocr
@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (3000, 40), (200, 200)])
def test_a_picture_without_text_says_so(size: tuple[int, int]) -> None:
    assert refusal(saved(Image.new("RGB", size, "white"))) == "no_text"


@pytest.mark.ocr
def test_a_very_tall_picture_is_read_to_its_end() -> None:
    image = drawn(*[(40, 40 + n * 400, f"Line number {n}") for n in range(20)], size=(600, 8000))

    assert [word for word in read(saved(image)).text.split() if word.isdigit()] == [str(n) for n in range(20)]
