"""Settings from the environment (and an optional `.env` beside manage.py): typed, bounded, refused with a sentence.

Each reader takes the name, the default and what is allowed. What was asked for is remembered in `asked`, so that
a test can hold the README against it.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from environs import Env, EnvError
from marshmallow import ValidationError

BASE_DIR = Path(__file__).resolve().parent.parent

asked: dict[str, Any] = {}
_env = Env()


def read_dotenv() -> None:
    """Read `.env`; what the real environment says wins. SEARCHSITE_ENV_FILE names another file, or none if empty."""
    path = os.environ.get("SEARCHSITE_ENV_FILE", str(BASE_DIR / ".env"))
    if path and Path(path).is_file():
        _env.read_env(path, recurse=False)


def _read(method: Callable[..., Any], name: str, default: Any, **options: Any) -> Any:
    asked[name] = default
    try:
        return method(name, default, **options)
    except EnvError as error:
        value = os.environ.get(name, "")
        raise ImproperlyConfigured(f"the setting {name} is {value!r}, which cannot be used. {error}") from error


def text(name: str, default: str = "", one_of: tuple[str, ...] = ()) -> str:
    def known(value: str) -> None:
        if one_of and value not in one_of:
            raise ValidationError(f"It must be one of: {', '.join(one_of)}.")

    value: str = _read(_env.str, name, default, validate=known)
    return value


def yes_no(name: str, default: bool = False) -> bool:
    value: bool = _read(_env.bool, name, default)
    return value


def number(name: str, default: int, low: int, high: int) -> int:
    def between(value: int) -> None:
        if not low <= value <= high:
            raise ValidationError(f"It must be a whole number from {low} to {high}.")

    value: int = _read(_env.int, name, default, validate=between)
    return value


def names(name: str, default: list[str]) -> list[str]:
    value: list[str] = _read(_env.list, name, default)
    return [item.strip() for item in value if item.strip()]


def networks(name: str, default: list[str]) -> list[IPv4Network | IPv6Network]:
    def known(value: list[str]) -> None:
        for item in value:
            try:
                ip_network(item.strip())
            except ValueError as error:
                raise ValidationError(f"{item!r} is no network, such as 10.0.0.0/8 or fd00::/8.") from error

    value: list[str] = _read(_env.list, name, default, validate=known)
    return [ip_network(item.strip()) for item in value]


def header(name: str) -> str:
    """The name of an HTTP header, or nothing."""

    def known(value: str) -> None:
        if value and not all(character.isascii() and (character.isalnum() or character == "-") for character in value):
            raise ValidationError("It must be the name of a header, such as X-Remote-User: letters, digits, hyphens.")

    value: str = _read(_env.str, name, "", validate=known)
    return value


def mail(name: str) -> dict[str, Any]:
    """Django's settings for the mail server at that address; empty when none is named.

    What is refused is not repeated: it holds a password.
    """
    asked[name] = ""
    try:
        found: dict[str, Any] = _env.dj_email_url(name, "")
    except EnvError:
        found = {}
    url = os.environ.get(name, "")
    if not url:
        return {}
    if url.partition(":")[0] not in ("smtp", "submission", "console") or "EMAIL_BACKEND" not in found:
        wrong = "It is no address of a mail server"
    elif not found.get("DEFAULT_FROM_EMAIL"):
        wrong = "It does not say from whom mail comes (_default_from_email)"
    else:
        # Without a limit, a mail server that does not answer would hold a thread for ever.
        return {"SERVER_EMAIL": found["DEFAULT_FROM_EMAIL"], **found, "EMAIL_TIMEOUT": found["EMAIL_TIMEOUT"] or 20}
    raise ImproperlyConfigured(
        f"the setting {name} cannot be used. {wrong}. Write it like submission://user:password@mail.example.com:587/"
        "?_default_from_email=search@example.com, with %-codes for special characters."
    )


def folder(name: str, default: Path) -> Path:
    """A folder, made when missing; relative ones are below the project."""
    path = Path(text(name, str(default))).expanduser()
    path = path if path.is_absolute() else BASE_DIR / path
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(
            f"the folder {path} ({name}) cannot be made: {error.strerror}. Name one that this user may write to."
        ) from error
    return path


def database(name: str, default: str) -> dict[str, Any]:
    value: dict[str, Any] = _read(_env.dj_db_url, name, default)
    return value


def secret(name: str, kept_in: Path) -> str:
    """The secret of that name, else the one kept in a file, else a new one that is kept there (mode 600)."""
    given = text(name)
    if given:
        return given
    if not kept_in.exists():
        aside = kept_in.with_name(f"{kept_in.name}.{secrets.token_hex(8)}")
        aside.touch(mode=0o600)
        aside.write_text(secrets.token_urlsafe(64))
        try:
            os.link(aside, kept_in)  # unlike a rename, never replaces what another process has just written
        except FileExistsError:
            pass
        finally:
            aside.unlink()
    return kept_in.read_text().strip()
