"""How much the two legs of a search weigh: the choice, in one place.

Chosen on one half of the queries of shared retrieval sets and reported on the other: docs/quality.md.
"""

from __future__ import annotations

from collections.abc import Sequence

KEYWORDS = 0.4  # cosines that having all keywords is worth
MOST_KEYWORDS = 1.2  # the largest share: who has the words again and again has no more than all, and some in the title
IDENTIFIERS = 1.5  # so much more are keywords worth, times the part of their weight that identifiers have
OTHER_LANGUAGE = 0.65  # of the best passage's share: what one in another language is taken to have of the keywords
FAR, NEAR = 0.2, 0.6  # of that passage's cosine: what is no nearer has nothing of it, what is so near has all
TOKENS = 0.4  # of a token-wise likeness (index/tokens.py), added to the score of the best
RERANKED = 20  # passages that are looked at again


def score(cosine: float, share: float, exact: float = 0.0) -> float:
    """The score that ranks: the vector leg's score, and the share of the keywords' weight that a passage has. `exact`:
    which part of that weight identifiers have, 0 to 1; a vector knows little of them."""
    return round(
        cosine + KEYWORDS * (1 + IDENTIFIERS * exact) * share, 6
    )  # equal passages are equal, whatever the last digits


def credit(cosine: float, best: tuple[float, float], exact: float = 0.0) -> float:
    """The share of the keywords that a passage in another language is taken to have: as much of `best`, the best
    (share, cosine) of those that can have them, as it comes near in meaning. `exact` as for `score`: identifiers are
    the same in every language."""
    share, its_cosine = best
    nearness = cosine / its_cosine if its_cosine > 0 else 1.0
    part = (nearness - FAR) / (NEAR - FAR)
    return OTHER_LANGUAGE * min(1.0, max(0.0, part)) * share * (1 - exact)


def with_tokens(scores: Sequence[tuple[float, float | None]]) -> list[float]:
    """(score, token-wise likeness) -> scores to rank by; where the likeness is not known, that of the others is
    taken for it."""
    known = sorted(likeness for _score, likeness in scores if likeness is not None)
    usual = known[len(known) // 2] if known else 0.0
    return [score + TOKENS * (usual if likeness is None else likeness) for score, likeness in scores]
