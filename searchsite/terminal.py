"""Progress of long commands in a terminal, and in a log."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Self

WIDTH = 30
EVERY_SECONDS = 10  # between two lines where there is no terminal to redraw a line in


class ProgressBar:
    """`with ProgressBar(total, stdout) as bar: bar.step("what")`: one line that is redrawn, or a line now and then."""

    def __init__(self, total: int, stdout: Any) -> None:
        self.total, self.stdout, self.done = total, stdout, 0
        self._began = self._shown = time.monotonic()
        self._first: tuple[float, int] | None = None  # the end of the first step, which also loads the encoder

    def __enter__(self) -> Self:
        return self

    def step(self, text: str = "", count: int = 1) -> None:
        self.done += count
        now = time.monotonic()
        self._first = self._first or (now, self.done)
        if self.stdout.isatty():
            self.stdout.write(f"\r\x1b[2K  {self._line(now)}  {text[:40]}", ending="")
            self.stdout.flush()
        elif now - self._shown > EVERY_SECONDS:
            self._shown = now
            self.stdout.write(f"  {self._line(now)}")
            self.stdout.flush()

    def _line(self, now: float) -> str:
        share = min(1.0, self.done / self.total) if self.total else 1.0
        bar = "#" * round(WIDTH * share)
        return f"[{bar:<{WIDTH}}] {self.done}/{self.total}{self._left(now)}"

    def _left(self, now: float) -> str:
        """How long it may still take, told from what came after the first step; nothing while that is too little."""
        since, before = self._first or (now, self.done)
        if self.done == before or self.done < self.total / 50:
            return ""
        left = (now - since) * max(0, self.total - self.done) / (self.done - before)
        return f", about {left / 60:.0f} min left" if left > 90 else f", about {left:.0f} s left"

    def __exit__(self, kind: type[BaseException] | None, *_rest: BaseException | TracebackType | None) -> None:
        took = time.monotonic() - self._began
        start = "\r\x1b[2K" if self.stdout.isatty() else ""
        if kind is None and (start or took > EVERY_SECONDS):  # cron mails whatever is written
            self.stdout.write(f"{start}  {self.done} done in {took:.0f} s")
