"""How much the two legs of a search weigh: the choice, in one place.

Chosen on one half of the queries of shared retrieval sets and reported on the other: docs/quality.md.
"""

from __future__ import annotations

KEYWORDS = 0.2  # cosines that having all keywords is worth


def keyword_weight(_question: str) -> float:
    """What a passage with all keywords of this question gains, as a cosine."""
    return KEYWORDS


def score(cosine: float, share: float, weight: float) -> float:
    """The score that ranks: the vector leg's score, and the share of the keywords' weight that a passage has."""
    return cosine + weight * share
