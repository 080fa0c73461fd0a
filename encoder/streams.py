"""Work on several batches at once, each with one thread of torch: no thread waits for another within an operation, and
what a batch needs stays in the cache of its processor."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier, BoundedSemaphore
from typing import TypeVar

import torch

Item = TypeVar("Item")
Made = TypeVar("Made")


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
        self._free = BoundedSemaphore(count)

    def one(self, work: Callable[[Item], Made], item: Item) -> Made:
        """What `work` makes of an item, in the calling thread: by all of torch's threads where nobody else is at it,
        so that a question alone waits least, and else by one, so that many wait least."""
        with self._free:
            alone = self._free.acquire(blocking=False)
            try:
                torch.set_num_threads(self.count if alone else 1)
                return work(item)
            finally:
                if alone:
                    self._free.release()

    def each(self, work: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Made]:
        """What `work` makes of each item, in their order. Few are begun ahead, so that others come between."""
        begun: deque[Future[Made]] = deque()
        for item in items:
            begun.append(self._pool.submit(work, item))
            if len(begun) > self.count:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
