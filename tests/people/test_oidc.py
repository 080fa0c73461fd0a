"""Single sign-on against a real provider in a process of its own: who comes in, as whom, and who does not."""

from __future__ import annotations

import logging
import re
import time
from dataclasses import replace
from html import unescape
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.test import Client

from searchsite.documents.models import Collection, Membership
from searchsite.people.models import Action, Entry
from searchsite.people.oidc import accounts
from searchsite.people.oidc.configuration import Configuration
from tests.people.provider import CLIENT, SECRET, Provider
from tests.site.running import free_port

pytestmark = [pytest.mark.django_db, pytest.mark.processes]

CALLBACK = "/sign-in/oidc/callback/"


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with Provider(tmp_path_factory.mktemp("provider"), f"http://testserver{CALLBACK}") as provider:
        yield provider


@pytest.fixture
def provider(running, settings):
    """The provider, that of the site, which says nothing of note."""
    settings.SEARCHSITE_OIDC = Configuration(
        issuer=running.issuer,
        client_id=CLIENT,
        client_secret=SECRET,
        name="Acme & Sons",
        groups_claim="groups",
        scopes=("openid", "profile", "email"),
        only=False,
    )
    settings.ROOT_URLCONF = "tests.people.urls"
    settings.AUTHENTICATION_BACKENDS = [
        *settings.AUTHENTICATION_BACKENDS,
        "searchsite.people.oidc.backends.SingleSignOn",
    ]
    cache.clear()
    running.says(sub="u-1", preferred_username="ada")
    yield running
    cache.clear()


