"""Light or dark by choice: written into the page by the server, kept in a cookie."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

STYLE_SHEETS = sorted((Path(__file__).parents[2] / "static").rglob("*.css"))
META = '<meta name="color-scheme" content="{}">'


def choose(client: Client, theme: str, came_from: str = "http://testserver/documents/1/?q=a%20b"):
    return client.post(reverse("set_theme"), {"theme": theme}, headers={"referer": came_from})


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/", "/sign-in/", "/no-such-page/"])
def test_a_choice_is_in_each_page_and_can_be_taken_back(client, address):
    assert META.format("light dark") in client.get(address).text
    for chosen in ("dark", "light"):
        choose(client, chosen)
        assert META.format(chosen) in client.get(address).text
    choose(client, "")
    assert META.format("light dark") in client.get(address).text
    assert not client.get(address).wsgi_request.COOKIES.get("theme")


def test_the_admin_obeys_the_same_choice(admin_client):
    choose(admin_client, "dark")
    page = admin_client.get(reverse("admin:index")).text
    assert META.format("dark") in page
    assert "theme.js" not in page, "Django's own switch, with a choice of its own"
    assert page.count('name="theme"') == 3


@pytest.mark.django_db
def test_it_leads_back_to_where_it_was_chosen_and_nowhere_else(client):
    assert choose(client, "dark").headers["Location"] == "http://testserver/documents/1/?q=a%20b"
    assert choose(client, "dark", "https://example.com/").headers["Location"] == "/"
    assert choose(client, "dark", "").headers["Location"] == "/"


@pytest.mark.django_db
def test_what_is_no_theme_is_not_kept_and_not_written_into_a_page(client):
    choose(client, '"><script>')
    assert "theme" not in client.cookies or client.cookies["theme"].value == ""
    client.cookies["theme"] = "evil"
    assert META.format("light dark") in client.get("/").text
    assert "evil" not in client.get("/").text


@pytest.mark.django_db
def test_the_cookie_lasts_and_needs_the_forms_token(client):
    choose(client, "dark")
    cookie = client.cookies["theme"]
    assert (cookie["max-age"], cookie["samesite"], bool(cookie["httponly"])) == (365 * 24 * 3600, "Lax", True)
    assert Client(enforce_csrf_checks=True).post(reverse("set_theme"), {"theme": "dark"}).status_code == 403
    assert client.get(reverse("set_theme")).status_code == 405


@pytest.mark.django_db
def test_the_language_stays_when_the_browser_is_closed(client):
    answer = client.post(
        reverse("set_language"), {"language": "zh-hans"}, headers={"referer": "http://testserver/?q=a"}
    )
    assert answer.headers["Location"] == "http://testserver/?q=a"
    assert client.cookies["django_language"]["max-age"] == 365 * 24 * 3600


@pytest.mark.parametrize("path", STYLE_SHEETS, ids=lambda path: path.name)
def test_style_sheets_ask_for_the_pages_theme_and_not_for_the_systems(path):
    said = path.read_text()
    assert "prefers-color-scheme" not in said, "light-dark(), which obeys a choice"
    assert "data-theme" not in said
