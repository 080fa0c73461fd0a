"""Why a passage stands where it does among the results: all that the page says of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

from django.conf import settings

from searchsite.documents.access import visible_collections
from searchsite.documents.models import Passage
from searchsite.index import follow, lexical_follow, terms
from searchsite.index.terms import holds_phrase
from searchsite.search import explain, fusion, keywords
from searchsite.search.conditions import scope
from searchsite.search.keywords import is_dense
from searchsite.search.query import parse
from searchsite.search.retrieve import Explained, User, ranked_passage, whole_text

if TYPE_CHECKING:
    from searchsite.index.lexical import LexicalIndex

STRONGEST = 5  # words that are named
MUCH = 2.0  # times as much as the other, and one of both is what a passage was found by

Conclusion = Literal["exact", "meaning only", "meaning", "words", "both"]


class Piece(NamedTuple):
    """A stretch of text: how much more than the average it gives (explain.Word.shade), and whether it is a keyword."""

    text: str
    shade: str
    keyword: bool


class Keyword(NamedTuple):
    """A word of the question, whether the passage has it, and what it weighs among them, in percent (None: unknown)."""

    text: str
    held: bool
    weight: int | None


@dataclass(frozen=True)
class Why:
    """What a passage was found by. `place` is among all passages that were found, from 1, None where it is not one.

    The score that ranks is cosine + language + words; what reranking added is `tokens`, and what it had to add it to is
    where the passage stood `before`. `likeness` is the one token by token.
    """

    conclusion: Conclusion
    cosine: float
    language: float
    words: float
    share: int
    """Of the question's keywords by their weight, in percent; `credited`: what it is taken to have instead."""
    credited: int
    score: float
    likeness: float | None
    tokens: float
    reranker: Literal["none", "tokens", "model"]
    before: int | None
    place: int | None
    keywords: list[Keyword]
    head: list[Piece]
    text: list[Piece]
    shares: explain.Shares | None
    strongest: list[str]

    @property
    def of_head(self) -> float:
        """What title and headings give to the cosine."""
        return self.shares.sums.get("title", 0.0) + self.shares.sums.get("heading", 0.0) if self.shares else 0.0

    @property
    def is_misspelt(self) -> bool:
        """Whether it was found by words that are like the question's, of which it has none."""
        return self.share > 0 and bool(self.keywords) and not any(word.held for word in self.keywords)


def why(user: User, question: str, passage: Passage) -> Why | None:
    """Why this passage answers what this reader asks; None where it is not to be found.

    Raises index.follow.IndexUnavailable and encoder.EncoderError.
    """
    found = ranked_passage(user, question, passage)
    if found is None:
        return None
    encoded = whole_text(passage)
    title = passage.revision.encoded_title or passage.revision.title
    head = (len(title), len(encoded) - len(passage.text))
    shares = explain.shares(head, encoded, passage.language, found.asked.vector, found.space)
    asked = terms.of_question(found.asked.text, [passage.language])
    pieces = [
        _pieces(encoded[start:end], start, shares.words if shares else (), passage.language, asked)
        for start, end in ((0, head[1]), (head[1], len(encoded)))
    ]
    ranked = found.ranked
    cosine = found.space.cosine(ranked.near, found.asked.language, passage.language)
    return Why(
        conclusion=_conclusion(found, encoded),
        cosine=cosine,
        language=ranked.near - cosine,
        words=ranked.score - ranked.near,
        share=round(100 * ranked.keywords),
        credited=round(100 * ranked.credit),
        score=ranked.score,
        likeness=ranked.tokens,
        tokens=fusion.TOKENS * (ranked.tokens or 0.0),
        reranker=_reranker(),
        before=ranked.before,
        place=found.place,
        keywords=_keywords(user, question, asked, encoded, passage.language),
        head=pieces[0],
        text=pieces[1],
        shares=shares,
        strongest=_strongest(shares, encoded) if shares else [],
    )


def _conclusion(found: Explained, encoded: str) -> Conclusion:
    """What decided: the exact words, the keywords, the meaning, each as far as it lies above what unrelated passages
    have."""
    asked, ranked = found.asked, found.ranked
    if asked.phrases and all(holds_phrase(encoded, phrase) for phrase in asked.phrases):
        return "exact"
    if ranked.keywords <= 0:
        return "meaning only"
    build = follow.active_build()
    meaning = max(0.0, ranked.near - (build.unrelated_cosine if build else 0.0))
    words = 0.0 if ranked.credit else ranked.score - ranked.near
    return "words" if words > MUCH * meaning else "meaning" if meaning > MUCH * words else "both"


def _reranker() -> Literal["none", "tokens", "model"]:
    chosen = settings.SEARCHSITE_RERANKER
    return "none" if chosen == "none" else "tokens" if chosen == "tokens" else "model"


def _keywords(user: User, question: str, asked: list[terms.Asked], encoded: str, language: str) -> list[Keyword]:
    """The question's words in its order, weighed as in the collections that the question is asked of."""
    query = parse(question)
    only_collections = tuple(one for one in query.conditions if one.field == "collection")
    collections = scope(replace(query, conditions=only_collections), visible_collections(user)).collections
    names = keywords.named(asked)
    held = {name: keywords.holds(encoded, language, one) for name, one in names.items()}

    shown = {
        name: has
        for name, has in held.items()
        if not any(_is_part(name, other) and other_has >= has for other, other_has in held.items())
    }

    def weighed(lexical: LexicalIndex | None) -> dict[str, float]:
        return {name: lexical.weights(name, collections).full for name in shown} if lexical else {}

    weights = lexical_follow.tried(weighed)
    full = sum(weights.values())
    return [Keyword(name, has, round(100 * weights[name] / full) if full else None) for name, has in shown.items()]


def _is_part(name: str, other: str) -> bool:
    """Whether a keyword stands in another one, which says all if the passage has it, or has neither."""
    whole = re.escape(name) if is_dense(name[0]) else rf"(?<!\w){re.escape(name)}(?!\w)"
    return name != other and re.search(whole, other) is not None


def _pieces(
    text: str, start: int, words: Iterable[explain.Word], language: str, asked: list[terms.Asked]
) -> list[Piece]:
    """A stretch of the encoded text, from `start`, with its words' shades and the keywords in it."""
    shaded = [(one.start - start, one.end - start, str(one.shade)) for one in words if one.shade is not None]
    marked = [(low, high, "keyword") for low, high in keywords.keyword_spans(text, language, asked)]
    return [
        Piece(piece, next(iter(names - {"keyword"}), ""), "keyword" in names)
        for piece, names in explain.apart(text.rstrip(), [*shaded, *marked])
    ]


def _strongest(shares: explain.Shares, encoded: str) -> list[str]:
    """The words that give most, without signs around them, each once."""
    shaded = [word for word in shares.words if word.shade is not None]
    shaded.sort(key=lambda word: (-(word.shade or 0), -word.share))
    texts = (encoded[word.start : word.end].strip(".,;:!?，。；：！？、()（）\"'“”‘’「」") for word in shaded)
    named = dict.fromkeys(text for text in texts if any(map(str.isalnum, text)))
    return list(named)[:STRONGEST]
