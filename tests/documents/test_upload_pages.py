"""Uploading in the library: what is sent with and without a script, and the page that shows what becomes of it."""

from __future__ import annotations

import io
import os
import zipfile

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from searchsite.documents import addresses, jobs, unpack, uploads
from searchsite.documents.extract import ocr
from searchsite.documents.models import Collection, Document, Job, Membership, Role, State, Tag, Upload, UploadItem
from searchsite.documents.views.uploading import unlike

pytestmark = pytest.mark.django_db

UPLOAD = "upload"


@pytest.fixture
def commit(django_capture_on_commit_callbacks):
    """Within it, what is saved is worked off as a committed transaction would be."""
    return lambda: django_capture_on_commit_callbacks(execute=True)


@pytest.fixture
def member(client, public):
    """member("editor") -> signs somebody in who has this role in the collection `public`."""

    def _member(role: str) -> User:
        user = User.objects.create_user(f"{role}-{User.objects.count()}")
        Membership.objects.create(collection=public, user=user, role=role)
        client.force_login(user)
        return user

    return _member


def text(name: str, content: bytes = b"apples") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def begin(client, place, announced: int, **fields):
    data = {"collection": place.pk, "announced": announced, "tags": "", "addresses": ""}
    return client.post(reverse(f"{UPLOAD}_begin"), data | fields)


def send(client, address: str, files: dict[str, bytes]):
    named = [text(path.rpartition("/")[2], content) for path, content in files.items()]
    return client.post(address, {"files": named, "paths": list(files)})


def page_of(client, upload: Upload, **query) -> str:
    response = client.get(upload.get_absolute_url(), query)
    assert response.status_code == 200
    return response.content.decode()


def test_without_a_script_one_post_brings_everything(admin_client, public, commit):
    data = {
        "collection": public.pk,
        "tags": "plans, 2024；预算, plans",
        "files": [text("a.txt"), text("b.md", b"# Pears\n\nGreen.")],
        "folder": [text("a.txt", b"quinces"), text("a.txt", b"medlars")],
        "addresses": "ftp://example.com/\n\n",
    }
    with commit():
        response = admin_client.post(reverse(UPLOAD), data)
    upload = Upload.objects.get()
    assert response["Location"] == upload.get_absolute_url()
    assert {(d.name, d.state, d.shown_title) for d in Document.objects.all()} == {
        ("a.txt", State.READY, "apples"), ("b.md", State.READY, "Pears"),
        ("a (2).txt", State.READY, "quinces"), ("a (3).txt", State.READY, "medlars"),
    }  # fmt: skip
    tags = {tag.name for tag in Document.objects.get(name="a (2).txt").tags.all()}
    assert tags == {"plans", "2024", "预算"}
    assert {document.added_by.username for document in Document.objects.all()} == {"admin"}
    page = page_of(admin_client, upload)
    assert "4 of 5 ready, 1 refused" in page
    assert "must begin with http://" in page
    assert "Pears" in admin_client.get("/", {"q": "green pears"}).content.decode()


@pytest.mark.parametrize(
    ("names", "told_apart"),
    [
        (["a.txt", "a.txt", "a.txt"], ["a.txt", "a (2).txt", "a (3).txt"]),
        (["a (2).txt", "a.txt", "a.txt"], ["a (2).txt", "a.txt", "a (3).txt"]),
        (["notes", "notes", ".env", ".env"], ["notes", "notes (2)", ".env", ".env (2)"]),
    ],
)
def test_files_of_the_same_name_are_told_apart(names, told_apart):
    assert list(unlike(names)) == told_apart


@pytest.mark.parametrize(
    "fields", [{}, {"collection": ""}, {"addresses": "\n \n"}], ids=["nothing", "nowhere", "blank"]
)
def test_an_upload_of_nothing_is_refused_with_a_sentence(admin_client, public, fields):
    data = {"collection": public.pk, "tags": "", **fields}
    response = admin_client.post(reverse(UPLOAD), data)
    assert response.status_code == 200
    assert response.context["form"].errors
    answer = begin(admin_client, public, 0, **fields)
    assert answer.json()["errors"] == [
        str(error) for listed in response.context["form"].errors.values() for error in listed
    ]
    assert not Upload.objects.exists()


