"""Which pooling of an encoder finds best in one's own documents: where the texts come from, and what the figures say.

The arithmetic is encoder/compare.py's. Asked are the queries of a folder in BEIR layout, or what a collection itself
gives: its documents' titles, or sentences of its passages. A comparison (models.py) is done by a job; killed in the
middle, it is done again from the start.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_noop as _
from numpy.typing import NDArray

from encoder import EncoderError
from searchsite.documents.jobs import Progress
from searchsite.documents.models import Collection, Job, Passage
from searchsite.index import backends
from searchsite.index.vectors import encoded_text
from searchsite.insight import beir
from searchsite.insight.models import Comparison, Conclusion, Refusal, Result, Row
from searchsite.search.calibration import LONGEST, SHORTEST
from searchsite.search.sentences import sentences

QUERIES = 600
MOST_OF_COLLECTION = 2_000  # passages
MOST_ATTEMPTS = 3  # fewer than a job has, so that one comparison that fails does not keep the others from their turn
LEAST_QUERIES = 10  # of fewer, a bootstrap knows too few cases to tell anything
DRAWS = 1_000
SEED = 7  # the same texts give the same choice, and the same intervals
EVERY = 100  # documents between two signs of progress

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Texts:
    """What is encoded: passages, with the document of each, ascending; queries, each with its grades by document."""

    passages: list[str]
    owners: list[int]
    queries: list[str]
    judged: list[dict[int, int]]
    missing: int = 0
    note: str = ""


def queue(
    encoder: str,
    source: str,
    *,
    collection: Collection | None = None,
    folder: str = "",
    queries: int = QUERIES,
    by: AbstractBaseUser | None = None,
) -> Comparison:
    """Note what is to be compared, and queue the job that does it. `encoder`: a name as in SEARCHSITE_ENCODER."""
    with transaction.atomic():
        comparison = Comparison(encoder=encoder, source=source, collection=collection, folder=folder)
        comparison.options = {"queries": queries}
        comparison.made_by_id = by.pk if by else None
        comparison.save()
        Job.queue(Job.Kind.COMPARE)
    return comparison


def compare_waiting(_job: Job, progress: Progress) -> None:
    """Do all comparisons that wait, the oldest first: the handler of jobs of the kind COMPARE."""
    while (comparison := Comparison.objects.waiting().first()) is not None:
        progress("comparing", 0, 0)  # raises where the job was given to another
        _finish(comparison, progress)


def _finish(comparison: Comparison, progress: Progress) -> None:
    this = Comparison.objects.waiting().filter(pk=comparison.pk)
    result = problem = None
    try:
        if comparison.attempts >= MOST_ATTEMPTS:
            raise Refusal("gave_up", attempts=comparison.attempts)
        this.update(attempts=F("attempts") + 1, started=timezone.now())
        result = compared(
            comparison.encoder,
            comparison.source,
            progress,
            collection=Collection.objects.filter(comparison=comparison).first(),  # deleted since it was read?
            folder=comparison.folder,
            queries=comparison.options.get("queries", QUERIES),
        )
    except Refusal as refusal:
        problem = refusal.as_json()
    weights = result["weights"] if result else ""
    this.update(result=result, problem=problem, weights=weights, finished=timezone.now())


def compared(
    encoder: str,
    source: str,
    progress: Progress,
    *,
    collection: Collection | None = None,
    folder: str = "",
    queries: int = QUERIES,
) -> Result:
    """Compare the poolings of the encoder of that name with at most so many queries (0: all). Raises Refusal."""
    began = time.monotonic()
    try:
        description = backends.describe(encoder)
        if description.folder is None:
            raise Refusal("no_poolings", encoder=encoder)
        if source == Comparison.Source.FOLDER:
            most = backends.comparing().most_passages(description.dim)
            texts = of_folder(folder, queries, most, progress)
        elif collection is None:
            raise Refusal("collection_gone")
        else:
            texts = of_collection(collection, source, queries)
        pooled = backends.comparing().compare(
            description, texts.passages, texts.queries, lambda done, total: progress("comparing", done, total)
        )
    except EncoderError as error:
        raise Refusal("encoder", detail=str(error)) from error
    found = backends.comparing().figures(pooled, texts.owners, texts.judged)
    rows, conclusion = summed_up(found)
    return Result(
        encoder=encoder,
        weights=description.weights_hash,
        dim=description.dim,
        dtype=pooled.dtype,
        passages=len(texts.passages),
        queries=len(texts.queries),
        missing=texts.missing,
        note=texts.note,
        seconds=round(time.monotonic() - began, 1),
        lowest=next(iter(found.values())).lowest,
        poolings=rows,
        left_out=dict.fromkeys(pooled.left_out, "no_pooler"),
        conclusion=conclusion,
    )


def of_folder(folder: str, queries: int, most: int, progress: Progress) -> Texts:
    """The texts of a folder in BEIR layout; its documents split as `evaluate` does it, by the site's own tokenizer, so
    that all encoders get the same passages. Blank queries are left out. Raises Refusal, for more than `most` passages,
    too."""
    from searchsite.insight.evaluate import split_document  # loads faiss

    try:
        given = beir.read(Path(folder), limit=queries)
    except beir.BadSet as error:
        raise bad_set(error) from error
    except OSError as error:  # a folder above it that may not be looked into
        raise bad_set(beir.BadSet(beir.UNREADABLE, path=folder, error=error.strerror or "")) from error
    passages: list[str] = []
    owners: list[int] = []
    for number, document in enumerate(given.documents):
        if number % EVERY == 0:
            progress("reading", number, len(given.documents))
        made = split_document(number, document)
        passages += [passage.text for passage in made]
        owners += [number] * len(made)
        if len(passages) > most:
            raise Refusal("too_many", limit=most)
    if len(passages) < 2:
        raise Refusal("no_passages")
    numbers = {document.id: number for number, document in enumerate(given.documents)}
    asked = {key: text for key, text in given.queries.items() if text.strip()}
    if not asked:
        raise bad_set(beir.BadSet(_("%(folder)s: all queries are blank."), folder=folder))
    judged = [_numbered(given.qrels[key], numbers) for key in asked]
    return Texts(passages, owners, list(asked.values()), judged, missing=given.missing)


def bad_set(error: beir.BadSet) -> Refusal:
    return Refusal("bad_set", detail=str(error), form=error.form, values=error.values)


def _numbered(grades: Mapping[str, int], numbers: Mapping[str, int]) -> dict[int, int]:
    """Grades by documents' numbers; what the corpus lacks has numbers below 0, which nothing is found by."""
    return {numbers.get(key, -1 - place): grade for place, (key, grade) in enumerate(grades.items())}


