"""What a provider says of somebody, made harmless. Whoever has an account there may have written it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

Claims = Mapping[str, Any]

LONGEST_SUBJECT = 191
LONGEST_NAME = 150
"""Of Django's user names, first and last names, and groups."""
ROOM_FOR_NUMBER = 10
MOST_GROUPS = 1000
_HASHED = "sha256:"


def subject(claims: Claims) -> str:
    """Who it is, for good, among those of the same provider; a digest of it where it is longer than its column.

    Raises ValueError where the provider says nothing usable.
    """
    said = claims.get("sub")
    if not isinstance(said, str) or not said or said != _shown(said):
        raise ValueError(f"the claim sub is {str(said)[:100]!r}, which is no identifier")
    if len(said) > LONGEST_SUBJECT or said.startswith(_HASHED):
        return _HASHED + sha256(said.encode()).hexdigest()
    return said


def username(claims: Claims) -> str:
    """A name that Django's accounts may have, with room for a number; "user" where the claims have none."""
    email = _text(claims.get("email")).partition("@")[0]
    for said in (_text(claims.get("preferred_username")), email, _text(claims.get("name"))):
        name = re.sub(r"[^\w.@+-]+", "-", said)[: LONGEST_NAME - ROOM_FOR_NUMBER].strip("-.")
        if name:
            return name
    return "user"


def description(claims: Claims) -> dict[str, str]:
    """First name, last name and e-mail address, as far as the claims have them, by the fields of Django's accounts."""
    first, last = _text(claims.get("given_name")), _text(claims.get("family_name"))
    if not (first or last):
        first, _space, last = _text(claims.get("name")).partition(" ")
    said = {"first_name": first[:LONGEST_NAME], "last_name": last[:LONGEST_NAME], "email": _email(claims)}
    return {field: value for field, value in said.items() if value}


def groups(claims: Claims, claim: str) -> tuple[list[str], int]:
    """The names of somebody's groups, and how many could not be taken.

    Names are taken as they are or not at all: cut or cleaned, one could become that of another group.
    """
    said = claims.get(claim)
    if said is None:
        return [], 0
    each = said if isinstance(said, list) else [said]
    usable = [one for one in each if isinstance(one, str) and 0 < len(one) <= LONGEST_NAME and one == _shown(one)]
    taken = list(dict.fromkeys(usable))[:MOST_GROUPS]
    return taken, len(each) - len(usable) + max(0, len(set(usable)) - MOST_GROUPS)


def _text(said: object) -> str:
    """One line of what can be seen; empty for what is no text."""
    return _shown(unicodedata.normalize("NFKC", said[:1000])) if isinstance(said, str) else ""


def _shown(text: str) -> str:
    """Without control and format characters (those that turn the direction of writing, too) and outer spaces."""
    visible = (" " if character.isspace() else character for character in text)
    return "".join(one for one in visible if not unicodedata.category(one).startswith("C")).strip()


def _email(claims: Claims) -> str:
    address = _text(claims.get("email"))
    if claims.get("email_verified") in (False, "false"):  # not known to be theirs; many providers do not say
        return ""
    try:
        validate_email(address)
    except ValidationError:
        return ""
    return address if len(address) <= 254 else ""