def test_each_refused_file_gets_its_sentence_and_the_others_are_taken(admin_client, public, commit, settings):
    settings.SEARCHSITE_MAX_FILE_MB = 1
    files = {"good.txt": b"apples", "empty.txt": b"", "large.txt": b"x" * (2**20 + 1), "noise.pdf": os.urandom(5000)}
    addresses = begin(admin_client, public, 4).json()
    with commit():
        sent = send(admin_client, addresses["files"], files).json()["files"]
    refusals = [one["refused"] for one in sent]
    assert refusals[0] == refusals[3] == ""
    assert "empty" in refusals[1]
    assert "at most 1 MB" in refusals[2]
    assert {d.name: d.state for d in Document.objects.all()} == {"good.txt": State.READY, "noise.pdf": State.FAILED}
    page = page_of(admin_client, Upload.objects.get()).replace("&#x27;", "'")
    assert "1 of 4 ready, 1 failed, 2 refused" in page
    for sentence in (refusals[1], refusals[2], Document.objects.get(name="noise.pdf").reason):
        assert sentence in page
    listing = admin_client.get(reverse("admin:documents_document_changelist")).content.decode()
    assert "state-failed" in listing


def keep_back(client, address: str, sizes: dict[str, object]):
    return client.post(address, {"paths_kept_back": list(sizes), "sizes": list(sizes.values())})


def test_files_over_the_limit_that_are_not_sent_are_refused_on_the_page_of_the_upload(admin_client, public, settings):
    settings.SEARCHSITE_MAX_FILE_MB, settings.SEARCHSITE_MAX_ARCHIVE_MB = 1, 2
    addresses = begin(admin_client, public, 3).json()
    sizes = {"films/long.mp4": 5 * 2**30, "large.zip": 2 * 2**20 + 1}
    data = {"paths_kept_back": list(sizes), "sizes": list(sizes.values())}
    data |= {"files": [text("a.txt")], "paths": ["a.txt"]}
    refusals = [one["refused"] for one in admin_client.post(addresses["files"], data).json()["files"]]
    assert refusals[0] == ""
    assert "at most 1 MB" in refusals[1]
    assert "at most 2 MB" in refusals[2]
    page = page_of(admin_client, Upload.objects.get())
    assert "0 of 3 ready, 1 waiting, 2 refused" in page
    assert refusals[1] in page
    keep_back(admin_client, addresses["files"], sizes)
    assert UploadItem.objects.count() == 3, "told twice, they are there once"


@pytest.mark.parametrize("size", [2**20, 0, -5, "", "many", "9" * 400, "٣" * 9])
def test_a_size_that_is_none_or_not_over_the_limit_refuses_nothing(admin_client, public, settings, size):
    settings.SEARCHSITE_MAX_FILE_MB = 1
    addresses = begin(admin_client, public, 1).json()
    answer = keep_back(admin_client, addresses["files"], {"a.txt": size})
    if size == 0:
        assert "empty" in answer.json()["files"][0]["refused"]
        return
    assert answer.status_code == 400
    assert not UploadItem.objects.exists()


def test_the_files_of_an_upload_are_listed_by_name(admin_client, public):
    upload = uploads.begin(public, None)
    for name in ("b/2.txt", "a/9.txt", "b/1.txt"):
        uploads.add_file(upload, name, text("x", name.encode()))
    page = page_of(admin_client, upload)
    assert page.index("a/9.txt") < page.index("b/1.txt") < page.index("b/2.txt")


