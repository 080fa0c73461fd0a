"""Work on several batches at once, each with one thread of torch: no thread waits for another within an operation, and
what a batch needs stays in the cache of its processor."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier, Lock
from typing import Any, NamedTuple, TypeVar

import torch

Item = TypeVar("Item")
Made = TypeVar("Made")


class _Brought(NamedTuple):
    """By a thread that waits for what is made of it."""

    items: list[Any]
    size: int
    made: Future[Any]


class Streams:
    def __init__(self, count: int) -> None:
        self.count = count
        # The number of torch's threads is one for each thread of Python, and what new ones begin with one for all.
        self._pool = ThreadPoolExecutor(count, "encode", initializer=torch.set_num_threads, initargs=(1,))
        begun = Barrier(count + 1)
        for _ in range(count):
            self._pool.submit(begun.wait)
        begun.wait()
        torch.set_num_threads(count)
        self._turn, self._gate = Lock(), Lock()
        self._waiting: deque[_Brought] = deque()

    def joined(
        self, work: Callable[[list[Item]], Sequence[Made]], items: list[Item], size: int, most: int
    ) -> Sequence[Made]:
        """What `work` makes of these items, one for each, in the calling thread.

        One alone is worked at by all of torch's threads, so that a question waits least. What several threads brought
        while another was at it goes through it together, up to `most` by their sizes, since some questions take
        little longer than one, and by one of torch's threads: the processors have enough to do.
        """
        mine = _Brought(items, size, Future())
        with self._gate:
            self._waiting.append(mine)
        with self._turn:
            while not mine.made.done():  # else one whose turn it was before took it along
                taken = self._taken(most)
                torch.set_num_threads(self.count if len(taken) == 1 else 1)
                try:
                    made = list(work([item for brought in taken for item in brought.items]))
                except BaseException as error:  # noqa: BLE001 - each thread that waits is told
                    for brought in taken:
                        brought.made.set_exception(error)
                    continue
                for brought in taken:
                    brought.made.set_result(made[: len(brought.items)])
                    made = made[len(brought.items) :]
        result: Sequence[Made] = mine.made.result()
        return result

    def _taken(self, most: int) -> list["_Brought"]:
        with self._gate:
            taken = [self._waiting.popleft()]
            while self._waiting and sum(one.size for one in taken) + self._waiting[0].size <= most:
                taken.append(self._waiting.popleft())
        return taken

    def each(self, work: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Made]:
        """What `work` makes of each item, in their order. Few are begun ahead, so that others come between."""
        begun: deque[Future[Made]] = deque()
        for item in items:
            begun.append(self._pool.submit(work, item))
            if len(begun) > self.count:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
