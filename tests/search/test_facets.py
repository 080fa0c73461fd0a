"""Facets and counts, for who asks; sorting by date."""

from __future__ import annotations

import datetime
from collections import Counter

import pytest
from django.contrib.auth.models import User

from searchsite.documents.models import Collection, Document, Passage, Revision, Tag
from searchsite.index import lexical_follow
from searchsite.search import facets, retrieve
from searchsite.search.query import GROUPS, parse

pytestmark = pytest.mark.django_db
UTC = datetime.UTC
KINDS = ["pdf", "docx", "doc", "csv", "sheet", "markdown"]
LANGUAGES = ["en", "zh", "other"]
TAGS = ["old", 'says "so"', "红色", "two words"]


@pytest.fixture
def reader(db):
    return User.objects.create_user("reader")


@pytest.fixture
def shelf(public, add, reader, monkeypatch):
    """Thirty documents in three collections: of one all, of another only `reader`, and of the third nobody sees any."""
    own = Collection.objects.create(name="Own papers", slug="own", visibility="members")
    own.users.add(reader)
    hidden = Collection.objects.create(name="Hidden", slug="hidden", visibility="members")
    tags = [Tag.objects.create(name=name) for name in TAGS]
    with monkeypatch.context() as patched:
        patched.setattr(lexical_follow, "keep_up", lambda **_options: None)
        for n in range(30):
            document = add([public, own, hidden][n * 7 % 3], f"# Apples {n}\n\napples {n}\n\n# More\n\npears {n}")
            document.tags.set(tags[: n % 5])
            written = datetime.date(2019 + n % 4, 1 + n % 12, 1) if n % 5 else None
            facts = {"kind": KINDS[n % 6], "language": LANGUAGES[n % 7 % 3], "written": written}
            Revision.objects.filter(live_for=document).update(**facts)
            changed = datetime.datetime(2021, 12, 31, 23 if n % 2 else 3, tzinfo=UTC)
            Document.objects.filter(pk=document.pk).update(updated=changed)
    lexical_follow.keep_up()
    return {None: {public.pk}, reader: {public.pk, own.pk}}


def shown(answer) -> dict[str, dict[str, int]]:
    return {facet.label: {value.label: value.count for value in facet.values} for facet in answer.counts.facets}


def plain_counts(collections: set[int], zone_hours: int = 0) -> dict[str, Counter[str]]:
    """The same counts, the slow way."""
    groups = {kind: group for group, kinds in GROUPS.items() for kind in kinds}
    found: dict[str, Counter[str]] = {name: Counter() for name in ("Collection", "Type", "Language", "Tag", "Year")}
    for document in Document.objects.filter(collection__in=collections).select_related("collection", "live_revision"):
        revision = document.live_revision
        date = revision.written or (document.updated + datetime.timedelta(hours=zone_hours)).date()
        found["Collection"][document.collection.name] += 1
        found["Type"][facets.kind_name(groups.get(revision.kind, revision.kind))] += 1
        found["Language"][{"en": "English", "zh": "Chinese", "other": "other"}[revision.language]] += 1
        found["Tag"].update(tag.name for tag in document.tags.all())
        found["Year"][str(date.year)] += 1
    return {name: counter for name, counter in found.items() if len(counter) > 1}


@pytest.mark.parametrize("question", ["apples", "before:2999"])
@pytest.mark.parametrize(("zone", "hours"), [("UTC", 0), ("Asia/Shanghai", 8)])
def test_counts_are_those_of_the_documents_that_the_reader_may_see(client, shelf, settings, question, zone, hours):
    settings.TIME_ZONE = zone
    for who, collections in shelf.items():
        if who:
            client.force_login(who)
        answer = client.get("/", {"q": question}).context["answer"]
        assert shown(answer) == plain_counts(collections, hours)
        documents = Document.objects.filter(collection__in=collections)
        assert answer.counts.documents == documents.count()
        passages = Passage.objects.filter(revision__live_for__in=documents)
        assert answer.counts.passages == (passages.count() if question == "apples" else documents.count())
        assert not answer.counts.more


