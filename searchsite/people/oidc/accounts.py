"""The account of whoever the provider vouches for, and its groups.

Somebody is known by issuer and subject, never by a name or an e-mail address: these can be chosen, and given away anew.
"""

from __future__ import annotations

import logging

from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import Group, User
from django.db import IntegrityError, transaction

from searchsite.people import audit
from searchsite.people.models import Action
from searchsite.people.oidc import claims as said
from searchsite.people.oidc.claims import Claims
from searchsite.people.oidc.configuration import Configuration
from searchsite.people.oidc.failures import SignOnFailed, Why

log = logging.getLogger(__name__)

TRIES = 5


def account_of(claims: Claims, provider: Configuration) -> User:
    """The account, made at the first sign-in, with name and groups as the provider has them now.

    Raises SignOnFailed for a closed account, and for claims that name nobody.
    """
    try:
        subject = said.subject(claims)
    except ValueError as error:
        raise SignOnFailed(Why.REFUSED, str(error)) from error
    account = _known(provider.issuer, subject) or _made(provider.issuer, subject, said.username(claims))
    if not account.is_active:
        audit.record(Action.SIGN_IN_FAILED, username=account.get_username(), details={"reason": "closed"})
        raise SignOnFailed(Why.INACTIVE, f"the account {account.get_username()} is not active")
    with transaction.atomic():
        _describe(account, claims)
        if provider.groups_claim:
            _set_groups(account, claims, provider.groups_claim)
    return account


def _known(issuer: str, subject: str) -> User | None:
    found = SocialAccount.objects.filter(provider=issuer, uid=subject).select_related("user").first()
    return found.user if found else None


def _made(issuer: str, subject: str, wanted: str) -> User:
    for _try in range(TRIES):
        account = User(username=_free(wanted))
        account.set_unusable_password()
        try:
            with transaction.atomic():
                account.save()
                SocialAccount.objects.create(user=account, provider=issuer, uid=subject)
        except IntegrityError:  # at the same moment the same person came in by another door, or one of the same name
            if known := _known(issuer, subject):
                return known
        else:
            return account
    raise SignOnFailed(Why.EXPIRED, f"no name for the account of {subject!r}, after {TRIES} tries")


def _free(wanted: str) -> str:
    """The name, or with a number where there is such an account already, in whatever case."""
    names = User.objects.filter(username__istartswith=wanted).values_list("username", flat=True)
    taken = {name.casefold() for name in names}
    free, number = wanted, 1
    while free.casefold() in taken:
        number += 1
        free = f"{wanted}-{number}"
    return free


def _describe(account: User, claims: Claims) -> None:
    changed = {f: value for f, value in said.description(claims).items() if getattr(account, f) != value}
    for field, value in changed.items():
        setattr(account, field, value)
    if changed:
        account.save(update_fields=list(changed))


def _set_groups(account: User, claims: Claims, claim: str) -> None:
    names, left_out = said.groups(claims, claim)
    if left_out:
        log.warning(
            "%d groups of %s were left out: at most %d are taken, each a name of at most %d visible characters.",
            left_out, account.get_username(), said.MOST_GROUPS, said.LONGEST_NAME,
        )  # fmt: skip
    there = set(Group.objects.filter(name__in=names).values_list("name", flat=True))
    Group.objects.bulk_create((Group(name=name) for name in names if name not in there), ignore_conflicts=True)
    account.groups.set(Group.objects.filter(name__in=names))
