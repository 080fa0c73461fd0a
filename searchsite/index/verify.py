"""Does the index say what the database says? And mending it where it does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from django.db.models import Count

from searchsite.documents.models import Document, Job, Passage, State
from searchsite.index import backends, build, follow, lexical_build, lexical_files, lexical_follow, space
from searchsite.index.lexical_errors import LexicalBusy, LexicalError
from searchsite.index.models import Vector
from searchsite.index.vectors import Ids, as_matrix

SAMPLE = 500
WAIT_SECONDS = 30.0  # for a worker that writes to the lexical index
SAME = 1e-3  # largest difference between a number of a vector in the database and in the index


@dataclass(frozen=True)
class Finding:
    """Something that is wrong: a sentence, and the documents that must be read again (none: rebuild the index).

    keywords: it is the lexical index that must be made anew, and nothing else.
    """

    sentence: str
    documents: list[int] = field(default_factory=list)
    keywords: bool = False


def verify() -> list[Finding]:
    """All that differs between the index and the database; nothing is changed."""
    return [*_check_documents(), *_check_vectors(), *_check_index(), *_check_keywords()]


def repair(findings: list[Finding]) -> Iterator[str]:
    """Mend what was found: queue the documents that lack something, rebuild the index at once; says what it does."""
    documents = sorted({pk for finding in findings for pk in finding.documents})
    for document in Document.objects.filter(pk__in=documents):
        document.try_again()
    if documents:
        yield f"{len(documents)} documents are queued to be read again."
    if any(finding.keywords for finding in findings):
        make_keywords_anew = partial(lexical_build.make_anew, "it was found to be wrong")
        lexical_follow.patiently(make_keywords_anew, WAIT_SECONDS)
        yield "The lexical index has been made anew."
    if any(not finding.documents and not finding.keywords for finding in findings):
        build.rebuild(Job(kind=Job.Kind.REBUILD), lambda *_progress: None)
        follow.forget()
        yield "The index has been rebuilt."


def _check_documents() -> Iterator[Finding]:
    """Documents that call themselves ready have something live; originals are where their rows say."""
    dead = list(Document.objects.filter(state=State.READY, live_revision=None).values_list("pk", flat=True))
    if dead:
        yield Finding(f"{len(dead)} documents are called ready but have nothing that can be found.", dead)
    waiting = Document.objects.filter(state__in=[State.QUEUED, State.RUNNING])
    stuck = list(waiting.exclude(jobs__in=Job.objects.open()).values_list("pk", flat=True))
    if stuck:
        yield Finding(f"{len(stuck)} documents wait, but no job is there to read them.", stuck)
    empty = list(
        Document.objects.filter(live_revision__isnull=False)
        .annotate(passages=Count("live_revision__passages"))
        .filter(passages=0)
        .values_list("pk", flat=True)
    )
    if empty:
        yield Finding(f"{len(empty)} documents have no passages.", empty)
    for document in Document.objects.exclude(file="").only("pk", "file", "name").iterator():
        if not document.file.storage.exists(document.file.name or ""):
            yield Finding(
                f"The original of document {document.pk} ({document.name}) is missing from the disk.",
                [document.pk],
            )


def _check_vectors() -> Iterator[Finding]:
    """Each live passage has a vector of the present encoder, of the right length."""
    without = Passage.objects.exclude(vectors__fingerprint=backends.fingerprint())
    lacking = list(
        Document.objects.filter(live_revision__in=without.values("revision"))
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    if lacking:
        yield Finding(f"{len(lacking)} documents lack vectors of the present encoder.", lacking)


def _check_index() -> Iterator[Finding]:
    """The build on disk with its changes replayed has the ids, and a sample of the vectors, of the database."""
    describes = backends.description()
    try:
        followed = follow.open_build(follow.active_build())
    except follow.IndexUnavailable as unavailable:
        yield Finding(str(unavailable))
        return
    counter = follow.change_number()
    followed = follow.catch_up(followed, counter)
    live = Vector.objects.filter(fingerprint=describes.fingerprint, passage__revision__live_for__isnull=False)
    expected = np.sort(np.fromiter(live.values_list("passage_id", flat=True), np.int64))
    held = followed.store.ids()
    missing, extra = np.setdiff1d(expected, held), np.setdiff1d(held, expected)
    if len(missing):
        yield Finding(f"{len(missing)} passages are missing from the index.")
    if len(extra):
        yield Finding(f"{len(extra)} passages in the index are not findable by the database.")
    common = np.intersect1d(expected, held)
    sample = common[:: max(1, len(common) // SAMPLE)].tolist()
    differing = 0
    placed = space.current()
    of_sample = live.filter(passage_id__in=sample).values_list("passage_id", "data", "passage__language")
    for pk, data, language in of_sample:
        stored = placed.place_passages(as_matrix([data], describes.dim), [language])[0]
        indexed = followed.store.vector(pk)
        if indexed is None or not np.allclose(stored, indexed, atol=SAME):
            differing += 1
    if differing:
        yield Finding(f"{differing} of {len(sample)} sampled vectors differ between the index and the database.")


def _check_keywords() -> Iterator[Finding]:
    """The lexical index, told of all changes, has the ids of the database, and finds a sample of passages by a word."""
    try:
        held, expected = _lexical_ids()
        missing, extra = np.setdiff1d(expected, held), np.setdiff1d(held, expected)
        if len(missing):
            yield Finding(f"{len(missing)} passages are missing from the lexical index.", keywords=True)
        if len(extra):
            yield Finding(f"{len(extra)} passages of the lexical index are not live in the database.", keywords=True)
        common = np.intersect1d(expected, held)
        sample = common[:: max(1, len(common) // SAMPLE)].tolist()
        if unfound := _unfound_by_a_word(sample):
            yield Finding(
                f"{unfound} of {len(sample)} sampled passages are not found by a word of theirs.", keywords=True
            )
    except LexicalBusy as busy:
        yield Finding(f"The lexical index cannot be checked at the moment. {busy}", keywords=True)
    except LexicalError as error:
        yield Finding(str(error), keywords=True)


def _lexical_ids() -> tuple[Ids, Ids]:
    """The ids of all passages that the lexical index has, and of those that it should have.

    Raises LexicalBusy and LexicalError.
    """
    from searchsite.index import lexical

    while True:
        folder, number = lexical_follow.patiently(_replayed, WAIT_SECONDS)
        lexical_files.check(folder, thoroughly=True)
        held = lexical.opened(folder).ids()
        live = Passage.objects.filter(revision__live_for__isnull=False).order_by("pk")
        expected = np.fromiter(live.values_list("pk", flat=True).iterator(), np.int64)
        if number == lexical_follow.change_number():  # else documents were saved in between: look again
            return held, expected


def _replayed() -> tuple[Path, int]:
    """The folder of the lexical index, told of all changes, and the number of the last of them."""
    folder = lexical_follow.serving()
    number = lexical_follow.replay(folder)
    assert folder is not None, "none is an error"
    return folder, number


def _unfound_by_a_word(sample: list[int]) -> int:
    """How many of these passages the lexical index does not find when asked for their longest word."""
    from searchsite.index import lexical, terms

    folder = lexical_follow.serving()
    assert folder is not None
    index = lexical.opened(folder)
    unfound = 0
    for pk, text, language in Passage.objects.filter(pk__in=sample).values_list("pk", "text", "language"):
        found = terms.of_passage(text, language)
        word = max(found.surface or found.grams, key=len, default="")
        unfound += bool(word) and pk not in index.scores(word, [pk])
    return unfound
