"""Pictures of the pages of PDFs, and the marks to be laid over them: made by the reading child, kept on the disk.

What is kept is a cache by content, page and version, shared by processes and documents: it can be deleted at any time.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from base64 import b64decode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from threading import Lock
from typing import Any

from django.conf import settings
from django.db.models.functions import Substr
from django.utils.crypto import get_random_string

from searchsite.documents import reading
from searchsite.documents.extract.pdf_picture import LONGEST_SIDE, MOST_RECTS, VERSION, WIDEST, compared
from searchsite.documents.models import Document, Passage, Revision
from searchsite.documents.models.documents import originals
from searchsite.documents.problems import Problem

log = logging.getLogger(__name__)

FILL, OPACITY = "#ffd54d", ".4"
# A page that could not be rendered is tried again after so long: the reason may have been a machine under load.
FAILED_FOR = 24 * 3600  # seconds
LEAST_SIZE = 4096  # bytes that a file takes on the disk, however small
# Of what may be kept: how much a process adds before it looks how much there is, and how much it leaves then. So that
# two processes stay below the limit together.
LOOK_AFTER = 0.1
LEAVE = 0.8


class Why(StrEnum):
    """Why there is no picture. BUSY: there may be one in a moment."""

    NOT_PDF = "not_pdf"
    NO_PAGE = "no_page"
    FAILED = "failed"
    BUSY = "busy"


class Unavailable(Exception):
    """There is no picture of the page, or no marks."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why


@dataclass(frozen=True)
class Picture:
    """A page as WebP. key: the same for the same picture, for an ETag."""

    content: bytes
    key: str


@dataclass(frozen=True)
class Page:
    """A page of a PDF's content, counted from 1. start: offset into its revision's text."""

    content_hash: str
    number: int
    start: int

    @property
    def key(self) -> str:
        return f"{self.content_hash}-{VERSION}-{self.number}"


def has_pictures(revision: Revision) -> bool:
    """Whether its pages can be shown as pictures."""
    return revision.kind == "pdf"


def key(document: Document, number: int) -> str:
    """The key of the picture that `picture` would give, without making it. Raises Unavailable as far as is known."""
    return _page(document.live_revision_id, number).key


def picture(document: Document, number: int) -> Picture:
    """Page `number`, counted from 1, of what is live of the document. Raises Unavailable."""
    page = _page(document.live_revision_id, number)

    def made(data: bytes) -> bytes:
        return reading.look("picture", data, page.number, _as_webp)

    return Picture(_kept(page, f"{page.key}.webp", f"{page.key}.failed", made), page.key)


def marks(passage: Passage) -> str:
    """An SVG as large as the picture of the passage's page, transparent but for the passage's lines.

    Made of numbers only: nothing of the document stands in it. Raises Unavailable.
    """
    page = _page(passage.revision_id, passage.page or 0)
    offset = passage.start - page.start
    digest = hashlib.sha256(f"{offset} {passage.text}".encode("utf-8", "replace")).hexdigest()

    def made(data: bytes) -> bytes:
        part = Substr("text", page.start + 1, max(0, offset))
        before = Revision.objects.filter(pk=passage.revision_id).values_list(part, flat=True).get()
        place = len(compared(before))
        return reading.look("marks", data, page.number, _as_svg, passage=passage.text, place=place).encode()

    return _kept(page, f"{page.key}-{digest[:20]}.svg", f"{page.key}-marks.failed", made).decode()


def _page(revision_id: int | None, number: int) -> Page:
    """A page of a revision, without its text being fetched. Raises Unavailable."""
    same = Revision.objects.filter(pk=revision_id or 0)
    found = same.only("content_hash", "kind", "pages").first()
    if found is None or not has_pictures(found):
        raise Unavailable(Why.NOT_PDF)
    pages = found.pages or []
    if not 1 <= number <= len(pages):
        raise Unavailable(Why.NO_PAGE)
    return Page(found.content_hash, number, pages[number - 1])


def _as_webp(answer: str) -> bytes:
    """The picture in the child's answer. Raises ValueError."""
    content = b64decode(answer, validate=True)
    if content[:4] != b"RIFF" or content[8:12] != b"WEBP":
        raise ValueError("no WebP")
    return content


