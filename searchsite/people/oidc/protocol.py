"""The authorization code flow with the provider: allauth's, with PKCE, a nonce, and an ID token whose signature counts.

What goes wrong at the provider's side is a SignOnFailed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from secrets import compare_digest, token_urlsafe
from typing import Any

import jwt
import requests
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter, get_adapter
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.base.constants import AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Client, OAuth2Error
from allauth.socialaccount.providers.openid_connect.provider import (
    OpenIDConnectProvider,
)
from allauth.socialaccount.providers.openid_connect.views import (
    OpenIDConnectOAuth2Adapter,
)
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.urls import reverse

from searchsite.people.oidc.claims import Claims
from searchsite.people.oidc.configuration import Configuration, trustworthy
from searchsite.people.oidc.failures import SignOnFailed, Why

SIGNATURES = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Only with a public key: of a shared secret, the token could as well be somebody else's who knows it."""
CLOCKS_DIFFER_S = 60
DISCOVERY_KEPT_S = 300
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class Connections(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """How allauth, and we, ask the provider: five seconds for an answer, and no way to other addresses."""

    def get_requests_session(self) -> requests.Session:
        session: requests.Session = super().get_requests_session()
        session.max_redirects = 0  # a redirect could carry the client's secret away
        return session


class Client(OAuth2Client):  # type: ignore[misc]
    def get_redirect_url(self, authorization_url: str, scope: Any, extra_params: Mapping[str, Any]) -> str:
        """As allauth's, also where the provider's address has a query of its own."""
        question: str = super().get_redirect_url("", scope, extra_params).removeprefix("?")
        return f"{authorization_url}{'&' if '?' in authorization_url else '?'}{question}"


class Adapter(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]
    """allauth's side of the conversation, with the addresses that the provider publishes, checked."""

    client_class = Client

    def get_provider(self) -> Provider:
        return Provider(self.request)

    @property
    def openid_config(self) -> dict[str, Any]:
        return discovered(configured())

    @property
    def basic_auth(self) -> bool:
        """Whether the secret goes into a header: where the provider does not say that it may go into the body."""
        ways = self.openid_config.get("token_endpoint_auth_methods_supported")
        return not (isinstance(ways, list) and "client_secret_post" in ways)

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        return request.build_absolute_uri(reverse("oidc_callback"))


class Provider(OpenIDConnectProvider):  # type: ignore[misc]
    """The one of the settings; those that might stand in allauth's table count for nothing."""

    oauth2_adapter_class = Adapter
    pkce_enabled_default = True

    def __init__(self, request: HttpRequest) -> None:
        one = configured()
        super().__init__(
            request,
            app=SocialApp(
                provider=self.id,
                provider_id=one.issuer,
                name=one.name,
                client_id=one.client_id,
                secret=one.client_secret,
                settings={"scope": one.scopes},
            ),
        )


def configured() -> Configuration:
    one: Configuration | None = settings.SEARCHSITE_OIDC
    assert one is not None, "without a provider there are no addresses that lead here"
    return one


def begin(request: HttpRequest, next_address: str) -> str:
    """The address at the provider to send the browser to; state, nonce and PKCE's secret stay in the session."""
    nonce = token_urlsafe(32)
    answer = Provider(request).redirect(
        request, AuthProcess.LOGIN, next_url=next_address, auth_params={"nonce": nonce}, nonce=nonce
    )
    return str(answer["Location"])


def finish(request: HttpRequest) -> tuple[Claims, str]:
    """What the provider says, verified, of whoever came back from it; and where they wanted to go, or ""."""
    provider, asked = Provider(request), request.GET
    try:
        state: dict[str, Any] = provider.unstash_redirect_state(request, asked.get("state", ""))
    except PermissionDenied as error:
        raise SignOnFailed(Why.EXPIRED, "no such state in this session") from error
    if "error" in asked or not asked.get("code"):
        said = f"the provider says {asked.get('error', '')[:100]!r}: {asked.get('error_description', '')[:300]!r}"
        raise SignOnFailed(Why.DENIED if asked.get("error") == "access_denied" else Why.REFUSED, said)
    adapter = Adapter(request, configured().issuer)
    tokens = _tokens(request, provider, adapter, str(state.get("pkce_code_verifier")))
    return _claims(adapter.openid_config, tokens, str(state.get("nonce"))), str(state.get("next") or "")


def _tokens(request: HttpRequest, provider: Provider, adapter: Adapter, verifier: str) -> dict[str, Any]:
    client = adapter.get_client(request, provider.app)
    try:
        tokens = adapter.get_access_token_data(request, provider.app, client, pkce_code_verifier=verifier)
    except requests.RequestException as error:
        raise SignOnFailed(Why.UNREACHABLE, f"no tokens: {error!r}") from error
    except (OAuth2Error, ValueError, LookupError, TypeError) as error:  # what allauth lets out of odd answers
        raise SignOnFailed(Why.REFUSED, f"no tokens: {str(error)[:300]!r}") from error
    if not isinstance(tokens, dict) or not all(isinstance(tokens.get(k), str) for k in ("access_token", "id_token")):
        raise SignOnFailed(Why.REFUSED, "the provider gave no ID token; is openid among the scopes?")
    return tokens


def _claims(published: Mapping[str, Any], tokens: Mapping[str, Any], nonce: str) -> Claims:
    claims = _verified(tokens["id_token"], _asked(published["jwks_uri"]), published["issuer"])
    if not compare_digest(str(claims.get("nonce")).encode(), nonce.encode()):
        raise SignOnFailed(Why.REFUSED, "the ID token was not made for this sign-in (nonce)")
    if claims.get("azp", configured().client_id) != configured().client_id:
        raise SignOnFailed(Why.REFUSED, "the ID token was made for another client (azp)")
    address = published.get("userinfo_endpoint")
    if not address:
        return claims
    more = _asked(address, Authorization=f"Bearer {tokens['access_token']}")
    if not isinstance(more, dict) or more.get("sub") != claims["sub"]:
        raise SignOnFailed(Why.REFUSED, "userinfo is about somebody else than the ID token (sub)")
    return {**claims, **more}


def _verified(token: str, published: Any, issuer: str) -> dict[str, Any]:
    """The claims of an ID token of this issuer, for us, in its time, signed by one of its published keys."""
    try:
        header = jwt.get_unverified_header(token)
        algorithm, known_as = header.get("alg"), header.get("kid")
        keys = [
            key
            for key in published["keys"]
            if (known_as is None or key.get("kid") == known_as)
            and key.get("use", "sig") == "sig"
            and key.get("alg", algorithm) == algorithm
        ]
        if algorithm not in SIGNATURES or len(keys) != 1:
            reason = f"its key {str(known_as)[:100]!r} ({str(algorithm)[:20]!r}) is none that the provider publishes"
            raise SignOnFailed(Why.REFUSED, f"the ID token cannot be verified: {reason}")
        return jwt.decode(
            token,
            jwt.PyJWK(keys[0], algorithm),
            algorithms=[algorithm],
            audience=configured().client_id,
            issuer=issuer,
            leeway=CLOCKS_DIFFER_S,
            options={"require": ["exp", "iat", "iss", "aud", "sub"]},
        )
    except (jwt.PyJWTError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise SignOnFailed(Why.REFUSED, f"the ID token cannot be verified: {str(error)[:300]!r}") from error


def discovered(one: Configuration) -> dict[str, Any]:
    """What the provider publishes of itself, kept for some minutes."""
    key = f"oidc:{one.issuer}"
    kept = cache.get(key)
    if kept is not None:
        return dict(json.loads(kept))
    published = _asked(f"{one.issuer}/.well-known/openid-configuration")
    if not isinstance(published, dict) or str(published.get("issuer")).rstrip("/") != one.issuer:
        raise SignOnFailed(Why.REFUSED, f"{one.issuer} does not name itself as its issuer; is the address right?")
    optional = [name for name in ("userinfo_endpoint",) if published.get(name)]
    for name in (*ENDPOINTS, *optional):
        if not trustworthy(str(published.get(name, ""))):
            raise SignOnFailed(Why.REFUSED, f"{one.issuer} publishes no address with https as its {name}")
    cache.set(key, json.dumps(published), DISCOVERY_KEPT_S)
    return published


def _asked(address: str, **headers: str) -> Any:
    """The JSON that is there."""
    try:
        with get_adapter().get_requests_session() as session:
            answer = session.get(address, headers=headers)
    except requests.RequestException as error:
        raise SignOnFailed(Why.UNREACHABLE, f"{address}: {error!r}") from error
    if answer.status_code != 200:
        raise SignOnFailed(
            Why.UNREACHABLE if answer.status_code >= 500 else Why.REFUSED, f"{address}: status {answer.status_code}"
        )
    try:
        return answer.json()
    except (ValueError, RecursionError) as error:
        raise SignOnFailed(Why.REFUSED, f"{address}: not JSON") from error
