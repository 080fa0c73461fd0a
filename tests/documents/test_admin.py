"""The admin: typed texts, tags, addresses, states, retries, cancelling, the rebuild button."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import translation

from searchsite import tasks
from searchsite.documents import jobs, uploads
from searchsite.documents.models import Collection, Document, Job, State, Tag
from searchsite.documents.shown import spent
from searchsite.index.models import ActiveBuild, Build
from searchsite.people.models import Entry

pytestmark = pytest.mark.django_db


@pytest.fixture
def commit(django_capture_on_commit_callbacks):
    return lambda: django_capture_on_commit_callbacks(execute=True)


def test_a_typed_text_and_its_edit(admin_client, public, commit):
    fields = {"collection": public.pk, "title": "", "text": "# Notes\n\nFirst version."}
    with commit():
        admin_client.post(reverse("admin:documents_document_add"), fields)
    document = Document.objects.get()
    assert (document.state, document.shown_title, document.added_by.username) == (State.READY, "Notes", "admin")
    change = reverse("admin:documents_document_change", args=[document.pk])
    assert "First version." in admin_client.get(change).content.decode()
    with commit():
        admin_client.post(change, {**fields, "text": "# Notes\n\nSecond version."})
    document.refresh_from_db()
    assert "Second version." in document.live_revision.text


@pytest.mark.parametrize("given", ["neither", "both"])
def test_a_document_is_a_file_or_a_text(admin_client, public, given):
    fields = {"collection": public.pk, "title": "x"}
    if given == "both":
        fields |= {"text": "text", "file": SimpleUploadedFile("a.txt", b"file")}
    response = admin_client.post(reverse("admin:documents_document_add"), fields)
    assert response.status_code == 200
    assert not Document.objects.exists()
    assert response.context["adminform"].form.non_field_errors()


def test_trying_again(admin_client, public, add, commit):
    document = add(public, "apples")
    Document.objects.update(state=State.FAILED, problem={"code": "internal", "params": {}})
    with commit():
        admin_client.post(
            reverse("admin:documents_document_changelist"),
            {"action": "try_again", "_selected_action": [document.pk]},
        )
    document.refresh_from_db()
    assert (document.state, document.problem) == (State.READY, None)


def act(client, model: str, action: str, *things):
    """Choose these rows of a list and an action; the page that comes."""
    data = {"action": action, "_selected_action": [thing.pk for thing in things]}
    return client.post(reverse(f"admin:documents_{model}_changelist"), data, follow=True).content.decode()


def test_tags_are_edited_as_words_shown_and_filtered_by(admin_client, public, add, commit):
    document = add(public, "apples")
    change = reverse("admin:documents_document_change", args=[document.pk])
    fields = {"collection": public.pk, "title": "", "text": "apples"}
    admin_client.post(change, {**fields, "tags": "fruit, 2024，预算, fruit"})
    assert sorted(tag.name for tag in document.tags.all()) == ["2024", "fruit", "预算"]
    assert 'value="2024, fruit, 预算"' in admin_client.get(change).content.decode()
    other = add(public, "pears")
    listing = reverse("admin:documents_document_changelist")
    found = admin_client.get(listing, {"tags__id__exact": Tag.objects.get(name="fruit").pk})
    assert [shown.pk for shown in found.context["cl"].result_list] == [document.pk]
    assert "2024, fruit, 预算" in found.content.decode()
    admin_client.post(change, {**fields, "text": "", "tags": "never"})
    assert not Tag.objects.filter(name="never").exists(), "a form that is refused makes no tags"
    admin_client.post(change, {**fields, "tags": ""})
    assert not document.tags.exists()
    assert not Job.objects.open().exists(), "tags encode nothing"
    assert other.state == State.READY


def test_a_fetched_document_links_its_address_and_is_fetched_again(admin_client, public, add):
    fetched = add(public, "apples", url="https://example.com/a?b=1&c=2", source="https://example.com/a?b=1&c=2")
    odd = add(public, "pears", url="javascript:alert(1)", source="x")
    page = admin_client.get(reverse("admin:documents_document_change", args=[fetched.pk])).content.decode()
    assert '<a href="https://example.com/a?b=1&amp;c=2" rel="noopener noreferrer"' in page
    page = admin_client.get(reverse("admin:documents_document_change", args=[odd.pk])).content.decode()
    assert 'href="javascript:' not in page
    typed = add(public, "plums")
    page = act(admin_client, "document", "fetch_again", fetched, typed)
    assert "1 document is being fetched again. 1 has no address and was left alone." in page
    assert [job.document_id for job in Job.objects.filter(kind=Job.Kind.FETCH, state=State.QUEUED)] == [fetched.pk]


@pytest.fixture
def failed(public, add):
    """A document that could not be read, and may be another time."""
    document = add(public, "apples")
    Document.objects.update(state=State.FAILED, problem={"code": "internal", "params": {}}, live_revision=None)
    return document


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED])
def test_a_document_is_tried_again_from_its_pages(admin_client, failed, commit, state):
    Document.objects.filter(pk=failed.pk).update(state=state)
    again = reverse("document_again", args=[failed.pk])
    reading, change = failed.get_absolute_url(), reverse("admin:documents_document_change", args=[failed.pk])
    for page in (reading, change):
        assert f'action="{again}"' in admin_client.get(page).content.decode()
    assert admin_client.post(again, {"next": change})["Location"] == change
    Document.objects.filter(pk=failed.pk).update(state=state)
    with commit():
        assert admin_client.post(again)["Location"] == reading
    failed.refresh_from_db()
    assert failed.state == State.READY


def test_trying_again_leads_to_no_other_site_and_is_for_those_who_may(admin_client, client, failed):
    again = reverse("document_again", args=[failed.pk])
    evil = {"next": "https://evil.example/"}
    assert admin_client.post(again, evil)["Location"] == failed.get_absolute_url()
    assert admin_client.get(again).status_code == 405
    Document.objects.update(state=State.CANCELLED)
    staff = User.objects.create_user("staff", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename="view_document"))
    client.force_login(staff)
    assert client.post(again).status_code == 404
    assert again not in client.get(failed.get_absolute_url()).content.decode()
    assert again not in client.get(reverse("admin:documents_document_change", args=[failed.pk])).content.decode()
    assert Document.objects.get().state == State.CANCELLED


def test_what_is_being_read_is_not_queued_once_more(admin_client, failed):
    Document.objects.update(state=State.RUNNING)
    Job.objects.all().delete()
    admin_client.post(reverse("document_again", args=[failed.pk]))
    assert not Job.objects.exists()


def test_the_page_of_a_job_says_what_went_wrong_and_shows_nothing_raw(admin_client, failed):
    Job.objects.update(state=State.FAILED, step="reading", problem={"code": "empty_file", "params": {}})
    address = reverse("admin:documents_job_change", args=[Job.objects.get().pk])
    with translation.override(None):  # or what the request activates stays for the next test
        page = admin_client.get(address, headers={"accept-language": "zh-CN"}).content.decode()
    shown = page.partition('id="content-main"')[2]
    assert "文件为空（0 字节）" in shown
    assert '<div class="readonly">读取</div>' in shown
    assert "empty_file" not in shown
    assert "reading" not in shown


def test_a_document_with_a_file_shows_the_files_name(admin_client, client, public):
    upload = uploads.begin(public, None)
    document = uploads.add_file(upload, "notes <1>.txt", SimpleUploadedFile("x", b"apples")).document
    link = f'<a href="{reverse("original", args=[document.pk])}">notes &lt;1&gt;.txt</a>'
    change = reverse("admin:documents_document_change", args=[document.pk])
    staff = User.objects.create_user("staff", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename="view_document"))
    for who in ("admin", "staff"):
        client.force_login(User.objects.get(username=who))
        page = client.get(change).content.decode()
        assert link in page, who
        assert document.file.name not in page


def test_a_documents_file_stays_when_no_other_is_chosen(admin_client, public):
    document = uploads.add_file(uploads.begin(public, None), "a.txt", SimpleUploadedFile("x", b"apples")).document
    change = reverse("admin:documents_document_change", args=[document.pk])
    assert admin_client.post(change, {"collection": public.pk, "title": "Fruit", "text": ""}).status_code == 302
    changed = Document.objects.get()
    assert (changed.title, changed.name, changed.file.name) == ("Fruit", "a.txt", document.file.name)


def test_how_far_a_job_is_is_not_said_before_it_is_known(admin_client, failed):
    Document.objects.update(state=State.RUNNING)
    for total, shown in ((0, '<progress max="100"></progress>'), (4, '<progress max="100" value="25">25 %</progress>')):
        Job.objects.update(state=State.RUNNING, done=1, total=total)
        for model in ("document", "job"):
            assert shown in admin_client.get(reverse(f"admin:documents_{model}_changelist")).content.decode()


def test_what_waits_is_cancelled_and_tried_again_from_the_lists(admin_client, public, commit):
    first, second = (Document(collection=public, text=text) for text in ("apples", "pears"))
    first.save()
    second.save()
    assert "1 job was cancelled." in act(admin_client, "document", "cancel", first)
    assert "1 job was cancelled." in act(admin_client, "job", "cancel", *Job.objects.all())
    assert set(Document.objects.values_list("state", flat=True)) == {State.CANCELLED}
    assert "state-cancelled" in admin_client.get(reverse("admin:documents_document_changelist")).content.decode()
    with commit():
        act(admin_client, "job", "try_again", *Job.objects.all())
    assert set(Document.objects.values_list("state", flat=True)) == {State.READY}


def test_the_job_of_an_archive_names_it_and_is_tried_again(admin_client, public):
    upload = uploads.begin(public, None, announced=1)
    item = uploads.add_file(upload, "broken.zip", SimpleUploadedFile("broken.zip", b"PK no archive"))
    job = Job.objects.get()
    assert jobs.run_next(tasks.HANDLERS, "worker").state == State.FAILED
    listing = admin_client.get(reverse("admin:documents_job_changelist")).content.decode()
    assert f'<a href="{upload.get_absolute_url()}">broken.zip</a>' in listing
    act(admin_client, "job", "try_again", job)
    assert Job.objects.get(state=State.QUEUED).item == item


def test_who_may_only_look_at_jobs_cancels_none(client, public, add):
    Document(collection=public, text="apples").save()
    staff = User.objects.create_user("staff", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client.force_login(staff)
    data = {"action": "cancel", "_selected_action": [Job.objects.get().pk]}
    assert client.post(reverse("admin:documents_job_changelist"), data).status_code == 403
    assert Job.objects.get().state == State.QUEUED


def test_the_rebuild_button_works_when_there_is_no_build(admin_client, public, add, commit):
    add(public, "apples")
    page = admin_client.get(reverse("admin:index_build_changelist")).content.decode()
    assert reverse("admin:index_build_rebuild") in page
    with commit():
        response = admin_client.post(reverse("admin:index_build_rebuild"), follow=True)
    assert response.status_code == 200
    assert ActiveBuild.objects.get().build.passages == 1
    with commit():
        admin_client.post(
            reverse("admin:documents_collection_changelist"),
            {"action": "rebuild_index", "_selected_action": [public.pk]},
        )
        admin_client.post(
            reverse("admin:index_build_changelist"),
            {"action": "rebuild_index", "_selected_action": [Build.objects.get().pk]},
        )
    assert Build.objects.filter(state=Build.State.READY).count() == 2
    assert Job.objects.filter(kind=Job.Kind.REBUILD, state=State.READY).count() == 2, "two queued at once are one"


def test_who_may_not_do_it_cannot(client, public, add):
    staff = User.objects.create_user("staff", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client.force_login(staff)
    assert client.get(reverse("admin:documents_document_changelist")).status_code == 200
    assert client.get(reverse("upload")).status_code == 404
    assert client.post(reverse("admin:index_build_rebuild")).status_code == 403
    assert client.get(reverse("admin:index_build_rebuild")).status_code == 405
    assert not Document.objects.exists()
    assert not Job.objects.exists()
    client.logout()
    assert client.post(reverse("admin:index_build_rebuild")).status_code == 302


def test_deleting_a_document_and_a_collection_with_all_that_belongs_to_them(admin_client, public, add):
    first, _second, _third = add(public, "apples"), add(public, "pears"), add(public, "plums")
    confirm = reverse("admin:documents_document_delete", args=[first.pk])
    assert admin_client.get(confirm).status_code == 200
    assert admin_client.post(confirm, {"post": "yes"}).status_code == 302
    assert not Document.objects.filter(pk=first.pk).exists()
    found = admin_client.get("/", {"q": "apples"}).context["answer"].results
    assert first.pk not in [result.document.pk for result in found]
    assert len(found) == 2
    confirm = reverse("admin:documents_collection_delete", args=[public.pk])
    assert "2" in admin_client.get(confirm).content.decode()
    admin_client.post(confirm, {"post": "yes"})
    assert not Document.objects.exists()
    assert not Job.objects.exists()


@pytest.mark.parametrize("model", ["collection", "document", "job", "tag", "upload"])
def test_every_list_and_form_opens(admin_client, public, add, model):
    document = add(public, "apples")
    upload, tag = uploads.begin(public, None, "plans"), Tag.objects.get(name="plans")
    things = {"collection": public, "document": document, "job": Job.objects.first(), "upload": upload, "tag": tag}
    pk = things[model].pk
    assert admin_client.get(reverse(f"admin:documents_{model}_changelist")).status_code == 200
    page = admin_client.get(reverse(f"admin:documents_{model}_change", args=[pk]), follow=True)
    assert page.status_code == 200
    assert admin_client.get(reverse("admin:index")).status_code == 200


def test_a_measurement_is_a_job_like_others_and_is_asked_for_again(admin_client):
    job = Job.objects.create(kind=Job.Kind.CALIBRATE, state=State.FAILED, step="calibrating", done=3, total=9)
    address = reverse("admin:documents_job_changelist")
    page = admin_client.get(address, {"kind": "calibrate"}).content.decode()
    assert f"Calibration #{job.pk}" in page
    page = admin_client.get(reverse("admin:documents_job_change", args=[job.pk])).content.decode()
    assert "calibrating" in page
    admin_client.post(address, {"action": "try_again", "_selected_action": [job.pk]})
    assert list(Job.objects.exclude(pk=job.pk).values_list("kind", "state")) == [(Job.Kind.CALIBRATE, State.QUEUED)]


def test_moving_a_document_where_its_source_is_already_held_is_refused_with_a_sentence(admin_client, public, add):
    other = Collection.objects.create(name="Other", slug="other")
    document = add(public, "apples", source="a/b.md")
    add(other, "pears", source="a/b.md")
    change = reverse("admin:documents_document_change", args=[document.pk])
    response = admin_client.post(change, {"collection": other.pk, "title": "", "text": "apples"})
    assert response.status_code == 200
    assert "same source" in response.content.decode()


def test_a_file_without_a_usable_name_is_refused_with_a_sentence(admin_client, public):
    fields = {"collection": public.pk, "title": "", "text": "", "file": SimpleUploadedFile("....", b"text")}
    response = admin_client.post(reverse("admin:documents_document_add"), fields)
    assert response.status_code == 200
    assert not Document.objects.exists()


def test_a_typed_text_over_the_limit_is_refused_with_a_sentence(admin_client, public, settings):
    """At the real default: between the limit and what a request may hold, the form answers."""
    assert settings.DATA_UPLOAD_MAX_MEMORY_SIZE > settings.SEARCHSITE_MAX_FILE_MB * 1024 * 1024
    settings.SEARCHSITE_MAX_FILE_MB = 1
    fields = {"collection": public.pk, "title": "", "text": "x" * (1024 * 1024 + 1)}
    response = admin_client.post(reverse("admin:documents_document_add"), fields)
    assert response.status_code == 200
    assert "over the limit of 1 MB" in response.content.decode()
    assert not Document.objects.exists()


def test_a_request_over_all_limits_gets_a_page_and_the_site_goes_on(admin_client, public, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1024
    fields = {"collection": public.pk, "title": "", "text": "x" * 5000}
    response = admin_client.post(reverse("admin:documents_document_add"), fields)
    assert response.status_code == 400
    assert "Traceback" not in response.content.decode()
    assert admin_client.get("/").status_code == 200


# --- many at once, and buttons in rows ---


def test_documents_are_moved_after_it_is_asked_where_to(admin_client, public, add):
    other, third = (Collection.objects.create(name=name, slug=name.lower()) for name in ("Other", "Third"))
    mine = [add(public, "apples"), add(other, "pears"), add(third, "plums", source="same")]
    add(other, "quinces", source="same")
    listing = reverse("admin:documents_document_changelist")
    chosen = {"action": "move", "_selected_action": [one.pk for one in mine]}
    page = admin_client.post(listing, chosen).content.decode()
    assert "Move 3 documents" in page
    assert all(f'name="_selected_action" value="{one.pk}"' in page for one in mine)
    assert Document.objects.filter(collection=other).count() == 2, "it asks first"
    page = admin_client.post(listing, {**chosen, "confirmed": "yes", "to": ""}, follow=True).content.decode()
    assert "Choose the collection" in page
    page = admin_client.post(listing, {**chosen, "confirmed": "yes", "to": other.pk}, follow=True).content.decode()
    assert "1 document was moved to Other. 1 stays, since the other collection has a document from" in page
    moved = Document.objects.get(pk=mine[0].pk)
    assert moved.collection == other
    entry = Entry.objects.get(action="document_moved")
    assert (entry.about_id, entry.details["moved_from"]) == (moved.pk, "Public")
    assert not Job.objects.open().exists(), "moving encodes nothing"


def test_two_from_the_same_source_are_not_moved_into_one_collection(admin_client, public, add):
    other, third = (Collection.objects.create(name=name, slug=name.lower()) for name in ("Other", "Third"))
    mine = [add(other, "apples", source="same"), add(third, "pears", source="same")]
    chosen = {"action": "move", "_selected_action": [one.pk for one in mine], "confirmed": "yes", "to": public.pk}
    page = admin_client.post(reverse("admin:documents_document_changelist"), chosen, follow=True).content.decode()
    assert "1 document was moved to Public. 1 stays" in page
    assert [one.pk for one in Document.objects.filter(collection=public)] == [mine[0].pk]


def test_tags_are_put_on_many_and_taken_off(admin_client, public, add):
    mine = [add(public, "apples"), add(public, "pears")]
    listing = reverse("admin:documents_document_changelist")
    chosen = {"action": "tag", "_selected_action": [one.pk for one in mine]}
    assert "Change the tags of 2 documents" in admin_client.post(listing, chosen).content.decode()
    sure = {**chosen, "confirmed": "yes"}
    page = admin_client.post(listing, {**sure, "tags": "fruit, 2026", "do": "tag"}, follow=True).content.decode()
    assert "The tags of 2 documents were changed." in page
    assert [tag.name for tag in mine[0].tags.all()] == ["2026", "fruit"]
    admin_client.post(listing, {**sure, "tags": "fruit, never", "do": "untag"})
    assert [tag.name for tag in mine[1].tags.all()] == ["2026"]
    assert not Tag.objects.filter(name="never").exists()
    page = admin_client.post(listing, {**sure, "tags": " , ", "do": "tag"}, follow=True).content.decode()
    assert "Type the tags first" in page


def test_states_are_tabs_that_count_what_the_search_finds(admin_client, public, add):
    for text in ("apples one", "apples two", "pears"):
        add(public, text, title=text)
    Document.objects.filter(title="apples two").update(state=State.FAILED)
    listing = reverse("admin:documents_document_changelist")

    def tabs(**asked) -> list[tuple[str, str, bool]]:
        [(field, found)] = admin_client.get(listing, asked).context["tab_rows"]
        assert field == "state"
        return [(str(tab.label), tab.number, tab.chosen) for tab in found]

    assert tabs() == [("All", "3", True), ("Ready", "2", False), ("Failed", "1", False)]
    assert tabs(q="apples") == [("All", "2", True), ("Ready", "1", False), ("Failed", "1", False)]
    asked = {"state__exact": "failed", "q": "apples"}
    assert tabs(**asked) == [("All", "2", False), ("Ready", "1", False), ("Failed", "1", True)]
    response = admin_client.get(listing, asked)
    assert [row.title for row in response.context["cl"].result_list] == ["apples two"]
    [(_field, found)] = response.context["tab_rows"]
    assert found[0].address == "?q=apples"


def test_a_row_has_the_button_that_helps_and_leads_back_to_the_same_list(admin_client, failed, commit):
    Job.objects.update(state=State.FAILED, problem={"code": "internal", "params": {}})
    job = Job.objects.get()
    listing = reverse("admin:documents_job_changelist") + "?state__exact=failed"
    page = admin_client.get(listing).content.decode()
    again = reverse("admin:documents_job_again", args=[job.pk])
    assert f'formaction="{again}?next=%2Fadmin%2Fdocuments%2Fjob%2F%3Fstate__exact%3Dfailed"' in page
    assert f'aria-label="Try again: Read #{job.pk}"' in page
    assert admin_client.get(again).status_code == 405
    with commit():
        response = admin_client.post(f"{again}?next={quote(listing)}")
    assert response["Location"] == listing
    failed.refresh_from_db()
    assert failed.state == State.READY
    page = admin_client.get(reverse("admin:documents_job_changelist")).content.decode()
    assert "formaction" not in page, "it succeeded by another job"


def test_what_waits_is_cancelled_from_its_row_and_a_rebuild_is_not(admin_client, public):
    document = Document(collection=public, text="apples")
    document.save()
    waiting, rebuild = Job.objects.get(), Job.objects.create(kind=Job.Kind.REBUILD)
    page = admin_client.get(reverse("admin:documents_job_changelist")).content.decode()
    cancel = reverse("admin:documents_job_cancel", args=[waiting.pk])
    assert cancel in page
    assert reverse("admin:documents_job_cancel", args=[rebuild.pk]) not in page
    assert "1 job was cancelled." in admin_client.post(cancel, follow=True).content.decode()
    document.refresh_from_db()
    assert document.state == State.CANCELLED


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.04, "0.0 s"), (59.94, "59.9 s"), (59.96, "1 min 0 s"), (3599.7, "1 h 0 min"), (7500, "2 h 5 min")],
)
def test_durations_are_said_as_people_say_them(seconds, said):
    assert spent(seconds) == said