def test_a_copy_is_told_with_a_link_to_what_was_there_before(admin_client, public, commit):
    other = Collection.objects.create(name="Other", slug="other")
    earlier, upload = uploads.begin(other, None), uploads.begin(public, None)
    with commit():
        before = uploads.add_file(earlier, "old/tables.txt", text("x", b"same")).document
        uploads.add_file(upload, "new/tables.txt", text("x", b"same"))
        first = uploads.add_file(upload, "new/first.txt", text("x", b"alike")).document
        uploads.add_file(upload, "new/second.txt", text("x", b"alike"))
    page = page_of(admin_client, upload)
    link = f'<a href="{before.get_absolute_url()}">tables.txt</a>'
    assert f"already kept as “{link}” in Other; both are kept." in page
    assert f'The same content as “<a href="{first.get_absolute_url()}">new/first.txt</a>”' in page
    assert page.count("same content") == 2
    Document.objects.update(state=State.FAILED, problem={"code": "damaged", "params": {}})
    assert "same content" not in page_of(admin_client, upload), "of what failed nothing is kept twice"


def test_a_copy_in_a_collection_that_one_may_not_see_is_not_told(client, member, public, commit):
    hidden = Collection.objects.create(name="Hidden", slug="hidden")
    user = member("editor")
    upload = uploads.begin(public, user)
    with commit():
        uploads.add_file(uploads.begin(hidden, None), "secret.txt", text("x", b"same"))
        uploads.add_file(upload, "mine.txt", text("x", b"same"))
    page = page_of(client, upload)
    assert "mine.txt" in page
    assert "same content" not in page
    assert "Hidden" not in page


@pytest.mark.parametrize(
    ("code", "offered"),
    [
        ("needs_ocr", True), ("no_text_layer", True), ("encoder", True), ("internal", True), ("worker_died", True),
        ("fetch_slow", True), ("too_large", True), ("too_slow", True), ("unpacks_too_large", True),
        ("password", False), ("not_what_it_says", False), ("unsupported_kind", False), ("damaged", False),
        ("empty_file", False), ("no_text", False), ("unusable_address", False),
    ],
)  # fmt: skip
def test_trying_again_is_offered_where_it_can_help(admin_client, public, code, offered):
    upload = uploads.begin(public, None)
    document = uploads.add_file(upload, "a.txt", text("a.txt")).document
    assert 'name="item"' not in page_of(admin_client, upload), "it waits already"
    Document.objects.update(state=State.FAILED, problem={"code": code, "params": {}})
    Job.objects.all().delete()
    assert ('name="item"' in page_of(admin_client, upload)) == offered
    again = reverse("document_again", args=[document.pk])
    for address in (document.get_absolute_url(), reverse("admin:documents_document_change", args=[document.pk])):
        assert (again in admin_client.get(address).content.decode()) == offered


def test_pictures_are_among_what_can_be_read_only_where_they_can(admin_client, public, monkeypatch):
    for available in (True, False):
        monkeypatch.setattr(ocr, "available", lambda available=available: available)
        page = admin_client.get(reverse(UPLOAD)).content.decode()
        assert ("TIFF" in page) == available
        assert "PDF, DOCX" in page
        assert "XML, YAML, and other source code." in page


def test_the_counts_are_said_in_chinese_too(admin_client, public):
    upload = uploads.begin(public, None, announced=3)
    for n in range(2):
        uploads.add_file(upload, f"{n}.txt", text("x", b"text %d" % n))
    uploads.add_file(upload, "empty.txt", text("x", b""))
    with translation.override(None):  # or what the request activates stays for the next test
        answer = admin_client.get(upload.get_absolute_url(), headers={"accept-language": "zh-CN"})
    assert "共 3 个：0 个就绪，2 个等待中，1 个已拒收" in answer.content.decode()


def test_what_comes_out_of_an_archive_or_from_an_address_is_none_of_the_files_that_are_to_come(admin_client, public):
    upload = uploads.begin(public, None, announced=3)
    addresses.add_address(upload, "https://example.com/a")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for n in range(4):
            archive.writestr(f"{n}.txt", f"text {n}")
    uploads.add_file(upload, "pack.zip", text("pack.zip", packed.getvalue()))
    jobs.run_next({Job.Kind.UNPACK: unpack.unpack, Job.Kind.FETCH: lambda _job, _progress: None}, "worker")
    jobs.run_next({Job.Kind.UNPACK: unpack.unpack, Job.Kind.FETCH: lambda _job, _progress: None}, "worker")
    assert upload.items.count() == 1 + 1 + 4
    page = admin_client.get(upload.get_absolute_url())
    assert "2 files are not here yet" in page.content.decode()
    assert "of 8 ready" in page.content.decode()
    uploads.refuse(upload, "huge.bin", 10**12)
    uploads.add_file(upload, "last.txt", text("last.txt", b"the last"))
    assert "not here yet" not in admin_client.get(upload.get_absolute_url()).content.decode()


