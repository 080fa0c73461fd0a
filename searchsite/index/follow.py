"""This process' view of the index, kept true: before each search it catches up with what has changed since."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from searchsite.documents import changes
from searchsite.documents.models import ChangeCounter
from searchsite.index import backends, space
from searchsite.index.models import ActiveBuild, Build
from searchsite.index.vectors import join, live_rows

if TYPE_CHECKING:
    from searchsite.index.stores.faiss import FaissStore

CHUNK = 200


class IndexUnavailable(Exception):
    """The index cannot serve. The message is a sentence for the reader, lazily translated."""


@dataclass
class Followed:
    """A store, the build it serves, and the number of the last change in it."""

    store: FaissStore
    build: Build | None
    number: int


_catching_up = threading.Lock()
_followed: Followed | None = None


def current() -> Followed:
    """The store as of now: the active build, and on top all that was committed before this call.

    Raises IndexUnavailable when the active build cannot serve.
    """
    global _followed  # noqa: PLW0603 - one view for all threads of the process is the point
    build, number = _truth()
    followed = _followed
    if followed and _build_id(followed.build) == _build_id(build) and followed.number >= number:
        return followed
    with _catching_up:
        followed = _followed
        if followed is None or _build_id(followed.build) != _build_id(build):
            followed = open_build(build)
        if followed.number < number:
            followed = catch_up(followed, number)
        _followed = followed
    return followed


def open_build(build: Build | None) -> Followed:
    """A new store that serves that build and nothing else."""
    from searchsite.index.stores.faiss import FaissStore
    from searchsite.index.stores.files import BuildError

    _check(build)
    store = FaissStore(space.current().dim)
    try:
        store.replace(settings.INDEX_DIR / build.folder if build else None)
    except BuildError as error:
        raise IndexUnavailable(
            _("The search index cannot be read. An administrator must rebuild the index.")
        ) from error
    return Followed(store, build, build.change_number if build else 0)


def active_build() -> Build | None:
    """The build that serves, None before the first. Raises IndexUnavailable when it is another encoder's."""
    build, _number = _truth()
    _check(build)
    return build


def _check(build: Build | None) -> None:
    if build is not None and build.fingerprint != backends.fingerprint():
        raise IndexUnavailable(
            _("The encoder has been changed since the index was built. An administrator must rebuild the index.")
        )


def catch_up(followed: Followed, number: int) -> Followed:
    """Replay the changes up to `number`: each changed document is replaced by what is live of it now."""
    placed = space.current()
    changed = changes.since(followed.number, number)
    parts = [
        live_rows(changed[first : first + CHUNK], backends.fingerprint(), placed)
        for first in range(0, len(changed), CHUNK)
    ]
    followed.store.apply(changed, join(parts, placed.dim))
    return Followed(followed.store, followed.build, number)


def change_number() -> int:
    """The number of the latest change of what is findable."""
    return _truth()[1]


def forget() -> None:
    """Forget this process' view; the next search reads it again."""
    global _followed  # noqa: PLW0603
    _followed = None


def _truth() -> tuple[Build | None, int]:
    # The counter first: a build that becomes active in between was made from at least these changes or replays them.
    counter = ChangeCounter.objects.filter(pk=1).first()
    active = ActiveBuild.objects.select_related("build").filter(pk=1).first()
    return (active.build if active else None), (counter.value if counter else 0)


def _build_id(build: Build | None) -> int | None:
    return build.pk if build else None
