"""The site's lexical index, kept true by whoever does the work, and read by everybody.

One row (ActiveBuild) names the folder that serves. Its index carries the number of the last change it has. Whoever
keeps it up replays what has changed since; where that cannot be done, it is made anew beside the one that serves, from
the database, and the row is changed when it is whole.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from django.conf import settings

from searchsite.documents import changes
from searchsite.documents.models import ChangeCounter
from searchsite.index import lexical_build, lexical_files
from searchsite.index.lexical_errors import LexicalBusy, LexicalError
from searchsite.index.models import ActiveBuild

if TYPE_CHECKING:
    from searchsite.index.lexical import LexicalIndex, Writer

log = logging.getLogger(__name__)
T = TypeVar("T")

CHECK_SECONDS = 5.0  # between looks at the sizes of the files
READ_SECONDS = 600.0  # between readings of the files, for what their sizes do not tell
PAUSE_SECONDS = 30.0  # after a failure, before it is tried again
NUMBERS = 1000  # changes replayed by one commit
CHUNK = 200  # documents whose rows are read at once


@dataclass
class View:
    """The index that readers of this process use: which commit it shows, and when its files were looked at."""

    index: LexicalIndex
    stamp: tuple[int, int]
    checked: float


@dataclass(frozen=True)
class Kept:
    """How far this process knows the index to have come, and when its files were looked at, and read."""

    folder: Path
    number: int
    checked: float
    read: float


_opening = threading.Lock()
_view: View | None = None
_refused: tuple[Path, float] | None = None
_kept: Kept | None = None
_failed: tuple[Path, float] | None = None


def serving() -> Path | None:
    """The folder that serves; None before the first."""
    name = ActiveBuild.objects.filter(pk=1).values_list("lexical", flat=True).first()
    return settings.INDEX_DIR / name if name else None


def current() -> LexicalIndex | None:
    """The index as of its newest commit. None where there is none that can be read: searches do without it then."""
    global _view, _refused  # noqa: PLW0603 - one view for all threads of the process is the point
    folder = serving()
    if folder is None:
        return None
    with _opening:
        now = time.monotonic()
        if _refused and _refused[0] == folder and now - _refused[1] < CHECK_SECONDS:
            return None
        try:
            _view = _seen(folder, now)
        except BaseException as error:
            if not _of_the_index(error):
                raise
            if _refused is None or _refused[0] != folder:
                log.warning("searching without keywords until the lexical index has been made anew: %s", error)
            _view, _refused = None, (folder, now)
            return None
        _refused = None
        return _view.index


def tried(search: Callable[[LexicalIndex | None], T]) -> T:
    """search(index); and without an index, where it turns out in searching that this one is damaged."""
    try:
        return search(current())
    except LexicalError as error:
        log.warning("searched without keywords: %s", error)
        return search(None)


def _seen(folder: Path, now: float) -> View:
    """The view of the newest commit. Raises LexicalError and OSError."""
    from searchsite.index import lexical

    about = (folder / lexical_files.META).stat()
    stamp = (about.st_ino, about.st_mtime_ns)  # the file is replaced by each commit
    view = _view if _view and _view.index.folder == folder else None
    if view and view.stamp == stamp and now - view.checked < CHECK_SECONDS:
        return view
    lexical_files.check(folder)
    if view is None:
        return View(lexical.opened(folder), stamp, now)
    if view.stamp != stamp:
        view.index.reload()
    return View(view.index, stamp, now)


def keep_up(stopped: Callable[[], bool] = lambda: False, wait_seconds: float = 0.0) -> None:
    """Bring the index up to the latest change, or make it anew: quick where nothing has changed.

    Where another process is at it, wait so long for it. Failures are logged, and tried again by a later call.
    """
    global _failed, _kept
    if _failed and _failed[0] == settings.INDEX_DIR and time.monotonic() - _failed[1] < PAUSE_SECONDS:
        return
    if _settled():
        return
    try:
        patiently(lambda: _turn(stopped), wait_seconds)
    except LexicalBusy as busy:
        log.debug("the lexical index is kept by another process: %s", busy)
    except BaseException as error:
        if not _of_the_index(error):
            raise
        log.exception("the lexical index could not be kept up; this is tried again")
        _kept, _failed = None, (settings.INDEX_DIR, time.monotonic())


def _of_the_index(error: BaseException) -> bool:
    """Whether it is the index or its disk that failed: tantivy raises ValueErrors, and its panics are no Exceptions."""
    return isinstance(error, (LexicalError, OSError, ValueError)) or type(error).__name__ == "PanicException"


def patiently(do: Callable[[], T], wait_seconds: float) -> T:
    """What `do()` gives, tried again for so long as another process writes. Raises LexicalBusy, and what it raises."""
    until = time.monotonic() + wait_seconds
    while True:
        try:
            return do()
        except LexicalBusy:
            if time.monotonic() >= until:
                raise
        time.sleep(0.05)


def _settled() -> bool:
    """Whether this process knows that nothing has to be done."""
    upto, folder = change_number(), serving()
    checked_lately = _kept is not None and time.monotonic() - _kept.checked < CHECK_SECONDS
    return checked_lately and _kept is not None and (_kept.folder, _kept.number) == (folder, upto)


def _turn(stopped: Callable[[], bool]) -> None:
    folder = serving()
    try:
        replay(folder, stopped)
    except LexicalError as error:
        if lexical_build.make_anew(str(error), instead_of=folder.name if folder else "", stopped=stopped):
            replay(serving(), stopped)
    lexical_build.sweep()


def replay(folder: Path | None, stopped: Callable[[], bool] = lambda: False) -> int:
    """Bring the index in a folder up to the latest change; returns the number it has come to.

    Raises LexicalBusy, and LexicalError where it must be made anew.
    """
    global _kept  # noqa: PLW0603
    from searchsite.index import lexical

    if folder is None:
        raise LexicalError("There is no lexical index yet.")
    now = time.monotonic()
    known = _kept if _kept and _kept.folder == folder else None
    to_read = known is None or now - known.read > READ_SECONDS
    lexical_files.check(folder, thoroughly=to_read)
    number = lexical.opened(folder).number
    _check_history(folder, number)
    if number < change_number() and not stopped():
        with lexical.writing(folder) as writer:
            number = lexical.opened(folder).number  # nobody else writes now
            while number < (upto := change_number()) and not stopped():
                upto = min(upto, number + NUMBERS)
                _replay_some(folder, writer, number, upto)
                number = upto
    _kept = Kept(folder, number, now, now if known is None or to_read else known.read)
    return number


def _replay_some(folder: Path, writer: Writer, number: int, upto: int) -> None:
    """Commit the changes after `number` up to `upto`: each document gets the rows that it has in the database now."""
    changed = changes.since(number, upto)
    _check_history(folder, number)  # after the log was read: what was deleted from it meanwhile is told by the row
    for first in range(0, len(changed), CHUNK):
        some = changed[first : first + CHUNK]
        writer.replace(some, lexical_build.live_rows(some))
    if not ActiveBuild.objects.filter(pk=1, lexical=folder.name).update(lexical_number=upto):
        raise LexicalBusy(f"{folder.name} does not serve any more.")
    writer.commit(upto)


def _check_history(folder: Path, number: int) -> None:
    """Raises LexicalError where the change log does not lead from that number of the folder to the present."""
    row = ActiveBuild.objects.filter(pk=1, lexical=folder.name).first()
    if row is None:
        return  # another has taken its place
    if number > row.lexical_number:
        raise LexicalError("The lexical index knows of changes that the database does not: this is an earlier state.")
    if number < row.changes_deleted:
        raise LexicalError("The lexical index lacks changes that have been deleted from the log.")


def change_number() -> int:
    """The number of the latest change of what is findable."""
    return ChangeCounter.objects.filter(pk=1).values_list("value", flat=True).first() or 0


def described() -> str:
    """For people: what serves, how far it has come, and whether one is being made."""
    from searchsite.index import lexical

    making = lexical_build.being_made()
    making = f"; being made anew: {making}" if making else ""
    folder = serving()
    if folder is None:
        return f"none yet{making}"
    try:
        lexical_files.check(folder)
        index = lexical.opened(folder)
        size = sum(path.stat().st_size for path in folder.iterdir())
    except (LexicalError, OSError) as error:
        return f"{error}{making}"
    behind = change_number() - index.number
    late = f", {behind} changes behind" if behind else ""
    return f"{len(index.ids())} passages, change {index.number}{late}, {size / 1e6:.1f} MB, {folder.name}{making}"
