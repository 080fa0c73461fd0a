"""Single sign-on against a real provider in a process of its own: who comes in, as whom, and where to."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import User
from django.test import Client

from searchsite.people.models import Action, Entry
from searchsite.people.oidc import accounts
from tests.people.provider import SECRET
from tests.people.single_sign_on import CALLBACK, begin, come_back, who, why
from tests.site.running import free_port

pytestmark = [pytest.mark.django_db, pytest.mark.processes]


def test_the_first_sign_in_makes_an_account_without_rights(client, provider):
    provider.says(
        sub="u-7", preferred_username="grace", given_name="Grace", family_name="Hopper", email="g@example.com"
    )
    answer = come_back(client, provider)
    assert answer["Location"] == "/"
    account = who(client)
    assert (account.username, account.get_full_name(), account.email) == ("grace", "Grace Hopper", "g@example.com")
    assert not account.is_staff
    assert not account.is_superuser
    assert not account.has_usable_password()
    signed_in = Entry.objects.get(action=Action.SIGNED_IN)
    assert (signed_in.user, signed_in.details["backend"]) == (account, "SingleSignOn")
    assert "Sign out" in client.get("/").content.decode()


def test_whoever_comes_again_is_known_by_subject_whatever_the_name(client, provider):
    come_back(client, provider)
    first = who(client)
    client.post("/sign-out/")
    assert who(client) is None
    provider.says(sub="u-1", preferred_username="ada.lovelace", name="Ada Lovelace")
    come_back(client, provider)
    assert who(client) == first
    assert (who(client).username, who(client).get_full_name()) == ("ada", "Ada Lovelace")
    provider.says(sub="u-2", preferred_username="ada", name="Ada Lovelace")
    come_back(Client(), provider)
    assert set(User.objects.values_list("username", flat=True)) == {"ada", "ada-2"}


def test_nobody_becomes_a_local_account_by_its_name_or_address(client, provider):
    boss = User.objects.create_superuser("Boss", "boss@example.com", "a good password")
    provider.says(sub="u-3", preferred_username="boss", email="boss@example.com", email_verified=True)
    come_back(client, provider)
    assert who(client) != boss
    assert who(client).username == "boss-2"
    assert not who(client).is_superuser
    boss.refresh_from_db()
    assert boss.check_password("a good password")


def test_another_provider_with_the_same_subject_means_somebody_else(client, provider):
    come_back(client, provider)
    SocialAccount.objects.update(provider="https://former.example.com")
    former = who(client)
    client.logout()
    come_back(client, provider)
    assert who(client) != former


def test_two_first_sign_ins_at_the_same_moment_make_one_account(client, provider, monkeypatch):
    winner = User.objects.create_user("ada")
    there = SocialAccount.objects.create(user=winner, provider=provider.issuer, uid="u-1")
    answers = iter([None, there.user])
    monkeypatch.setattr(accounts, "_known", lambda *_arguments: next(answers))
    come_back(client, provider)
    assert who(client) == winner
    assert User.objects.count() == 1


def test_a_closed_account_stays_out_and_loses_its_session(client, provider):
    come_back(client, provider)
    account = who(client)
    User.objects.update(is_active=False)
    assert "Sign out" not in client.get("/").content.decode()
    again = Client()
    assert why(again, come_back(again, provider)) == "inactive"
    refused = Entry.objects.get(action=Action.SIGN_IN_FAILED)
    assert refused.username == account.username


def test_the_session_ends_with_the_settings(client, provider, settings):
    come_back(client, provider)
    settings.AUTHENTICATION_BACKENDS = settings.AUTHENTICATION_BACKENDS[:-1]
    assert "Sign out" not in client.get("/").content.decode()


def test_a_sign_in_ends_that_of_another_in_the_same_browser(client, provider):
    other = User.objects.create_user("other", password="a good password")
    client.force_login(other)
    session = client.session
    session["kept"] = "of other"
    session.save()
    come_back(client, provider)
    assert who(client).username == "ada"
    assert "kept" not in client.session
    assert Entry.objects.get(action=Action.SIGNED_OUT).user == other
    added = Entry.objects.get(action=Action.ACCOUNT_ADDED, about="ada")
    assert added.username == "", "not by whoever was signed in before"


def test_the_way_out_has_pkce_a_nonce_and_a_state_and_is_begun_by_a_form_of_ours_alone(client, provider):
    asked = parse_qs(urlsplit(begin(client)).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert set(asked["scope"][0].split()) == {"openid", "profile", "email"}
    assert len(asked["state"][0]) >= 16
    assert len(asked["nonce"][0]) >= 32
    assert asked["redirect_uri"] == [f"http://testserver{CALLBACK}"]
    assert SECRET not in str(asked)
    assert client.get("/sign-in/oidc/")["Location"] == "/sign-in/"
    strict = Client(enforce_csrf_checks=True)
    assert strict.post("/sign-in/oidc/").status_code == 403


def test_what_the_address_asks_for_is_not_passed_on(client, provider):
    answer = client.post("/sign-in/oidc/?scope=admin&process=connect&auth_params=prompt%3Dnone&action=x", {})
    page = answer.content.decode()
    assert "admin" not in unescape(re.search(r'content="0; url=([^"]+)"', page)[1])
    assert "prompt" not in unescape(re.search(r'content="0; url=([^"]+)"', page)[1])


@pytest.mark.parametrize(
    "address", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example"]
)
def test_next_leads_to_no_other_site(client, provider, address):
    assert come_back(client, provider, address)["Location"] == "/"


def test_next_is_kept_when_the_provider_is_away(client, provider, settings):
    settings.SEARCHSITE_OIDC = replace(settings.SEARCHSITE_OIDC, issuer=f"http://localhost:{free_port()}/o")
    answer = client.post("/sign-in/oidc/", {"next": "/?q=apples"})
    assert why(client, answer) == "unreachable"
    page = client.get(answer["Location"])
    assert page.status_code == 503
    assert 'href="/sign-in/?next=%2F%3Fq%3Dapples"' in page.content.decode()


def test_the_pages_of_allauth_are_not_there(client, provider):
    for path in ("accounts/login/", "accounts/signup/", "accounts/email/", "3rdparty/", "3rdparty/signup/", "signup/",
                 "social/signup/", "oidc/acme/login/", "accounts/password/reset/"):  # fmt: skip
        assert client.get(f"/{path}").status_code == 404, path
    assert client.get("/sign-in/oidc/failed/anything/").status_code == 404


def test_accounts_in_allauths_tables_by_hand_change_no_provider(client, provider):
    from allauth.socialaccount.models import SocialApp

    SocialApp.objects.create(
        provider="openid_connect", provider_id=provider.issuer, name="evil", client_id="evil",
        settings={"server_url": "https://evil.example"},
    )  # fmt: skip
    assert come_back(client, provider)["Location"] == "/"


def test_the_failed_page_does_not_lead_back_to_itself(client, provider):
    page = client.get("/sign-in/oidc/failed/expired/").content.decode()
    assert urlencode({"next": "/sign-in/oidc"}) not in page


def test_who_came_in_this_way_has_no_password_to_reset(client, provider, mailoutbox):
    provider.says(sub="u-1", email="ada@example.com")
    come_back(client, provider)
    from django.contrib.auth.forms import PasswordResetForm

    form = PasswordResetForm({"email": "ada@example.com"})
    assert form.is_valid()
    assert list(form.get_users("ada@example.com")) == []
