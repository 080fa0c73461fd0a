"""What a role allowed when a request began and no longer when it writes; other ways around the rules of members."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.urls import reverse

from searchsite.documents import changes, forms_library
from searchsite.documents.models import Collection, Document, Membership, Role
from searchsite.people.models import Action, Entry

pytestmark = pytest.mark.django_db


@pytest.fixture
def papers(db) -> Collection:
    return Collection.objects.create(name="Papers", slug="papers")


@pytest.fixture
def manager(client, papers) -> User:
    """Signed in."""
    user = User.objects.create_user("manager")
    Membership.objects.create(collection=papers, user=user, role=Role.MANAGER)
    client.force_login(user)
    return user


@pytest.fixture
def meanwhile(monkeypatch):
    """meanwhile(form, do): it is done after this form was found to be right, and before anything is written."""

    def _meanwhile(form, do):
        of_django = form.is_valid

        def is_valid(self):
            valid = of_django(self)
            do()
            return valid

        monkeypatch.setattr(form, "is_valid", is_valid)

    return _meanwhile


def add_member(client, name: str, role: str = "reader"):
    posted = {"kind": "person", "person-name": name, "person-role": role}
    return client.post(reverse("members", args=["papers"]), posted)


def test_who_was_a_manager_when_the_form_was_read_makes_nobody_a_member(client, manager, papers, meanwhile):
    User.objects.create_user("second-account")
    meanwhile(forms_library.MemberForm, Membership.objects.filter(user=manager).delete)
    assert add_member(client, "second-account", "manager").status_code == 404
    assert not Membership.objects.exists()


def test_settings_of_a_collection_that_one_manages_no_more_stay(client, manager, papers, meanwhile):
    meanwhile(forms_library.CollectionForm, Membership.objects.filter(user=manager).delete)
    opened = {"name": "Papers", "description": "", "visibility": "public"}
    assert client.post(reverse("collection_settings", args=["papers"]), opened).status_code == 404
    assert Collection.objects.get().visibility == Collection.Visibility.MEMBERS


def test_a_collection_that_was_deleted_while_its_settings_were_saved_does_not_come_back(
    client, admin_user, papers, meanwhile
):
    client.force_login(admin_user)
    meanwhile(forms_library.CollectionForm, lambda: Collection.objects.get(pk=papers.pk).delete())
    opened = {"name": "Papers", "description": "", "visibility": "public"}
    assert client.post(reverse("collection_settings", args=["papers"]), opened).status_code == 404
    assert not Collection.objects.exists()


def test_a_document_is_not_moved_to_where_one_has_just_lost_the_role(client, manager, papers, add, meanwhile):
    other = Collection.objects.create(name="Other", slug="other")
    Membership.objects.create(collection=other, user=manager, role=Role.EDITOR)
    document = add(papers, "apples")
    meanwhile(forms_library.EditForm, Membership.objects.filter(collection=other).delete)
    posted = {"title": "", "text": "apples", "tags": "", "collection": other.pk}
    assert client.post(reverse("document_edit", args=[document.pk]), posted).status_code == 404
    document.refresh_from_db()
    assert document.collection == papers


@pytest.fixture
def moved_while_waiting(monkeypatch):
    """moved_while_waiting(document, collection): somebody moves it while the request waits for the lock of moves."""

    def _moved_while_waiting(document, collection):
        lock, waiting = changes.lock, [document.pk]

        def locked():
            if waiting:
                Document.objects.filter(pk=waiting.pop()).update(collection=collection)
            return lock()

        monkeypatch.setattr(changes, "lock", locked)

    return _moved_while_waiting


def test_a_document_that_was_moved_away_meanwhile_is_not_deleted(client, manager, papers, add, moved_while_waiting):
    elsewhere = Collection.objects.create(name="Elsewhere", slug="elsewhere")
    document = add(papers, "apples")
    moved_while_waiting(document, elsewhere)
    assert client.post(reverse("document_delete", args=[document.pk])).status_code == 404
    assert Document.objects.filter(pk=document.pk).exists()


def test_a_document_that_was_moved_away_meanwhile_is_not_moved_with_the_others(
    client, manager, papers, add, moved_while_waiting
):
    other = Collection.objects.create(name="Other", slug="other")
    elsewhere = Collection.objects.create(name="Elsewhere", slug="elsewhere")
    Membership.objects.create(collection=other, user=manager, role=Role.EDITOR)
    gone, left = add(papers, "apples"), add(papers, "pears")
    moved_while_waiting(gone, elsewhere)
    posted = {"do": "move", "to": other.pk, "document": [gone.pk, left.pk]}
    client.post(reverse("documents_change", args=["papers"]), posted)
    assert Document.objects.get(pk=gone.pk).collection == elsewhere
    assert Document.objects.get(pk=left.pk).collection == other
    assert [entry.about_id for entry in Entry.objects.filter(action=Action.MOVED)] == [left.pk]


# --- members --------------------------------------------------------------------------------------------------


def test_who_calls_himself_by_anothers_address_does_not_become_a_member_in_his_stead(client, manager, papers):
    User.objects.create_user("boss@example.com")
    boss = User.objects.create_user("boss", email="Boss@example.com")
    page = add_member(client, "boss@example.com")
    assert page.status_code == 200
    assert "Type the username instead." in page.content.decode()
    assert not Membership.objects.exclude(user=manager).exists()
    add_member(client, "boss")
    assert Membership.objects.exclude(user=manager).get().user == boss


@pytest.fixture
def staff(client, manager) -> User:
    """The manager, who may use all of Django's admin, too."""
    manager.is_staff = True
    manager.save()
    manager.user_permissions.set(Permission.objects.all())
    return manager


