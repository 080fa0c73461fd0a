"""Searching: order, permission, grouping, pages; and the pages that show it."""

from __future__ import annotations

import random
import re

import pytest
from django.contrib.auth.models import User

from searchsite.documents.models import Collection, Document, Job, State
from searchsite.index import build, follow, lexical_follow
from searchsite.search import facets, retrieve

pytestmark = pytest.mark.django_db


@pytest.fixture
def private(db):
    return Collection.objects.create(name="Private", slug="private", visibility=Collection.Visibility.MEMBERS)


@pytest.fixture
def member(private):
    user = User.objects.create_user("member")
    private.users.add(user)
    return user


def titles(response) -> list[str]:
    return [result.document.shown_title for result in response.context["answer"].results]


def test_results_come_in_the_order_of_their_likeness(client, public, add):
    add(public, "apples", title="one word")
    add(public, "apples pears plums", title="three words")
    add(public, "bicycles", title="nothing")
    response = client.get("/", {"q": "apples pears plums"})
    assert titles(response)[0] == "three words"
    scores = [result.best.score for result in response.context["answer"].results]
    assert scores == sorted(scores, reverse=True)


def test_the_same_question_gives_the_same_page_also_with_ties(client, public, add):
    for n in range(15):
        add(public, "exactly the same", title="same", source=str(n))
    ids = [r.document.pk for r in client.get("/", {"q": "same"}).context["answer"].results]
    assert ids == list(Document.objects.order_by("pk").values_list("pk", flat=True)[:10])
    build.rebuild(Job(), lambda *_progress: None)
    assert [r.document.pk for r in client.get("/", {"q": "same"}).context["answer"].results] == ids


def test_pages_follow_each_other_without_gap_or_repetition(client, public, add):
    for n in range(23):
        add(public, f"apples {'pears ' * (n % 5)}", source=str(n))
    seen: list[int] = []
    for page in (1, 2, 3):
        answer = client.get("/", {"q": "apples", "page": page}).context["answer"]
        seen += [result.document.pk for result in answer.results]
        assert answer.has_next == (page < 3)
    assert len(seen) == len(set(seen)) == 23


def test_what_only_later_pages_look_for_comes_behind_what_earlier_ones_showed(client, public, add, monkeypatch):
    """Later pages look deeper, and may find a better passage of a document that has had its place already."""
    for name, value in (("DEPTH", 21), ("PER_PAGE", 2)):
        monkeypatch.setattr(retrieve, name, value)
    monkeypatch.setattr(facets, "COUNTED", 20)
    some = random.Random(2)
    with monkeypatch.context() as patched:
        patched.setattr(lexical_follow, "keep_up", lambda **_options: None)
        for n in range(18):
            words = some.sample(["apple", "pear", "plum", "cloud", "river", "stone", "house", "tree", "cat", "dog"], 3)
            texts = [
                " ".join(some.choices(words, k=some.randint(1, 9))) for _part in range(some.choice([1, 2, 3, 15, 30]))
            ]
            add(public, "\n\n".join(f"## Part {part}\n\n{text}" for part, text in enumerate(texts)), title=f"d{n}")
    lexical_follow.keep_up()
    seen: list[int] = []
    for page in range(1, 10):
        answer = client.get("/", {"q": "plum cloud river", "page": page}).context["answer"]
        seen += [result.document.pk for result in answer.results]
    assert len(seen) == len(set(seen)) == 18


def test_a_page_is_full_although_one_document_has_most_passages(client, public, add):
    add(public, "\n\n".join(f"## apples {n}\n\napples" for n in range(300)), title="apples")
    for n in range(12):
        add(public, f"apples and other things {n}")
    answer = client.get("/", {"q": "apples"}).context["answer"]
    assert len(answer.results) == 10
    assert len(answer.results[0].found) == retrieve.SNIPPETS


