"""How much the two legs of a search weigh: the choice, in one place.

Chosen on one half of the queries of shared retrieval sets and reported on the other: docs/quality.md.
"""

from __future__ import annotations

from collections.abc import Sequence

KEYWORDS = 0.2  # cosines that having all keywords is worth
TOKENS = 1.0  # of a token-wise likeness (index/tokens.py), added to the score of the best
RERANKED = 20  # passages that are looked at again


def keyword_weight(_question: str) -> float:
    """What a passage with all keywords of this question gains, as a cosine."""
    return KEYWORDS


def score(cosine: float, share: float, weight: float) -> float:
    """The score that ranks: the vector leg's score, and the share of the keywords' weight that a passage has."""
    return cosine + weight * share


def with_tokens(scores: Sequence[tuple[float, float | None]]) -> list[float]:
    """(score, token-wise likeness) -> scores to rank by; where the likeness is not known, that of the others is
    taken for it."""
    known = sorted(likeness for _score, likeness in scores if likeness is not None)
    usual = known[len(known) // 2] if known else 0.0
    return [score + TOKENS * (usual if likeness is None else likeness) for score, likeness in scores]