def save_members(client, papers, *rows: dict[str, object]):
    """Post the admin's page of the collection; rows with an id are there already."""
    posted: dict[str, object] = {"name": "Papers", "slug": "papers", "description": "", "visibility": "members"}
    posted |= {"memberships-TOTAL_FORMS": len(rows), "memberships-INITIAL_FORMS": sum("id" in row for row in rows)}
    for number, row in enumerate(rows):
        posted |= {f"memberships-{number}-{name}": value for name, value in row.items()}
    return client.post(reverse("admin:documents_collection_change", args=[papers.pk]), posted)


def test_in_the_admin_another_person_in_a_members_place_is_written_down(client, staff, papers):
    own = Membership.objects.get(user=staff)
    before, after = User.objects.create_user("before"), User.objects.create_user("after")
    there = Membership.objects.create(collection=papers, user=before, role=Role.EDITOR)
    Entry.objects.all().delete()
    answer = save_members(
        client,
        papers,
        {"id": own.pk, "collection": papers.pk, "user": staff.pk, "role": "manager"},
        {"id": there.pk, "collection": papers.pk, "user": after.pk, "role": "editor"},
    )
    assert answer.status_code == 302
    assert [(entry.action, entry.about) for entry in Entry.objects.order_by("pk")] == [
        (Action.MEMBER_REMOVED, "before"),
        (Action.MEMBER_ADDED, "after"),
    ]


def test_in_the_admin_too_somebody_stays_a_manager_who_can_sign_in(client, staff, papers):
    own = Membership.objects.get(user=staff)
    closed = User.objects.create_user("closed", is_active=False)
    nobody, crew = Group.objects.create(name="Nobody"), Group.objects.create(name="Crew")
    User.objects.create_user("sailor").groups.add(crew)
    leaving = {"id": own.pk, "collection": papers.pk, "user": staff.pk, "role": "manager", "DELETE": "on"}
    for other in ({"user": closed.pk}, {"group": nobody.pk}):
        page = save_members(client, papers, leaving, {**other, "role": "manager"})
        assert page.status_code == 200
        assert "A collection needs a manager." in page.content.decode()
    assert save_members(client, papers, leaving, {"group": crew.pk, "role": "manager"}).status_code == 302
    assert Membership.objects.get().group == crew


@pytest.mark.parametrize("model", ["user", "group"])
def test_staff_do_not_find_accounts_and_groups_by_what_is_hidden(client, staff, add, model):
    """Else one by one the members of a hidden collection would be told, by the collection's number."""
    hidden = Collection.objects.create(name="Hidden", slug="hidden")
    member, group = User.objects.create_user("member"), Group.objects.create(name="Crew")
    memberships = [Membership.objects.create(collection=hidden, **one) for one in ({"user": member}, {"group": group})]
    document = add(hidden, "apples", added_by=member)
    asked = {"collection": hidden.pk, "collection__id__exact": hidden.pk, "membership": memberships[0].pk}
    if model == "user":
        asked |= {"document": document.pk, "document__in": document.pk}
    for lookup, value in asked.items():
        assert client.get(reverse(f"admin:auth_{model}_changelist"), {lookup: value}).status_code == 400, lookup


def test_staff_find_accounts_by_their_groups(client, staff):
    crew = Group.objects.create(name="Crew")
    User.objects.create_user("sailor").groups.add(crew)
    found = client.get(reverse("admin:auth_user_changelist"), {"groups__id__exact": crew.pk})
    assert [str(one) for one in found.context["cl"].result_list] == ["sailor"]