def test_a_group_that_is_sent_twice_is_there_once(admin_client, public):
    addresses = begin(admin_client, public, 2).json()
    files = {"docs/a.txt": b"apples", "docs/deep/a.txt": b"pears"}
    first, second = (send(admin_client, addresses["files"], files).json() for _attempt in range(2))
    assert first == second
    assert sorted(UploadItem.objects.values_list("name", flat=True)) == ["docs/a.txt", "docs/deep/a.txt"]
    assert Document.objects.count() == 2
    assert Job.objects.count() == 2


@pytest.mark.parametrize("path", ["..", "a/..", "", "a/", "\x00", "../../etc/passwd", "C:\\x.txt", "x" * 3000 + ".txt"])
def test_a_hostile_path_does_no_harm(admin_client, public, path):
    addresses = begin(admin_client, public, 1).json()
    response = admin_client.post(addresses["files"], {"files": [text("a.txt")], "paths": [path]})
    assert response.status_code == 200
    item = UploadItem.objects.get()
    assert (item.document is None) == bool(item.problem)
    if item.document:
        assert "/" not in item.document.name
        assert "\\" not in item.document.name
    assert page_of(admin_client, item.upload)


def test_files_without_their_paths_are_no_request(admin_client, public):
    addresses = begin(admin_client, public, 2).json()
    response = admin_client.post(addresses["files"], {"files": [text("a.txt"), text("b.txt")], "paths": ["a.txt"]})
    assert response.status_code == 400
    assert not UploadItem.objects.exists()


def test_two_thousand_files_are_there_exactly_once(admin_client, public):
    """Sent in groups as the script does, and nobody works on them: the captured wake-ups are not called."""
    addresses = begin(admin_client, public, 2000).json()
    paths = [f"folder/{n // 100}/file {n}.txt" for n in range(2000)]
    for first in range(0, 2000, 25):
        send(admin_client, addresses["files"], {path: path.encode() for path in paths[first : first + 25]})
    upload = Upload.objects.get()
    assert sorted(upload.items.values_list("name", flat=True)) == sorted(paths)
    assert Document.objects.count() == Job.objects.filter(state=State.QUEUED, bulk=True).count() == 2000
    assert Document.objects.values("content_hash").distinct().count() == 2000
    some = Document.objects.order_by("pk").values_list("pk", flat=True)
    Document.objects.filter(pk__in=list(some[:1500])).update(state=State.READY)
    page = page_of(admin_client, upload)
    assert "1,500 of 2,000 ready, 500 waiting" in page
    assert page.count('class="path"') == 100
    assert "file 0.txt" in page
    assert "file 999.txt" in page_of(admin_client, upload, page=20), "by name: folder/9 is the last"
    assert "file 1500.txt" in page_of(admin_client, upload, state="queued")


def test_the_page_of_an_upload_asks_as_many_queries_for_many_files_as_for_few(admin_client, public, member, client):
    counts = []
    member("editor")
    for number in (2, 150):
        upload = uploads.begin(public, None, "plans", announced=number)
        for n in range(number):
            uploads.add_file(upload, f"{number}/{n}.txt", text("x", b"text %d %d" % (number, n % 50)))
        for document, state in zip(Document.objects.all(), list(State) * number, strict=False):
            Document.objects.filter(pk=document.pk).update(state=state)
            Job.objects.filter(document=document).update(state=state)
        assert page_of(client, upload)
        with CaptureQueriesContext(
            connection,
        ) as page:
            assert page_of(client, upload)
        with CaptureQueriesContext(connection) as listing:
            admin_client.get(reverse("admin:documents_upload_changelist"))
        counts.append((len(page), len(listing)))
    assert counts[0] == counts[1]


