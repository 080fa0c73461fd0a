"""Pages of PDFs as pictures: for those who may read the document, asked about each time, and never a broken image."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile

from searchsite.documents import pictures
from searchsite.documents.models import Collection
from searchsite.documents.uploads import take_in
from tests.documents import files

pytestmark = pytest.mark.django_db

PAGES = ("Apples are red.", "Pears are yellow.", "Plums are blue.")


@pytest.fixture
def drawn(monkeypatch):
    """What was asked to be drawn; nothing is rendered."""
    asked: list[object] = []

    def picture(document, number):
        asked.append(number)
        return pictures.Picture(b"RIFF....WEBP", pictures.key(document, number))

    def marks(passage):
        asked.append(passage.pk)
        return '<svg xmlns="http://www.w3.org/2000/svg"/>'

    monkeypatch.setattr(pictures, "picture", picture)
    monkeypatch.setattr(pictures, "marks", marks)
    return asked


@pytest.fixture
def put(django_capture_on_commit_callbacks, settings, tmp_path):
    settings.DATA_DIR = tmp_path

    def _put(collection, data=None, name="fruit.pdf"):
        with django_capture_on_commit_callbacks(execute=True):
            document = take_in(collection, SimpleUploadedFile(name, data or files.pdf(*PAGES)), None)
        document.refresh_from_db()
        return document

    return _put


def addresses(document, number: int = 2) -> tuple[str, str]:
    passage = document.live_revision.passages.get(page=number)
    return (
        f"/documents/{document.pk}/pages/{number}.webp",
        f"/documents/{document.pk}/pages/{number}/marks.svg?passage={passage.pk}",
    )


def test_only_who_may_read_the_document_gets_its_pages(client, put, drawn):
    members = Collection.objects.create(name="Private", slug="private", visibility=Collection.Visibility.MEMBERS)
    document = put(members)
    everything = (*addresses(document), document.get_absolute_url(), f"{document.get_absolute_url()}file")
    for who in (None, User.objects.create_user("stranger")):
        if who:
            client.force_login(who)
        assert [client.get(address).status_code for address in everything] == [404] * 4
    assert drawn == [], "nothing is drawn for them either"
    member = User.objects.create_user("member")
    members.users.add(member)
    client.force_login(member)
    answers = [client.get(address) for address in addresses(document)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [answer["Content-Type"] for answer in answers] == ["image/webp", "image/svg+xml"]
    etags = [answer["ETag"] for answer in answers]
    members.users.clear()
    for address, etag in zip(addresses(document), etags, strict=True):
        assert client.get(address, headers={"if-none-match": etag}).status_code == 404, "also to who has seen it"


def test_a_browser_keeps_a_picture_and_asks_each_time(client, public, put, drawn):
    document = put(public)
    for address in addresses(document):
        first = client.get(address)
        assert first["Cache-Control"] == "private, no-cache"
        drawn.clear()
        again = client.get(address, headers={"if-none-match": first["ETag"]})
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
        assert again["Cache-Control"] == "private, no-cache"
        assert drawn == []
    other = client.get(addresses(document, 3)[0], headers={"if-none-match": client.get(addresses(document)[0])["ETag"]})
    assert other.status_code == 200


def test_marks_are_of_a_passage_of_that_page_and_document(client, public, put, drawn):
    document, other = put(public), put(public, files.pdf("Something.", "Else."))
    passages = {p.page: p.pk for p in document.live_revision.passages.all()}
    foreign = other.live_revision.passages.get(page=2).pk
    address = f"/documents/{document.pk}/pages/2/marks.svg"
    assert client.get(address, {"passage": passages[2]}).status_code == 200
    for wrong in (passages[1], foreign, 0, "x", "", "9" * 40):
        assert client.get(address, {"passage": wrong}).status_code == 404
    assert client.get(address).status_code == 404


def test_where_there_is_no_page_a_picture_says_so(client, public, put, drawn, add):
    for address in (f"/documents/{put(public).pk}/pages/9.webp", f"/documents/{add(public, 'x').pk}/pages/1.webp"):
        response = client.get(address)
        assert (response.status_code, response["Content-Type"]) == (404, "image/svg+xml")
        assert "There is no picture of this page" in response.content.decode()
        assert "no-store" in response["Cache-Control"]
    for odd in ("0", "-1", "x", "9" * 5000):
        assert client.get(f"/documents/1/pages/{odd}.webp").status_code == 404


@pytest.mark.parametrize(("why", "status"), [(pictures.Why.BUSY, 503), (pictures.Why.FAILED, 404)])
def test_a_page_that_cannot_be_drawn_now_can_be_asked_for_again(client, public, put, monkeypatch, why, status):
    def unavailable(*_args):
        raise pictures.Unavailable(why)

    monkeypatch.setattr(pictures, "picture", unavailable)
    monkeypatch.setattr(pictures, "marks", unavailable)
    picture, marks = (client.get(address) for address in addresses(put(public)))
    assert picture.status_code == marks.status_code == status
    assert ("Retry-After" in picture) == (status == 503)
    assert "ETag" not in picture
    assert "<text" in picture.content.decode()
    assert "<text" not in marks.content.decode(), "it lies over the picture that says it"


# --- on the page --------------------------------------------------------------------------------------------


def images(page: str) -> list[str]:
    return re.findall(r'<img[^>]* src="(/documents/[^"]*)"', page)


def test_the_page_of_the_passage_is_shown_with_its_marks(client, public, put):
    document = put(public)
    picture, marks = addresses(document)
    passage = marks.partition("=")[2]
    page = client.get(document.get_absolute_url(), {"passage": passage}).content.decode()
    assert images(page) == [picture, marks]
    assert 'alt="page 2 of ' in page


def test_another_page_is_shown_without_marks_and_beside_its_text(client, public, put):
    document = put(public)
    passage = addresses(document)[1].partition("=")[2]
    page = client.get(document.get_absolute_url(), {"passage": passage}).content.decode()
    link, anchor = re.search(r'class="beside" rel="next" href="([^"#]*)#([^"]*)"', page).groups()
    there = client.get(document.get_absolute_url() + link.replace("&amp;", "&")).content.decode()
    assert images(there) == [f"/documents/{document.pk}/pages/3.webp"]
    assert f'id="{anchor}"' in there
    assert "Pears" in re.search(r"<mark.*?</mark>", there, re.S).group(), "the passage stays marked in the text"


def test_without_a_passage_the_first_page_is_shown_and_other_kinds_have_none(client, public, put, add):
    document = put(public)
    assert images(client.get(document.get_absolute_url()).content.decode()) == [
        f"/documents/{document.pk}/pages/1.webp"
    ]
    assert images(client.get(add(public, "text").get_absolute_url()).content.decode()) == []
