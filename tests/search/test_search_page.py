"""What the search page answers to htmx, and what it offers before anything is asked."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.contrib.staticfiles import finders
from django.core.cache import cache
from django.utils import translation

from searchsite.documents.access import visible_collections
from searchsite.documents.models import Collection, Document, Passage
from searchsite.search import examples
from searchsite.search.chips import chips
from searchsite.search.marks import Piece
from searchsite.search.query import parse
from searchsite.search.retrieve import Found
from searchsite.search.templatetags import passages

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
MOST_BYTES = 45_000  # compressed, of all styles and scripts of a page


@pytest.fixture(autouse=True)
def nothing_kept():
    cache.clear()
    yield
    cache.clear()


def answer_of(page: str) -> str:
    """The element that holds the answer, without its ends, which stand at the end of the part."""
    found = re.search(r'<div id="answer".*?(?=</div>\s*(<template|$))', page, re.DOTALL)
    assert found
    return found[0].strip()


@pytest.mark.parametrize("query", [{}, {"q": "apples"}, {"q": "apples lang:en", "sort": "date"}, {"q": "a" * 1001}])
def test_the_part_is_what_the_whole_page_has_in_that_place(client, public, add, query):
    add(public, "apples", title="Apples and pears")
    whole, part = client.get("/", query), client.get("/", query, headers=HTMX)
    assert (part.status_code, part["Content-Type"]) == (whole.status_code, whole["Content-Type"])
    shown = part.content.decode()
    assert answer_of(shown) == answer_of(whole.content.decode())
    assert "<html" not in shown
    assert "<script" not in shown
    assert re.search(r"<title>.*</title>", shown)[0] in whole.content.decode()  # type: ignore[index]


def test_history_gets_the_whole_page_and_caches_are_told_of_the_difference(client, public):
    restored = client.get("/", headers={**HTMX, "HX-History-Restore-Request": "true"})
    assert "<html" in restored.content.decode()
    for headers in ({}, HTMX):
        assert {"HX-Request", "HX-History-Restore-Request"} <= set(client.get("/", headers=headers)["Vary"].split(", "))


def test_the_question_is_escaped_where_scripts_read_it(client, public):
    page = client.get("/", {"q": '"><script>alert(1)</script>'}, headers=HTMX).content.decode()
    assert "<script" not in page


# --- examples ---


def asked(user=None, language="en") -> list[str]:
    from django.contrib.auth.models import AnonymousUser

    with translation.override(language):
        return [one.text for one in examples.examples(visible_collections(user or AnonymousUser()))]


def test_examples_are_titles_and_questions_that_say_enough_in_the_readers_language_first(public, add):
    add(public, "text of no use", title="report-2024.pdf")
    add(public, "text of no use", title="tempfile.mkdtemp()")
    add(public, "text of no use", title="Word")
    add(public, "# Frequent questions\n\n## How do I reset my password?\n\nIn the portal.\n\n## Why?\n\nSo.")
    add(public, "# Travel and expenses\n\nTrains are booked by the office.")
    add(public, "# 笔记本电脑丢失怎么办\n\n马上打电话给服务台。")
    english = ["Travel and expenses", "How do I reset my password?"]
    assert asked() == [*english, "笔记本电脑丢失怎么办"]
    assert asked(language="zh-hans") == ["笔记本电脑丢失怎么办", *english]


def test_each_of_the_collections_has_its_turn(public, add):
    other = Collection.objects.create(name="Other", slug="other", visibility="public")
    for n in "abcdefg":
        add(public, "text", title=f"About the letter {n}")
    add(other, "text", title="Something else entirely")
    assert "Something else entirely" in asked()
    assert len(asked()) == examples.SHOWN


def test_examples_come_of_what_may_be_seen_alone(public, add):
    private = Collection.objects.create(name="Private", slug="private", visibility="members")
    member = User.objects.create_user("member")
    private.users.add(member)
    add(private, "text", title="The secret merger plans")
    add(public, "text", title="The open merger plans")
    assert asked() == ["The open merger plans"]
    assert set(asked(member)) == {"The open merger plans", "The secret merger plans"}
    assert asked() == ["The open merger plans"], "whoever asked before"
    Document.objects.filter(title="The open merger plans").update(collection=private)
    assert asked() == [], "what was kept is asked about each time"


def test_a_superuser_is_shown_none_of_what_he_sees_for_being_one_alone(public, add, client):
    private = Collection.objects.create(name="Private", slug="private", visibility="members")
    add(private, "text", title="The secret merger plans")
    add(public, "text", title="The open merger plans")
    client.force_login(User.objects.create_superuser("admin"))
    assert [one.text for one in client.get("/").context["examples"]] == ["The open merger plans"]


def test_examples_cost_a_few_questions_and_then_two(public, add, django_assert_num_queries):
    for n in "abc":
        add(public, "text", title=f"About the letter {n}")
    with django_assert_num_queries(4):
        asked()
    with django_assert_num_queries(2):
        asked()


# --- chips ---


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("a lang:zh", ["Language: Chinese"]),
        ("a -type:word type:pptx", ["not Type: Word", "Type: Slides"]),
        ("collection:hr a", ["Collection: People"]),
        ('a tag:"x y" title:z', ["Tag: x y", "Title: z"]),
        ("a after:2024 before:2025-03", ["from 2024 on", "before March 1, 2025"]),
    ],
)
def test_conditions_are_said_in_words(question, said):
    shown = chips(question, parse(question), {"hr": "People"})
    assert [chip.said for chip in shown] == said
    assert all(chip.written in question and chip.written not in chip.question for chip in shown)


# --- passages ---


@pytest.mark.parametrize(("score", "said"), [(0.436, "0.44"), (1.0, "1.00"), (-0.004, "0.00")])
def test_a_likeness_is_rounded_as_on_the_page_that_says_why(score, said):
    found = Found(Passage(), score, 0.0, 64, [])
    assert passages.cosine(found) == said
    assert f"cosine {said}" in passages.said_of_likeness(found, "a question")


def test_what_is_marked_of_a_passage_is_marked_and_escaped():
    line = [Piece("a <b> ", False, False), Piece("& c", True, False), Piece("d", True, True), Piece("e", False, True)]
    shown = passages.passage_text([line, [Piece("f", False, False)]])
    marked = "a &lt;b&gt; <mark>&amp; c</mark><mark><b>d</b></mark><b>e</b>"
    assert shown == f"<span>{marked}</span><span>f</span>"


# --- what is loaded ---


def test_styles_and_scripts_of_the_search_page_stay_small(client, public, add):
    add(public, "apples")
    page = client.get("/", {"q": "apples"}).content.decode()
    addresses = re.findall(r'(?:<script src|rel="stylesheet" href)="/static/([^"]+)"', page)
    assert "htmx/htmx-2.min.js" in addresses
    sizes = {one: len(gzip.compress(Path(str(finders.find(one))).read_bytes())) for one in addresses}
    assert sum(sizes.values()) < MOST_BYTES, sizes


def test_of_the_package_of_htmx_one_script_is_served():
    served = [name for finder in finders.get_finders() for name, storage in finder.list([]) if "htmx" in name]
    assert served == ["htmx-2.min.js"]
    assert finders.find("htmx/htmx-4.min.js") is None