def test_an_archive_becomes_documents_and_refusals(admin_client, public, commit):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("guide/apples.md", "# Apples\n\nThey are red.")
        archive.writestr("guide/空.txt", "")
        archive.writestr("../evil.txt", "evil")
        archive.writestr("inner.zip", b"PK\x05\x06" + b"\0" * 18)
        archive.writestr("pears.txt", "They are green.")
    addresses = begin(admin_client, public, 1, tags="fruit").json()
    with commit():
        sent = send(admin_client, addresses["files"], {"fruit.zip": packed.getvalue()}).json()
    assert sent == {"files": [{"refused": ""}]}
    assert {(d.name, d.state) for d in Document.objects.all()} == {
        ("apples.md", State.READY), ("pears.txt", State.READY),
    }  # fmt: skip
    assert Document.objects.filter(tags__name="fruit").count() == 2
    page = page_of(admin_client, Upload.objects.get()).replace("&#x27;", "'")
    assert "3 of 6 ready, 3 refused" in page, "the archive itself is one of them"
    for name in ("fruit.zip/guide/apples.md", "fruit.zip/guide/空.txt", "fruit.zip/pears.txt"):
        assert name in page
    for item in UploadItem.objects.filter(state=State.FAILED):
        assert item.reason in page


def test_cancelling_stops_what_is_not_done_and_trying_again_brings_it_to_ready(admin_client, public, commit):
    addresses = begin(admin_client, public, 3).json()
    send(admin_client, addresses["files"], {f"{n}.txt": b"text %d" % n for n in range(3)})
    upload, (first, second, third) = Upload.objects.get(), Document.objects.order_by("pk")
    assert jobs.claim("worker").document_id == first.pk
    Document.objects.filter(pk=first.pk).update(state=State.RUNNING)
    Document.objects.filter(pk=third.pk).update(state=State.READY)
    Job.objects.filter(document=third).update(state=State.READY)
    response = admin_client.post(addresses["cancel"], follow=True)
    assert "2 files were cancelled." in response.content.decode()
    assert "1 of 3 ready, 2 cancelled" in response.content.decode()
    assert send(admin_client, addresses["files"], {"4.txt": b"late"}).status_code == 409
    assert Document.objects.count() == 3
    item = upload.items.get(document=second)
    with commit():
        admin_client.post(reverse("upload_again", args=[upload.pk]), {"item": item.pk})
    second.refresh_from_db()
    first.refresh_from_db()
    assert (second.state, first.state) == (State.READY, State.CANCELLED)
    with commit():
        admin_client.post(reverse("upload_again", args=[upload.pk]))
    assert "3 of 3 ready" in page_of(admin_client, upload)


def test_files_that_come_while_somebody_cancels_are_cancelled_too(admin_client, public, monkeypatch):
    addresses = begin(admin_client, public, 1).json()
    add_file = uploads.add_file

    def cancelled_meanwhile(upload, path, file):
        uploads.cancel(upload)
        return add_file(upload, path, file)

    monkeypatch.setattr(uploads, "add_file", cancelled_meanwhile)
    send(admin_client, addresses["files"], {"a.txt": b"apples"})
    assert Document.objects.get().state == Job.objects.get().state == State.CANCELLED


def test_trying_again_leads_back_to_the_page_one_looked_at(admin_client, public):
    upload = uploads.begin(public, None)
    again = reverse("upload_again", args=[upload.pk])
    page = upload.get_absolute_url()
    looked_at = {"state": "failed", "page": "3"}
    assert admin_client.post(again, looked_at)["Location"] == f"{page}?state=failed&page=3"
    assert admin_client.post(again, {"state": "//evil", "page": "x"})["Location"] == page
    assert admin_client.post(again, {"item": "9" * 30}).status_code == 404


@pytest.mark.parametrize("query", [{"state": "x"}, {"page": "99"}, {"page": "-1"}, {"page": "9" * 5000}, {"page": "٣"}])
def test_whatever_is_asked_of_the_page_it_answers(admin_client, public, query):
    upload = uploads.begin(public, None)
    assert "No file is here yet" in page_of(admin_client, upload, **query)


