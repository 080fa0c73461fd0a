"""Running the site's processes together: start them, restart with back-off what dies, end them all on a signal."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType

FIRST_WAIT = 0.5
LONGEST_WAIT = 30.0
LIVED_LONG = 60.0  # a process that lived this long starts again with the first wait
GRACE = 15.0
PR_SET_PDEATHSIG = 1  # linux/prctl.h
UNUSABLE = os.EX_CONFIG
"""The exit status of a process that cannot run with the settings it has: starting it again would not help."""


@dataclass
class Child:
    """A process to keep running, and how its restarts go."""

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    wait: float = FIRST_WAIT
    start_at: float = 0.0


class Supervisor:
    """Keeps children running until SIGINT or SIGTERM; says what it does through `say`."""

    def __init__(self, children: list[Child], say: Callable[[str], None]) -> None:
        self.children = children
        self.say = say
        self.stopping = False
        self.unusable = False

    def run(self, each_turn: Callable[[], None] = lambda: None) -> bool:
        """Start the children and stay until told to stop. `each_turn` is called a few times a second.

        Returns whether it was a child that told so, by ending as UNUSABLE."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        try:
            while not self.stopping:
                for child in self.children:
                    self._keep(child)
                each_turn()
                time.sleep(0.2)
        finally:
            self._end_all()
        return self.unusable

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def _keep(self, child: Child) -> None:
        now = time.monotonic()
        if child.process is not None:
            code = child.process.poll()
            if code is None:
                return
            child.process = None
            if code == UNUSABLE:
                self.unusable = self.stopping = True
                return
            child.wait = FIRST_WAIT if now - child.started > LIVED_LONG else min(child.wait * 2, LONGEST_WAIT)
            child.start_at = now + child.wait
            self.say(f"{child.name} ended ({_how(code)}); it is started again in {child.wait:.0f} s")
        if now >= child.start_at:
            child.started = now
            child.process = subprocess.Popen(
                child.command,
                env={**os.environ, **child.environment},
                start_new_session=True,  # Ctrl-C reaches us alone, and we end the children in order
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - no threads here
            )

    def _end_all(self) -> None:
        running = [child.process for child in self.children if child.process and child.process.poll() is None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + GRACE
        for process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _end_with_parent() -> None:
    """Have the kernel end this process when the supervisor is killed and cannot do it itself."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _how(code: int) -> str:
    return f"exit status {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