def of_collection(collection: Collection, source: str, queries: int) -> Texts:
    """Passages of live revisions, at most 2,000 spread evenly, and what is asked of them by source: each passage is a
    document of its own. Raises Refusal."""
    live = Passage.objects.filter(revision__live_for__collection=collection)
    ids = list(live.order_by("revision__live_for", "ordinal").values_list("pk", flat=True))
    chosen = [ids[place] for place in spread(len(ids), MOST_OF_COLLECTION)]
    held = [passage for first in range(0, len(chosen), 500) for passage in _held(chosen[first : first + 500])]
    if len(held) < 2:
        raise Refusal("no_passages")
    titles = source == Comparison.Source.TITLES
    pairs = by_titles(held) if titles else by_sentences(held)
    if not pairs:
        raise Refusal("no_titles" if titles else "no_sentences")
    asked = [pairs[place] for place in spread(len(pairs), queries or len(pairs))]
    texts = [one.text if titles else one.encoded for one in held]
    note = "titles" if titles else "sentences"
    judged = [dict.fromkeys(found, 1) for _text, found in asked]
    return Texts(texts, list(range(len(held))), [text for text, _found in asked], judged, note=note)


@dataclass(frozen=True)
class _Held:
    """A passage: its own text, its revision's title, and what the site encodes of it."""

    text: str
    title: str
    encoded: str


