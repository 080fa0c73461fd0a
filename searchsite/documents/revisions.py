"""What a document's content comes to: its text and what is known of it, read once for each content."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePath

from django.conf import settings

from searchsite.documents import reading
from searchsite.documents.extract.extracted import Extracted, Heading, Limits, tell_nobody
from searchsite.documents.extract.ocr import available as ocr_available
from searchsite.documents.jobs import Progress
from searchsite.documents.language import detect
from searchsite.documents.models import Document, Revision

VERSION = 2  # raised when extraction or splitting changes: revisions made by another version are made anew


def pipeline() -> str:
    """What, beside content and title, decides the passages: our version, the target length and the overlap."""
    return f"{VERSION}/{settings.SEARCHSITE_PASSAGE_TOKENS}/{settings.SEARCHSITE_PASSAGE_OVERLAP}"


def revision_for(document: Document, progress: Progress) -> Revision:
    """The revision of the document's present content and title, found or made."""
    wanted = {"content_hash": document.content_hash, "given_title": document.title, "pipeline": pipeline()}
    revision = document.revisions.filter(**wanted).order_by("pk").last()
    if revision is None or can_read_more(revision):
        extracted, encoded_title = _extracted(document, progress)
        revision = Revision.objects.create(
            document=document,
            title=document.title or extracted.title[:300] or document.name,
            encoded_title=encoded_title,
            author=extracted.author,
            written=extracted.written,
            language=_language(extracted),
            kind=extracted.kind,
            text=extracted.text,
            unread=extracted.unread,
            pages=extracted.pages,
            headings=[[h.offset, h.level, h.title] for h in extracted.headings],
            preformatted=extracted.preformatted,
            **wanted,
        )
    return revision


def can_read_more(revision: Revision) -> bool:
    """Whether pages of it were pictures that could not be read then, and can be now."""
    return bool(revision.unread) and ocr_available()


def _extracted(document: Document, progress: Progress) -> tuple[Extracted, str]:
    """What the document's content holds, and the title under which a copy of it was encoded ("" without one).

    What was read before, for another document with the same content, is not read again, and stays encoded as it is.
    """
    twin = (
        Revision.objects.filter(content_hash=document.content_hash, pipeline=pipeline(), given_title="")
        .exclude(document=document)
        .select_related("document")
        .order_by("pk")
        .first()
    )
    # The same bytes under another ending (.md, .txt) may be of another kind.
    if twin and _ending(twin.document) == _ending(document) and not can_read_more(twin):
        shared = _as_extracted(twin)
        # Its title may have been taken from the name of the file.
        if twin.title == PurePath(twin.document.name).stem:
            shared = replace(shared, title=PurePath(document.name).stem)
        elif twin.title == twin.document.name:
            shared = replace(shared, title=document.name)
        return shared, "" if document.title else twin.encoded_title or twin.title
    within = limits(lambda done, total: progress("reading", done, total))
    return reading.read(_content(document), document.name or "text.md", within), ""


def _ending(document: Document) -> str:
    return PurePath(document.name).suffix.lower() if document.file else ""


def _as_extracted(revision: Revision) -> Extracted:
    return Extracted(
        text=revision.text,
        title=revision.title,
        kind=revision.kind,
        pages=revision.pages,
        headings=[Heading(*heading) for heading in revision.headings],
        preformatted=[(start, end) for start, end in revision.preformatted],
        author=revision.author,
        written=revision.written,
        unread=revision.unread,
    )


def _language(extracted: Extracted) -> str:
    """The language that most of the text is in, by its beginning and its middle, without its code."""
    text, edges = extracted.text, [0, *(edge for block in extracted.preformatted for edge in block)]
    prose = " ".join(text[a:b] for a, b in zip(edges[::2], [*edges[1::2], len(text)], strict=True))
    prose = prose if prose.strip() else text
    middle = max(0, len(prose) // 2 - 500)
    return detect(f"{prose[:1000]} {prose[middle : middle + 1000]}")


def _content(document: Document) -> bytes:
    if not document.file:
        return document.text.encode("utf-8", "replace")
    with document.file.open("rb") as original:
        return original.read()  # type: ignore[no-any-return]


def limits(tell: Callable[[int, int], None] = tell_nobody) -> Limits:
    """The most that a file may hold, by the settings."""
    return Limits(
        max_bytes=settings.SEARCHSITE_MAX_FILE_MB * 1024 * 1024,
        max_pages=settings.SEARCHSITE_MAX_PAGES,
        max_characters=settings.SEARCHSITE_MAX_CHARACTERS,
        tell=tell,
    )
