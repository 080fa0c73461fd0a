"""With SEARCHSITE_REQUIRE_LOGIN, whoever has not signed in sees the way in and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.urls import URLPattern, URLResolver, get_resolver

from searchsite.documents.models import Collection

pytestmark = pytest.mark.django_db

OPEN = {
    "sign_in", "sign_out", "password_forgotten", "password_new", "set_language", "set_theme", "healthz", "readyz",
    "oidc_start", "oidc_callback", "oidc_failed",
    "admin:jsi18n",  # words for scripts, the same for everybody
    "admin:login",  # leads to the sign-in page
    *("admin/r/<path:_any>", "admin:view_on_site"),  # there for nobody
}  # fmt: skip


@pytest.fixture(autouse=True)
def closed(settings):
    settings.SEARCHSITE_REQUIRE_LOGIN = True


def routes(resolver: URLResolver, prefix: str = "/", space: str = "") -> Iterator[tuple[str, str]]:
    """(name, an address) of every route, with made-up ids."""
    for entry in resolver.url_patterns:
        path = prefix + re.sub(r"<[^>]*>", "1", str(entry.pattern)).lstrip("^").replace("\\Z", "").rstrip("$")
        if isinstance(entry, URLResolver):
            yield from routes(entry, path, f"{entry.namespace}:" if entry.namespace else space)
        elif isinstance(entry, URLPattern):
            # The admin's patterns for its apps, and for all that is not there, are no paths.
            yield space + (entry.name or str(entry.pattern)), "/admin/documents/" if "(" in path else path


def test_every_route_but_the_ways_in_leads_to_the_sign_in_page(client, public, add):
    document = add(public, "apples")
    found = dict(routes(get_resolver()))
    assert len(found) > 60
    assert found["document"] == "/documents/1/"
    for name, address in found.items():
        if name in OPEN:
            continue
        for answer in (client.get(address), client.post(address)):
            assert answer.status_code == 302, (name, address)
            assert answer["Location"].startswith(("/sign-in/?next=", "/admin/login/?next=")), (name, address)
    assert client.get(document.get_absolute_url())["Location"] == f"/sign-in/?next={document.get_absolute_url()}"


def test_the_ways_in_are_open(client):
    for address in ("/sign-in/", "/account/password/forgotten/", "/account/password/new/MQ/x/", "/healthz", "/readyz"):
        assert client.get(address).status_code == 200, address
    assert client.get("/admin/login/")["Location"] == "/sign-in/?next=/admin/"
    assert client.post("/i18n/setlang/", {"language": "zh-hans", "next": "/sign-in/"})["Location"] == "/sign-in/"
    assert client.post("/sign-out/").status_code == 302


def test_what_is_not_there_says_nothing_of_what_is(client, public, add):
    add(public, "a secret recipe", title="Recipe")
    page = client.get("/nothing/here/")
    assert page.status_code == 404
    assert "ecipe" not in page.content.decode()
    assert public.name not in re.sub(r"<title>.*?</title>", "", page.content.decode())


def test_who_has_signed_in_sees_what_they_may(client, public, add):
    document = add(public, "apples")
    hidden = Collection.objects.create(name="Hidden", slug="hidden", visibility=Collection.Visibility.MEMBERS)
    unseen = add(hidden, "pears")
    User.objects.create_user("anna", password="a good password")
    address = document.get_absolute_url()
    asked = client.get(address, follow=True)
    assert asked.redirect_chain == [(f"/sign-in/?next={address}", 302)]
    fields = {"username": "anna", "password": "a good password", "next": address}
    assert client.post("/sign-in/", fields, follow=True).redirect_chain == [(address, 302)]
    assert client.get(address).status_code == 200
    assert client.get(unseen.get_absolute_url()).status_code == 404


def test_an_open_site_stays_open(client, public, add, settings):
    settings.SEARCHSITE_REQUIRE_LOGIN = False
    assert client.get(add(public, "apples").get_absolute_url()).status_code == 200
