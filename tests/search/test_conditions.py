"""The query language through the whole search: what each condition leaves, and what may not be in a passage."""

from __future__ import annotations

import datetime
import re
from contextlib import contextmanager

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from searchsite.documents.models import Collection, Document, Job, Passage, Revision, Tag
from searchsite.index import build, lexical, lexical_follow, space
from searchsite.search import facets, ranking, retrieve
from searchsite.search import sources as asked_of
from searchsite.search.conditions import Documents, scope
from searchsite.search.query import parse

pytestmark = pytest.mark.django_db
UTC = datetime.UTC


@pytest.fixture
def made(public, add):
    """made(title, text, collection=..., tags=[...], kind=..., language=..., written=..., updated=...) -> a Document.

    Its text is no other's, unless it is given: of the same text the facts would be the same.
    """

    def _made(title: str, text: str = "", *, collection=None, tags=(), updated=None, **facts) -> Document:
        document = add(collection or public, text or f"apples {Document.objects.count()}", title=title)
        for name in tags:
            document.tags.add(Tag.objects.get_or_create(name=name)[0])
        if facts:
            Revision.objects.filter(live_for=document).update(**facts)
        if updated:
            Document.objects.filter(pk=document.pk).update(updated=updated)
        return document

    return _made


@pytest.fixture
def at_once(monkeypatch):
    """with at_once(): what is made is known to the index of keywords only at the end, which is faster."""

    @contextmanager
    def _at_once():
        with monkeypatch.context() as patched:
            patched.setattr(lexical_follow, "keep_up", lambda **_options: None)
            yield
        lexical_follow.keep_up()

    return _at_once


@pytest.fixture
def ask(client):
    """ask(question, ...) -> the titles on the page, in order."""

    def _ask(question: str, **parameters) -> list[str]:
        response = client.get("/", {"q": question, **parameters})
        assert response.status_code == 200
        return [result.document.shown_title for result in response.context["answer"].results]

    return _ask


# --- each condition -----------------------------------------------------------------------------------------


TITLES = {
    "Annual report": [
        "title:report",
        'title:"annual  REPORT"',
        "title:annual title:report",
        "标题：report -title:weekly",
    ],
    "年度報告": ["title:报告", "标题：報告", "title:“年度报告”"],
    "ＡＢＣ手册": ["title:abc", "title:手冊"],
    "XYZ manual": ["title:ＸＹＺ"],
    "It’s here": ["title:it's"],
    "os.path": ["title:os.path", "title:path"],
    "100% sure_thing": ["title:100%", "title:sure_thing"],
    "ÜBER uns": ["title:über", "-title:s -title:report -title:报告 -title:手册 -title:manual -title:path -title:100"],
    "": ['title:"report annual"', "title:annual title:sure_thing", "title:ann", "title:_", "title:告报"],
}


def test_a_title_is_found_by_its_words_however_they_are_written(made, ask, at_once):
    with at_once():
        for title in [*TITLES, "Reporting of 100 surethings, abcd; it is s"]:
            if title:
                made(title)
    wrong = [
        (condition, found)
        for title, conditions in TITLES.items()
        for condition in conditions
        for found in (ask(f"apples {condition}"), ask(condition))
        if found != ([title] if title else [])
    ]
    assert not wrong


def test_a_title_that_was_found_in_the_text_counts_and_one_that_was_given_comes_before_it(made, ask):
    made("", "# Found herons\n\napples")
    made("Given", "# Found herons\n\napples and pears")
    assert ask("apples title:herons") == ["Found herons"]


LEFT = {
    "type:pdf": "pdf en, pdf zh", "type:word": "doc, docx, odt", "type:docx": "docx", "类型：表格": "csv, sheet",
    "type:pdf type:csv": "csv, pdf en, pdf zh", "-type:word -type:pdf": "csv, sheet",
    "type:word -type:doc": "docx, odt",
    "lang:zh": "pdf zh, sheet", "lang:chinese lang:de": "doc, pdf zh, sheet", "lang:other": "csv",
    "-lang:en -lang:zh": "csv, doc", "tag:blue": "pdf en, pdf zh", "tag:blue tag:old": "pdf en",
    "tag:old -tag:blue": "docx", 'tag:"blue SKY"': "csv", "tag:nobody": "", "-tag:old -tag:blue type:word": "doc, odt",
    "collection:second": "doc, docx", 'collection:"second floor 二楼"': "doc, docx",
    "collection:SECOND type:doc": "doc",
    "collection:second collection:public type:doc type:pdf": "doc, pdf en, pdf zh",
    "-collection:second type:word": "odt", "collection:public -collection:public": "", "collection:nowhere": "",
    "-collection:nowhere tag:old": "docx, pdf en", "type:pdf lang:zh tag:blue collection:public": "pdf zh",
}  # fmt: skip