KEPT = {
    "names": "会议由张韡主持，地点在爨底下村。",
    "traditional": "我們用語義搜索來找文件，也在臺灣。",
    "full-width": "型号ＡＢＣ１２３的保修期。",
    "code": "Call os.path.join before TemporaryDirectory is gone; ERR_4012 means k8s is older than v1.29.",
    "c++": "Written in C++, with a sha256 of report_final-2.pdf.",
    "contact": "Ask anna.berg@example.org or dial +1 (555) 010-9999.",
    "german": "In den alten Häusern wohnen heute Künstlerinnen und viele andere Leute aus der Stadt.",
    "russian": "В этих книгах рассказывается о жизни большой семьи в маленьком городе.",
    "japanese": "東京タワーに登りました。",
    "korean": "서울의 봄은 짧다.",
    "thai": "ภาษาไทยไม่เว้นวรรค",
}
ASKED = {
    "names": ["张韡", "韡", "爨", "爨底下"],
    "traditional": ["语义搜索", "語義搜索", "语义", "台湾"],
    "full-width": ["ABC123", "abc", "123", "保修", "ＡＢＣ１２３"],
    "code": [
        "os.path.join", "os.path", "TemporaryDirectory", "temporary", "ERR_4012", "4012", "err_4012", "k8s",
        "v1.29", "1.29", "TemporaryDirectroy",
    ],
    "c++": ["c++", "SHA-256", "sha256", "report_final-2.pdf", "final", "pdf"],
    "contact": ["anna.berg@example.org", "berg", "010-9999", "+1 (555) 010-9999"],
    "german": ["Haus alte", "Künstlerin", "kunstlerinnen"],
    "russian": ["книга", "большая семья"],
    "japanese": ["タワー", "東京", "东京"],
    "korean": ["서울", "봄은"],
    "thai": ["ไทย"],
}  # fmt: skip


def test_keywords_are_found_by_the_page_although_the_encoder_knows_nothing(client, public, add, monkeypatch):
    import numpy as np

    from encoder.tiny import TinyEncoder

    def all_alike(self, texts, *_args, states=None, **_kwargs):
        for place in range(len(texts) if states else 0):
            states(place, np.ones((1, 64), np.float32))
        return np.full((len(texts), 64), 1 / 8, np.float32)

    monkeypatch.setattr(TinyEncoder, "encode_passages", all_alike)
    monkeypatch.setattr(TinyEncoder, "encode_queries", all_alike)
    add(public, "Nothing of all that. 与此无关。", title="first by its id")
    for title, text in KEPT.items():
        add(public, text, title=title)
    wrong = []
    for title, questions in ASKED.items():
        for question in questions:
            answer = client.get("/", {"q": question}).context["answer"]
            best = answer.results[0]
            if best.document.shown_title != title or not best.best.keywords > 0:
                wrong.append((question, best.document.shown_title, best.best.keywords))
    assert not wrong


def test_a_typing_error_finds_what_was_meant_only_where_nothing_has_the_word(client, public, add):
    add(public, "the form is signed by both", title="form")
    add(public, "they come from afar", title="from")
    add(public, "the committee decided", title="committee")
    assert titles(client.get("/", {"q": "comittee"}))[0] == "committee"
    found = {
        result.document.shown_title: result.best.keywords
        for result in client.get("/", {"q": "from"}).context["answer"].results
    }
    assert found["from"] > 0 == found["form"] == found["committee"]


@pytest.mark.parametrize("question", ["herons", '"two herons"', "“two herons”", "hreons"])
def test_a_keyword_that_only_others_may_read_changes_nothing(client, public, private, add, member, question):
    for n in range(25):
        add(private, f"two herons {n}", title="secret")
    add(public, "apples", title="open")
    add(public, "two herons in a long text about rivers and clouds and apples", title="wanted")
    assert titles(client.get("/", {"q": question}))[0] == "wanted"
    assert "secret" not in client.get("/", {"q": question}).content.decode()
    client.force_login(member)
    assert titles(client.get("/", {"q": question}))[0] == "secret"


def test_deleting_the_first_result_moves_the_others_up(client, public, add, django_capture_on_commit_callbacks):
    for n in range(13):
        add(public, f"apples {'and pears ' * n}", source=str(n), title=str(n))
    asked = {"q": "apples pears"}
    before = titles(client.get("/", asked)) + titles(client.get("/", {**asked, "page": 2}))
    assert len(before) == len(set(before)) == 13
    for gone in (before[0], before[4]):
        with django_capture_on_commit_callbacks(execute=True):
            Document.objects.get(title=gone).delete()
    after = titles(client.get("/", asked)) + titles(client.get("/", {**asked, "page": 2}))
    assert after == [title for title in before if title not in (before[0], before[4])]


def test_a_phrase_is_found_across_a_line_break_and_not_in_another_order(client, public, add):
    add(public, "dog lazy dog", title="other order")
    add(public, "a lazy\ndog", title="two lines")
    add(public, "语义搜索", title="chinese")
    assert titles(client.get("/", {"q": '"a lazy dog"'})) == ["two lines"]
    assert titles(client.get("/", {"q": "「語義搜索」"})) == ["chinese"]
    assert len(titles(client.get("/", {"q": '"lazy nobody"'}))) == 3


