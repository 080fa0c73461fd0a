"""Who is a member of a collection is changed by its managers, in the library."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from django.urls import reverse

from searchsite.documents.models import Collection, Membership, Role
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


def page(client, **posted) -> str:
    address = reverse("members", args=["papers"])
    response = client.post(address, posted, follow=True) if posted else client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def add_member(client, name: str, role: str = "reader", kind: str = "person") -> str:
    return page(client, kind=kind, **{f"{kind}-name": name, f"{kind}-role": role})


def do(client, what: str, member: Membership, **fields) -> str:
    address = reverse(f"member_{what}", args=["papers", member.pk])
    response = client.post(address, fields, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def test_people_are_added_by_user_name_or_e_mail_and_groups_by_name(client, manager, papers):
    named = User.objects.create_user("王小明", first_name="小明")
    reached = User.objects.create_user("maria", email="Maria@example.com")
    group = Group.objects.create(name="People & culture")
    assert "“王小明” is a member now." in add_member(client, "王小明", "editor")
    assert "“maria” is a member now." in add_member(client, "maria@EXAMPLE.com")
    assert "is a member now." in add_member(client, "People & culture", "manager", kind="group")
    members = set(papers.memberships.exclude(user=manager).values_list("user", "group", "role"))
    assert members == {
        (named.pk, None, "editor"), (reached.pk, None, "reader"), (None, group.pk, "manager"),
    }  # fmt: skip
    entries = Entry.objects.filter(action=Action.MEMBER_ADDED, username="manager")
    assert {entry.about for entry in entries} == {"王小明", "maria", "People & culture"}


@pytest.mark.parametrize(
    ("kind", "name", "sentence"),
    [
        ("person", "nobody", "Nobody here is called “nobody”"),
        ("person", "Manager", "Nobody here is called “Manager”"),
        ("person", "mari", "Nobody here is called “mari”"),
        ("person", "gone", "Nobody here is called “gone”"),
        ("person", "manager", "“manager” is a member already"),
        ("person", "shared@example.com", "Several people have the e-mail"),
        ("person", "<b>", "Nobody here is called “&lt;b&gt;”"),
        ("person", "", "This field is required"),
        ("group", "none", "There is no group called “none”"),
        ("group", "manager", "There is no group called “manager”"),
    ],
)
def test_a_name_that_names_nobody_is_refused_with_a_sentence(client, manager, papers, kind, name, sentence):
    for username in ("maria", "mario"):
        User.objects.create_user(username, email="shared@example.com")
    User.objects.create_user("gone", is_active=False)
    assert sentence in add_member(client, name, kind=kind)
    assert papers.memberships.count() == 1


def test_nonsense_adds_nobody(client, manager, papers):
    User.objects.create_user("maria")
    add_member(client, "maria", role="owner")
    page(client, kind="robot", **{"robot-name": "maria"})
    add_member(client, "mar\0ia")
    assert papers.memberships.count() == 1


def test_only_those_are_suggested_who_share_a_collection_that_one_manages(client, manager, papers):
    known, read_with, stranger, managed_by_other = (
        User.objects.create_user(name) for name in ("known-one", "read-with", "stranger", "elsewhere-one")
    )
    group, unknown = Group.objects.create(name="known-group"), Group.objects.create(name="unknown-group")
    mine, read, foreign = (Collection.objects.create(name=n, slug=n) for n in ("mine", "read", "foreign"))
    Membership.objects.create(collection=mine, user=manager, role=Role.MANAGER)
    Membership.objects.create(collection=mine, user=known)
    Membership.objects.create(collection=mine, group=group)
    Membership.objects.create(collection=read, user=manager, role=Role.EDITOR)
    Membership.objects.create(collection=read, user=read_with)
    Membership.objects.create(collection=read, group=unknown)
    Membership.objects.create(collection=foreign, user=managed_by_other)
    shown = page(client)
    for name in ("known-one", "known-group"):
        assert f'<option value="{name}">' in shown
    for name in (read_with.username, stranger.username, managed_by_other.username, unknown.name):
        assert name not in shown
    assert '<option value="manager"></option>' not in shown, "who is a member is not suggested"


def test_a_role_is_changed_and_a_member_removed_and_that_works_at_once(client, manager, papers):
    user = User.objects.create_user("maria")
    member = Membership.objects.create(collection=papers, user=user)
    client.force_login(user)
    add = reverse("document_add", args=["papers"])
    assert client.get(add).status_code == 404
    client.force_login(manager)
    do(client, "change", member, role="editor")
    client.force_login(user)
    assert client.get(add).status_code == 200
    client.force_login(manager)
    do(client, "remove", member)
    client.force_login(user)
    assert client.get(reverse("collection", args=["papers"])).status_code == 404
    changed, removed = Entry.objects.get(action=Action.MEMBER_CHANGED), Entry.objects.get(action=Action.MEMBER_REMOVED)
    assert (changed.about, changed.details["role"], removed.about) == ("maria", ["reader", "editor"], "maria")


@pytest.mark.parametrize("left", ["nobody", "an editor", "an inactive manager", "a group without people"])
def test_the_last_manager_stays(client, manager, papers, left):
    if left == "an editor":
        Membership.objects.create(collection=papers, user=User.objects.create_user("maria"), role=Role.EDITOR)
    elif left == "an inactive manager":
        gone = User.objects.create_user("gone", is_active=False)
        Membership.objects.create(collection=papers, user=gone, role=Role.MANAGER)
    elif left == "a group without people":
        Membership.objects.create(collection=papers, group=Group.objects.create(name="empty"), role=Role.MANAGER)
    own = papers.memberships.get(user=manager)
    for what, fields in (("change", {"role": "reader"}), ("remove", {})):
        assert "would have no manager" in do(client, what, own, **fields)
        assert papers.memberships.get(user=manager).role == Role.MANAGER
    assert not Entry.objects.filter(action__in=[Action.MEMBER_CHANGED, Action.MEMBER_REMOVED]).exists()


def test_who_gives_his_own_role_away_goes_where_he_may_still_be(client, manager, papers):
    other = Membership.objects.create(collection=papers, user=User.objects.create_user("maria"), role=Role.MANAGER)
    own = papers.memberships.get(user=manager)
    change = reverse("member_change", args=["papers", own.pk])
    assert client.post(change, {"role": "reader"})["Location"] == reverse("collection", args=["papers"])
    assert client.post(change, {"role": "manager"}).status_code == 404
    client.force_login(other.user)
    group = Membership.objects.create(collection=papers, group=Group.objects.create(name="writers"), role=Role.MANAGER)
    group.group.user_set.add(manager)
    remove = reverse("member_remove", args=["papers", other.pk])
    assert client.post(remove)["Location"] == reverse("library")


def test_a_superuser_may_remove_the_last_manager(client, manager, papers):
    client.force_login(User.objects.create_superuser("root"))
    assert "no longer a member" in do(client, "remove", papers.memberships.get())
    assert not papers.memberships.exists()


def test_members_of_other_collections_are_not_there(client, manager, papers):
    other = Collection.objects.create(name="Other", slug="other")
    member = Membership.objects.create(collection=other, user=User.objects.create_user("maria"))
    for slug in ("papers", "other"):
        for what in ("change", "remove"):
            address = reverse(f"member_{what}", args=[slug, member.pk])
            assert client.post(address, {"role": "manager"}).status_code == 404
            assert client.get(address).status_code == 405
    assert Membership.objects.get(pk=member.pk).role == Role.READER


def test_editors_do_not_see_who_the_members_are(client, manager, papers):
    user = User.objects.create_user("maria")
    member = Membership.objects.create(collection=papers, user=user, role=Role.EDITOR)
    client.force_login(user)
    assert client.get(reverse("members", args=["papers"])).status_code == 404
    assert client.post(reverse("member_change", args=["papers", member.pk]), {"role": "manager"}).status_code == 404
    assert Membership.objects.get(pk=member.pk).role == Role.EDITOR