def test_conditions_leave_what_meets_them(made, ask):
    second = Collection.objects.create(name="Second Floor 二樓", slug="second", visibility="public")
    made("pdf en", kind="pdf", language="en", tags=["old", "Blue"])
    made("pdf zh", kind="pdf", language="zh", tags=["blue"])
    made("doc", kind="doc", language="de", collection=second)
    made("docx", kind="docx", language="en", collection=second, tags=["old"])
    made("odt", kind="odt", language="en")
    made("sheet", kind="sheet", language="zh")
    made("csv", kind="csv", language="other", tags=["ＢＬＵＥ sky"])
    wrong = [
        (question, found)
        for conditions, titles in LEFT.items()
        for question in (f"apples {conditions}", conditions)
        if (found := ", ".join(sorted(ask(question)))) != titles
    ]
    assert not wrong


@pytest.mark.parametrize(
    ("zone", "midnight"),
    [
        ("UTC", datetime.datetime(2024, 5, 1, tzinfo=UTC)),
        ("Asia/Shanghai", datetime.datetime(2024, 4, 30, 16, tzinfo=UTC)),
        ("America/New_York", datetime.datetime(2024, 5, 1, 4, tzinfo=UTC)),
    ],
)
def test_a_day_begins_at_midnight_where_the_site_is(made, ask, settings, zone, midnight):
    settings.TIME_ZONE = zone
    long_ago, of_late = (datetime.datetime(year, 1, 1, tzinfo=UTC) for year in (1999, 2025))
    made("written before", written=datetime.date(2024, 4, 30), updated=of_late)
    made("written on it", written=datetime.date(2024, 5, 1), updated=long_ago)
    made("changed before", updated=midnight - datetime.timedelta(seconds=1))
    made("changed on it", updated=midnight)
    before, since = ["changed before", "written before"], ["changed on it", "written on it"]
    for question in (
        "before:2024-05",
        "before:2024-05-01",
        "-after:2024-05",
        "早于：2024年5月",
        "after:1998 before:2024-05",
    ):
        assert sorted(ask(f"apples {question}")) == sorted(ask(question)) == before, question
    for question in ("after:2024-05-01", "-before:2024/5", "晚于：2024年5月1日", "after:2024-05 before:2026"):
        assert sorted(ask(f"apples {question}")) == sorted(ask(question)) == since, question


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York"])
def test_the_first_and_the_last_day_of_the_calendar_may_be_asked_for(made, ask, settings, zone):
    settings.TIME_ZONE = zone
    made("one")
    assert ask("apples after:0001 before:9999-12-31") == ["one"]
    assert ask("apples before:0001") == ask("apples after:9999-12-31") == []


# --- permission ---------------------------------------------------------------------------------------------


def test_a_hidden_collections_name_behaves_like_one_that_does_not_exist(client, made):
    hidden = Collection.objects.create(name="Layoffs", slug="secret", visibility="members")
    made("open")
    made("buried", collection=hidden, tags=["veiled"])

    def page(question: str) -> str:
        response = client.get("/", {"q": question})
        assert response.status_code == 200
        return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", response.content.decode())

    for question in (
        "collection:{}",
        "apples collection:{}",
        "apples -collection:{}",
        "tag:{}",
        "title:{}",
    ):
        for real, made_up in (("secret", "absent"), ("Layoffs", "Picnics"), ("veiled", "absent"), ("buried", "absent")):
            there, nowhere = page(question.format(real)), page(question.format(made_up))
            assert there.replace(real, made_up) == nowhere, (question, real)
    assert "No document meets these conditions" in page("apples collection:secret")
    client.force_login(User.objects.create_superuser("root"))
    assert "buried" in page("apples collection:layoffs")


def test_a_document_that_was_moved_before_the_keywords_knew_is_not_found_where_it_was(public, made, ask, monkeypatch):
    other = Collection.objects.create(name="Other", slug="other", visibility="public")
    moved = made("moved")
    made("stays", "apples too")
    behind = lexical.opened(lexical_follow.serving())
    Document.objects.filter(pk=moved.pk).update(collection=other)
    monkeypatch.setattr(lexical_follow, "current", lambda: behind)
    assert ask("apples collection:public") == ["stays"]
    assert ask("apples collection:other") == ["moved"]


# --- what may not be there ----------------------------------------------------------------------------------


