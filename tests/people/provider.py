"""A real provider of OpenID Connect for the tests: django-oauth-toolkit in a process of its own, with its own database.

It knows one person, who is signed in there and has agreed to everything. What it says of them, and how it misbehaves,
is set by POST to /control/ (`says`, `does`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.site.running import ROOT, free_port, wait_until

CLIENT, SECRET = "searchsite", "a-secret-of-the-client-long-enough-to-sign-with"


class Provider:
    """`with Provider(folder, callbacks) as provider:`; its process is ended at the end."""

    def __init__(self, folder: Path, *callbacks: str) -> None:
        self.folder, self.callbacks = folder, callbacks
        self.port = free_port()
        self.base = f"http://localhost:{self.port}"
        self.issuer = f"{self.base}/o"
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Provider:
        with (self.folder / "provider.log").open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.people.provider", str(self.folder), str(self.port), *self.callbacks],
                cwd=ROOT, stdout=log, stderr=subprocess.STDOUT,
                env={name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"},
            )  # fmt: skip
        wait_until(self._lives, what="the provider")
        return self

    def __exit__(self, *_exception: object) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)

    def _lives(self) -> bool:
        try:
            return urllib.request.urlopen(f"{self.issuer}/.well-known/openid-configuration").status == 200
        except OSError:
            return False

    @property
    def settings(self) -> dict[str, str]:
        """What a site needs in its environment to know this provider."""
        return {
            "SEARCHSITE_OIDC_ISSUER": self.issuer,
            "SEARCHSITE_OIDC_CLIENT_ID": CLIENT,
            "SEARCHSITE_OIDC_CLIENT_SECRET": SECRET,
            "SEARCHSITE_OIDC_NAME": "Acme",
            "SEARCHSITE_OIDC_GROUPS_CLAIM": "groups",
        }

    def says(self, **claims: Any) -> None:
        """From now on these claims, and behaves again."""
        self._control({"claims": claims, "userinfo": {}, "id_token": {}, "sign": "right", "broken": ""})

    def does(self, **what: Any) -> None:
        """userinfo, id_token: claims that are changed in it; sign: "other" key, "none", "hs256"; broken: a path."""
        self._control(what)

    def _control(self, what: dict[str, Any]) -> None:
        urllib.request.urlopen(f"{self.base}/control/", json.dumps(what).encode())

    def visit(self, address: str) -> str:
        """Where the provider sends a browser that comes to the address."""

        class Stay(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, *_arguments: Any) -> None:
                return None

        try:
            answer = urllib.request.build_opener(Stay).open(address)
        except urllib.error.HTTPError as error:
            if error.code != 302:
                raise AssertionError(f"the provider answers {error.code}: {error.read()[:500]!r}") from error
            return str(error.headers["Location"])
        raise AssertionError(f"the provider answers {answer.status} and sends nowhere")


STATE: dict[str, Any] = {"claims": {}, "userinfo": {}, "id_token": {}, "sign": "right", "broken": ""}


def rsa_key() -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def forged(token: str, right: str, other: str) -> str:
    """The ID token, with the claims changed and signed as STATE says."""
    import jwt

    claims = jwt.decode(token, options={"verify_signature": False}) | STATE["id_token"]
    claims = {name: value for name, value in claims.items() if value is not None}
    headers = {"kid": jwt.get_unverified_header(token)["kid"]}
    key, algorithm = {
        "right": (right, "RS256"), "other": (other, "RS256"), "none": (None, "none"), "hs256": (SECRET, "HS256"),
    }[STATE["sign"]]  # fmt: skip
    return jwt.encode(claims, key, algorithm, headers)


def configure(folder: Path, issuer: str) -> None:
    import django
    from django.conf import settings

    right, other = rsa_key(), rsa_key()
    settings.configure(
        SECRET_KEY="only-for-tests", ALLOWED_HOSTS=["*"], ROOT_URLCONF=Addresses, USE_TZ=True,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "provider.sqlite3"}},
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"],
        MIDDLEWARE=["tests.people.provider.at_the_door"], DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],  # the secret is looked at for each token
        OAUTH2_PROVIDER={
            "OIDC_ENABLED": True, "OIDC_RSA_PRIVATE_KEY": right, "OIDC_ISS_ENDPOINT": issuer, "PKCE_REQUIRED": True,
            "SCOPES": {"openid": "", "profile": "", "email": ""},
            "OAUTH2_VALIDATOR_CLASS": "tests.people.provider.Validator",
        },
    )  # fmt: skip
    django.setup()
    from oauth2_provider.oauth2_validators import OAuth2Validator

    class Validator(OAuth2Validator):
        oidc_claim_scope = None

        def get_additional_claims(self, request):
            return STATE["claims"]

        def get_userinfo_claims(self, request):
            return super().get_userinfo_claims(request) | STATE["userinfo"]

        def finalize_id_token(self, *arguments):
            return forged(super().finalize_id_token(*arguments), right, other)

    globals()["Validator"] = Validator


class Addresses:
    urlpatterns: list[Any] = []


def at_the_door(get_response):
    """Middleware: everybody is the same person; and what is broken is broken."""
    from django.contrib.auth.models import User
    from django.http import HttpResponse

    def answer(request):
        request.user = User.objects.first()
        if STATE["broken"] and request.path == STATE["broken"]:
            return HttpResponse("<html>out of order</html>", status=503)
        return get_response(request)

    return answer


def control(request):
    from django.http import HttpResponse

    STATE.update(json.loads(request.body))
    return HttpResponse("done")


def main(folder: Path, port: int, callbacks: list[str]) -> None:
    from socketserver import ThreadingMixIn
    from wsgiref.simple_server import WSGIServer, make_server

    configure(folder, f"http://localhost:{port}/o")
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application
    from django.urls import include, path
    from oauth2_provider.models import Application

    Addresses.urlpatterns = [path("o/", include("oauth2_provider.urls")), path("control/", control)]
    call_command("migrate", verbosity=0)
    User.objects.create(username="somebody")
    Application.objects.create(
        client_id=CLIENT, client_secret=SECRET, client_type="confidential", skip_authorization=True,
        authorization_grant_type="authorization-code", algorithm="RS256", redirect_uris=" ".join(callbacks),
    )  # fmt: skip

    class Server(ThreadingMixIn, WSGIServer):
        daemon_threads = True

    threading.Thread(target=end_with, args=[os.getppid()], daemon=True).start()
    make_server("localhost", port, get_wsgi_application(), Server).serve_forever()


def end_with(parent: int) -> None:
    """No provider is left behind by a test run that was killed."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)


if __name__ == "__main__":
    sys.modules["tests.people.provider"] = sys.modules["__main__"]
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
