"""What a provider, or somebody in between, may get wrong: nobody is signed in, and a sentence says so."""

from __future__ import annotations

import time
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from django.contrib.auth.models import User
from django.test import Client

from searchsite.people.oidc import protocol
from searchsite.people.oidc.failures import SignOnFailed
from tests.people.provider import CLIENT, SECRET
from tests.people.single_sign_on import CALLBACK, begin, come_back, who, why

pytestmark = [pytest.mark.django_db, pytest.mark.processes]


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
        {"id_token": {"exp": 1_000_000_000}},  # 2001
        {"id_token": {"exp": None}},
        {"id_token": {"iat": 4_000_000_000}},  # 2096
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


def test_a_way_back_that_took_too_long_is_refused(client, provider, monkeypatch):
    returns = urlsplit(provider.visit(begin(client)))
    monkeypatch.setattr("allauth.socialaccount.internal.statekit.STATE_TTL", -1)
    assert why(client, client.get(f"{CALLBACK}?{returns.query}")) == "expired"


@pytest.mark.parametrize("algorithm", ["RS512", "PS256", "ES256", "EdDSA"])
def test_signatures_of_other_kinds_are_verified_too(provider, algorithm):
    """By the key that the header names, among others that are for something else."""
    right, wrong = key_for(algorithm), key_for(algorithm)
    implementation = jwt.algorithms.get_default_algorithms()[algorithm]
    published = implementation.to_jwk(right.public_key(), as_dict=True) | {"kid": "1"}
    published.pop("key_ops", None)
    others = [published | {"kid": "2"}, published | {"alg": "HS256"}, published | {"use": "enc"}]
    now = int(time.time())
    claims = {"iss": "i", "aud": CLIENT, "sub": "u-1", "iat": now, "exp": now + 60}
    token, forged = (jwt.encode(claims, key, algorithm, {"kid": "1"}) for key in (right, wrong))
    assert protocol._verified(token, {"keys": [*others, published]}, "i") == claims
    with pytest.raises(SignOnFailed, match="cannot be verified"):
        protocol._verified(forged, {"keys": [*others, published]}, "i")
    for keys in (others, [], ["no key"], None):
        with pytest.raises(SignOnFailed, match="cannot be verified"):
            protocol._verified(token, {"keys": keys}, "i")


def key_for(algorithm: str):
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    return ed25519.Ed25519PrivateKey.generate() if algorithm == "EdDSA" else rsa.generate_private_key(65537, 2048)


@pytest.mark.parametrize("ways", [["client_secret_basic"], None])
def test_the_secret_goes_into_a_header_where_the_provider_wants_it_there(client, provider, monkeypatch, ways):
    published = protocol.discovered(protocol.configured()) | {"token_endpoint_auth_methods_supported": ways}
    monkeypatch.setattr(protocol, "discovered", lambda _one: published)
    sent = []
    real = requests.Session.send
    monkeypatch.setattr(requests.Session, "send", lambda s, r, **o: sent.append(r) or real(s, r, **o))
    assert come_back(client, provider)["Location"] == "/"
    exchange = next(request for request in sent if request.method == "POST")
    assert exchange.headers["Authorization"].startswith("Basic ")
    assert SECRET not in exchange.body


def test_a_providers_address_with_a_query_of_its_own_keeps_it(client, provider, monkeypatch):
    published = protocol.discovered(protocol.configured())
    address = f"{published['authorization_endpoint']}?policy=staff"
    monkeypatch.setattr(protocol, "discovered", lambda _one: published | {"authorization_endpoint": address})
    assert parse_qs(urlsplit(begin(client)).query)["policy"] == ["staff"]
    assert come_back(client, provider)["Location"] == "/"


@pytest.mark.parametrize(
    "published",
    [{"issuer": "https://other.example"}, {"token_endpoint": "http://login.example/token"}, {"jwks_uri": None},
     {"jwks_uri": "https://["}, {"userinfo_endpoint": "ftp://x/"}, {"authorization_endpoint": "javascript:alert(1)"}],
    ids=str,
)  # fmt: skip
def test_what_a_provider_publishes_must_be_its_own_and_https(client, provider, monkeypatch, published):
    real = protocol._asked(f"{provider.issuer}/.well-known/openid-configuration")
    monkeypatch.setattr(protocol, "_asked", lambda _address: real | published)
    assert why(client, client.post("/sign-in/oidc/")) == "refused"
