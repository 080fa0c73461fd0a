"""Forms for one's own password."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.contrib.auth import authenticate
from django.contrib.auth.forms import PasswordChangeForm, PasswordResetForm
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone

from searchsite.people import throttling
from searchsite.people.audit import record
from searchsite.people.links import has_password_here
from searchsite.people.models import Action, Entry
from searchsite.people.proxies import client_address

PERIOD = timedelta(hours=1)
MAILS_TO_AN_ACCOUNT = 3
MAILS_FROM_AN_ADDRESS = 10
BY_MAIL = {"way": "mail"}


class OwnPasswordForm(PasswordChangeForm):
    """Asks for the old password, which may be tried as often here as on the sign-in page."""

    def __init__(self, *arguments: Any, request: HttpRequest, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.request = request

    def clean_old_password(self) -> str:
        old: str = self.cleaned_data["old_password"]
        if authenticate(self.request, username=self.user.get_username(), password=old) != self.user:
            raise ValidationError(self.error_messages["password_incorrect"], code="password_incorrect")
        throttling.forgive(self.request, self.user.get_username())
        return old


class ForgottenForm(PasswordResetForm):
    """Sends links to the accounts with an address, some an hour; whether there are any, nobody is told."""

    request: HttpRequest

    def get_users(self, email: str) -> Iterator[User]:
        for user in super().get_users(email):
            if has_password_here(user) and may_be_mailed(user, self.request):
                record(Action.PASSWORD_LINK, about=user.get_username(), about_id=user.pk, details=BY_MAIL)
                yield user


def may_be_mailed(user: User, request: HttpRequest) -> bool:
    """Whether neither the account nor whoever asks has had too many mails sent in the last hour."""
    lately = Entry.objects.filter(
        action=Action.PASSWORD_LINK, details__way=BY_MAIL["way"], when__gt=timezone.now() - PERIOD
    )
    return (
        lately.filter(about_id=user.pk).count() < MAILS_TO_AN_ACCOUNT
        and lately.filter(address=client_address(request)).count() < MAILS_FROM_AN_ADDRESS
    )