def addresses_of(upload: Upload) -> list[str]:
    """All that is about one upload."""
    return [
        reverse(name, args=[upload.pk]) for name in ("upload_page", "upload_cancel", "upload_again", "upload_files")
    ]


@pytest.mark.parametrize("role", ["reader", "nobody", "stranger"])
def test_for_who_is_no_editor_there_are_no_uploads(client, member, public, role):
    if role == "reader":
        member("reader")
    elif role == "nobody":
        client.force_login(User.objects.create_user("nobody"))
    upload = uploads.begin(public, User.objects.create_user("somebody"), announced=1)
    uploads.add_file(upload, "a.txt", text("a.txt"))
    data = {"collection": public.pk, "announced": 1}
    page, *changes = addresses_of(upload)
    for address in (page, reverse(UPLOAD), reverse(UPLOAD) + "?collection=public"):
        assert client.get(address).status_code == 404
    for address in (*changes, reverse(UPLOAD), reverse(f"{UPLOAD}_begin")):
        assert client.post(address, data).status_code == 404
    assert Upload.objects.filter(cancelled=False).count() == 1
    assert Document.objects.get().state == State.QUEUED


def test_editors_see_and_steer_the_uploads_of_others_in_their_collections(client, member, public):
    member("editor")
    upload = uploads.begin(public, User.objects.create_user("somebody"), announced=1)
    uploads.add_file(upload, "a.txt", text("a.txt"))
    assert "a.txt" in page_of(client, upload)
    assert client.post(reverse("upload_cancel", args=[upload.pk])).status_code == 302
    hidden = Collection.objects.create(name="Hidden", slug="hidden")
    for address in addresses_of(uploads.begin(hidden, User.objects.get(username="somebody"))):
        assert client.post(address).status_code in (404, 405)
    assert not Upload.objects.filter(collection=hidden, cancelled=True).exists()
    page = client.get(reverse(UPLOAD)).content.decode()
    assert "Public" in page
    assert "Hidden" not in page
    refused = begin(client, hidden, 1).json()["errors"]
    nowhere = begin(client, Collection(pk=10**9), 1).json()["errors"]
    assert refused == nowhere
    assert not Upload.objects.filter(collection=hidden, announced=1).exists()


def test_a_membership_taken_away_ends_an_upload_at_its_next_request(client, member, public):
    member("editor")
    addresses = begin(client, public, 2).json()
    send(client, addresses["files"], {"a.txt": b"apples"})
    Membership.objects.update(role=Role.READER)
    assert send(client, addresses["files"], {"b.txt": b"pears"}).status_code == 404
    assert client.get(addresses["page"]).status_code == client.post(addresses["cancel"]).status_code == 404
    assert Document.objects.count() == 1
    Membership.objects.update(role=Role.EDITOR)
    assert send(client, addresses["files"], {"b.txt": b"pears"}).status_code == 200


def test_a_document_that_was_moved_is_no_longer_steered_by_its_upload(client, member, public):
    member("editor")
    upload = uploads.begin(public, None, announced=1)
    document = uploads.add_file(upload, "a.txt", text("a.txt")).document
    hidden = Collection.objects.create(name="Hidden", slug="hidden")
    Document.objects.filter(pk=document.pk).update(collection=hidden)
    assert client.post(reverse("upload_cancel", args=[upload.pk])).status_code == 302
    assert Job.objects.get().state == State.QUEUED
    Job.objects.update(state=State.FAILED)
    problem = {"code": "internal", "params": {}}
    Document.objects.update(state=State.FAILED, problem=problem)
    document.refresh_from_db()
    page = page_of(client, upload)
    assert "1 failed" in page
    assert document.get_absolute_url() not in page
    assert document.reason not in page
    assert 'name="item"' not in page
    for item in ({}, {"item": upload.items.get().pk}):
        client.post(reverse("upload_again", args=[upload.pk]), item)
    assert Document.objects.get().state == State.FAILED


