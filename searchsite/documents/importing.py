"""Importing: a collection is brought in line with the places that its documents come from."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from django.core.files import File
from django.db import IntegrityError, transaction

from searchsite.documents import audited
from searchsite.documents.models import Collection, Document, Tag
from searchsite.documents.problems import Problem
from searchsite.documents.revisions import renamed
from searchsite.documents.sources import Found
from searchsite.documents.sources.roots import Root
from searchsite.documents.sources.rows import SCHEME

BATCH = 50  # documents stored in a transaction
CHUNK = 2**20  # bytes
REMOVED_AT_ONCE = 100


class EmptySource(Exception):
    """A place that documents came from holds none any more; more likely it is not there than that all were deleted."""

    def __init__(self, root: Root, documents: int) -> None:
        super().__init__(str(root.path))
        self.root, self.documents = root, documents


@dataclass
class Told:
    """Who is told of what happens: `step` after each thing found, `refused` with its path and a sentence."""

    step: Callable[[str], None] = lambda _path: None
    refused: Callable[[str, str], None] = lambda _path, _why: None


@dataclass(frozen=True)
class Known:
    """A document that the collection has from a source."""

    pk: int
    content_hash: str
    title: str
    name: str


@dataclass
class Import:
    """One run: what the collection has, and what has been done until now (counts by word: "added", "updated" ...)."""

    collection: Collection
    tags: Sequence[Tag] = ()
    told: Told = field(default_factory=Told)
    counts: Counter[str] = field(default_factory=Counter)
    known: dict[str, Known] = field(default_factory=dict)
    # What is gone, by content, ending and a row's title: what is new and equal to one of these was renamed.
    gone: dict[tuple[str, str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    waiting: list[Document] = field(default_factory=list)

    def __post_init__(self) -> None:
        rows = Document.objects.filter(collection=self.collection).exclude(source="")
        columns = rows.values_list("source", "pk", "content_hash", "title", "name")
        self.known = {source: Known(pk, digest, title, name) for source, pk, digest, title, name in columns.iterator()}

    def refuse(self, path: str, why: str) -> None:
        self.counts["refused"] += 1
        self.told.refused(path, why)


@dataclass(frozen=True)
class Plan:
    """What is to be looked at: the places that can be read, and how many things are in them."""

    roots: tuple[Root, ...]
    total: int


def plan(one: Import, roots: Iterable[Root], *, sync: bool = False, allow_empty: bool = False) -> Plan:
    """Look at what there is and, with `sync`, at what is gone. Nothing is changed yet.

    Raises EmptySource and MissingColumns.
    """
    looks = [_look(one, root) for root in roots]
    if sync:
        _look_for_gone(one, looks, allow_empty)
    readable = tuple(look.root for look in looks if look.is_readable)
    return Plan(readable, sum(len(look.sources) for look in looks))


@dataclass(frozen=True)
class Look:
    """What a place holds. is_whole: that is all, so that what came from it and is not among it is gone."""

    root: Root
    sources: Sequence[str] = ()
    is_readable: bool = False
    is_whole: bool = False


def _look(one: Import, root: Root) -> Look:
    sources, unidentified = [], 0
    try:
        for found in root.list():
            sources.append(found.source)
            unidentified += found.unidentified
    except Problem as problem:
        one.refuse(str(root.path), str(problem))
        return Look(root, is_whole=problem.code == "archive_empty")
    except OSError as error:
        one.refuse(str(root.path), cannot_be_opened(error))
        return Look(root)
    if unidentified:
        one.told.refused(str(root.path), "Rows of it cannot be read, so --sync removes nothing that came from it.")
    return Look(root, sources, is_readable=True, is_whole=not (unidentified or root.unlistable))


def _look_for_gone(one: Import, looks: Sequence[Look], allow_empty: bool) -> None:
    """Note which documents came from these places, and are in none of them any more."""
    present = {source for look in looks for source in (*look.sources, *look.root.seen)}
    kept = [look.root for look in looks if not look.is_whole]
    gone: set[str] = set()
    for look in looks:
        if not (look.is_whole and look.root.below):
            continue
        held = [source for source in one.known if look.root.holds(source) and source not in present]
        missing = {source for source in held if not (any(root.holds(source) for root in kept) or is_there(source))}
        if missing and not look.sources and not allow_empty:
            raise EmptySource(look.root, len(missing))
        gone |= missing
    for source in sorted(gone):
        was = one.known[source]
        title = was.title if source.startswith(SCHEME) else ""
        one.gone[was.content_hash, _ending(was.name), title].append(source)


def run(one: Import, planned: Plan) -> None:
    """Add what is new, update what changed, by content, and remove what is gone.

    A run that was killed is gone on with by the next. Nothing is removed when a place can suddenly not be read.
    """
    try:
        _bring_in_line(one, planned)
    finally:  # what was done until somebody stopped it is written down, too
        audited.imported(one.collection, (str(root.path) for root in planned.roots), one.counts)


def _bring_in_line(one: Import, planned: Plan) -> None:
    done: set[str] = set()
    broken = False
    for root in planned.roots:
        try:
            for found in root.list():
                if found.source not in done:
                    done.add(found.source)
                    _take(one, found)
                one.told.step(found.path)
        except Problem as problem:
            broken = True
            one.refuse(str(root.path), str(problem))
        except OSError as error:
            broken = True
            one.refuse(str(root.path), cannot_be_opened(error))
    _store(one)
    if not broken:
        _remove(one, [source for sources in one.gone.values() for source in sources])


def is_there(source: str) -> bool:
    """Whether a file of that path exists: one that a folder's listing leaves out (hidden, a link, of another kind), and
    that was imported by its name."""
    return source.startswith("/") and os.path.lexists(source)


def cannot_be_opened(error: OSError) -> str:
    return f"it cannot be opened ({error.strerror})."


def _ending(name: str) -> str:
    return PurePath(name).suffix.lower()


def _take(one: Import, found: Found) -> None:
    """Bring the document of one thing that was found up to it."""
    try:
        if found.problem:
            raise found.problem
        content_hash = _hash(found)
        known = one.known.get(found.source)
        if known and (known.content_hash, known.title if found.text is not None else "") == (content_hash, found.title):
            one.counts["unchanged"] += 1
        elif known:
            _update(one, known, found)
        elif was := one.gone.get((content_hash, _ending(found.name), found.title)):
            _rename(one, one.known[was.pop()], found)
        else:
            document = Document(collection=one.collection, source=found.source)
            _fill(document, found)
            one.waiting.append(document)
            if len(one.waiting) >= BATCH:
                _store(one)
            one.counts["added"] += 1
    except Problem as problem:
        one.refuse(found.path, str(problem))
    except OSError as error:
        one.refuse(found.path, cannot_be_opened(error))


def _hash(found: Found) -> str:
    """The SHA-256 of the content, as Document.content_hash has it."""
    if found.text is not None:
        return hashlib.sha256(found.text.encode("utf-8", "surrogatepass")).hexdigest()
    assert found.open is not None, "what is neither refused nor a text can be opened"
    digest = hashlib.sha256()
    with found.open() as handle:
        while chunk := handle.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _fill(document: Document, found: Found) -> None:
    """Give the document what was found; a file is stored at once, outside any transaction."""
    document.name = found.name
    if found.text is not None:
        document.title, document.text, document.file = found.title, found.text, ""
        return
    assert found.open is not None, "what is neither refused nor a text can be opened"
    with found.open() as handle:
        document.file, document.text = File(handle, name=found.name), ""
        document.take_in_source()


def _update(one: Import, known: Known, found: Found) -> None:
    document = Document.objects.filter(pk=known.pk).first()
    if document is None:  # deleted meanwhile; the next run adds it
        return
    _fill(document, found)
    document.save()
    document.tags.add(*one.tags)
    one.counts["updated"] += 1


def _rename(one: Import, known: Known, found: Found) -> None:
    """What was gone has turned up elsewhere: the same document, with the vectors it has."""
    document = Document.objects.filter(pk=known.pk).first()
    if document is None:
        return
    document.source, document.name = found.source, found.name
    with transaction.atomic():
        document.save()
        renamed(document)
        document.tags.add(*one.tags)
    one.counts["renamed"] += 1


def _store(one: Import) -> None:
    """Store what is new and waits for it."""
    documents, one.waiting = one.waiting, []
    try:
        with transaction.atomic():
            for document in Document.objects.bulk_create(documents):
                document.tags.add(*one.tags)
    except IntegrityError:  # another import of the same places is going on, and has stored some of them
        for document in documents:
            if not Document.objects.filter(collection=one.collection, source=document.source).exists():
                document.pk = None
                document.save()
                document.tags.add(*one.tags)


def _remove(one: Import, sources: list[str]) -> None:
    for first in range(0, len(sources), REMOVED_AT_ONCE):
        some = sources[first : first + REMOVED_AT_ONCE]
        Document.objects.filter(pk__in=[one.known[source].pk for source in some]).delete()
        one.counts["removed"] += len(some)
