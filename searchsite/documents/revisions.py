"""What a document's content comes to: its text and what is known of it, read once for each content."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import PurePath

from django.conf import settings
from django.db import transaction

from searchsite.documents import reading
from searchsite.documents.extract import title_of_name
from searchsite.documents.extract.extracted import Extracted, Heading, Limits, tell_nobody
from searchsite.documents.extract.ocr import available as ocr_available
from searchsite.documents.jobs import Progress
from searchsite.documents.language import detect
from searchsite.documents.models import Document, Revision

VERSION = 3  # raised when extraction or splitting changes: revisions made by another version are made anew
NAME_OF_TYPED = "text.md"  # typed text is read as Markdown
LONGEST_BEGINNING = 60  # characters
MOST_TWINS = 20


def pipeline() -> str:
    """What, beside content and title, decides the passages: our version, the target length and the overlap."""
    return f"{VERSION}/{settings.SEARCHSITE_PASSAGE_TOKENS}/{settings.SEARCHSITE_PASSAGE_OVERLAP}"


class Gone(Exception):
    """The document was deleted while it was being worked on."""


@contextmanager
def adding_to(document_id: int) -> Iterator[None]:
    """A short transaction that adds to a document, and that no deletion of it can overlap. Raises Gone."""
    with transaction.atomic():
        held = Document.objects.select_for_update().filter(pk=document_id).values_list("pk", flat=True)
        if not list(held):
            raise Gone
        yield


def revision_for(document: Document, progress: Progress) -> Revision:
    """The revision of the document's present content and title, found or made. Raises Problem and Gone."""
    wanted = {"content_hash": document.content_hash, "given_title": document.title, "pipeline": pipeline()}
    revision = document.revisions.filter(**wanted).order_by("pk").last()
    if revision is not None and not can_read_more(revision):
        return revision
    twin = _twin(document)
    extracted = _read_before(twin, document.name) if twin else _read(document, progress)
    revision = Revision(
        document=document,
        title=document.title or _title(document, extracted),
        found_title="" if extracted.named_by_file else extracted.title,
        # Encoded as the copy is, unless one of the two was given a title.
        encoded_title="" if twin is None or document.title or twin.given_title else twin.encoded_title or twin.title,
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
    with adding_to(document.pk):
        revision.save()
    return revision


def renamed(document: Document) -> None:
    """Have a document that is titled by its file's name show the new name; what is encoded stays as it is."""
    live = document.live_revision
    if live is not None and not live.found_title and not document.title:
        live.encoded_title = live.encoded_title or live.title
        live.title = title_of_name(document.name, live.kind)
        live.save(update_fields=["encoded_title", "title"])


def can_read_more(revision: Revision) -> bool:
    """Whether pages of it were pictures that could not be read then, and can be now."""
    return bool(revision.unread) and ocr_available()


def _read(document: Document, progress: Progress) -> Extracted:
    """What the document's content holds."""
    within = limits(lambda done, total: progress("reading", done, total))
    return reading.read(_content(document), document.name or NAME_OF_TYPED, within)


def _twin(document: Document) -> Revision | None:
    """What the same content came to before, for another document."""
    same = Revision.objects.filter(content_hash=document.content_hash, pipeline=pipeline()).exclude(document=document)
    large = ("text", "headings", "preformatted", "pages")  # fetched of the one that is taken
    for revision in same.select_related("document").defer(*large).order_by("given_title", "pk")[:MOST_TWINS]:
        # The same bytes under another ending (.md, .txt) may be of another kind.
        if _ending(revision.document) == _ending(document) and not can_read_more(revision):
            return revision
    return None


def _ending(document: Document) -> str:
    return PurePath(document.name or NAME_OF_TYPED).suffix.lower()


def _title(document: Document, extracted: Extracted) -> str:
    if extracted.named_by_file and not document.name:  # typed text that begins with a long line
        beginning = extracted.text.lstrip()[:LONGEST_BEGINNING].partition("\n")[0]
        return f"{beginning.rstrip()}…"
    return extracted.title[:300]


def _read_before(revision: Revision, name: str) -> Extracted:
    """What was read into a revision, for a file of that name."""
    return Extracted(
        text=revision.text,
        title=revision.found_title or title_of_name(name or NAME_OF_TYPED, revision.kind),
        named_by_file=not revision.found_title,
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
