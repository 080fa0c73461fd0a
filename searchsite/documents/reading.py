"""File -> text in a process of its own: no file can take down, block or bloat the process that asks.

The child (extract/child.py) stays warm between files. It is replaced after some files, after any limit, and when it
died.
"""

from __future__ import annotations

import atexit
import errno
import logging
import os
import threading
from collections.abc import Callable
from datetime import date
from typing import Any, TypeVar

from django.conf import settings

from searchsite.documents.extract.extracted import Extracted, Heading, Limits
from searchsite.documents.extract.ocr import available as ocr_available
from searchsite.documents.problems import Problem
from searchsite.documents.reading_child import Bounds, Child, Died, Request

log = logging.getLogger(__name__)
T = TypeVar("T")

# An answer has the text in at most 4 bytes a character, and its headings, blocks and pages beside it.
ANSWER_BYTES_A_CHARACTER = 4
ANSWER_BYTES_BESIDE = 64 * 2**20
OCR_MEMORY_MB = 400  # what text recognition needs on top
# Somebody waits for a page's picture, in one of the web server's few threads.
LOOK_SECONDS = 10
LONGEST_WAIT = 3  # seconds, for others to be done with the child
LOOK_BYTES = 16 * 2**20


class Busy(Exception):
    """Others have had the child for longer than somebody who looks at a page waits."""


def read(data: bytes, name: str, limits: Limits) -> Extracted:
    """As `extract.extract`, but in the child.

    Raises Problem: what `extract` raises, and "too_slow", "too_much_memory", "reader_died".
    """
    return _with_child(name, lambda child: _read_with(child, data, name, limits))


def look(do: str, data: bytes, number: int, understood: Callable[[Any], T], **values: str | int) -> T:
    """What the child finds on a page of a PDF, counted from 1, for somebody who waits for it.

    do, values: a function of extract/pdf_picture.py, and its other parameters. understood: makes of an answer what it
    says; may raise what comes of an answer without sense.

    Raises Busy after a few seconds, and Problem: "damaged", "too_slow", "too_much_memory", "reader_died".
    """
    request = Request(do, {**values, "number": number}, data, LOOK_SECONDS, LOOK_BYTES, understood)
    return _with_child(f"{do} of page {number}", lambda child: _answered(child, request), LONGEST_WAIT)


def _with_child(what: str, work: Callable[[Child], T], wait: float = -1) -> T:
    """What the work comes to with the warm child, or, where that died of it, with a fresh one.

    what: for the log. wait: seconds for the turn, -1 without end. Raises Busy, and Problem as the work does.
    """
    if not _turn.acquire(timeout=wait):
        raise Busy
    try:
        child = _warm_child()
        used = child.files > 0
        try:
            return work(child)
        except Died as death:
            log.warning("reading %r: %s", what, death)
            if not used or death.problem.code == "too_slow":
                raise death.problem from death
        # What files before this one left in the child may have been what killed it.
        try:
            return work(_warm_child())
        except Died as death:
            log.warning("reading %r once more: %s", what, death)
            raise death.problem from death
    finally:
        _turn.release()


def _read_with(child: Child, data: bytes, name: str, limits: Limits) -> Extracted:
    size = {"max_bytes": limits.max_bytes, "max_pages": limits.max_pages, "max_characters": limits.max_characters}
    most = limits.max_characters * ANSWER_BYTES_A_CHARACTER + ANSWER_BYTES_BESIDE
    values = {"name": name, "limits": size}
    seconds = child.bounds.seconds
    return _answered(child, Request("read", values, data, seconds, most, _extracted, limits.max_pages, limits.tell))


def _answered(child: Child, request: Request[T]) -> T:
    """What the child says to a request. Raises Problem, Died and OSError."""
    try:
        answer = child.ask(request)
        result = _result(child, answer, request.understood)
        if answer["last"]:
            _end(child)
    except (KeyError, TypeError, ValueError, AttributeError) as error:  # the child's words are the file's, perhaps
        _end(child)
        raise Died(Problem("reader_died"), f"its answer makes no sense: {error!r}") from error
    except BaseException:
        _end(child)
        raise
    if isinstance(result, Problem):
        raise result
    return result


def _result(child: Child, answer: dict[str, Any], understood: Callable[[Any], T]) -> T | Problem:
    if "problem" in answer:
        return Problem(str(answer["problem"]["code"]), **answer["problem"]["params"])
    if answer.get("fault") == "disk":
        raise OSError(errno.ENOSPC, "no room for the temporary files of a reader")
    if "fault" in answer:
        raise Died(child.problem(answer["fault"] == "memory"), answer["fault"])
    return understood(answer["found"])


def _extracted(fields: dict[str, Any]) -> Extracted:
    written = fields.pop("written")
    headings = [Heading(**heading) for heading in fields.pop("headings")]
    preformatted = [(start, end) for start, end in fields.pop("preformatted")]
    return Extracted(
        **fields,
        headings=headings,
        preformatted=preformatted,
        written=date.fromisoformat(written) if written else None,
    )


_turn = threading.Lock()
_warm: dict[int, Child] = {}  # by process id: a child's pipes must not be used by a fork of its parent too


def memory_mb() -> int:
    """What the child may take."""
    return int(settings.SEARCHSITE_READ_MEMORY_MB) + (OCR_MEMORY_MB if ocr_available() else 0)


def _warm_child() -> Child:
    bounds = Bounds(memory_mb(), settings.SEARCHSITE_READ_SECONDS)
    child = _warm.get(os.getpid())
    if child is not None and (child.bounds != bounds or child.process.poll() is not None):
        _end(child)
        child = None
    if child is None:
        child = _warm[os.getpid()] = Child(bounds)
    return child


def _end(child: Child) -> None:
    child.end()
    if _warm.get(os.getpid()) is child:
        del _warm[os.getpid()]


@atexit.register
def end_child() -> None:
    """End the warm child, if there is one; the next file starts another."""
    child = _warm.get(os.getpid())
    if child is not None:
        _end(child)
