"""How an account is found that somebody else vouches for."""

from __future__ import annotations

from typing import TypeVar

from django.contrib.auth.backends import RemoteUserBackend
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest

_User = TypeVar("_User", bound=AbstractBaseUser)


class HeaderBackend(RemoteUserBackend):
    """The account of the name that a trusted proxy says; made, without any rights, when there is none."""

    def configure_user(self, request: HttpRequest | None, user: _User, created: bool = True) -> _User:
        if created:
            user.set_unusable_password()  # so that none is ever mailed to it, either
            user.save(update_fields=["password"])
        return user
