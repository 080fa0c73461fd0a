"""From a saved document to a findable one: extract, split, encode, store, make live.

Everything is stored in short batches that nobody sees yet; one update makes the revision live. A kill in the middle
costs one batch: the next attempt goes on from what is stored.
"""

from __future__ import annotations

import logging
import time

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from encoder import EncoderError
from searchsite.documents import changes, revisions
from searchsite.documents.extract.extracted import Heading
from searchsite.documents.jobs import Progress
from searchsite.documents.language import detect
from searchsite.documents.models import Document, Job, Passage, Revision
from searchsite.documents.problems import Problem
from searchsite.documents.revisions import Gone, adding_to
from searchsite.documents.split import split
from searchsite.index import backends
from searchsite.index.encoding import Kept, encoded, kept, lacking, store
from searchsite.index.vectors import encoded_text, text_hash

log = logging.getLogger(__name__)

BATCH = 256


def ingest(job: Job, progress: Progress) -> None:
    """Bring what is findable of the job's document up to what the document now says."""
    assert job.document_id is not None, "a job to read a document names it"
    document = Document.objects.select_related("live_revision").filter(pk=job.document_id).first()
    if document is None:  # deleted while it waited
        return
    progress("reading", 0, 0)
    try:
        revision = revisions.revision_for(document, progress)
        if not revision.split:
            store_passages(revision, progress)
        encoded = encode_missing(revision, progress, job)
    except EncoderError as error:
        raise Problem("encoder", detail=str(error)) from error
    except Gone:
        return
    if revision.pk != document.live_revision_id or encoded:
        make_live(revision)
    discard_others(document.pk)


def refresh(document: Document) -> Job:
    """Bring what is live up to the present encoder and pipeline. Where the document's newest content cannot be read,
    what serves until it can goes on serving: its own vectors are made. Returns what was encoded, as a job of no row."""
    job = Job(document_id=document.pk)
    try:
        ingest(job, lambda *_progress: None)
    except (Problem, OSError) as error:
        if isinstance(error, Problem) and error.code == "encoder":
            raise
        log.warning("document %s cannot be read again (%s); its live revision is kept", document.pk, error)
        live = document.live_revision
        if live is not None and encode_missing(live, lambda *_progress: None, job):
            changes.record([document.pk])
    return job


def store_passages(revision: Revision, progress: Progress) -> None:
    """Split the revision's text and store its passages, in place of what a killed attempt may have left.

    Nothing is stored where another worker has done so meanwhile. Raises Gone.
    """
    limit = backends.description().max_tokens
    spans = split(
        revision.text,
        headings=[Heading(*heading) for heading in revision.headings],
        pages=revision.pages,
        token_offsets=backends.token_offsets(),
        target_tokens=min(settings.SEARCHSITE_PASSAGE_TOKENS, limit * 4 // 5),
        max_tokens=limit * 9 // 10,  # the rest is for title, heading path and prefix
        overlap_tokens=settings.SEARCHSITE_PASSAGE_OVERLAP,
        preformatted=[(start, end) for start, end in revision.preformatted],
    )
    progress("encoding", 0, len(spans))  # raises where the work was given to another meanwhile: what is there is his
    if not _make_room(revision):
        return
    # Also of a text without passages it is written down that they are all there: with the last, in their transaction.
    for first in range(0, max(1, len(spans)), BATCH):
        batch = [
            Passage(
                revision=revision,
                ordinal=first + n,
                start=span.start,
                end=span.end,
                page=span.page,
                heading_path=list(span.heading_path),
                language=detect(revision.text[span.start : span.end], revision.language),
                text=revision.text[span.start : span.end],
            )
            for n, span in enumerate(spans[first : first + BATCH])
        ]
        with adding_to(revision.document_id):
            Passage.objects.bulk_create(batch)
            if first + BATCH >= len(spans):
                revision.split = True
                revision.save(update_fields=["split"])
        progress("encoding", 0, len(spans))


def _make_room(revision: Revision) -> bool:
    """Delete the passages that a killed attempt left, in short batches; False where they are all there by now."""
    while True:
        with adding_to(revision.document_id):
            if not Revision.objects.filter(pk=revision.pk, split=False, live_for=None).exists():
                return False
            left = list(revision.passages.values_list("pk", flat=True)[:BATCH])
            Passage.objects.filter(pk__in=left).delete()
        if not left:
            return True


def encode_missing(revision: Revision, progress: Progress, job: Job) -> int:
    """Give each passage its vector by the present encoder, and its tokens' codes where they are kept; returns how many
    lacked them. What the encoder did is counted in `job`, and stored with its progress.

    A text that has been encoded before, anywhere on the site, is not encoded again: its vector is copied.
    """
    missing = list(lacking(revision.passages.all()).order_by("ordinal").values_list("pk", flat=True))
    title = revision.encoded_title or revision.title
    total = revision.passages.count()
    for first in range(0, len(missing), BATCH):
        progress("encoding", total - len(missing) + first, total)
        batch = Passage.objects.in_bulk(missing[first : first + BATCH])
        texts = {pk: encoded_text(title, passage.heading_path, passage.text) for pk, passage in batch.items()}
        hashes = {pk: text_hash(text) for pk, text in texts.items()}
        known = kept(set(hashes.values()))
        unknown = {hashes[pk]: pk for pk in texts if hashes[pk] not in known}
        made = _timed([(texts[pk], batch[pk].language) for pk in unknown.values()], job)
        known |= zip(unknown, made, strict=True)
        with adding_to(revision.document_id):
            store({pk: (key, known[key]) for pk, key in hashes.items()})
    progress("encoding", total, total)
    return len(missing)


def _timed(passages: list[tuple[str, str]], job: Job) -> list[Kept]:
    if not passages:
        return []
    backends.get_encoder()  # loading its weights is not counted
    began = time.perf_counter()
    made = encoded(passages)
    job.encoded += len(passages)
    job.encode_seconds += time.perf_counter() - began
    return made


def make_live(revision: Revision) -> bool:
    """Serve this revision from now on, if it is still what the document says; else a newer job is already queued."""
    with transaction.atomic():
        changes.lock()
        document = Document.objects.select_for_update().filter(pk=revision.document_id).first()
        if document is None:
            return False
        if (document.content_hash, document.title) != (revision.content_hash, revision.given_title):
            return False
        count = revision.passages.count()
        Document.objects.filter(pk=document.pk).update(live_revision=revision, passage_count=count)
        changes.record([document.pk])
    return True


def discard_others(document_id: int) -> None:
    """Delete the revisions of a document that are not live and not what it now says, in short batches."""
    document = Document.objects.filter(pk=document_id).first()
    if document is None:
        return
    others = Revision.objects.filter(document_id=document_id, live_for=None)
    for revision in others.exclude(content_hash=document.content_hash, given_title=document.title):
        _delete_passages(revision)
        revision.delete()
    # Made from the same content and title, by another version of the pipeline or before more could be read: only what
    # is live stays.
    if document.live_revision_id:
        older = others.filter(~Q(pipeline=revisions.pipeline()) | Q(pk__lt=document.live_revision_id))
        for revision in older:
            _delete_passages(revision)
            revision.delete()


def _delete_passages(revision: Revision) -> None:
    while ids := list(revision.passages.values_list("pk", flat=True)[:BATCH]):
        Passage.objects.filter(pk__in=ids).delete()