def test_the_collection_that_a_link_names_is_chosen(admin_client, public):
    other = Collection.objects.create(name="Other", slug="other")
    form = admin_client.get(reverse(UPLOAD), {"collection": "other"}).context["form"]
    assert form.initial["collection"] == other
    assert not admin_client.get(reverse(UPLOAD)).context["form"].initial["collection"]
    assert admin_client.get(reverse(UPLOAD), {"collection": "none"}).status_code == 404


def test_the_admins_list_leads_to_the_page_in_the_library(client, member, public):
    user = member("reader")
    user.is_staff = True
    user.save()
    user.user_permissions.set(Permission.objects.filter(codename="view_document"))
    shown = uploads.begin(public, None)
    hidden = uploads.begin(Collection.objects.create(name="Hidden", slug="hidden"), None)
    listing = reverse("admin:documents_upload_changelist")
    for role, linked in (("reader", False), ("editor", True)):
        Membership.objects.update(role=role)
        page = client.get(listing).content.decode()
        assert "Public" in page
        assert "Hidden" not in page
        assert (shown.get_absolute_url() in page) == linked
        led = client.get(reverse("admin:documents_upload_change", args=[shown.pk]))
        assert (led.status_code, led.get("Location")) == ((302, shown.get_absolute_url()) if linked else (404, None))
        assert client.get(reverse("admin:documents_upload_change", args=[hidden.pk])).status_code == 404


def test_nobody_adds_to_the_upload_of_another(admin_client, public):
    upload = uploads.begin(public, User.objects.create_user("somebody"), announced=1)
    assert send(admin_client, reverse(f"{UPLOAD}_files", args=[upload.pk]), {"a.txt": b"x"}).status_code == 404
    assert not Document.objects.exists()


def test_reading_changes_nothing(admin_client, client, public):
    upload = uploads.begin(public, None)
    for address in (
        reverse("upload_cancel", args=[upload.pk]),
        reverse("upload_again", args=[upload.pk]),
        reverse(f"{UPLOAD}_begin"),
        reverse(f"{UPLOAD}_files", args=[upload.pk]),
    ):
        assert admin_client.get(address).status_code == 405


def test_a_post_without_its_token_is_refused(public, admin_user):
    from django.test import Client

    strict = Client(enforce_csrf_checks=True)
    strict.force_login(admin_user)
    upload = uploads.begin(public, admin_user, announced=1)
    for address in (
        reverse(UPLOAD),
        reverse(f"{UPLOAD}_begin"),
        reverse(f"{UPLOAD}_files", args=[upload.pk]),
        reverse("upload_cancel", args=[upload.pk]),
        reverse("upload_again", args=[upload.pk]),
    ):
        assert strict.post(address, {"collection": public.pk, "announced": 1}).status_code == 403
    assert Upload.objects.count() == 1


def test_a_path_is_shown_as_text(admin_client, public):
    upload = uploads.begin(public, None)
    uploads.add_file(upload, "<img src=x onerror=alert(1)>/\u202etxt.exe.md", text("x", b"apples"))
    page = page_of(admin_client, upload)
    assert "&lt;img src=x" in page
    assert "<img src=x" not in page
    assert "\u202e" not in page


def test_tags_of_documents_that_one_sees_are_proposed(client, member, public, add):
    member("editor")
    hidden = Collection.objects.create(name="Hidden", slug="hidden")
    add(public, "apples").tags.add(Tag.objects.create(name="<b>plans"))
    add(hidden, "pears").tags.add(Tag.objects.create(name="layoffs"))
    Tag.objects.create(name="nowhere")
    page = client.get(reverse(UPLOAD)).content.decode()
    assert '<option value="&lt;b&gt;plans">' in page
    assert "layoffs" not in page
    assert "nowhere" not in page


def test_a_deleted_document_is_said_to_be_deleted(admin_client, public):
    upload = uploads.begin(public, None, announced=1)
    uploads.add_file(upload, "a.txt", text("a.txt"))
    Document.objects.get().delete()
    assert "0 of 1 ready, 1 deleted" in page_of(admin_client, upload)
