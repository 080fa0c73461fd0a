"""Links with which somebody sets the password of an account."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode


def password_path(account: User) -> str:
    """The path of a page that sets the account's password, once, within `days_valid()`."""
    token = default_token_generator.make_token(account)
    return reverse("password_new", args=[urlsafe_base64_encode(force_bytes(account.pk)), token])


def days_valid() -> int:
    return settings.PASSWORD_RESET_TIMEOUT // (24 * 3600)