def begin(client, next_address: str = "") -> str:
    """Press the button; gives the address at the provider that the page leads to."""
    answer = client.post("/sign-in/oidc/", {"next": next_address})
    assert answer.status_code == 200, answer.headers
    page = answer.content.decode()
    leads = unescape(re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', page)[1])
    assert leads == unescape(re.search(r'<a href="([^"]+/authorize/[^"]+)"', page)[1])
    return leads


def come_back(client, provider, next_address: str = ""):
    """Press the button, go to the provider and come back; gives the site's answer to that."""
    returns = urlsplit(provider.visit(begin(client, next_address)))
    assert returns.path == CALLBACK
    return client.get(f"{returns.path}?{returns.query}")


def who(client) -> User | None:
    found = client.session.get("_auth_user_id")
    return User.objects.get(pk=found) if found else None


def why(client, answer) -> str:
    """Why nobody was signed in: checks the page that says so, and gives the last part of its address."""
    assert who(client) is None
    assert answer.status_code == 302, "to a page of its own"
    page = client.get(answer["Location"])
    assert 400 <= page.status_code < 600
    assert page.status_code != 500
    assert 'role="alert"' in page.content.decode()
    assert SECRET not in page.content.decode()
    return urlsplit(answer["Location"]).path.strip("/").rsplit("/", 1)[-1]


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


def test_groups_are_those_of_the_claim_and_open_collections_on_the_next_request(client, provider, add):
    staff_only = Collection.objects.create(name="Staff", slug="staff", visibility=Collection.Visibility.MEMBERS)
    page = add(staff_only, "apples").get_absolute_url()
    provider.says(sub="u-1", preferred_username="ada", groups=["staff", "书友会", "staff"])
    answer = come_back(client, provider, page)
    assert answer["Location"] == page
    assert {group.name for group in who(client).groups.all()} == {"staff", "书友会"}
    assert client.get(page).status_code == 404
    Membership.objects.create(collection=staff_only, group=Group.objects.get(name="staff"))
    assert client.get(page).status_code == 200
    provider.says(sub="u-1", preferred_username="ada", groups=["书友会"])
    come_back(client, provider)
    assert client.get(page).status_code == 404
    provider.says(sub="u-1", preferred_username="ada")
    come_back(client, provider)
    assert not who(client).groups.exists(), "no claim, no groups"
    changes = Entry.objects.filter(action=Action.GROUPS_CHANGED, about="ada").order_by("pk")
    assert [sorted(c.details.items()) for c in changes] == [
        [("added", ["staff", "书友会"])],
        [("removed", ["staff"])],
        [("removed", ["书友会"])],
    ]


def test_without_the_setting_groups_are_left_alone(client, provider, settings):
    settings.SEARCHSITE_OIDC = replace(settings.SEARCHSITE_OIDC, groups_claim="")
    come_back(client, provider)
    who(client).groups.add(Group.objects.create(name="kept"))
    provider.says(sub="u-1", groups=["superusers"])
    come_back(client, provider)
    assert [group.name for group in who(client).groups.all()] == ["kept"]


def test_thousands_of_groups_are_bounded_and_the_log_says_so(client, provider, caplog):
    provider.says(sub="u-1", groups=[f"group {n}" for n in range(3000)])
    come_back(client, provider)
    assert who(client).groups.count() == Group.objects.count() == 1000
    assert "2000 groups of" in caplog.text


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


@pytest.mark.parametrize("path", ["/o/token/", "/o/userinfo/", "/o/.well-known/jwks.json"])
def test_a_provider_that_breaks_on_the_way_signs_nobody_in_and_takes_no_groups(client, provider, path):
    provider.says(sub="u-1", groups=["staff"])
    come_back(client, provider)
    account = who(client)
    client.logout()
    provider.does(broken=path)
    assert why(client, come_back(client, provider)) in ("unreachable", "refused")
    assert [group.name for group in account.groups.all()] == ["staff"]


def test_a_wrong_secret_is_the_sites_trouble_and_not_shown(client, provider, settings, caplog):
    settings.SEARCHSITE_OIDC = replace(settings.SEARCHSITE_OIDC, client_secret="not-the-secret")
    answer = come_back(client, provider)
    assert why(client, answer) == "refused"
    page = client.get(answer["Location"])
    assert page.status_code == 502
    assert "invalid_client" not in page.content.decode()
    assert "invalid_client" in caplog.text, "the log says why"
    assert "not-the-secret" not in caplog.text


def test_a_provider_by_another_name_is_not_asked_to_vouch_for_anybody(client, provider, settings):
    aside = provider.issuer.replace("localhost", "127.0.0.1")
    settings.SEARCHSITE_OIDC = replace(settings.SEARCHSITE_OIDC, issuer=aside)
    assert why(client, client.post("/sign-in/oidc/")) == "refused"


def test_whoever_does_not_agree_is_told_so(client, provider):
    state = parse_qs(urlsplit(begin(client)).query)["state"][0]
    answer = client.get(CALLBACK, {"state": state, "error": "access_denied", "error_description": "<b>no</b>\nno"})
    assert why(client, answer) == "denied"
    assert "<b>no" not in client.get(answer["Location"]).content.decode()


def test_another_error_of_the_provider_is_logged_on_one_line(client, provider, caplog):
    state = parse_qs(urlsplit(begin(client)).query)["state"][0]
    answer = client.get(CALLBACK, {"state": state, "error": "server_error", "error_description": "a\nforged line"})
    assert why(client, answer) == "refused"
    assert all("forged line" not in line or "server_error" in line for line in caplog.text.splitlines())


def test_a_state_of_another_browser_or_none_is_refused(client, provider):
    returns = urlsplit(provider.visit(begin(Client())))
    assert why(client, client.get(f"{CALLBACK}?{returns.query}")) == "expired"
    assert why(client, client.get(CALLBACK)) == "expired"
    code = parse_qs(urlsplit(provider.visit(begin(client))).query)["code"][0]
    assert why(client, client.get(CALLBACK, {"code": code, "state": "x" * 16})) == "expired"
    assert not User.objects.exists()


def test_a_way_back_works_once(client, provider):
    returns = urlsplit(provider.visit(begin(client)))
    assert client.get(f"{CALLBACK}?{returns.query}")["Location"] == "/"
    client.post("/sign-out/")
    assert why(client, client.get(f"{CALLBACK}?{returns.query}")) == "expired"


def test_a_code_of_somebody_else_is_worth_nothing(client, provider):
    """Who slips their own code to another's browser fails at PKCE, whose secret only their own session has."""
    foreign = parse_qs(urlsplit(provider.visit(begin(Client()))).query)["code"][0]
    state = parse_qs(urlsplit(begin(client)).query)["state"][0]
    assert why(client, client.get(CALLBACK, {"code": foreign, "state": state})) == "refused"


@pytest.mark.parametrize(
    "forgery",
    [
        {"sign": "other"},
        {"sign": "none"},
        {"sign": "hs256"},
        {"id_token": {"iss": "https://evil.example"}},
        {"id_token": {"aud": "another-client"}},
        {"id_token": {"aud": [CLIENT, "another"], "azp": "another"}},
        {"id_token": {"exp": int(time.time()) - 120}},
        {"id_token": {"exp": None}},
        {"id_token": {"iat": int(time.time()) + 3600}},
        {"id_token": {"nonce": "of another sign-in"}},
        {"id_token": {"nonce": None}},
        {"id_token": {"sub": None}},
        {"id_token": {"sub": 7}},
        {"userinfo": {"sub": "u-of-another"}},
    ],
    ids=str,
)
def test_an_id_token_that_is_not_right_signs_nobody_in(client, provider, forgery):
    provider.does(**forgery)
    assert why(client, come_back(client, provider)) == "refused"
    assert not User.objects.exists()


def test_the_same_forgeries_would_be_accepted_if_they_were_none(client, provider):
    """Holds the test above: signing anew with the right key, changing nothing that counts, is no forgery."""
    provider.does(id_token={"aud": [CLIENT, "another"], "azp": CLIENT, "exp": int(time.time()) + 30})
    assert come_back(client, provider)["Location"] == "/"
    assert who(client).username == "ada"


@pytest.mark.parametrize(
    ("claims", "username"),
    [
        ({"preferred_username": "ACME\\ada"}, "ACME-ada"),
        ({"preferred_username": "a" * 500}, "a" * 140),
        ({"preferred_username": "\u202eroot\x00\n "}, "root"),
        ({"preferred_username": ["x"], "email": "ada@example.com"}, "ada"),
        ({"preferred_username": "<script>", "email": 5, "name": {"a": 1}}, "script"),
        ({"preferred_username": "//", "name": "阿达"}, "阿达"),
        ({}, "user"),
    ],
)
def test_hostile_claims_become_harmless_names(client, provider, claims, username):
    provider.says(sub="u-9", groups={"admin": True}, given_name="x" * 1000, family_name="\x07\u2066y", **claims)
    come_back(client, provider)
    account = who(client)
    account.full_clean(exclude=["password"])
    assert account.username == username
    assert (account.first_name, account.last_name) == ("x" * 150, "y")
    assert account.email in ("", "ada@example.com")
    assert not account.groups.exists()


def test_a_group_is_taken_as_it_is_named_or_not_at_all(client, provider, caplog):
    names = ["staff", " staff", "staff\u200b", "st\x00aff", "s" * 151, "", 7, None, ["boss"], "s" * 150]
    provider.says(sub="u-1", groups=names)
    come_back(client, provider)
    assert {group.name for group in who(client).groups.all()} == {"staff", "s" * 150}
    assert "8 groups of" in caplog.text


@pytest.mark.parametrize("sub", ["s" * 255, "sha256:" + "0" * 64, "阿达|7"])
def test_any_subject_is_known_again(client, provider, sub):
    provider.says(sub=sub)
    come_back(client, provider)
    first = who(client)
    again = Client()
    come_back(again, provider)
    assert who(again) == first
    other = Client()
    provider.says(sub=sub[:-1] + "x")
    come_back(other, provider)
    assert who(other) != first


def test_a_sign_in_ends_that_of_another_in_the_same_browser(client, provider):
    other = User.objects.create_user("other", password="a good password")
    client.force_login(other)
    client.session["kept"] = "of other"
    come_back(client, provider)
    assert who(client).username == "ada"
    assert "kept" not in client.session


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


@pytest.fixture(autouse=True)
def heard(caplog):
    caplog.set_level(logging.INFO, logger="searchsite")
