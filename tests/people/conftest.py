"""A provider of single sign-on for all tests here that ask for one."""

from __future__ import annotations

import logging

import pytest
from django.core.cache import cache

from searchsite.people.oidc.configuration import Configuration
from tests.people.provider import CLIENT, SECRET, Provider
from tests.people.single_sign_on import CALLBACK


@pytest.fixture(scope="package")
def running_provider(tmp_path_factory):
    with Provider(tmp_path_factory.mktemp("provider"), f"http://testserver{CALLBACK}") as provider:
        yield provider


@pytest.fixture
def provider(running_provider, settings, caplog):
    """The provider, that of the site, which says nothing of note."""
    settings.SEARCHSITE_OIDC = Configuration(
        issuer=running_provider.issuer,
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
    caplog.set_level(logging.INFO, logger="searchsite")
    cache.clear()
    running_provider.says(sub="u-1", preferred_username="ada")
    yield running_provider
    cache.clear()
