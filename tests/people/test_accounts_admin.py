"""Who may change whose account in Django's admin."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission, User

from searchsite.people.models import Action, Entry

pytestmark = pytest.mark.django_db
PASSWORD = "a good password"
RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")


@pytest.fixture(autouse=True)
def fast_hashing(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def people():
    """A superuser, a staff member who may do all with accounts and groups, another one, a plain account, a group."""
    boss = User.objects.create_superuser("boss", password=PASSWORD)
    helper = User.objects.create_user("helper", password=PASSWORD, is_staff=True)
    helper.user_permissions.set(Permission.objects.filter(content_type__app_label="auth"))
    colleague = User.objects.create_user("colleague", password=PASSWORD, is_staff=True)
    plain = User.objects.create_user("plain", password=PASSWORD)
    return {"boss": boss, "helper": helper, "colleague": colleague, "plain": plain}


@pytest.fixture
def board():
    return Group.objects.create(name="Board")


def change(client, account: User, **fields):
    """Post the form as a browser would, with all rights ticked besides."""
    everything = {
        "username": account.username, "first_name": "Changed", "email": "changed@example.com", "is_active": "on",
        "date_joined_0": "2026-01-01", "date_joined_1": "10:00:00", "_save": "Save",
    }  # fmt: skip
    return client.post(f"/admin/auth/user/{account.pk}/change/", everything | fields)


def rights(account: User):
    account = User.objects.get(pk=account.pk)
    return (
        account.is_active, account.is_staff, account.is_superuser, account.username, account.email, account.password,
        sorted(account.groups.values_list("name", flat=True)), account.user_permissions.count(),
    )  # fmt: skip


def all_rights(board) -> dict[str, object]:
    permissions = list(Permission.objects.values_list("pk", flat=True))
    return {"is_staff": "on", "is_superuser": "on", "groups": [board.pk], "user_permissions": permissions}


def test_a_staff_member_looks_after_a_plain_account_but_gives_it_no_rights(client, people, board):
    client.force_login(people["helper"])
    assert change(client, people["plain"], **all_rights(board)).status_code == 302
    account = User.objects.get(username="plain")
    assert (account.first_name, account.email) == ("Changed", "changed@example.com")
    assert (account.is_staff, account.is_superuser) == (False, False)
    assert (account.groups.count(), account.user_permissions.count()) == (0, 0)
    changed = Entry.objects.get(action=Action.ACCOUNT_CHANGED)
    assert (changed.username, changed.about) == ("helper", "plain")
    assert changed.details == {"email": ["", "changed@example.com"]}, "links to set a password are mailed there"


@pytest.mark.parametrize("name", ["boss", "helper", "colleague"])
def test_a_staff_member_changes_neither_himself_nor_other_staff_nor_superusers(client, people, board, name):
    client.force_login(people["helper"])
    account = people[name]
    before = rights(account)
    change(client, account, **all_rights(board))
    password = {"password1": "quite another one", "password2": "quite another one", "usable_password": "true"}
    client.post(f"/admin/auth/user/{account.pk}/password/", password)
    client.post(f"/admin/auth/user/{account.pk}/delete/", {"post": "yes"})
    client.post("/admin/auth/user/", {"action": "delete_selected", "_selected_action": [account.pk], "post": "yes"})
    assert rights(account) == before
    page = client.get(f"/admin/auth/user/{account.pk}/change/").content.decode()
    assert 'name="_save"' not in page
    assert f"/admin/auth/user/{account.pk}/link/" not in page


def test_deleting_several_accounts_at_once_spares_all_when_one_is_staff(client, people):
    client.force_login(people["helper"])
    chosen = [people["plain"].pk, people["colleague"].pk]
    client.post("/admin/auth/user/", {"action": "delete_selected", "_selected_action": chosen, "post": "yes"})
    assert User.objects.count() == 4
    client.post("/admin/auth/user/", {"action": "delete_selected", "_selected_action": chosen[:1], "post": "yes"})
    assert User.objects.count() == 3


def test_a_staff_member_adds_only_plain_accounts(client, people, board):
    client.force_login(people["helper"])
    fields = {"username": "new", "usable_password": "false", **all_rights(board)}
    assert client.post("/admin/auth/user/add/?is_superuser=1", fields).status_code == 302
    account = User.objects.get(username="new")
    assert (account.is_staff, account.is_superuser, account.has_usable_password()) == (False, False, False)
    assert account.groups.count() == 0


def test_only_superusers_make_and_change_groups(client, people, board):
    client.force_login(people["helper"])
    permissions = list(Permission.objects.values_list("pk", flat=True))
    client.post("/admin/auth/group/add/", {"name": "Mine", "permissions": permissions})
    client.post(f"/admin/auth/group/{board.pk}/change/", {"name": "Bored", "permissions": permissions})
    client.post(f"/admin/auth/group/{board.pk}/delete/", {"post": "yes"})
    client.post("/admin/auth/group/", {"action": "delete_selected", "_selected_action": [board.pk], "post": "yes"})
    assert [(group.name, group.permissions.count()) for group in Group.objects.all()] == [("Board", 0)]
    client.force_login(people["boss"])
    assert client.post("/admin/auth/group/add/", {"name": "New"}).status_code == 302
    assert client.post(f"/admin/auth/group/{board.pk}/change/", {"name": "Bored"}).status_code == 302
    assert sorted(Group.objects.values_list("name", flat=True)) == ["Bored", "New"]


def test_a_superuser_decides_all_of_it(client, people, board):
    client.force_login(people["boss"])
    assert change(client, people["plain"], is_staff="on", groups=[board.pk]).status_code == 302
    account = User.objects.get(username="plain")
    assert account.is_staff
    assert list(account.groups.all()) == [board]


def test_the_counters_of_wrong_passwords_are_no_page_of_the_admin(client, people):
    client.force_login(people["boss"])
    assert "axes" not in client.get("/admin/").content.decode()
