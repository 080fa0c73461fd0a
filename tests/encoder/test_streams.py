"""What several threads bring at the same moment goes through the model together, and each gets its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
import torch

from encoder.streams import Streams

MOST = 10


@pytest.fixture
def streams():
    before = torch.get_num_threads()
    yield Streams(2)
    torch.set_num_threads(before)


class Work:
    """Work that notes what it is given, with how many of torch's threads, and is at its first call until `go`."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[str], int]] = []
        self.begun, self.go = Event(), Event()

    def __call__(self, items: list[str]) -> list[str]:
        self.calls.append((items, torch.get_num_threads()))
        self.begun.set()
        assert self.go.wait(20)
        if "bad" in items:
            raise ValueError(items)
        return [item.upper() for item in items]


def brought(streams: Streams, work: Work, *others: list[str]) -> list:
    """What becomes of each of these, brought in this order while the first is worked at."""
    with ThreadPoolExecutor(10) as threads:
        futures = []
        for number, items in enumerate(others):
            futures.append(threads.submit(streams.joined, work, items, sum(map(len, items)), MOST))
            if number == 0:
                assert work.begun.wait(20)
            else:
                while len(streams._waiting) < number:
                    assert not futures[-1].done()
        work.go.set()
        return [future.exception(20) or future.result() for future in futures]


def test_what_comes_while_one_is_worked_at_is_worked_at_together(streams):
    work = Work()
    assert brought(streams, work, ["a"], ["b", "c"], ["d"], ["e"]) == [["A"], ["B", "C"], ["D"], ["E"]]
    assert work.calls == [(["a"], 2), (["b", "c", "d", "e"], 1)]


def test_no_more_together_than_is_allowed_and_more_alone(streams):
    work = Work()
    assert brought(streams, work, ["a"], ["eight***"], ["two"], ["longer than allowed"], ["z"]) == [
        ["A"], ["EIGHT***"], ["TWO"], ["LONGER THAN ALLOWED"], ["Z"],
    ]  # fmt: skip
    assert [items for items, _threads in work.calls] == [["a"], ["eight***"], ["two"], ["longer than allowed"], ["z"]]


def test_who_fails_together_is_told_and_the_next_are_not(streams):
    work = Work()
    first, bad, beside, long, after = brought(streams, work, ["a"], ["bad"], ["b"], ["c" * MOST], ["d"])
    assert first == ["A"]
    assert isinstance(bad, ValueError)
    assert isinstance(beside, ValueError)
    assert long == ["C" * MOST]
    assert after == ["D"]
