"""Writing down who did what: `record()`, from wherever it is done.

Who does it is taken from the request that is being answered (`following`, a middleware); outside of requests, in
commands and workers, nobody is named unless `by` says so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.signals import request_finished
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from searchsite.people.models import Action, Entry
from searchsite.people.proxies import client_address

log = logging.getLogger(__name__)

SAME_LOOK = timedelta(hours=1)
"""A look at the same thing is written down once in so long: a page of results has many requests behind it."""


@dataclass
class Answering:
    """The request that is being answered, and what is to be done when that is over."""

    request: HttpRequest
    later: list[Callable[[], None]] = field(default_factory=list)


_answering: ContextVar[Answering | None] = ContextVar("answering", default=None)


def following(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: what is recorded until the response is sent, is recorded as done by whoever asked."""

    def answer(request: HttpRequest) -> HttpResponse:
        _answering.set(Answering(request))
        return get_response(request)

    return answer


def record(action: Action, **told: Any) -> Entry:
    """Write an entry (told: as of `entry`), in the caller's transaction."""
    written = entry(action, **told)
    written.save()
    return written


def entry(
    action: Action,
    *,
    by: AbstractBaseUser | AnonymousUser | None = None,
    username: str = "",
    about: object = "",
    about_id: int | None = None,
    collection: object = "",
    collection_id: int | None = None,
    details: Mapping[str, Any] | None = None,
) -> Entry:
    """An entry that is not written yet.

    by, else username: who did it, where that is not who asked for the page. details: what JSON can hold.
    """
    answering = _answering.get()
    request = answering.request if answering else None
    user = by or (None if username or request is None else getattr(request, "user", None))
    known = user if user is not None and user.is_authenticated else None
    return Entry(
        action=action,
        user_id=known.pk if known else None,
        username=(known.get_username() if known else username)[:254],
        address=client_address(request) if request else None,
        collection_id=collection_id,
        collection=str(collection)[:200],
        about_id=about_id,
        about=str(about)[:500],
        details=dict(details or {}),
    )


def later(do: Callable[[], None]) -> None:
    """Do this once the response has been sent, or at once outside of a request."""
    answering = _answering.get()
    if answering is None:
        do()
    else:
        answering.later.append(do)


def looked(by: AbstractBaseUser, collection_id: int, collection: object, about_id: int | None, about: object) -> None:
    """Record a look, unless the same one was recorded a short while ago."""
    known = Entry.objects.filter(
        user_id=by.pk,
        action=Action.LOOKED,
        collection_id=collection_id,
        about_id=about_id,
        when__gt=timezone.now() - SAME_LOOK,
    )
    if not known.filter(about=str(about)[:500]).exists():
        record(
            Action.LOOKED,
            by=by,
            collection_id=collection_id,
            collection=collection,
            about_id=about_id,
            about=about,
        )


@contextmanager
def nobody() -> Iterator[None]:
    """Without a request, as commands and workers are; for what runs inside of one in their stead."""
    token = _answering.set(None)
    try:
        yield
    finally:
        _answering.reset(token)


def _finish(**_signal: Any) -> None:
    answering = _answering.get()
    try:
        for do in answering.later if answering else ():
            try:
                do()
            except Exception:
                log.exception("something could not be written down")  # the answer is with the reader already
    finally:
        _answering.set(None)


def connect() -> None:
    request_finished.connect(_finish, dispatch_uid="people.audit")