@pytest.mark.parametrize("caught_up", [True, False])
def test_passages_with_what_is_not_wanted_are_gone(made, ask, monkeypatch, caught_up):
    made("first", "apples alone 苹果")
    behind = lexical.opened(lexical_follow.serving())
    made("both", "Of apples, two\nherons, what of them. 两只苍鹭吃苹果")
    made("neither", "apples, a heron, two, only-herons-to-be, 鹭与苍。两只苹果")
    if not caught_up:
        assert len(behind.ids()) == 1
        monkeypatch.setattr(lexical_follow, "current", lambda: behind)
    without = [
        '-"two herons"',
        "-“ＴＷＯ herons”",
        "-苍鹭",
        "－蒼鷺",
        "-“两只蒼鷺”",
        "-苍鹭 -nobody",
        "-them",
        "-what",
        '-"what of"',
    ]
    for one in without:
        for question in (f"apples {one}", f"苹果 {one}", f"{one} type:markdown"):
            assert sorted(ask(question)) == ["first", "neither"], question
    assert sorted(ask("apples -heron")) == ["both", "first"]
    assert ask("apples -herons") == ["first"], "a word within an identifier is a word"
    assert ask("苹果 -apples") == []


def test_a_page_is_full_although_most_passages_hold_what_is_not_wanted(public, add, made, ask, monkeypatch, at_once):
    monkeypatch.setattr(retrieve, "DEPTH", 20)
    add(public, "\n\n".join(f"## {n}\n\napples, heron" for n in range(100)), title="book")
    with at_once():
        for n in range(12):
            made(f"wanted {n}", "Many other things and people and places and some apples")
    assert len({*ask("apples -heron"), *ask("apples -heron", page=2)}) == 12
    assert len(ask("apples -heron")) == 10


# --- no words, only conditions ------------------------------------------------------------------------------


@pytest.mark.parametrize("few", [10_000, 5])
def test_conditions_alone_list_documents_the_newest_first(made, client, monkeypatch, few, at_once):
    monkeypatch.setattr(retrieve, "FEW", few)
    documents = []
    with at_once():
        for n in range(23):
            written = datetime.date(2020, 1, 1 + 7 * n % 5) if n % 3 else None
            changed = datetime.datetime(2019 + n % 4, 6, 1, tzinfo=UTC)
            made(f"{n}", f"apples {n}\n\n# More\n\npears", tags=["t"], written=written, updated=changed)
            documents.append((written or changed.date(), Document.objects.latest("pk").pk))
    made("without the tag")
    seen = []
    for page in (1, 2, 3):
        answer = client.get("/", {"q": "tag:t", "page": page}).context["answer"]
        assert (answer.has_next, answer.counts.documents, answer.nothing, answer.weaker) == (page < 3, 23, False, [])
        seen += [result.document.pk for result in answer.results]
        assert all(result.best.passage.ordinal == 0 for result in answer.results)
    assert seen == [pk for _date, pk in sorted(documents, reverse=True)]
    assert [facet.label for facet in answer.counts.facets] == ["Year"]


def test_only_words_that_are_not_wanted_list_what_does_not_begin_with_them(made, ask, monkeypatch):
    monkeypatch.setattr(ranking, "READ_AT_ONCE", 4)
    for n in range(9):
        made(f"{n}", f"apples {'heron' if n % 2 else 'river'} {n}")
    assert ask("-heron") == ["8", "6", "4", "2", "0"]
    assert ask("-heron -river") == []
    assert ask('-"heron 3" -river') == ["7", "5", "1"]


# --- how many, how often, how many questions of the database -------------------------------------------------


def test_k_results_come_however_few_of_many_passages_meet_the_conditions(made, ask, monkeypatch, at_once):
    """Both legs are filtered: neither has a place to spare for what does not meet them."""
    monkeypatch.setattr(retrieve, "DEPTH", 5)
    monkeypatch.setattr(retrieve, "MAX_DEPTH", 5)
    with at_once():
        for n in range(40):
            made(f"other {n}")
    documents = [made(f"wanted {n}", f"Clouds {n}, rivers {n}, and some apples", tags=["few"]).pk for n in range(5)]
    assert sorted(ask("apples tag:few")) == sorted(ask('"apples" tag:few')) == [f"wanted {n}" for n in range(5)]
    met = scope(parse("tag:few"), Collection.objects.all()).documents
    question = ranking.understood(parse("apples"), space.current(), met)
    sources = asked_of.sources(None, lexical_follow.current())
    wanted = set(Passage.objects.filter(revision__live_for__in=documents).values_list("pk", flat=True))
    for leg in (ranking.vector_leg, ranking.lexical_leg):
        assert {passage for passage, _score in leg(question, sources, 5, None)} == wanted


