"""More like this: the documents whose passages are nearest to a passage, or to a whole document."""

from __future__ import annotations

import numpy as np

from searchsite.documents.access import visible_collections
from searchsite.documents.models import Document, Passage
from searchsite.index import backends, follow, space
from searchsite.index.models import Vector
from searchsite.index.vectors import Matrix, as_matrix
from searchsite.search.candidates import by_document, permitted
from searchsite.search.marks import Marks, lines
from searchsite.search.query import Query
from searchsite.search.ranking import Ranked
from searchsite.search.retrieve import (
    MAX_PAGES,
    PER_PAGE,
    SNIPPETS,
    Answer,
    Found,
    Result,
    User,
    hydrate,
    likeness,
)
from searchsite.search.sources import DEPTH, MAX_DEPTH

MOST_READ = 2000  # passages of a document whose vectors are averaged, spread evenly over it


def similar(user: User, document: Document, passage: Passage | None = None, page: int = 1) -> Answer:
    """The documents that `user` may read and that are most like the passage, or like the document as a whole (the mean
    of its passages), without the document itself and its copies.

    Raises index.follow.IndexUnavailable.
    """
    placed = space.current()
    asked = _vector(document, passage, placed)
    visible = visible_collections(user)
    collections = frozenset(visible.values_list("pk", flat=True))
    if asked is None or not collections:
        return Answer([], page, False, Query(""))
    vector, language = asked
    followed = follow.current()
    copies = {document.pk, *document.twins().values_list("pk", flat=True)}
    depth = DEPTH
    while True:
        hits = followed.store.search(vector, depth, collections)
        known = followed.store.products(vector[None], [hit.passage for hit in hits])
        owners = dict(zip(known.passages.tolist(), known.documents.tolist(), strict=True))
        ranked = [Ranked(pk, score, score, 0.0, document=owners[pk]) for pk, score in hits if pk in owners]
        candidates = permitted(ranked, visible)
        documents = by_document([one for one in candidates if one.document not in copies], SNIPPETS)
        if len(documents) > page * PER_PAGE or len(hits) < depth or depth >= MAX_DEPTH:
            break
        depth *= 4
    first = (page - 1) * PER_PAGE
    shown = list(documents.values())[first : first + PER_PAGE]
    passages = {one.pk: one for one in hydrate(user, [one.ranked.passage for own in shown for one in own])}
    unrelated = followed.build.unrelated_cosine if followed.build else 0.0
    results: list[Result] = []
    for own in shown:
        found: list[Found] = []
        for near in (one.ranked for one in own if one.ranked.passage in passages):
            other = passages[near.passage]
            cosine = placed.cosine(near.score, language, other.language)
            close = likeness(near.score, unrelated)
            found.append(Found(other, cosine, 0.0, close, lines(other, Marks())))
        if found:
            results.append(Result(found[0].passage.revision.live_for, found))
    return Answer(results, page, len(documents) > first + PER_PAGE and page < MAX_PAGES, Query(""))


def _vector(document: Document, passage: Passage | None, placed: space.Space) -> tuple[Matrix, str] | None:
    """(what is asked of the index (dim,), its language); None where nothing has been encoded yet."""
    vectors = Vector.objects.filter(fingerprint=backends.fingerprint(), passage__revision=document.live_revision_id)
    if passage is not None:
        vectors = vectors.filter(passage=passage)
    ids = list(vectors.order_by("passage_id").values_list("pk", flat=True))
    rows = Vector.objects.filter(pk__in=ids[:: -(-len(ids) // MOST_READ) or 1]).order_by("passage_id")
    read = list(rows.values_list("data", "passage__language"))
    if not read:
        return None
    data, languages = zip(*read, strict=True)
    mean = placed.place_passages(as_matrix(data, placed.dim - 1), languages).mean(axis=0)
    language = passage.language if passage else max(languages, key=languages.count)
    return placed.place_likeness(np.asarray(mean[:-1], np.float32), language), language