def _as_svg(answer: dict[str, Any]) -> str:
    """The child's answer as an SVG, of numbers only. Raises KeyError, ValueError and TypeError."""
    width, height = answer["width"], answer["height"]
    if not (0 < width <= WIDEST and 0 < height <= LONGEST_SIDE) or len(answer["rects"]) > MOST_RECTS:
        raise ValueError("no size of a picture, or too many marks")
    rects = "".join(
        f'<rect x="{float(x1):.1f}" y="{float(y1):.1f}" width="{x2 - x1:.1f}" height="{y2 - y1:.1f}"/>'
        for x1, y1, x2, y2 in answer["rects"]
    )
    # Where an odd page is shown in another shape than its own, the marks are stretched as its picture is.
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:d}" height="{height:d}" viewBox="0 0 {width} {height}" '
        f'preserveAspectRatio="none"><g fill="{FILL}" fill-opacity="{OPACITY}">{rects}</g></svg>'
    )


# --- the cache


def folder() -> Path:
    """Where pictures and marks are kept."""
    return Path(settings.DATA_DIR) / "pictures"


def _kept(page: Page, name: str, failed_name: str, made: Callable[[bytes], bytes]) -> bytes:
    """What is kept under that name, or else made of the PDF and kept, as is that it failed. Raises Unavailable."""
    path = folder() / page.content_hash[:2] / name
    with suppress(OSError):
        return path.read_bytes()
    failed = path.with_name(failed_name)
    if _age(failed) < FAILED_FOR:
        raise Unavailable(Why.FAILED)
    try:
        content = made(_original(page.content_hash))
    except reading.Busy as error:
        raise Unavailable(Why.BUSY) from error
    except OSError as error:  # no fault of the page, so nothing to remember
        log.warning("%s: %s", name, error)
        raise Unavailable(Why.FAILED if isinstance(error, FileNotFoundError) else Why.BUSY) from error
    except Problem as problem:
        log.warning("%s: %s", name, problem.code)
        _keep(failed, problem.code.encode())
        raise Unavailable(Why.FAILED) from problem
    _keep(path, content)
    return content


def _original(content_hash: str) -> bytes:
    # The file that the live revision was read from, not the document's, which may be newer (storage.py).
    with originals().open(f"{content_hash[:2]}/{content_hash[2:4]}/{content_hash}") as original:
        return original.read()  # type: ignore[no-any-return]


def _age(path: Path) -> float:
    """Seconds since the file was written; infinite when there is none."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return float("inf")


def _keep(path: Path, content: bytes) -> None:
    """Write a file of the cache so that it is complete when it has its name; one that cannot be written is not kept."""
    aside = path.with_name(f"{get_random_string(12)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_bytes(content)
        aside.replace(path)
    except OSError as error:
        log.warning("%s is not kept: %s", path.name, error)
        with suppress(OSError):
            aside.unlink()
        return
    _bound(max(len(content), LEAST_SIZE))


_added: dict[int, float] = {}  # by process id: bytes added since it looked; it looks when it adds for the first time
_adding = Lock()


def _bound(size: int) -> None:
    """Note that so many bytes were added, and from time to time drop the oldest files of the cache."""
    limit = settings.SEARCHSITE_PICTURES_MB * 2**20
    with _adding:
        added = _added.get(os.getpid(), float("inf")) + size
        if added < LOOK_AFTER * limit:
            _added[os.getpid()] = added
            return
        _added[os.getpid()] = 0
    files = sorted(_files(), reverse=True)
    total = 0
    for _, size, path in files:
        total += size
        if total > LEAVE * limit:
            with suppress(OSError):
                os.unlink(path)


def _files() -> list[tuple[float, int, str]]:
    """When each file of the cache was written, the bytes that it takes, and its path."""
    found = []
    for entry in (entry for below in _listed(folder()) for entry in _listed(below)):
        with suppress(OSError):  # another process has dropped it
            status = entry.stat()
            found.append((status.st_mtime, max(status.st_size, LEAST_SIZE), entry.path))
    return found


def _listed(path: str | os.PathLike[str]) -> list[os.DirEntry[str]]:
    """What is in a folder; nothing where it has been deleted, or is no folder."""
    try:
        with os.scandir(path) as entries:
            return list(entries)
    except OSError:
        return []