def test_without_the_lexical_index_it_is_found_by_meaning(client, public, add, monkeypatch):
    from searchsite.index import lexical_follow

    add(public, "apples pears", title="wanted")
    add(public, "bicycles", title="other")
    asked = {"q": "apples pears"}
    assert client.get("/", asked).context["answer"].results[0].best.keywords > 0
    monkeypatch.setattr(lexical_follow, "current", lambda: None)
    results = client.get("/", asked).context["answer"].results
    assert [result.document.shown_title for result in results] == ["wanted", "other"]
    assert results[0].best.keywords == 0


def test_what_may_not_be_seen_is_not_found(client, public, private, add, member):
    add(public, "apples for all", title="open")
    secret = add(private, "apples for us", title="secret")
    assert titles(client.get("/", {"q": "apples"})) == ["open"]
    for address in (secret.get_absolute_url(), f"{secret.get_absolute_url()}file"):
        assert client.get(address).status_code == 404
    client.force_login(member)
    assert set(titles(client.get("/", {"q": "apples"}))) == {"open", "secret"}
    assert client.get(secret.get_absolute_url()).status_code == 200
    private.users.clear()
    assert titles(client.get("/", {"q": "apples"})) == ["open"], "on the next request"


def test_k_permitted_results_come_back_however_few_are_permitted(client, public, private, add):
    for n in range(80):
        add(private, "apples", source=str(n))
    for n in range(3):
        add(public, f"something else {n}")
    assert len(client.get("/", {"q": "apples"}).context["answer"].results) == 3


def test_the_database_has_the_last_word(client, public, private, add):
    """A move that the index has not heard of: the candidate is found, and dropped by the database's check."""
    add(public, "apples")
    document = add(public, "apples too")
    build.rebuild(Job(), lambda *_progress: None)
    client.get("/", {"q": "apples"})
    super(type(Document.objects.all()), Document.objects.filter(pk=document.pk)).update(collection=private)
    assert len(client.get("/", {"q": "apples"}).context["answer"].results) == 1


def test_the_link_opens_the_document_at_the_marked_passage(client, public, add):
    add(public, "# Book\n\nFirst.\n\n## Apples\n\nApples <b>& pears</b> grow.\n\n## Last\n\nLast.")
    page = client.get("/", {"q": "apples pears grow"}).content.decode()
    link = re.search(r'href="(/documents/\d+/\?passage=\d+[^"]*#passage)"', page).group(1).replace("&amp;", "&")
    document = client.get(link).content.decode()
    assert 'id="passage"' in document
    marked = "".join(re.findall(r"<mark[^>]*>(.*?)</mark>", document, re.S))
    assert "Apples" in marked
    assert "Last." not in marked


def test_text_is_escaped_everywhere(client, public, add):
    document = add(public, "x <script>alert(1)</script> `<img src=x onerror=y>` & so on", title="<i>T</i>")
    for address in ("/?q=script", document.get_absolute_url()):
        page = client.get(address).content.decode()
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "<i>T" not in page
        assert "&lt;i&gt;T" in page


@pytest.mark.parametrize(
    "parameters",
    [
        {"q": "apples", "page": "0"}, {"q": "apples", "page": "-3"}, {"q": "apples", "page": "99999999999"},
        {"q": "apples", "page": "x"}, {"q": "\x00\ud800"}, {"q": "' OR 1=1 --"}, {"q": "   "}, {"page": "3"},
        {"q": "apples", "sort": "\x00"}, {"q": "apples", "page": "\x00"},
    ],
)  # fmt: skip
def test_odd_parameters_are_harmless(client, public, add, parameters):
    add(public, "apples")
    parameters = {k: v.encode("utf-8", "surrogatepass") for k, v in parameters.items()}
    assert client.get("/", parameters).status_code == 200


def test_a_question_of_nothing_that_is_seen_finds_nothing(client, public, add):
    add(public, "apples")
    assert client.get("/", {"q": "\u200b"}).context["answer"].results == []
    assert len(client.get("/", {"q": "-pears"}).context["answer"].results) == 1, "which is a condition"


def test_a_question_over_the_limit_gets_a_sentence(client, public, add):
    add(public, "apples")
    response = client.get("/", {"q": "a" * 1001})
    assert response.status_code == 400
    assert "at most 1000 characters" in response.content.decode()


@pytest.mark.parametrize("passage", ["0", "-1", "x", "9" * 40, "٣", ""])
def test_odd_passage_numbers_open_the_document_unmarked(client, public, add, passage):
    document = add(public, "apples")
    response = client.get(document.get_absolute_url(), {"passage": passage, "part": passage})
    assert response.status_code == 200
    assert b"<mark" not in response.content


