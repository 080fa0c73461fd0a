"""Scans from the upload on: what is said without the OCR extra, and what trying again with it does."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image, ImageDraw, ImageFont

from searchsite.documents import reading, revisions
from searchsite.documents.extract import ocr
from searchsite.documents.models import Document, State
from searchsite.documents.problems import Problem
from searchsite.documents.uploads import take_in
from searchsite.tasks import work

pytestmark = pytest.mark.django_db

WORDS = "Water the beans in the evening"


def picture(kind: str) -> bytes:
    """A page with words that are drawn, not written."""
    page = Image.new("RGB", (1200, 400), "white")
    ImageDraw.Draw(page).text((80, 150), WORDS, fill="black", font=ImageFont.load_default(48))
    out = io.BytesIO()
    page.save(out, kind)
    return out.getvalue()


@pytest.fixture
def upload(public, django_capture_on_commit_callbacks):
    def _upload(name: str, content: bytes) -> Document:
        with django_capture_on_commit_callbacks(execute=True):
            document = take_in(public, SimpleUploadedFile(name, content), None)
        document.refresh_from_db()
        return document

    return _upload


def try_again(document: Document) -> None:
    document.try_again()
    work.func()
    document.refresh_from_db()


@pytest.fixture
def without_ocr(monkeypatch):
    """As it is where the extra is missing."""
    with monkeypatch.context() as patched:
        patched.setattr(revisions, "ocr_available", lambda: False)
        yield patched


@pytest.mark.parametrize(("name", "kind", "code"), [("a.png", "PNG", "needs_ocr"), ("a.pdf", "PDF", "no_text_layer")])
def test_without_the_extra_the_document_says_that_it_reads_scans(name, kind, code, upload, client):
    if ocr.available():
        pytest.skip("the OCR extra is installed")
    document = upload(name, picture(kind))
    assert (document.state, document.problem["code"]) == (State.FAILED, code)
    assert "requirements-ocr.txt" in client.get(reverse("document", args=[document.pk])).content.decode()


@pytest.mark.ocr
@pytest.mark.parametrize(("name", "kind", "code"), [("a.png", "PNG", "needs_ocr"), ("a.pdf", "PDF", "no_text_layer")])
def test_trying_again_with_the_extra_reads_it(name, kind, code, upload, monkeypatch):
    with monkeypatch.context() as without:
        without.setattr(reading, "read", lambda *_args: (_ for _ in ()).throw(Problem(code)))
        document = upload(name, picture(kind))
        assert document.state == State.FAILED
    try_again(document)
    assert document.state == State.READY, document.reason
    assert document.live_revision.text == WORDS


def test_pages_that_were_not_read_are_named(public, upload, client, admin_client, monkeypatch):
    def half_read(*args):
        return replace(reading_read(*args), unread=[2, 3, 5])

    reading_read = reading.read
    monkeypatch.setattr(reading, "read", half_read)
    document = upload("a.txt", b"Water the beans in the evening.")
    assert document.state == State.READY
    assert "not read: 2–3, 5." in client.get(document.get_absolute_url()).content.decode()
    assert "not read: 2–3, 5." in admin_client.get(reverse("admin:documents_document_changelist")).content.decode()


def test_trying_again_reads_the_pages_that_were_left(upload, monkeypatch):
    """The first time half a document is read; when the extra is there, trying again makes a new revision of all."""
    reading_read = reading.read
    with monkeypatch.context() as without:
        without.setattr(reading, "read", lambda *args: replace(reading_read(*args), unread=[2]))
        without.setattr(revisions, "ocr_available", lambda: False)
        document = upload("a.txt", b"Water the beans in the evening.")
        first = document.live_revision_id
        try_again(document)
        assert document.live_revision_id == first  # nothing more could be read
    monkeypatch.setattr(revisions, "ocr_available", lambda: True)
    try_again(document)
    assert document.live_revision_id != first
    assert document.live_revision.unread == []
    assert document.revisions.count() == 1
