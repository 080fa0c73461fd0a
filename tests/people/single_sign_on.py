"""Steps of single sign-on with Django's test client and a real provider."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import urlsplit

from django.contrib.auth.models import User

from tests.people.provider import SECRET

CALLBACK = "/sign-in/oidc/callback/"


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
