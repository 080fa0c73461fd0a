"""Which tokens go through the model together. Plain arithmetic on lists."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True)
class Window:
    """A sequence for the model: its token ids, special tokens included, the text it belongs to, and how many of the
    text's tokens come before it."""

    text: int
    ids: list[int]
    start: int = 0


def windows(text: int, ids: Sequence[int], lead: list[int], trail: list[int], max_tokens: int) -> list[Window]:
    """Cut a text's token ids into as many sequences of at most `max_tokens` as it takes, without overlap.

    Each is wrapped in the special tokens `lead` and `trail`; a text without tokens is one sequence of these alone.
    """
    room = max_tokens - len(lead) - len(trail)
    starts = range(0, max(len(ids), 1), room)
    return [Window(text, [*lead, *ids[start : start + room], *trail], start) for start in starts]


def batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Group sequences of like length; yields lists of their positions, the longest first.

    A batch holds at most `budget` tokens, padding included, or one sequence. The longest come first so that the
    most memory is needed at once and not at the end.
    """
    batch: list[int] = []
    longest = 0
    for position in sorted(range(len(lengths)), key=lambda position: -lengths[position]):
        if batch and longest * (len(batch) + 1) > budget:
            yield batch
            batch = []
        if not batch:
            longest = lengths[position]
        batch.append(position)
    if batch:
        yield batch


def widths(lengths: Sequence[int], step: int, most: int) -> Iterator[tuple[int, int]]:
    """Yield (how many, width) of the sequences of like width that stand one behind the other; each length is rounded up
    to a multiple of `step`, but to no more than `most`."""
    for width, run in groupby(min(-(-length // step) * step, most) for length in lengths):
        yield len(list(run)), width