def _held(ids: Sequence[int]) -> list[_Held]:
    """These passages, in this order, without those that were deleted meanwhile."""
    columns = ("pk", "text", "heading_path", "revision__title", "revision__encoded_title")
    rows = {
        pk: _Held(text, " ".join(title.split()), encoded_text(encoded_title or title, path, text))
        for pk, text, path, title, encoded_title in Passage.objects.filter(pk__in=ids).values_list(*columns)
    }
    return [rows[pk] for pk in ids if pk in rows]


def by_titles(held: Sequence[_Held]) -> list[tuple[str, list[int]]]:
    """(title, the passages of all documents of that title), each title once."""
    found: dict[str, list[int]] = {}
    for number, one in enumerate(held):
        if one.title:
            found.setdefault(one.title, []).append(number)
    return list(found.items())


def by_sentences(held: Sequence[_Held]) -> list[tuple[str, list[int]]]:
    """(a sentence of a passage, which is not all of it; all passages that hold it), each sentence once."""
    random = np.random.default_rng(SEED)
    asked: dict[str, list[int]] = {}
    for one in held:
        every = [one.text[start:end] for start, end in sentences(one.text)]
        able = [each for each in every if SHORTEST <= len(each) <= LONGEST and each != one.text.strip()]
        if able:
            sentence = able[random.integers(len(able))]
            asked[sentence] = asked.get(sentence) or [n for n, other in enumerate(held) if sentence in other.text]
    return list(asked.items())


def spread(count: int, most: int) -> list[int]:
    """At most `most` of so many places, ascending: one, by a seeded draw, of each of as many equal stretches."""
    if count <= most:
        return list(range(count))
    edges = np.arange(most + 1) * count // most
    drawn: list[int] = np.random.default_rng(SEED).integers(edges[:-1], edges[1:]).tolist()
    return drawn


def summed_up(figures: Mapping[str, Any]) -> tuple[dict[str, Row], Conclusion]:
    """What is kept of the Figures (encoder/compare.py) of each pooling, and which of them finds best.

    Whether a difference is more than chance says a bootstrap over the queries: the same 1,000 draws of queries, with
    repetition, for all poolings (Sakai, "Evaluating evaluation metrics based on the bootstrap", SIGIR 2006).
    """
    means = drawn_means({name: one.ndcg for name, one in figures.items()})
    rows = {
        name: Row(
            ndcg=float(one.ndcg.mean()), low=interval(means[name])[0], high=interval(means[name])[1],
            rr=float(one.rr.mean()), recall=float(one.recall.mean()), cosine=one.cosine, deviation=one.deviation,
            histogram=one.histogram, first_component=one.first_component, saturation=one.saturation,
        )
        for name, one in figures.items()
    }  # fmt: skip
    best, second, *others = sorted(rows, key=lambda name: -rows[name]["ndcg"])
    low, high = interval(means[best] - means[second])
    difference = rows[best]["ndcg"] - rows[second]["ndcg"]
    code = "clear" if low > 0 else "chance" if difference > 0 else "equal"
    if len(figures[best].ndcg) < LEAST_QUERIES:
        code = "few"
    last = [second, *others][-1]
    return rows, Conclusion(code=code, best=best, second=second, last=last, difference=difference, low=low, high=high)


def drawn_means(ndcg: Mapping[str, Floats]) -> dict[str, Floats]:
    """The mean of each pooling's numbers (queries,) in each of 1,000 draws of the queries: (draws,)."""
    queries = len(next(iter(ndcg.values())))
    random = np.random.default_rng(SEED)
    draws = [np.bincount(random.integers(queries, size=queries), minlength=queries) for _ in range(DRAWS)]
    times = np.stack(draws) / queries
    return {name: times @ values for name, values in ndcg.items()}


def interval(values: Floats) -> tuple[float, float]:
    """Within which 95 % of the values lie."""
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
