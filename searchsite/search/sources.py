"""What a question is asked of, as it is now: the index, and what the database has for it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING

from searchsite.documents.models import Passage, Revision
from searchsite.index import backends, follow, space, tokens
from searchsite.index.vectors import encoded_text
from searchsite.search.ranking import Sources

if TYPE_CHECKING:
    from searchsite.index.lexical import LexicalIndex

# Passages asked of each leg, so many that pages do not overlap; more only when they are of few documents. One more than
# facets.COUNTED, so that it is seen when there are more. Each costs some microseconds in Python and in the database,
# where requests wait for each other.
DEPTH = 251
MAX_DEPTH = 16_000


def sources(scope: Collection[int] | None, lexical: LexicalIndex | None) -> Sources:
    """To ask in these collections (ids; None: in all). Raises index.follow.IndexUnavailable."""
    followed = follow.current()
    unrelated = followed.build.unrelated_cosine if followed.build else 0.0
    return Sources(followed.store, space.current(), lexical, partial(texts, scope), codes, unrelated)


def texts(scope: Collection[int] | None, passages: Sequence[int]) -> dict[int, str]:
    """What was encoded for those of these passages that are live in these collections, by their ids."""
    # In two steps, each by primary keys: see candidates.permitted.
    rows = list(Passage.objects.filter(pk__among=passages).values_list("pk", "revision", "heading_path", "text"))
    live = Revision.objects.filter(pk__among={row[1] for row in rows}, live_for__isnull=False)
    titles = {
        pk: encoded or title
        for pk, encoded, title, collection in live.values_list("pk", "encoded_title", "title", "live_for__collection")
        if scope is None or collection in scope
    }
    return {pk: encoded_text(titles[revision], path, text) for pk, revision, path, text in rows if revision in titles}


def codes(passages: Sequence[int]) -> dict[int, bytes]:
    """What is kept of these passages' tokens, by their ids."""
    return tokens.stored(passages, backends.fingerprint())
