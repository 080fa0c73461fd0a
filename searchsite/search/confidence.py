"""Whether a passage answers a question at all, or is only the nearest of what there is.

A passage is taken for an answer when its score stands out from the background: the mean score of those candidates that
come some places behind the best, which are about something else in all but the smallest corpora. How far it must
stand out is measured on the site's own documents: sentences of theirs are asked, and their own document is left out, so
that what is found then is what "nothing here" looks like (calibration.py). docs/quality.md has what this achieves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from searchsite.search import fusion
from searchsite.search.ranking import Ranked

BEHIND = slice(25, 60)  # places of the candidates that are the background
LEAST_CANDIDATES = 60  # with fewer there is no background

# Without it, and where nothing was measured yet: scores without a look at the tokens, low enough to keep what answers.
LEAST_SCORE = 0.3
LEAST_COSINE = 0.25  # of a passage in another language, which cannot have the question's words


@dataclass(frozen=True)
class Thresholds:
    """How far above the background an answer stands at least: by its score; in another language, without keywords."""

    own: float
    foreign: float


@dataclass(frozen=True)
class Standing:
    """How far a passage stands out from the background of its question: with its keywords, and without them."""

    own: float
    foreign: float


def standings(ranked: Sequence[Ranked]) -> list[Standing] | None:
    """Of passages in rank order; None where there are too few for a background."""
    if len(ranked) < LEAST_CANDIDATES:
        return None
    score = fmean(_earned(one) for one in ranked[BEHIND])
    cosine = fmean(one.near for one in ranked[BEHIND])
    looks = sorted(one.tokens for one in ranked if one.tokens is not None)
    usual = looks[len(looks) // 2] if looks else 0.0

    def look(one: Ranked) -> float:
        return fusion.TOKENS * (usual if one.tokens is None else one.tokens)

    return [Standing(_earned(one) + look(one) - score, one.near + look(one) - cosine) for one in ranked]


def _earned(one: Ranked) -> float:
    """Its score without the credit for its language, which is no sign that it answers."""
    return fusion.score(one.near, one.keywords) if one.credit else one.score


def answering(ranked: Sequence[Ranked], thresholds: Thresholds | None) -> list[bool]:
    """Which of these passages, in rank order, are taken for answers; those that hold what was asked for word for word
    always are. `thresholds`: None where nothing was measured."""
    found = standings(ranked)
    if found is None or thresholds is None:
        return [
            one.exact or _earned(one) >= LEAST_SCORE or (one.foreign and one.near >= LEAST_COSINE) for one in ranked
        ]
    return [
        one.exact or standing.own >= thresholds.own or (one.foreign and standing.foreign >= thresholds.foreign)
        for one, standing in zip(ranked, found, strict=True)
    ]
