"""Django's admin and the roles: staff with every permission of Django see and change what their roles allow."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from searchsite.documents import uploads
from searchsite.documents.models import Collection, Document, Job, Membership, Role, State, Tag
from searchsite.insight import poolings
from searchsite.insight.models import Comparison

pytestmark = pytest.mark.django_db

HIDDEN = re.compile("hushed", re.IGNORECASE)
"""What only the hidden collection, its documents, tags and files have in their names."""


@pytest.fixture
def staff(db):
    """Staff to whom Django permits everything, without a role in any collection."""
    user = User.objects.create_user("staff", is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    return user


@pytest.fixture
def site(public, add):
    """An open collection, and a hidden one with a document in each state, an upload, a tag and a twin of its own."""
    hidden = Collection.objects.create(name="Hushed collection", slug="hushed", description="Hushed")
    open_one = add(public, "apples", title="Open document")
    twin = add(hidden, "apples", title="Hushed twin")
    failed = add(hidden, "pears", title="Hushed failure")
    Document.objects.filter(pk=failed.pk).update(state=State.FAILED)
    twin.tags.add(Tag.objects.create(name="hushed-tag"))
    shared = Tag.objects.create(name="shared")
    for document in (open_one, twin, failed):
        document.tags.add(shared)
    upload = uploads.begin(hidden, None, "hushed-upload-tag", announced=1)
    item = uploads.add_file(upload, "hushed.zip", SimpleUploadedFile("hushed.zip", b"PK no archive"))
    assert Job.objects.filter(item=item).exists()
    return {"open": open_one, "twin": twin, "failed": failed, "hidden": hidden, "public": public, "upload": upload}


@pytest.fixture
def browser(client, staff):
    client.force_login(staff)
    return client


def url(name: str, *args) -> str:
    return reverse(f"admin:{name}", args=args)


def text_of(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


def rows(response) -> list[str]:
    return [str(row) for row in response.context["cl"].result_list]


def unlike_removed(page: str) -> str:
    """The page without its token and its numbers."""
    return re.sub(r'value="\w{64}"|\d', "", page)


# --- what is seen -------------------------------------------------------------------------------------------


ASKED = ("", "?_popup=1", "?all=", "?_facets=True", "?q=hushed", "?o=1", "?state__exact=failed", "?e=1")


@pytest.mark.parametrize("model", ["collection", "document", "job", "tag", "upload"])
def test_no_list_tells_of_what_is_hidden(browser, site, model):
    for asked in ASKED:
        response = browser.get(url(f"documents_{model}_changelist") + asked)
        if response.status_code == 302:  # a filter that this list does not know
            response = browser.get(response["Location"])
        if "q=" in asked:  # which the page repeats
            assert not HIDDEN.search(str(rows(response)))
        else:
            assert not HIDDEN.search(text_of(response)), asked


def test_lists_show_the_rows_and_counts_of_what_is_visible(browser, site):
    collections = browser.get(url("documents_collection_changelist"))
    assert rows(collections) == ["Public"]
    assert f'collection__id__exact={site["public"].pk}"><span class="phone">documents</span> 1</a>' in text_of(
        collections
    )
    tags = browser.get(url("documents_tag_changelist"))
    assert rows(tags) == ["shared"]
    assert (
        f'tags__id__exact={Tag.objects.get(name="shared").pk}"><span class="phone">documents</span> 1</a>'
        in text_of(tags)
    )
    assert rows(browser.get(url("documents_document_changelist"))) == ["Open document"]
    assert browser.get(url("documents_job_changelist")).context["cl"].result_count == 1


def test_jobs_of_the_whole_site_are_seen_by_all_who_may_see_jobs(browser, site):
    rebuild = Job.objects.create(kind=Job.Kind.REBUILD, state=State.READY)
    found = browser.get(url("documents_job_changelist"), {"kind": "rebuild"}).context["cl"].result_list
    assert [job.pk for job in found] == [rebuild.pk]
    assert browser.get(url("documents_job_change", rebuild.pk)).status_code == 200


@pytest.mark.parametrize("page", ["change", "delete", "history"])
@pytest.mark.parametrize("model", ["collection", "document", "job", "tag"])
def test_what_is_hidden_and_what_is_not_there_are_the_same_page(browser, site, model, page):
    things = {
        "collection": site["hidden"],
        "document": site["twin"],
        "job": Job.objects.filter(document=site["twin"]).first(),
        "tag": Tag.objects.get(name="hushed-tag"),
    }
    answers = []
    for pk in (things[model].pk, 987_654_321):
        for method in (browser.get, browser.post):
            response = method(url(f"documents_{model}_{page}", pk))
            answers.append((response.status_code, unlike_removed(response.content.decode())))
    assert answers[:2] == answers[2:]
    assert answers[0][0] == 404 or (model, page) in {("tag", "delete"), ("job", "delete")}
    assert Document.objects.count() == 3
    assert Collection.objects.count() == 2


def test_view_on_site_leads_straight_to_the_page_and_tells_nothing_of_others(browser, client, site):
    from django.contrib.contenttypes.models import ContentType

    kind = ContentType.objects.get_for_model(Document).pk
    for pk in (site["open"].pk, site["twin"].pk, 987_654_321):
        assert browser.get(f"/admin/r/{kind}/{pk}/").status_code == 404
    page = text_of(browser.get(url("documents_document_change", site["open"].pk)))
    assert f'href="{site["open"].get_absolute_url()}"' in page
    assert "/admin/r/" not in page
    client.logout()
    assert client.get(f"/admin/r/{kind}/{site['open'].pk}/").status_code == 404


def test_a_document_names_no_hidden_twin_and_offers_no_hidden_collection(browser, staff, site):
    change = url("documents_document_change", site["open"].pk)
    assert not HIDDEN.search(text_of(browser.get(change)))
    Membership.objects.create(collection=site["public"], user=staff, role=Role.EDITOR)
    page = text_of(browser.get(change))
    assert 'name="title"' in page, "now it is a form"
    assert not HIDDEN.search(page)
    Membership.objects.create(collection=site["hidden"], user=staff, role=Role.READER)
    page = text_of(browser.get(change))
    assert "Hushed twin" in page, "readers see it"
    assert f'<option value="{site["hidden"].pk}"' not in page, "readers move nothing there"


@pytest.mark.parametrize(
    "lookup",
    ["documents__id__exact", "documents", "documents__in", "document__id__exact", "upload__id__exact"],
)
def test_rows_are_not_found_by_what_is_hidden(browser, site, lookup):
    """A tag on a hidden document, asked for by that document, would tell that it has it."""
    model = "collection" if lookup.startswith("document__") else "tag"
    response = browser.get(url(f"documents_{model}_changelist"), {lookup: site["twin"].pk})
    assert response.status_code == 400


def test_members_are_not_asked_for_by_filter(browser, staff, site):
    other = User.objects.create_user("other")
    Membership.objects.create(collection=site["public"], user=other)
    for lookup in ("users__id__exact", "memberships__id__exact", "users"):
        assert browser.get(url("documents_collection_changelist"), {lookup: other.pk}).status_code == 400


def test_filtering_by_what_is_hidden_is_as_by_what_is_not_there(browser, site):
    listing = url("documents_document_changelist")
    for name, pk in (("collection", site["hidden"].pk), ("tags", Tag.objects.get(name="hushed-tag").pk)):
        pages = []
        for asked in (pk, 987_654_321):
            response = browser.get(listing, {f"{name}__id__exact": asked})
            assert rows(response) == []
            pages.append(unlike_removed(text_of(response)))
        assert pages[0] == pages[1]


def test_choices_for_other_forms_hold_nothing_hidden(browser, site):
    for model, field in (("document", "collection"), ("document", "tags"), ("upload", "collection")):
        asked = {"app_label": "documents", "model_name": model, "field_name": field, "term": ""}
        response = browser.get("/admin/autocomplete/", asked)
        assert response.status_code == 200
        assert not HIDDEN.search(response.content.decode())


def test_the_index_tells_no_number_of_what_is_hidden(browser, admin_client, site, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        admin_client.post(url("index_build_rebuild"))
    listing = url("index_build_changelist")
    assert admin_client.get(listing).context["live_documents"] == 3
    browser.force_login(User.objects.get(username="staff"))
    response = browser.get(listing)
    assert response.context["live_documents"] == 1
    page = text_of(response).partition('id="content"')[2]
    assert "column-passages_shown" not in page
    assert "Passages" not in page
    build = response.context["cl"].result_list[0]
    assert "Passages" not in text_of(browser.get(url("index_build_change", build.pk)))
    assert browser.get(listing, {"passages__gt": 1}).status_code == 400


def test_comparisons_of_hidden_and_of_deleted_collections_are_not_seen(browser, site):
    comparison = poolings.queue("plain", Comparison.Source.TITLES, collection=site["hidden"])
    change = url("insight_comparison_change", comparison.pk)
    assert browser.get(change).status_code == 404
    site["hidden"].delete()
    for page in ("change", "delete", "history"):
        assert browser.get(url(f"insight_comparison_{page}", comparison.pk)).status_code == 404


def test_ones_own_recent_actions_name_nothing_that_is_hidden_now(browser, staff, site):
    membership = Membership.objects.create(collection=site["hidden"], user=staff, role=Role.EDITOR)
    fields = {"collection": site["hidden"].pk, "title": "Hushed once more", "text": "apples"}
    assert browser.post(url("documents_document_change", site["twin"].pk), fields).status_code == 302
    browser.get(url("documents_document_changelist"))  # where the message is shown
    membership.delete()
    assert not HIDDEN.search(text_of(browser.get("/admin/")))


# --- what is changed ------------------------------------------------------------------------------------------


def test_readers_change_nothing_whatever_django_permits(browser, site):
    change, delete = (url(f"documents_document_{page}", site["open"].pk) for page in ("change", "delete"))
    fields = {"collection": site["public"].pk, "title": "Defaced", "text": "apples"}
    assert 'name="title"' not in text_of(browser.get(change))
    assert browser.post(change, fields).status_code == 403
    assert browser.post(delete, {"post": "yes"}).status_code == 403
    assert browser.post(url("documents_document_add"), fields).status_code == 403
    collection = url("documents_collection_change", site["public"].pk)
    assert browser.post(collection, {"name": "Mine", "slug": "mine", "visibility": "public"}).status_code == 403
    assert browser.post(url("documents_collection_delete", site["public"].pk), {"post": "yes"}).status_code == 403
    tag = Tag.objects.get(name="shared")
    assert browser.post(url("documents_tag_change", tag.pk), {"name": "renamed"}).status_code == 403
    assert browser.post(url("documents_tag_add"), {"name": "hushed-tag"}).status_code == 403
    assert sorted(Document.objects.values_list("title", flat=True)) == [
        "Hushed failure",
        "Hushed twin",
        "Open document",
    ]
    assert Collection.objects.filter(name="Public").exists()


@pytest.mark.parametrize("through", ["person", "group"])
def test_editors_change_documents_and_put_them_only_where_they_are_editors(browser, staff, site, through):
    group = Group.objects.create(name="Editors")
    staff.groups.add(group)
    member = {"user": staff} if through == "person" else {"group": group}
    Membership.objects.create(collection=site["public"], role=Role.EDITOR, **member)
    change = url("documents_document_change", site["open"].pk)
    fields = {"collection": site["public"].pk, "title": "Edited", "text": "apples"}
    assert browser.post(change, fields).status_code == 302
    refused = browser.post(change, {**fields, "collection": site["hidden"].pk})
    assert "collection" in refused.context["errors"].as_text() or refused.context["adminform"].form.errors["collection"]
    assert browser.post(url("documents_document_add"), {**fields, "collection": site["hidden"].pk}).status_code == 200
    assert Document.objects.filter(collection=site["hidden"]).count() == 2
    assert browser.post(url("documents_collection_change", site["public"].pk), {"name": "Mine"}).status_code == 403
    assert browser.post(url("documents_document_delete", site["open"].pk), {"post": "yes"}).status_code == 302
    Membership.objects.all().delete()
    assert browser.post(url("documents_document_add"), fields).status_code == 403, "on the next request"


@pytest.mark.parametrize("action", ["try_again", "fetch_again", "cancel", "delete_selected"])
def test_an_action_reaches_only_what_the_role_allows(browser, staff, site, add, action):
    mine = Collection.objects.create(name="Mine", slug="mine")
    Membership.objects.create(collection=mine, user=staff, role=Role.EDITOR)
    own = add(mine, "plums", title="Own", url="https://example.com/own")
    Job.objects.all().delete()
    for document in (own, site["open"], site["twin"]):
        Document.objects.filter(pk=document.pk).update(state=State.FAILED)
        if action == "cancel":
            Job.objects.create(kind=Job.Kind.INGEST, document=document)
    before = sorted(Job.objects.values_list("document_id", "state"))
    chosen = {"action": action, "_selected_action": [own.pk, site["open"].pk, site["twin"].pk], "post": "yes"}
    response = browser.post(url("documents_document_changelist"), chosen)
    if action == "delete_selected":
        assert response.status_code == 403
        assert Document.objects.count() == 4
        chosen["_selected_action"] = [own.pk, site["twin"].pk]
        assert browser.post(url("documents_document_changelist"), chosen).status_code == 302
        assert set(Document.objects.values_list("pk", flat=True)) == {
            site[name].pk for name in ("open", "twin", "failed")
        }
        return
    page = text_of(browser.get(response["Location"]))
    assert "1 is not yours to change, and was left alone." in page, "of the hidden one nothing is said"
    changed = {pk for pk, _state in set(Job.objects.values_list("document_id", "state")) - set(before)}
    assert changed == {own.pk}


def test_jobs_are_steered_by_those_who_may_change_what_they_are_about(browser, staff, site):
    job = Job.objects.filter(document=site["open"]).first()
    assert job.state == State.READY
    chosen = {"action": "try_again", "_selected_action": [job.pk]}
    page = text_of(browser.post(url("documents_job_changelist"), chosen, follow=True))
    assert "1 is not yours to change" in page
    assert not Job.objects.filter(document=site["open"], state=State.QUEUED).exists()
    Membership.objects.create(collection=site["public"], user=staff, role=Role.EDITOR)
    browser.post(url("documents_job_changelist"), chosen)
    assert Job.objects.filter(document=site["open"], state=State.QUEUED).exists()
    staff.user_permissions.remove(Permission.objects.get(codename="add_build"))
    rebuild = Job.objects.create(kind=Job.Kind.REBUILD, state=State.FAILED)
    browser.post(url("documents_job_changelist"), {"action": "try_again", "_selected_action": [rebuild.pk]})
    assert Job.objects.filter(kind=Job.Kind.REBUILD).count() == 1


# --- collections and their members --------------------------------------------------------------------------


def members(*given: dict, existing: int = 0) -> dict:
    data = {"memberships-TOTAL_FORMS": len(given), "memberships-INITIAL_FORMS": existing}
    return data | {f"memberships-{n}-{key}": value for n, row in enumerate(given) for key, value in row.items()}


FIELDS = {"name": "Plans", "slug": "plans", "description": "", "visibility": "members"}


@pytest.mark.parametrize("as_reader", [False, True])
def test_who_makes_a_collection_is_its_manager(browser, staff, as_reader):
    given = [{"user": staff.pk, "role": "reader"}] if as_reader else []
    assert browser.post(url("documents_collection_add"), FIELDS | members(*given)).status_code == 302
    membership = Membership.objects.get()
    assert (membership.user, membership.role, membership.collection.name) == (staff, Role.MANAGER, "Plans")
    assert browser.get(url("documents_collection_change", membership.collection_id)).status_code == 200


def test_a_superuser_who_makes_a_collection_is_no_member(admin_client):
    assert admin_client.post(url("documents_collection_add"), FIELDS | members()).status_code == 302
    assert Collection.objects.get().name == "Plans"
    assert not Membership.objects.exists()


def test_members_are_shown_to_managers_alone(browser, staff, site):
    other = User.objects.create_user("other-member")
    Membership.objects.create(collection=site["public"], user=other)
    change = url("documents_collection_change", site["public"].pk)
    for role in (None, Role.READER, Role.EDITOR):
        if role:
            Membership.objects.update_or_create(collection=site["public"], user=staff, defaults={"role": role})
        page = text_of(browser.get(change))
        assert "other-member" not in page
        assert "memberships" not in page
    Membership.objects.filter(user=staff).update(role=Role.MANAGER)
    assert "other-member" in text_of(browser.get(change))


def test_the_history_of_a_collection_names_no_member(browser, admin_client, staff, site):
    User.objects.create_user("other-member")
    fields = {"name": "Public", "slug": "public", "description": "new", "visibility": "public"}
    row = {"user": User.objects.get(username="other-member").pk, "role": "reader"}
    admin_client.post(url("documents_collection_change", site["public"].pk), fields | members(row))
    assert Membership.objects.exists()
    browser.force_login(staff)
    page = text_of(browser.get(url("documents_collection_history", site["public"].pk)))
    assert "Description" in page
    assert "other-member" not in page


def test_a_manager_changes_members_and_leaves_a_manager_behind(browser, staff, site):
    own = Membership.objects.create(collection=site["public"], user=staff, role=Role.MANAGER)
    change = url("documents_collection_change", site["public"].pk)
    fields = {"name": "Public", "slug": "public", "description": "", "visibility": "public"}
    row = {"id": own.pk, "collection": site["public"].pk, "user": staff.pk, "role": "manager"}
    for bad in ({**row, "role": "reader"}, {**row, "DELETE": "on"}):
        assert "A collection needs a manager." in text_of(browser.post(change, fields | members(bad, existing=1)))
    other = User.objects.create_user("other")
    given = fields | members({**row, "DELETE": "on"}, {"user": other.pk, "role": "manager"}, existing=1)
    assert browser.post(change, given).status_code == 302
    assert [(one.user, one.role) for one in Membership.objects.all()] == [(other, Role.MANAGER)]
    assert browser.post(change, given).status_code == 403


def test_a_manager_who_may_not_look_at_accounts_chooses_among_those_he_knows(browser, staff, site):
    """Else the form would tell the names of all accounts and groups, by their numbers."""
    staff.user_permissions.set(Permission.objects.filter(content_type__app_label="documents"))
    Membership.objects.create(collection=site["public"], user=staff, role=Role.MANAGER)
    known, stranger = User.objects.create_user("known-one"), User.objects.create_user("a-stranger")
    group, secret = Group.objects.create(name="Known group"), Group.objects.create(name="Secret group")
    Membership.objects.create(collection=site["public"], user=known)
    Membership.objects.create(collection=site["public"], group=group)
    Membership.objects.create(collection=site["hidden"], group=secret)
    change = url("documents_collection_change", site["public"].pk)
    page = text_of(browser.get(change))
    assert "known-one" in page
    assert "Known group" in page
    fields = {"name": "Public", "slug": "public", "description": "", "visibility": "public"}
    for row in ({"user": stranger.pk, "role": "reader"}, {"group": secret.pk, "role": "reader"}):
        answer = text_of(browser.post(change, fields | members(row)))
        assert "a-stranger" not in page + answer
        assert "Secret group" not in page + answer
    assert Membership.objects.count() == 4