def test_each_link_leads_to_as_many_documents_as_it_says_and_back(client, shelf, reader):
    client.force_login(reader)
    beginnings = [
        "apples",
        "before:2999",
        "apples type:docx type:csv type:pdf",
        "apples collection:own collection:public",
    ]
    followed = 0
    for question in [*beginnings, "type:word apples lang:en lang:zh -collection:hidden", "apples -tag:old -lang:other"]:
        before = client.get("/", {"q": question}).context["answer"]
        assert before.results
        for facet in before.counts.facets:
            for value in facet.values:
                after = client.get("/", {"q": value.question}).context["answer"]
                assert after.counts.documents == value.count, (question, facet.label, value)
                assert set(before.query.text.split()) == set(after.query.text.split())
                followed += 1
        for place, chosen in enumerate(before.counts.chosen):
            left = before.query.conditions[:place] + before.query.conditions[place + 1 :]
            assert (parse(chosen.question).conditions, parse(chosen.question).text) == (left, before.query.text)
            assert chosen.label not in chosen.question
    assert followed > 50


def test_a_facet_whose_values_are_all_one_is_not_shown_and_of_many_values_the_most_frequent_are(client, public, add):
    for n in range(11):
        document = add(public, f"apples {n}")
        document.tags.set([Tag.objects.get_or_create(name=f"tag {one:02}")[0] for one in range(n, 11)])
    counted = shown(client.get("/", {"q": "apples"}).context["answer"])
    assert counted == {"Tag": {f"tag {one:02}": one + 1 for one in range(10, 2, -1)}}


def test_the_links_are_on_the_page_and_lead_to_what_they_name(client, shelf):
    page = client.get("/", {"q": "apples type:pdf", "page": "2", "sort": "date"}).content.decode()
    assert 'href="?q=apples&amp;sort=date"' in page, "the condition taken out, on the first page"
    assert "q=apples+type%3Apdf+tag%3Aold&amp;sort=date" in page


@pytest.mark.parametrize("question", ["apples", "tag:t"])
def test_of_more_passages_only_the_nearest_are_counted_and_the_page_says_so(client, public, add, monkeypatch, question):
    monkeypatch.setattr(facets, "COUNTED", 20)
    monkeypatch.setattr(retrieve, "DEPTH", 21)
    add(public, "\n\n".join(f"## Part {n}\n\napples" for n in range(19)), title="book").tags.create(name="t")
    for n in range(20 if question == "tag:t" else 1):
        add(public, f"pears {n}").tags.add(Tag.objects.get(name="t"))

    def asked() -> tuple[int, bool, bool]:
        response = client.get("/", {"q": question})
        counts = response.context["answer"].counts
        return counts.passages, counts.more, "; there are more" in response.content.decode()

    if question == "apples":
        assert asked() == (20, False, False)
        add(public, "pears too").tags.add(Tag.objects.get(name="t"))
        assert asked() == (20, True, True)
    else:
        assert asked()[:2] == (20, True)
        Document.objects.latest("pk").delete()
        assert asked()[:2] == (20, False)


def test_what_was_taken_out_does_not_make_it_look_as_if_there_were_no_more(client, public, add, monkeypatch):
    monkeypatch.setattr(facets, "COUNTED", 20)
    monkeypatch.setattr(retrieve, "DEPTH", 21)
    monkeypatch.setattr(retrieve, "PER_PAGE", 3)

    def asked(question: str) -> tuple[int, bool]:
        counts = client.get("/", {"q": question}).context["answer"].counts
        return counts.passages, counts.more

    for n in range(4):
        add(public, f"apples {n}")
    add(public, "\n\n".join(f"## Part {n}\n\napples apples pears" for n in range(40)))
    add(public, "\n\n".join(f"## Part {n}\n\nclouds rivers mountains apples" for n in range(16)))
    assert asked("apples -pears") == (20, False)
    add(public, "clouds rivers mountains apples")
    assert asked("apples -pears") == (20, True), "21 have no pears, whatever came before them"
    hidden = Collection.objects.create(name="H", slug="h", visibility=Collection.Visibility.MEMBERS)
    with_pears = Document.objects.filter(live_revision__passages__text__contains="pears").distinct()
    super(type(with_pears), with_pears).update(collection=hidden)  # of which the indexes have not heard
    assert asked("apples") == (20, True)


