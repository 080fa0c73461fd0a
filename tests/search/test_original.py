"""Originals: handed out as attachments, with a content type that a table of ours says, and never displayed."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from searchsite.documents.extract.kinds import KIND_OF_EXTENSION
from searchsite.documents.models import Document
from searchsite.documents.uploads import take_in
from searchsite.search.originals import OF_EXTENSION, OF_KIND, UNKNOWN, content_type
from tests.documents import files


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("a.pdf", "pdf", "application/pdf"),
        ("a.PDF", "pdf", "application/pdf"),
        ("a.xls", "sheet", "application/vnd.ms-excel"),
        ("a.md", "markdown", "text/markdown"),
        ("a.png", "image", "image/png"),
        ("a.py", "code", "text/plain"),
        ("a.js", "code", "text/plain"),
        ("a.svg", "code", "text/plain"),
        ("a.txt", "html", "text/html"),
        ("a.html", "text", "text/plain"),
        ("a.html", "", UNKNOWN),
        ("a.png", "sheet", UNKNOWN),
        ("", "pdf", "application/pdf"),
        ("a.exe", "unknown", UNKNOWN),
    ],
)
def test_the_content_decides_and_the_name_only_chooses_between_its_formats(name, kind, expected):
    assert content_type(name, kind) == expected


def test_every_ending_that_can_be_read_has_a_type_and_none_invents_a_character_set():
    for extension, kind in KIND_OF_EXTENSION.items():
        assert content_type(f"a{extension}", kind) != UNKNOWN, extension
    assert not [kind for kind in (*OF_EXTENSION.values(), *OF_KIND.values()) if ";" in kind]


@pytest.mark.django_db
def test_a_file_comes_as_it_was_with_its_type_and_nothing_in_it_may_run(
    client, public, django_capture_on_commit_callbacks
):
    data = files.pdf("A page.")
    with django_capture_on_commit_callbacks(execute=True):
        document = take_in(public, SimpleUploadedFile("报告.pdf", data), None)
    response = client.get(f"/documents/{document.pk}/file")
    assert b"".join(response.streaming_content) == data
    assert response["Content-Type"] == "application/pdf"
    assert response["Content-Disposition"] == "attachment; filename*=UTF-8''%E6%8A%A5%E5%91%8A.pdf"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "sandbox; default-src 'none'"


@pytest.mark.django_db
def test_a_file_that_has_not_been_read_has_no_type_yet(client, public, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        document = take_in(public, SimpleUploadedFile("a.html", b"<html><p>Words</p></html>"), None)
    assert client.get(f"/documents/{document.pk}/file")["Content-Type"] == "text/html"
    waiting = Document.objects.get(pk=document.pk)
    waiting.file = SimpleUploadedFile("b.html", b"<html><p>Other words</p></html>")
    waiting.save()  # its work stays queued: the live revision is of the file before
    assert client.get(f"/documents/{document.pk}/file")["Content-Type"] == UNKNOWN
