"""From passages' texts to what the database keeps of them: a vector, and codes of the tokens where they are wanted."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet

from searchsite.documents.models import Passage
from searchsite.index import backends, space, tokens
from searchsite.index.models import Vector
from searchsite.index.vectors import Matrix, as_bytes

Kept = tuple[bytes, bytes | None]  # a vector and codes of tokens, as the database stores them


def keeps_tokens() -> bool:
    return bool(settings.SEARCHSITE_RERANKER == "tokens")


def complete() -> QuerySet[Vector]:
    """The vectors of the present encoder that have all that is kept."""
    vectors = Vector.objects.filter(fingerprint=backends.fingerprint())
    return vectors.filter(tokens__isnull=False) if keeps_tokens() else vectors


def lacking(passages: QuerySet[Passage]) -> QuerySet[Passage]:
    """Those of the passages that are still to be encoded."""
    return passages.exclude(Exists(complete().filter(passage=OuterRef("pk"))))


def encoded(passages: Sequence[tuple[str, str]]) -> list[Kept]:
    """Encode passages: (text as vectors.encoded_text makes it, language), no text twice. Raises EncoderError."""
    if not passages:
        return []
    texts = [text for text, _language in passages]
    encoder = backends.get_encoder()
    if not keeps_tokens():
        return [(as_bytes(vector), None) for vector in encoder.encode_passages(texts)]
    placed = space.current()
    codes = [b""] * len(texts)

    def keep(number: int, states: Matrix) -> None:
        codes[number] += tokens.codes(states, passages[number][1], placed)

    vectors = encoder.encode_passages(texts, states=keep)
    return [(as_bytes(vector), code) for vector, code in zip(vectors, codes, strict=True)]