def test_a_document_that_is_not_ready_says_why(client, public):
    document = Document(collection=public, text="x", title="Waiting")
    document.save()
    assert client.get(document.get_absolute_url()).status_code == 200
    Document.objects.update(state=State.FAILED, problem={"code": "no_text", "params": {}})
    assert "No text was found" in client.get(document.get_absolute_url()).content.decode()
    Document.objects.update(state=State.CANCELLED, problem=None)
    page = client.get(document.get_absolute_url()).content.decode()
    assert "Reading this document was cancelled" in page
    assert "still being read" not in page


def test_the_original_comes_as_an_attachment(client, public, django_capture_on_commit_callbacks):
    from django.core.files.uploadedfile import SimpleUploadedFile

    from searchsite.documents.uploads import take_in

    evil = b"<html><script>alert(document.domain)</script><p>text</p></html>"
    with django_capture_on_commit_callbacks(execute=True):
        document = take_in(public, SimpleUploadedFile('a"\r\nX: y.html', evil), None)
    response = client.get(f"/documents/{document.pk}/file")
    assert b"".join(response.streaming_content) == evil
    assert response["Content-Disposition"].startswith("attachment;")
    assert "\n" not in response["Content-Disposition"]
    assert response["Content-Type"] == "text/html"
    assert response["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert response["X-Content-Type-Options"] == "nosniff"


def test_an_index_that_cannot_serve_says_what_to_do(client, public, add, settings):
    add(public, "apples")
    build.rebuild(Job(), lambda *_progress: None)
    follow.forget()
    for path in settings.INDEX_DIR.rglob("*.json"):
        path.unlink()
    response = client.get("/", {"q": "apples"})
    assert response.status_code == 503
    assert "must rebuild the index" in response.content.decode()


def test_the_number_of_queries_does_not_grow(client, public, add, django_assert_max_num_queries):
    for n in range(30):
        add(public, f"apples {n}")
    client.get("/", {"q": "apples"})
    with django_assert_max_num_queries(19):
        client.get("/", {"q": "apples"})


def test_a_word_that_is_not_wanted_is_searched_without_listing_the_whole_index(client, public, add, monkeypatch):
    from searchsite.index.stores.faiss import FaissStore

    for n in range(12):
        add(public, "apples and pears" if n % 2 else "apples alone", title=f"No. {n}")
    monkeypatch.setattr(FaissStore, "ids", lambda _store: pytest.fail("all ids were listed"))
    found = titles(client.get("/", {"q": "apples -pears"}))
    assert sorted(found) == sorted(f"No. {n}" for n in range(0, 12, 2))


def test_where_all_of_the_first_look_is_not_wanted_a_deeper_one_is_taken(client, public, add, monkeypatch):
    monkeypatch.setattr(retrieve, "DEPTH", 4)
    for n in range(10):
        add(public, "apples apples and pears", title=f"near {n}")
    add(public, "rivers and lakes", title="far")
    assert titles(client.get("/", {"q": "apples -pears"})) == ["far"]


def test_posting_to_the_pages_is_refused(client):
    assert client.post("/", {"q": "x"}).status_code == 405


def test_tags_and_the_address_it_came_from_are_shown(client, public, add):
    document = add(public, "apples")
    assert 'class="tags"' not in client.get(document.get_absolute_url()).content.decode()
    for name in ("fruit", "<b>2024</b>"):
        document.tags.create(name=name)
    address = "https://example.org/orchard/" + "long/" * 30 + "?a=1&b=2"
    Document.objects.filter(pk=document.pk).update(url=address)
    page = client.get(document.get_absolute_url()).content.decode()
    assert re.findall(r"<li>([^<]*)</li>", re.search(r'<ul class="tags".*?</ul>', page, re.S).group()) == [
        "&lt;b&gt;2024&lt;/b&gt;",
        "fruit",
    ]
    link = re.search(r'<a href="https://example.org([^"]*)" rel="noopener noreferrer nofollow"[^>]*>([^<]*)<', page)
    assert link.group(1).endswith("?a=1&amp;b=2")
    assert len(link.group(2)) == 60
    Document.objects.filter(pk=document.pk).update(url="javascript:alert(1)")
    assert "javascript:" not in client.get(document.get_absolute_url()).content.decode()


def test_the_number_of_queries_of_a_document_does_not_grow_with_it(client, public, add):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    counts = []
    for chapters in (3, 300):
        document = add(public, "\n\n".join(f"## Chapter {n}\n\napples and pears" for n in range(chapters)))
        passage = document.live_revision.passages.last()
        with CaptureQueriesContext(connection) as queries:
            client.get(document.get_absolute_url(), {"q": "apples", "passage": passage.pk})
        counts.append(len(queries))
    assert counts[0] == counts[1]
