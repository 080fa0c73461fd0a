"""The process that reads files, and the pipes to it: what reading.py asks it, and how it may die.

What it does itself is in extract/child.py.
"""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from django.conf import settings

from searchsite.documents.extract.extracted import tell_nobody
from searchsite.documents.problems import Problem

T = TypeVar("T")
CHUNK = 2**20
# Killed without a word of its own, and having held this part of its memory: memory is what it died of.
NEAR_THE_LIMIT = 0.6
FOLDER = "searchsite-read-"  # of temporary files, with the process id of who will remove it
WATCH_SECONDS = 0.1  # how often its memory is looked at: a process that has ended tells no more
HELD_AT_MOST = re.compile(rb"^VmHWM:\s*(\d+) kB", re.MULTILINE)
OUT_OF_MEMORY = (b"memory allocation", b"bad_alloc", b"MemoryError", b"Out of memory")
END_OF_LOG = 2000  # bytes


class Died(Exception):
    """The child ended without an answer."""

    def __init__(self, problem: Problem, detail: str) -> None:
        super().__init__(detail)
        self.problem = problem


@dataclass(frozen=True)
class Request(Generic[T]):
    """What the child is asked: what to do (a key of its WORK) and with which values (JSON-able), about which file.

    seconds: how long it may take. most: bytes of an answer. understood: makes of an answer what it says.
    pages, tell: as in `Limits`, for work that tells of pages.
    """

    do: str
    values: dict[str, Any]
    data: bytes
    seconds: int
    most: int
    understood: Callable[[Any], T]
    pages: int = 0
    tell: Callable[[int, int], None] = tell_nobody


@dataclass(frozen=True)
class Bounds:
    memory_mb: int
    seconds: int


class Child:
    """A process that reads files, and the pipes to it."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.files = 0
        sweep()
        self.folder = tempfile.TemporaryDirectory(prefix=f"{FOLDER}{os.getpid()}-")
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 - closed in end()
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.extract.child", str(bounds.memory_mb)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            cwd=settings.BASE_DIR,
            env=self._environment(),
            start_new_session=True,  # Ctrl-C is for the parent, which ends it by closing its input
        )
        assert self.process.stdin is not None and self.process.stdout is not None, "they were opened as pipes"  # noqa: PT018
        self.input, self.output = self.process.stdin.fileno(), self.process.stdout.fileno()
        os.set_blocking(self.input, False)
        self.unsent: list[memoryview] = []  # of its input, the last first
        self.received = bytearray()  # of its output, what was not taken yet
        self.peak = 0  # bytes of memory that it was seen to hold at most

    def _environment(self) -> dict[str, str]:
        """What libraries need to run, and none of the site's secrets."""
        needed = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONPATH")
        kept = {key: os.environ[key] for key in needed if key in os.environ}
        return {**kept, "HOME": self.folder.name, "TMPDIR": self.folder.name, "OMP_NUM_THREADS": "2"}

    def ask(self, request: Request[T]) -> dict[str, Any]:
        """The child's answer. Raises Died."""
        self.files += 1
        fields = {**request.values, "do": request.do, "seconds": request.seconds, "size": len(request.data)}
        self.unsent = [memoryview(request.data), memoryview(json.dumps(fields).encode() + b"\n")]
        page = -1
        while True:
            answer: dict[str, Any] = json.loads(self._line(request.most, request.seconds))
            if "done" not in answer:
                return answer
            # Each page has the time of a file: there must be no more of them than there may be.
            if not page < answer["done"] < answer["total"] <= request.pages:
                raise Died(Problem("reader_died"), f"told of page {answer['done']} of {answer['total']}")
            page = answer["done"]
            request.tell(page, answer["total"])

    def _line(self, most: int, seconds: int) -> bytes:
        """The next line of the child's output, waited for as long as it may take; meanwhile it gets its input."""
        deadline = time.monotonic() + seconds
        searched = 0  # up to where there is no line break
        while (end := self.received.find(b"\n", searched)) < 0:
            searched = len(self.received)
            if time.monotonic() > deadline:
                raise Died(Problem("too_slow", limit=seconds), "took too long")
            self._exchange()
            if len(self.received) > most:
                raise Died(Problem("reader_died"), "answered more than it may")
        line = bytes(self.received[:end])
        del self.received[: end + 1]
        return line

    def _exchange(self) -> None:
        """Send and receive what can be at once; waits a moment for it. Raises Died when the child has ended."""
        poll = select.poll()
        poll.register(self.output, select.POLLIN)
        if self.unsent:
            poll.register(self.input, select.POLLOUT)
        ready = {descriptor for descriptor, _ in poll.poll(1000 * WATCH_SECONDS)}
        if self.input in ready:
            try:
                sent = os.write(self.input, self.unsent[-1][:CHUNK])
            except BrokenPipeError:  # it takes no more, but may have said why
                self.unsent.clear()
            else:
                rest = self.unsent.pop()[sent:]
                if rest:
                    self.unsent.append(rest)
        if self.output in ready:
            chunk = os.read(self.output, CHUNK)
            if not chunk:
                raise self._death()
            self.received += chunk
        if not ready:
            self.look_at_memory()

    def _death(self) -> Died:
        try:
            self.process.wait(timeout=1)
        except subprocess.TimeoutExpired:  # it closed its pipes, and lives
            self.process.kill()
        self.log.seek(0, os.SEEK_END)
        self.log.seek(max(0, self.log.tell() - END_OF_LOG))
        said = self.log.read()
        memory = self.peak > NEAR_THE_LIMIT * self.bounds.memory_mb * 2**20 or any(w in said for w in OUT_OF_MEMORY)
        detail = f"exit status {self.process.returncode}, {self.peak >> 20} MB; {said.decode('utf-8', 'replace')}"
        return Died(self.problem(memory), detail)

    def problem(self, memory: bool) -> Problem:
        return Problem("too_much_memory", limit=self.bounds.memory_mb) if memory else Problem("reader_died")

    def look_at_memory(self) -> None:
        """Note the most memory that the process has held until now."""
        try:
            found = HELD_AT_MOST.search(Path(f"/proc/{self.process.pid}/status").read_bytes())
        except OSError:
            return
        self.peak = max(self.peak, int(found[1]) * 1024 if found else 0)

    def end(self) -> None:
        """End the process and give back all that belongs to it."""
        self.look_at_memory()
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.log):
            try:
                if pipe is not None:
                    pipe.close()
            except BrokenPipeError:
                pass  # the rest of a file for a child that is gone
        self.folder.cleanup()


def sweep() -> None:
    """Remove the temporary folders of processes that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER}*"):
        owner = folder.name.removeprefix(FOLDER).partition("-")[0]
        if owner.isdecimal() and Path("/proc/self").exists() and not Path("/proc", owner).exists():
            shutil.rmtree(folder, ignore_errors=True)
