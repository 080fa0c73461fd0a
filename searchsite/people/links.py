"""Links with which somebody sets the password of an account."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, User
from django.contrib.auth.tokens import default_token_generator
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode


def password_path(account: User) -> str:
    """The path of a page that sets the account's password, once, within `days_valid()`."""
    token = default_token_generator.make_token(account)
    return reverse("password_new", args=[urlsafe_base64_encode(force_bytes(account.pk)), token])


def has_password_here(account: AbstractBaseUser) -> bool:
    """Whether a password lets in to this account: not where somebody else vouches for it."""
    elsewhere = settings.SEARCHSITE_OIDC is not None and settings.SEARCHSITE_OIDC.only
    return account.has_usable_password() and (not elsewhere or bool(getattr(account, "is_superuser", False)))


def days_valid() -> int:
    return settings.PASSWORD_RESET_TIMEOUT // (24 * 3600)
