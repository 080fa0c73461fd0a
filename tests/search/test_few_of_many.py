"""A reader of 100 of 60,000 passages, so many that there is a graph: both legs give him full pages, as anybody gets."""

from __future__ import annotations

import random

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import OuterRef, QuerySet, Subquery

from searchsite.documents import revisions
from searchsite.documents.access import visible_collections
from searchsite.documents.models import Collection, Document, Job, Passage, Revision, State
from searchsite.index import backends, build, lexical_follow, vectors
from searchsite.index.models import Vector
from searchsite.index.stores.files import GRAPH_FROM
from searchsite.search import ranking
from searchsite.search.query import parse
from searchsite.search.retrieve import PER_PAGE, search
from searchsite.search.sources import sources

pytestmark = pytest.mark.django_db

PASSAGES = 60_000
IN_A_DOCUMENT = 10
OWN_DOCUMENTS = 50
OWN_PASSAGES = 100
QUESTION = "harbour pilots"
WORDS = ["tide", "rope", "quay", "anchor", "gull", "mast", "sail", "buoy", "net", "crane", "lamp", "fog"]


@pytest.fixture
def reader(settings) -> User:
    """The reader, beside whose passages those of others are nearer to the question in every way."""
    settings.SEARCHSITE_RERANKER = "none"
    dice = random.Random(8)
    others = Collection.objects.create(name="Others", slug="others")
    own = Collection.objects.create(name="Own", slug="own")
    user = User.objects.create_user("reader")
    own.users.add(user)
    counts = [IN_A_DOCUMENT] * ((PASSAGES - OWN_PASSAGES) // IN_A_DOCUMENT) + [2] * OWN_DOCUMENTS
    owners = [others] * (len(counts) - OWN_DOCUMENTS) + [own] * OWN_DOCUMENTS
    order = dice.sample(range(len(counts)), len(counts))
    # Past the manager, which would queue each to be read.
    documents = QuerySet(Document).bulk_create(
        (Document(collection=owners[n], text="-", title=f"No. {n}", state=State.READY) for n in order), batch_size=500
    )
    read = {"text": "-", "pipeline": revisions.pipeline(), "split": True}
    live = Revision.objects.bulk_create(
        (Revision(document=one, title=one.title, **read) for one in documents), batch_size=500
    )
    its_own = Revision.objects.filter(document=OuterRef("pk")).values("pk")
    QuerySet(Document).update(live_revision=Subquery(its_own))
    near = [f"harbour pilots, harbour pilots: {word}" for word in WORDS]
    far = [f"Of the harbour {' '.join(dice.choices(WORDS, k=12))} and pilots {n}" for n in range(OWN_PASSAGES)]
    texts = iter(far)
    passages = Passage.objects.bulk_create(
        (
            Passage(
                revision=revision,
                ordinal=ordinal,
                start=0,
                end=1,
                text=next(texts) if document.collection == own else dice.choice(near),
            )
            for document, revision, n in zip(documents, live, order, strict=True)
            for ordinal in range(counts[n])
        ),
        batch_size=1000,
    )
    distinct = sorted({passage.text for passage in passages})
    made = backends.get_encoder().encode_passages(distinct)
    data = {text: vectors.as_bytes(vector) for text, vector in zip(distinct, made, strict=True)}
    fingerprint = backends.fingerprint()
    Vector.objects.bulk_create(
        (Vector(passage=one, fingerprint=fingerprint, text_hash="-", data=data[one.text]) for one in passages),
        batch_size=1000,
    )
    if connection.vendor == "postgresql":
        # As it does by itself a minute after such a change, but not for rows of a transaction that is not over: what it
        # knew of the tables was that they are empty, and a plan for those took an hour.
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
    build.rebuild(Job(), lambda *_progress: None)
    lexical_follow.keep_up()
    return user


def test_each_leg_and_both_give_full_pages_of_what_may_be_read(reader, client):
    mine = set(Passage.objects.filter(revision__live_for__collection__slug="own").values_list("pk", flat=True))
    assert (Passage.objects.count(), len(mine)) == (PASSAGES, OWN_PASSAGES)
    assert PASSAGES > GRAPH_FROM
    scope = frozenset(visible_collections(reader).values_list("pk", flat=True))

    def ask(lexical):
        asked_of = sources(scope, lexical)
        question = ranking.understood(parse(QUESTION), asked_of.space)
        return asked_of, question

    asked_of, question = lexical_follow.tried(ask)
    assert asked_of.lexical is not None

    # By meaning: as many as are asked for, his alone, and the nearest of his.
    ids = np.array(sorted(mine))
    matrix = np.stack([asked_of.store.vector(pk) for pk in ids.tolist()]).astype(np.float64)
    nearest = sorted(zip((-(matrix @ question.vector)).tolist(), ids.tolist(), strict=True))
    for k in (1, 10, 99, 100, 1001):
        found = ranking.vector_leg(question, asked_of, k, scope)
        assert [pk for pk, _score in found] == [pk for _score, pk in nearest[:k]]

    # By keywords.
    scores = asked_of.lexical.scores(question.text, sorted(mine), scope)
    assert len(scores) == OWN_PASSAGES
    for k in (1, 10, 99, 100, 1001):
        found = ranking.lexical_leg(question, asked_of, k, scope)
        assert {pk for pk, _score in found} <= mine
        assert len(found) == min(k, OWN_PASSAGES)
        worst = min(score for _pk, score in found)
        assert sum(score > worst + 1e-6 for score in scores.values()) <= len(found)

    # Everybody's passages are better, which a search that filters afterwards would have found first.
    everyone = ranking.lexical_leg(question, asked_of, 1001, None) + ranking.vector_leg(question, asked_of, 1001, None)
    assert not {pk for pk, _score in everyone} & mine

    # On the pages.
    client.force_login(reader)
    shown = []
    for page in range(1, OWN_DOCUMENTS // PER_PAGE + 1):
        answer = client.get("/", {"q": QUESTION, "page": str(page)}).context["answer"]
        assert len(answer.results) == PER_PAGE
        assert answer.has_next == (page < OWN_DOCUMENTS // PER_PAGE)
        shown += [result.document for result in answer.results]
    assert {document.collection.slug for document in shown} == {"own"}
    assert len({document.pk for document in shown}) == OWN_DOCUMENTS
    client.logout()
    assert client.get("/", {"q": QUESTION}).context["answer"].results == []
    assert search(User(), QUESTION).results == []  # an account that is not saved is nobody's
