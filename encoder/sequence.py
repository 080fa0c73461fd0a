"""The sequence output of a passage, and what each of its tokens is. Plain data and arithmetic: no torch, no numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from encoder.batching import Window

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Kind = Literal["special", "prefix", "text"]
Span = tuple[int, int]  # (start, end) in characters of the text as given
Label = tuple[Kind, Span]

_SPECIAL: Label = ("special", (0, 0))


@dataclass(frozen=True, eq=False)
class TokenStates:
    """All tokens that one text went through the model with, and the vector that the same pass made of them.

    `states` (tokens, dim) float32 are the last hidden states, in order: special tokens, prefix and text, of a long
    text window for window, each with special tokens of its own. `kinds` and `offsets` have one entry a token;
    offsets are (0, 0) for what is not of the text. Those of the text are as `Encoder.token_offsets` gives, but the
    space that some tokenizers put before a text, where it is a token alone, has (0, 0) too. `pooled` (dim,) is of
    length 1 (0 for a text of which the tiny encoder makes no token), as `encode_passages` gives it.

    Where `linear` holds (mean pooling), `pooled` is the mean of the states scaled to length 1, so that its product
    with any vector is a sum with one term a token. With other poolings tokens have no such shares.
    """

    states: NDArray[np.float32]
    kinds: tuple[Kind, ...]
    offsets: tuple[Span, ...]
    pooled: NDArray[np.float32]
    linear: bool

    @classmethod
    def of(
        cls, states: NDArray[np.float32], tokens: Sequence[Label], pooled: NDArray[np.float32], linear: bool
    ) -> TokenStates:
        """As the class, from one label a token."""
        return cls(states, tuple(kind for kind, _ in tokens), tuple(span for _, span in tokens), pooled, linear)


def labels(offsets: Sequence[Span], prefix: str, text: str) -> list[Label]:
    """Return what each token of prefix + text is, from its offsets in both together.

    A token that lies within the prefix, the spaces at the prefix' end aside, is the prefix'. Such a space is at most
    a token's beginning or the mark that a word begins, which the text would have without a prefix, too; so it is the
    text's, if there is any. A token that goes on from the prefix into the text is the text's.
    """
    end_of_prefix = len(prefix.rstrip()) if text else len(prefix)
    return [
        ("prefix", (0, 0))
        if start < end_of_prefix and end <= end_of_prefix
        else ("text", (max(start - len(prefix), 0), max(end - len(prefix), 0)))
        for start, end in offsets
    ]


def labels_in_window(of_text: Sequence[Label], window: Window, lead: int, trail: int) -> list[Label]:
    """Return the labels of a window's tokens: `of_text` those of the whole text, `lead` and `trail` the numbers of
    special tokens around each window."""
    held = len(window.ids) - lead - trail
    return [_SPECIAL] * lead + list(of_text[window.start : window.start + held]) + [_SPECIAL] * trail
