"""Making the lexical index anew from the database, beside the one that serves."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from django.conf import settings
from django.utils.crypto import get_random_string

from searchsite.documents.models import ChangeCounter, Document, Passage
from searchsite.index.lexical_errors import LexicalBusy
from searchsite.index.models import ActiveBuild
from searchsite.index.vectors import encoded_text, live_documents

if TYPE_CHECKING:
    from searchsite.documents.jobs import Progress
    from searchsite.index.lexical import Row

log = logging.getLogger(__name__)

PREFIX = "lexical-"
LOCK = "lexical.lock"  # held by whoever makes one anew; what it holds says how far that is
PASSAGES = 500  # read from the database at once
ASIDE_SECONDS = 3600  # a folder that nobody names or has written to for so long is nobody's


def live_rows(document_ids: Sequence[int]) -> Iterator[Row]:
    """All that is findable of these documents, encoded or not, in short reads."""
    from searchsite.index.lexical import Row

    live = Passage.objects.filter(revision__live_for__in=document_ids)
    ids = list(live.order_by("pk").values_list("pk", flat=True))
    for first in range(0, len(ids), PASSAGES):
        found = (
            Passage.objects.filter(pk__in=ids[first : first + PASSAGES], revision__live_for__isnull=False)
            .order_by("pk")
            .values_list(
                "pk",
                "revision__live_for",
                "revision__live_for__collection_id",
                "revision__encoded_title",
                "revision__title",
                "heading_path",
                "text",
                "language",
            )
        )
        for pk, document, collection, encoded_title, title, path, text, language in found:
            above = encoded_text(encoded_title or title, path, text).removesuffix(f"\n{text}")
            yield Row(pk, document, collection, above, text, language)


def make_anew(
    reason: str,
    *,
    instead_of: str | None = None,
    progress: Progress = lambda *_progress: None,
    stopped: Callable[[], bool] = lambda: False,
) -> bool:
    """Make an index of all that is findable, and let it serve; False where it was told to stop.

    instead_of: the name of the folder that must not serve any more ("": there is none); where another serves by now,
    nothing is done. Raises LexicalBusy where another process is making one, and what keeps it from being written
    (OSError, ValueError).
    """
    with _alone() as note:
        serves = ActiveBuild.objects.filter(pk=1).values_list("lexical", flat=True).first() or ""
        if instead_of is not None and serves != instead_of:
            return True
        log.info("the lexical index is being made anew: %s", reason)
        _note(note, "begun")
        folder = settings.INDEX_DIR / f"{PREFIX}{get_random_string(8)}"  # never that of another database
        try:
            # Read before the rows: a change that comes while they are read has a higher number and is replayed on top.
            upto = ChangeCounter.objects.filter(pk=1).values_list("value", flat=True).first() or 0
            whole = _write(folder, upto, note, progress, stopped)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        if not whole:
            shutil.rmtree(folder, ignore_errors=True)
            return False
        ActiveBuild.objects.update_or_create(pk=1, defaults={"lexical": folder.name, "lexical_number": upto})
        log.info("the lexical index has been made anew, up to change %s", upto)
        return True


def _write(folder: Path, upto: int, note: TextIO, progress: Progress, stopped: Callable[[], bool]) -> bool:
    from searchsite.index import lexical

    lexical.create(folder)
    done, total = 0, Document.objects.filter(live_revision__isnull=False).count()
    with lexical.writing(folder) as writer:
        for ids in live_documents():
            if stopped():
                return False
            writer.replace([], live_rows(ids))
            done += len(ids)
            progress("building", done, total)
            _note(note, f"{done} of {total} documents")
            os.utime(folder)  # so that nobody takes it for left
        writer.commit(upto)
    return True


@contextmanager
def _alone() -> Iterator[TextIO]:
    """The file that is locked while one process makes an index anew. Raises LexicalBusy."""
    path = settings.INDEX_DIR / LOCK
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    with path.open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LexicalBusy("Another process is making the lexical index anew.") from error
        yield file


def _note(file: TextIO, text: str) -> None:
    file.seek(0)
    file.write(text)
    file.truncate()
    file.flush()


def being_made() -> str:
    """How far the making of one is; empty where nobody is making one."""
    try:
        with _alone():
            return ""
    except LexicalBusy:
        return (settings.INDEX_DIR / LOCK).read_text()


def sweep() -> None:
    """Delete the folders that do not serve and that nobody has written to for a while."""
    serves = ActiveBuild.objects.filter(pk=1).values_list("lexical", flat=True).first()
    for path in settings.INDEX_DIR.glob(f"{PREFIX}*"):
        try:
            left = path.name != serves and time.time() - path.stat().st_mtime > ASIDE_SECONDS
        except FileNotFoundError:
            continue
        if left:
            shutil.rmtree(path, ignore_errors=True)
