"""Measuring, on the site's own documents, what "nothing here" looks like: the thresholds of confidence.py.

Sentences of passages from all over the site are asked as questions, once with the document they are from and once
without it. What stands out most without it is what a question meets whose answer is not here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from encoder import EncoderError
from searchsite.documents import jobs
from searchsite.documents.jobs import Progress
from searchsite.documents.models import Change, Document, Job, Passage
from searchsite.index import backends, follow, lexical_follow
from searchsite.index.models import ActiveBuild
from searchsite.search import confidence, ranking
from searchsite.search.confidence import Standing, Thresholds
from searchsite.search.models import Calibration
from searchsite.search.query import Query
from searchsite.search.ranking import Ranked, Sources
from searchsite.search.sentences import sentences
from searchsite.search.sources import DEPTH, sources

if TYPE_CHECKING:
    from searchsite.index.lexical import LexicalIndex

T = TypeVar("T")

SENTENCES = 200
LEAST_DOCUMENTS = 20  # of fewer, the rest says little about what is not here
SHORTEST, LONGEST = 12, 300  # characters of a sentence that is asked
# Of what stands out most without its own document, this part is below the threshold. Chosen on shared retrieval sets so
# that few questions with an answer are told that there is none: docs/quality.md.
QUANTILE = 0.5
FOREIGN_QUANTILE = 0.3
KEPT = 5  # calibrations
PAUSE_SECONDS = 600  # after one, whatever came of it


def thresholds() -> Thresholds | None:
    """What was measured last with the present encoder and reranker."""
    found = _present().filter(sentences__gt=0).first()
    return Thresholds(found.threshold, found.foreign_threshold) if found else None


def queue_when_due() -> None:
    """Queue a calibration when there is none, or a good part of the documents has changed since the last."""
    if Job.objects.open().exists():  # more is coming: once, at the end of an import, is enough
        return
    recently = timezone.now() - timedelta(seconds=PAUSE_SECONDS)
    if Job.objects.filter(kind=Job.Kind.CALIBRATE, finished__gt=recently).exists():
        return
    live = Document.objects.filter(live_revision__isnull=False).count()
    if live < LEAST_DOCUMENTS or not _can_ask():
        return
    last = _present().first()
    if last is None or _changed_since(last.change_number) > max(50, live // 5):
        Job.queue(Job.Kind.CALIBRATE)


def _can_ask() -> bool:
    """Whether the encoder is at hand, and the index is one of its."""
    try:
        if backends.fingerprint_at_hand() is None:
            return False
        follow.active_build()
    except (EncoderError, OSError, follow.IndexUnavailable):  # searches say so, and the pages for administrators
        return False
    return True


def _changed_since(number: int) -> int:
    """How many changes there were after that one. The log forgets those that each build of the index has: of these, all
    that is known is that each number had at least one."""
    active = ActiveBuild.objects.filter(pk=1).first()
    forgotten = max(0, active.changes_deleted - number) if active else 0
    return forgotten + Change.objects.filter(number__gt=number).count()


def calibrate(_job: Job, progress: Progress) -> None:
    """Ask SENTENCES sentences of the site's documents, and keep what came of it. Raises jobs.Later as soon as anything
    else is to be done: who uploads waits for his document, and nobody for this."""
    change_number = follow.change_number()
    asked = sample()
    with_own: list[Standing] = []
    without: list[Standing] = []
    for done, (sentence, own) in enumerate(asked):
        progress("calibrating", done, len(asked))
        if jobs.claimable():
            raise jobs.Later
        both = lexical_follow.tried(partial(_standing_out, sentence, own))
        if both is not None:
            with_own.append(both[0])
            without.append(both[1])
    _keep(change_number, with_own, without)


def _keep(change_number: int, with_own: Sequence[Standing], without: Sequence[Standing]) -> None:
    """Keep what came of a measurement: also that nothing did, so that the same documents are not asked again."""
    measured = thresholds_of(without) if without else Thresholds(0.0, 0.0)
    _present().filter(sentences=0).delete()
    Calibration.objects.create(
        fingerprint=backends.fingerprint(),
        tokens=settings.SEARCHSITE_RERANKER == "tokens",
        change_number=change_number,
        threshold=measured.own,
        foreign_threshold=measured.foreign,
        sentences=len(without),
        found=float(np.mean([one.own >= measured.own for one in with_own])) if with_own else 0.0,
    )
    old = Calibration.objects.values_list("pk", flat=True)[KEPT:]
    Calibration.objects.filter(pk__in=list(old)).delete()


def thresholds_of(without: Sequence[Standing]) -> Thresholds:
    """What is learned from how far the best stood out for each sentence whose own document was left out."""
    return Thresholds(
        float(np.quantile([one.own for one in without], QUANTILE)),
        float(np.quantile([one.foreign for one in without], FOREIGN_QUANTILE)),
    )


def sample() -> list[tuple[str, frozenset[int]]]:
    """(sentence, passages of its document and of its copies), of documents spread evenly over all there are."""
    live = Document.objects.filter(live_revision__isnull=False)
    documents = list(live.order_by("pk").values_list("pk", "content_hash"))
    chosen, each = spread(documents)
    found: list[tuple[str, frozenset[int]]] = []
    of_content: dict[str, frozenset[int]] = {}
    for pk, content_hash in chosen:
        passages = Passage.objects.filter(revision__live_for=pk).order_by("pk")
        if content_hash not in of_content:
            copies = Passage.objects.filter(revision__live_for__content_hash=content_hash)
            of_content[content_hash] = frozenset(copies.values_list("pk", flat=True))
        asked = sentences_asked(list(passages.values_list("text", flat=True)), each)
        found += [(sentence, of_content[content_hash]) for sentence in asked]
    return found[:SENTENCES]


def spread(documents: Sequence[T]) -> tuple[Sequence[T], int]:
    """Those documents, evenly of all, of which sentences are asked; and of how many passages of each."""
    each = -(-SENTENCES // max(1, len(documents)))  # more than one of each where there are few
    return documents[:: max(1, -(-len(documents) * each // SENTENCES))], each


def sentences_asked(texts: Sequence[str], each: int) -> list[str]:
    """The sentences that are asked of a document with these passages: at most one of a passage, and `each` in all."""
    found = map(_sentence_of, texts[:: max(1, len(texts) // each)][:each])
    return [sentence for sentence in found if sentence]


def _sentence_of(text: str) -> str:
    """A sentence of a passage that is as long as questions are, from the middle, so that it is like any other; "" where
    there is none."""
    every = [text[start:end].strip() for start, end in sentences(text)]
    usual = [one for one in every if SHORTEST <= len(one) <= LONGEST]
    return usual[len(usual) // 2] if usual else ""


def _standing_out(sentence: str, own: frozenset[int], lexical: LexicalIndex | None) -> tuple[Standing, Standing] | None:
    return standing_out(sentence, own, sources(None, lexical))


def standing_out(sentence: str, own: Collection[int], asked: Sources) -> tuple[Standing, Standing] | None:
    """How far the best passage stands out, with the sentence's own document and without; None where that leaves too
    few."""
    both = []
    for ranked in with_and_without(Query(sentence), own, asked):
        found = confidence.standings(ranked)
        if found is None:
            return None
        both.append(found[0])
    return both[0], both[1]


def with_and_without(query: Query, own: Collection[int], asked: Sources) -> tuple[list[Ranked], list[Ranked]]:
    """What is found, in rank order, among all passages and among all but these."""
    question = ranking.understood(query, asked.space)
    fused = ranking.fused(question, asked, DEPTH, None)
    left = [one for one in fused if one.passage not in own]
    return ranking.reranked(question, asked, fused), ranking.reranked(question, asked, left)


def _present() -> QuerySet[Calibration]:
    return Calibration.objects.filter(
        fingerprint=backends.fingerprint(), tokens=settings.SEARCHSITE_RERANKER == "tokens"
    )
