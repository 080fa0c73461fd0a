"""One's own account, its password, and what ends a session."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from searchsite.people.models import Action, Entry

pytestmark = pytest.mark.django_db
PASSWORD = "a good password"
NEW = "quite another one"


@pytest.fixture(autouse=True)
def fast_hashing(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def anna():
    account = User.objects.create_user("anna", "anna@example.com", PASSWORD, first_name="Anna", last_name="Arendt")
    account.groups.add(Group.objects.create(name="Law & order"))
    return account


def signed_in(name="anna", password=PASSWORD, **options) -> Client:
    client = Client(**options)
    answer = client.post("/sign-in/", {"username": name, "password": password})
    assert answer.status_code == 302
    return client


def still_in(client) -> bool:
    return client.get("/account/").status_code == 200


def test_the_account_shows_what_the_site_knows_and_only_to_its_owner(client, anna):
    assert client.get("/account/")["Location"] == "/sign-in/?next=/account/"
    page = signed_in().get("/account/").content.decode()
    for shown in ("anna", "Anna Arendt", "anna@example.com", "Law &amp; order", "/account/password/"):
        assert shown in page


def test_changing_the_password_ends_the_other_sessions_and_keeps_this_one(anna):
    here, elsewhere = signed_in(), signed_in()
    fields = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
    assert here.post("/account/password/", fields)["Location"] == "/account/"
    assert (still_in(here), still_in(elsewhere)) == (True, False)
    assert signed_in(password=NEW)
    assert Entry.objects.filter(action=Action.PASSWORD_CHANGED, about="anna", user=anna).count() == 1


def test_what_was_said_to_one_is_not_said_to_who_signs_in_next(anna):
    User.objects.create_user("bert", password=PASSWORD)
    browser = signed_in()
    fields = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}
    browser.post("/account/password/", fields)
    browser.post("/sign-out/")
    browser.post("/sign-in/", {"username": "bert", "password": PASSWORD})
    page = browser.get("/account/").content.decode()
    assert "bert" in page
    assert "Your password is changed." not in page


def test_a_password_is_not_changed_without_the_old_one_or_to_a_poor_one(anna):
    here = signed_in()
    for old, new, again in ((PASSWORD, NEW, "another"), ("wrong", NEW, NEW), (PASSWORD, "12345678", "12345678")):
        page = here.post("/account/password/", {"old_password": old, "new_password1": new, "new_password2": again})
        assert page.status_code == 200
        assert 'class="errorlist"' in page.content.decode()
    anna.refresh_from_db()
    assert anna.check_password(PASSWORD)


def test_who_signs_in_elsewhere_has_no_password_to_change(client):
    account = User.objects.create(username="sso")
    account.set_unusable_password()
    account.save()
    client.force_login(account)
    page = client.get("/account/").content.decode()
    assert "You sign in elsewhere" in page
    assert "/account/password/" not in page
    assert client.get("/account/password/").status_code == 404


def test_where_passwords_are_for_superusers_alone_others_have_none(anna, settings):
    from types import SimpleNamespace

    settings.SEARCHSITE_OIDC = SimpleNamespace(only=True, name="Elsewhere")
    boss = User.objects.create_superuser("boss", "boss@example.com", PASSWORD)
    offered = {}
    for account in (anna, boss):
        client = Client()
        client.force_login(account)
        page = client.get("/account/").content.decode()
        offered[account.username] = ("/account/password/" in page, client.get("/account/password/").status_code)
    assert offered == {"anna": (False, 404), "boss": (True, 200)}


def test_an_account_that_is_made_inactive_is_out_at_once_and_stays_out(anna):
    here = signed_in()
    User.objects.update(is_active=False)
    assert not still_in(here)
    page = Client().post("/sign-in/", {"username": "anna", "password": PASSWORD})
    assert page.status_code == 200
    assert "do not belong together" in page.content.decode()


def test_the_session_is_another_one_after_signing_in_and_its_cookie_is_guarded(client, anna):
    client.session.save()
    planted = client.session.session_key
    client.cookies["sessionid"] = planted
    client.post("/sign-in/", {"username": "anna", "password": PASSWORD})
    cookie = client.cookies["sessionid"]
    assert cookie.value != planted
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


def test_signing_in_and_out_need_the_forms_token(anna):
    stranger = Client(enforce_csrf_checks=True)
    assert stranger.post("/sign-in/", {"username": "anna", "password": PASSWORD}).status_code == 403
    here = signed_in()
    assert here.get("/sign-out/").status_code == 405
    assert still_in(here)


@pytest.mark.parametrize(
    ("asked", "led_to"),
    [
        ("/documents/7/?q=%E4%B8%AD", "/documents/7/?q=%E4%B8%AD"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("http://[", "/"),
        ("/sign-in/?next=/sign-in/", "/"),
        ("/account/password/forgotten/", "/"),
        ("", "/"),
    ],
)
def test_signing_in_leads_back_within_the_site(client, anna, asked, led_to):
    fields = {"username": "anna", "password": PASSWORD, "next": asked}
    assert client.post("/sign-in/", fields)["Location"] == led_to


def test_who_may_not_see_a_page_of_the_admin_is_told_so_and_may_sign_in_as_another(anna):
    page = signed_in().get("/admin/", follow=True)
    assert page.redirect_chain[-1][0] == "/sign-in/?next=/admin/"
    assert "You are signed in as anna" in page.content.decode()