def test_so_many_passages_are_counted_and_of_more_it_is_said_that_there_are_more(client, public, add):
    for n in range(11):  # so many that no page has to look deeper
        add(public, f"apples {n}")
    for sections, said in ((239, "250 passages of 12 documents"), (1, "The nearest 250 passages, of 1")):
        add(public, "\n\n".join(f"## Part {n}\n\napples {n}" for n in range(sections)))
        for question in ("apples", "something of which there is no word"):
            page = client.get("/", {"q": question})
            assert page.context["answer"].counts.passages == 250
            assert said in page.content.decode() or page.context["answer"].nothing
        assert said in client.get("/", {"q": "apples"}).content.decode()


# --- by date ------------------------------------------------------------------------------------------------


def test_by_date_the_newest_come_first_on_all_pages_and_weak_ones_behind_them(client, public, add, monkeypatch):
    """Also where later pages look deeper: all pages are of one order."""
    monkeypatch.setattr(retrieve, "DEPTH", 12)
    dates = {}
    with monkeypatch.context() as patched:
        patched.setattr(lexical_follow, "keep_up", lambda **_options: None)
        for n in range(24):
            document = add(public, f"apples {n}" if n % 4 else f"clouds over rivers {n}")
            dates[document.pk] = datetime.date(2020, 1 + n * 5 % 7, 1)
            Revision.objects.filter(live_for=document).update(written=dates[document.pk])
    lexical_follow.keep_up()
    pages = [client.get("/", {"q": "apples", "sort": "date", "page": page}) for page in (1, 2, 3)]
    answers = [page.context["answer"] for page in pages]
    found = [(result.weak, result.document.pk) for answer in answers for result in answer.results]
    assert found == sorted(found, key=lambda one: (one[0], -dates[one[1]].toordinal(), one[1]))
    assert {pk for _weak, pk in found} == dates.keys()
    assert [weak for weak, _pk in found] == [False] * 18 + [True] * 6
    assert [len(answer.good) for answer in answers] == [10, 8, 0]
    assert [len(answer.weaker) for answer in answers] == [0, 2, 4]
    assert ["Weaker matches" in page.content.decode() for page in pages] == [False, True, True]
    assert [answer.has_next for answer in answers] == [True, True, False]


def test_by_likeness_dates_change_nothing(client, public, add):
    add(public, "apples pears plums", title="old")
    add(public, "apples", title="new")
    for title, year in (("old", 1990), ("new", 2020)):
        Revision.objects.filter(live_for__title=title).update(written=datetime.date(year, 1, 1))

    def titles(**order) -> list[str]:
        answer = client.get("/", {"q": "apples pears plums", **order}).context["answer"]
        return [result.document.title for result in answer.results]

    assert titles() == titles(sort="") == titles(sort="odd") == ["old", "new"]
    assert titles(sort="date") == ["new", "old"]


@pytest.mark.django_db
def test_a_question_that_has_no_room_for_a_condition_offers_none(client, public, add):
    add(public, "apples", title="one").tags.create(name="first")
    add(public, "apples", title="two").tags.create(name="second")
    full = "apples " + "a " * 496
    assert client.get("/", {"q": "apples"}).context["answer"].counts.facets
    response = client.get("/", {"q": full})
    assert response.status_code == 200
    for facet in response.context["answer"].counts.facets:
        assert all(len(value.question) <= 1000 for value in facet.values)
    assert not response.context["answer"].counts.facets