def test_conditions_that_many_meet_are_looked_up_among_the_best_with_the_same_result(made, ask, monkeypatch, at_once):
    """What few meet is listed, at whatever depth that is noticed."""
    monkeypatch.setattr(retrieve, "DEPTH", 25)
    monkeypatch.setattr(facets, "COUNTED", 20)
    with at_once():
        for n in range(150):
            made(
                f"{n}",
                f"apples {'and pears ' * (n % 7)}{n}",
                tags=["half"] * (n % 2) + ["few"] * (n in (3, 40)),
                kind="pdf" if n % 3 else "text",
                language="de" if n < 140 else "fr",
                written=datetime.date(1900 + n, 1, 1),
            )
    listed: list[str] = []
    lists_all = vars(Documents)["ids"].func
    monkeypatch.setattr(Documents, "ids", property(lambda own: listed.append(asked) or lists_all(own)))
    questions = {
        "type:pdf": [0], "-type:pdf": [0], "tag:half": [0], "lang:de after:1910": [0], "title:5": [0, 100],
        "tag:few": [0, 100], "type:pdf tag:half -tag:few": [0], "tag:nobody": [0, 100, 10_000],
        "after:2049": [0, 100, 10_000],
    }  # fmt: skip
    for conditions, lists in questions.items():
        asked = f"apples pears {conditions}"
        for look in (0, 100, 10_000):  # 0: all are listed at once
            monkeypatch.setattr(ranking, "MOST_LOOKED_AT", look)
            listed.clear()
            pages = [ask(asked, page=page) for page in (1, 2)]
            if look == 0:
                expected = pages
            assert pages == expected, (asked, look)
            assert bool(listed) == (look in lists), (asked, look)
    assert expected == [["149"], []]


def test_hundreds_of_conditions_do_not_fail(made, ask):
    made("one", tags=[f"t{n}" for n in range(30)])
    for field in ("tag", "title", "collection", "type", "lang", "before", "after"):
        value = {"type": "pdf", "lang": "en", "before": "2024", "after": "2024"}.get(field, "t")
        for sign in ("", "-"):
            question = "apples " + " ".join(f"{sign}{field}:{value}{n if len(value) == 1 else ''}" for n in range(300))
            retrieve.search(AnonymousUser(), question)
            ask(question[:1000])
    assert ask("apples " + " ".join(f"tag:t{n}" for n in range(30))) == ["one"]


def test_the_same_question_gives_the_same_pages_and_they_move_up(
    made, ask, django_capture_on_commit_callbacks, at_once
):
    with at_once():
        for n in range(26):
            made(
                f"{n}",
                f"apples {'and pears ' * (n % 5)}",
                tags=["t"] if n % 2 else [],
                written=datetime.date(2020 + n % 3, 1, 1),
            )
    asked = "apples pears tag:t -title:25"
    for order in ({}, {"sort": "date"}):
        pages = [ask(asked, page=page, **order) for page in (1, 2, 3)]
        both = [*pages[0], *pages[1]]
        assert sorted(both, key=int) == [str(n) for n in range(1, 25, 2) if Document.objects.filter(title=str(n))]
        assert pages[2] == []
        assert [ask(asked, page=page, **order) for page in (1, 2, 3)] == pages
        build.rebuild(Job(), lambda *_progress: None)
        assert [ask(asked, page=page, **order) for page in (1, 2, 3)] == pages
        with django_capture_on_commit_callbacks(execute=True):
            Document.objects.get(title=both[0]).delete()
        assert [*ask(asked, **order), *ask(asked, page=2, **order)] == both[1:]


QUESTIONS = ["apples", "apples tag:t", 'title:n "apples"', "tag:t", "-pears", "apples type:markdown lang:en after:2001"]


def test_the_number_of_sql_queries_does_not_grow_with_the_documents(made, client, at_once):
    def queries(question: str) -> int:
        client.get("/", {"q": question})
        with CaptureQueriesContext(connection) as captured:
            client.get("/", {"q": question})
        return len(captured)

    for n in range(5):
        made(f"n {n}", tags=["t"])
    few = {question: queries(question) for question in QUESTIONS}
    # Where words are not wanted and the page is not full, it is looked for once more, and deeper.
    not_full = queries("apples -pears")
    with at_once():
        for n in range(5, 30):
            made(f"n {n}", f"apples {n}\n\n# More\n\napples", tags=["t"])
    assert {question: queries(question) for question in QUESTIONS} == few
    assert queries("apples -pears") <= not_full <= 26
    assert max(few.values()) <= 22
