"""From passages' texts to what the database keeps of them: a vector, and codes of the tokens where they are wanted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from django.conf import settings
from django.db.models import Exists, Min, OuterRef, QuerySet

from searchsite.documents.models import Passage
from searchsite.index import backends, space, tokens
from searchsite.index.models import TokenCodes, Vector
from searchsite.index.vectors import Matrix, as_bytes

Kept = tuple[bytes, bytes | None]  # a vector and codes of tokens, as the database stores them


def keeps_tokens() -> bool:
    return bool(settings.SEARCHSITE_RERANKER == "tokens")


def complete() -> QuerySet[Vector]:
    """The vectors of the present encoder that have all that is kept."""
    vectors = Vector.objects.filter(fingerprint=backends.fingerprint())
    return vectors.filter(codes__isnull=False) if keeps_tokens() else vectors


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


def kept(hashes: Collection[str]) -> dict[str, Kept]:
    """What is stored of texts with these hashes, from whichever passage."""
    first = complete().filter(text_hash__in=hashes).order_by().values("text_hash").annotate(first=Min("pk"))
    rows = Vector.objects.filter(pk__in=first.values("first")).values_list("text_hash", "data", "codes__data")
    return {key: (bytes(data), bytes(codes) if codes is not None else None) for key, data, codes in rows}


def store(passages: Mapping[int, tuple[str, Kept]]) -> None:
    """Store (text hash, what is kept) by the passages' ids, in the place of what another worker or an older version
    has stored. In a transaction."""
    fingerprint = backends.fingerprint()
    vectors = Vector.objects.bulk_create(
        [
            Vector(passage_id=pk, fingerprint=fingerprint, text_hash=key, data=data)
            for pk, (key, (data, _codes)) in passages.items()
        ],
        update_conflicts=True,
        unique_fields=["passage", "fingerprint"],
        update_fields=["text_hash", "data"],
    )
    TokenCodes.objects.bulk_create(
        [
            TokenCodes(vector=vector, data=codes)
            for vector, (_key, (_data, codes)) in zip(vectors, passages.values(), strict=True)
            if codes is not None
        ],
        update_conflicts=True,
        unique_fields=["vector"],
        update_fields=["data"],
    )
