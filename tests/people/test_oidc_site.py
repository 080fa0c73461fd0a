"""Single sign-on as it is set up: a provider and a site in processes of their own, settings, HTTP and cookies."""

from __future__ import annotations

import re
import urllib.parse
from html import unescape

import pytest
from django.core.exceptions import ImproperlyConfigured

from searchsite.people.oidc import configuration
from tests.people.provider import Provider
from tests.site.running import Browser, Site, free_port, wait_until

CALLBACK = "/sign-in/oidc/callback/"


def press(browser: Browser, provider: Provider, following: str = "/") -> tuple[int, str]:
    """Press the button of the sign-in page, and follow to where it ends."""
    _status, page = browser.get("/sign-in/", next=following)
    form = re.search(r'<form[^>]+action="([^"]+)"[^>]*>(?:(?!</form>).)*Sign in with Acme', page, re.S)
    fields = dict(re.findall(r'name="(csrfmiddlewaretoken|next)" value="([^"]*)"', form[0]))
    data = urllib.parse.urlencode({name: unescape(value) for name, value in fields.items()}).encode()
    with browser.opener.open(browser.base + form[1], data) as answer:
        leads = unescape(re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', answer.read().decode())[1])
    back = provider.visit(leads)
    assert back.startswith(f"{browser.base}{CALLBACK}?")
    return browser.get(back.removeprefix(browser.base))


@pytest.mark.processes
def test_a_closed_site_for_a_provider_and_superusers(tmp_path):
    port = str(free_port())
    with Provider(tmp_path, f"http://127.0.0.1:{port}{CALLBACK}") as provider:
        closed = {"SEARCHSITE_REQUIRE_LOGIN": "1", "SEARCHSITE_OIDC_ONLY": "1", "SEARCHSITE_TASKS": "inline"}
        with Site(tmp_path, SEARCHSITE_PORT=port, **closed, **provider.settings) as site:
            page = site.shell(
                "from django.contrib.auth.models import Group, User\n"
                "from searchsite.documents.models import Collection, Document, Membership\n"
                "User.objects.create_superuser('boss', password='a good password')\n"
                "User.objects.create_user('local', password='a good password')\n"
                "books = Collection.objects.create(name='Books', slug='books', visibility='members')\n"
                "Membership.objects.create(collection=books, group=Group.objects.create(name='readers'))\n"
                "document = Document(collection=books, title='Zebras', text='About zebras.')\n"
                "document.save(); result = document.get_absolute_url()"
            )
            site.start("-m", "gunicorn", "searchsite.wsgi", "--bind", f"127.0.0.1:{port}", "--threads", "4")
            ada, local, boss = Browser(port), Browser(port), Browser(port)
            wait_until(lambda: ada.get("/readyz")[0] == 200, what="the site")
            provider.says(sub="u-1", preferred_username="boss", groups=["readers"])
            assert press(ada, provider, page)[0] == 200
            assert "About zebras." in ada.get(page)[1]
            assert "boss-2" in ada.get("/account/")[1]
            provider.says(sub="u-1", preferred_username="boss", groups=[])
            assert press(ada, provider, "/account/")[0] == 200
            assert ada.get(page)[0] == 404
            assert "Sign in with Acme" in local.post("/sign-in/", username="local", password="a good password")[1]
            assert "Sign in with Acme" in local.get("/account/")[1], "a closed site, and nobody signed in"
            assert "Sign in with Acme" not in boss.post("/sign-in/", username="boss", password="a good password")[1]
            assert "About zebras." in boss.get(page)[1]
            assert 'role="alert"' in local.get(CALLBACK, code="x", state="x")[1]
            assert "Traceback" not in site.log()


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"ISSUER": "https://login.example.com"}, "SEARCHSITE_OIDC_CLIENT_ID, SEARCHSITE_OIDC_CLIENT_SECRET"),
        ({"CLIENT_ID": "a", "CLIENT_SECRET": "b"}, "SEARCHSITE_OIDC_ISSUER"),
        ({"ONLY": "1"}, "SEARCHSITE_OIDC_ISSUER"),
        *(
            ({"ISSUER": issuer, "CLIENT_ID": "a", "CLIENT_SECRET": "b"}, "https")
            for issuer in (
                "http://login.example.com", "login.example.com", "https://", "https://u:p@login.example.com",
                "https://login.example.com/?a=b", "https://[", "https://login.example.com/" + "x" * 200,
            )
        ),
    ],
    ids=str,
)  # fmt: skip
def test_half_a_provider_or_one_that_cannot_be_trusted_is_refused_at_start(monkeypatch, given, named):
    for name, value in given.items():
        monkeypatch.setenv(f"SEARCHSITE_OIDC_{name}", value)
    with pytest.raises(ImproperlyConfigured, match=named):
        configuration.read()


def test_a_provider_needs_three_settings_and_the_secret_is_never_shown(monkeypatch):
    assert configuration.read() is None
    monkeypatch.setenv("SEARCHSITE_OIDC_ISSUER", "https://login.example.com/realms/staff/")
    monkeypatch.setenv("SEARCHSITE_OIDC_CLIENT_ID", "searchsite")
    monkeypatch.setenv("SEARCHSITE_OIDC_CLIENT_SECRET", "the-secret")
    monkeypatch.setenv("SEARCHSITE_OIDC_SCOPES", "profile groups")
    one = configuration.read()
    assert (one.issuer, one.name) == ("https://login.example.com/realms/staff", "login.example.com")
    assert set(one.scopes) == {"openid", "profile", "groups"}
    assert "the-secret" not in repr(one)


def test_allauth_has_no_pages_in_the_admin():
    from django.contrib import admin

    assert not [model for model in admin.site._registry if model.__module__.startswith("allauth")]
