"""The matches within a document: the best of all its passages, in the order of its text, as search scores them."""

from __future__ import annotations

import re

import pytest

from encoder import EncoderError
from searchsite.documents.models import Job
from searchsite.index import backends, build, follow
from searchsite.index.follow import IndexUnavailable
from searchsite.index.models import Vector
from searchsite.search import matches, retrieve

pytestmark = pytest.mark.django_db

WORDS = ["apples", "bicycles", "apples pears", "clouds", "apples pears plums", "rivers", "pears"]
BOOK = "\n\n".join(f"## {n}\n\n{words}" for n, words in enumerate(WORDS))


def passages(document) -> dict[int, str]:
    return {p.pk: p.text.split("\n")[-1] for p in document.live_revision.passages.order_by("start")}


def found(document, question, shown=None) -> list[str]:
    texts = passages(document)
    return [texts[one.passage] for one in matches.matches(document.live_revision, question, shown).found]


def test_matches_come_in_the_order_of_the_text_and_leave_out_what_is_far_from_the_best(public, add):
    document = add(public, BOOK, title="b")
    texts = found(document, "apples pears plums")
    assert "apples pears plums" in texts
    assert texts == [words for words in WORDS if words in texts]
    assert not {"bicycles", "clouds", "rivers"} & set(texts)
    scored = matches.matches(document.live_revision, "apples pears plums", None).found
    best = max(one.likeness for one in scored)
    assert all(one.likeness * 2 >= best for one in scored)


def test_scores_are_those_of_the_page_of_results(public, add, member_of_all):
    document = add(public, BOOK, title="b")
    add(public, "something else altogether")
    build.rebuild(Job(), lambda *_progress: None)
    follow.forget()
    answer = retrieve.search(member_of_all, "apples pears plums")
    there = {one.passage.pk: one.likeness for result in answer.results for one in result.found}
    here = {
        one.passage: one.likeness for one in matches.matches(document.live_revision, "apples pears plums", None).found
    }
    assert len(there.keys() & here.keys()) >= 2
    assert all(there[pk] == here[pk] for pk in there.keys() & here.keys())


@pytest.fixture
def member_of_all(django_user_model):
    return django_user_model.objects.create_superuser("all")


def test_the_passage_that_was_asked_for_is_always_among_them(public, add):
    document = add(public, BOOK, title="b")
    shown = document.live_revision.passages.get(text__contains="bicycles")
    among = matches.matches(document.live_revision, "apples pears plums", shown)
    assert among.found[among.number - 1].passage == shown.pk
    starts = [one.start for one in among.found]
    assert starts == sorted(starts)
    assert (among.previous.start if among.previous else -1) < shown.start < among.next.start


def test_there_are_never_more_than_ten_and_the_best_of_all_chunks(public, add, monkeypatch):
    document = add(public, "\n\n".join(f"## {n}\n\napples{' pears' * (n % 7)}" for n in range(44)), title="b")
    with monkeypatch.context() as all_at_once:
        all_at_once.setattr(matches, "MOST", 1000)
        every = matches.matches(document.live_revision, "apples pears", None).found
    monkeypatch.setattr(matches, "CHUNK", 7)
    ten = matches.matches(document.live_revision, "apples pears", None).found
    best = sorted((one.score for one in every), reverse=True)[: matches.MOST]
    assert sorted((one.score for one in ten), reverse=True) == pytest.approx(best)
    assert len(every) > len(ten)
    shown = document.live_revision.passages.order_by("start").last()
    with_last = matches.matches(document.live_revision, "apples pears", shown)
    assert len(with_last.found) == matches.MOST
    assert with_last.number == matches.MOST
    assert with_last.next is None


def test_a_keyword_is_a_match_although_nothing_else_is_alike(public, add):
    """In another script of the same words, where the tiny encoder sees nothing in common."""
    words = ["bicycles", "我們用語義搜索", "ERR_4012 occurs", "rivers", "clouds"]
    document = add(public, "\n\n".join(f"## {n}\n\n{text}" for n, text in enumerate(words)), title="b")
    for question, text in [("语义搜索", words[1]), ("4012", words[2])]:
        scored = matches.matches(document.live_revision, question, None).found
        assert passages(document)[max(scored, key=lambda one: one.score).passage] == text


def test_vectors_of_another_encoder_are_not_compared(public, add):
    document = add(public, BOOK, title="b")
    Vector.objects.update(fingerprint="another")
    assert found(document, "apples pears plums") == []


# --- on the page --------------------------------------------------------------------------------------------


def test_the_page_leads_from_match_to_match_also_into_another_part(client, public, add):
    far = "\n\n".join(f"## Chapter {n}\n\n" + "Nothing of use. " * 400 for n in range(20))
    document = add(public, f"## One\n\napples pears\n\n{far}\n\n## Two\n\napples pears", title="b")
    first, last = (pk for pk, text in passages(document).items() if text == "apples pears")
    address = f"{document.get_absolute_url()}?passage={first}&q=apples+pears&page=2"
    page = client.get(address).content.decode()
    assert "Match 1 of 2" in page
    link = re.search(r'rel="next"[^>]*href="([^"]*)#passage"', page).group(1).replace("&amp;", "&")
    there = client.get(document.get_absolute_url() + link)
    assert there.context["passage"].pk == last
    assert there.context["part"] > 1
    assert "Match 2 of 2" in there.content.decode()
    assert "page=2" in re.search(r'class="crumbs".*?</nav>', there.content.decode(), re.S).group(), "the way back stays"


@pytest.mark.parametrize(("where", "fault"), [("active_build", IndexUnavailable), ("get_encoder", EncoderError)])
def test_without_index_or_encoder_the_page_shows_the_text_alone(client, public, add, monkeypatch, where, fault):
    document = add(public, BOOK)

    def unavailable():
        raise fault("not now")

    monkeypatch.setattr(follow if where == "active_build" else backends, where, unavailable)
    response = client.get(document.get_absolute_url(), {"q": "apples"})
    assert response.status_code == 200
    assert response.context["matches"] is None
    assert 'class="matches"' not in response.content.decode()


@pytest.mark.parametrize("question", ["", "   ", "\x00", "a" * 1001])
def test_without_a_question_that_can_be_asked_nothing_is_compared(client, public, add, question):
    document = add(public, BOOK)
    assert client.get(document.get_absolute_url(), {"q": question}).context["matches"] is None
