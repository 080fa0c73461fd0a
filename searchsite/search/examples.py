"""What can be asked: titles and questions of the newest documents that a reader may see."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from itertools import zip_longest
from typing import NamedTuple

from django.core.cache import cache
from django.db.models import QuerySet
from django.utils.translation import get_language

from searchsite.documents.models import Collection, Document

SHOWN = 5
FOREIGN = 2  # of them in another language than the reader's: that this works, nobody would guess
COLLECTIONS = 8  # that are looked into, by name
NEWEST = 30  # documents of each
SECONDS = 300
SHORTEST, LONGEST = 8, 60  # columns; a Chinese character takes two
DENSE = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")
NO_WORDS = re.compile(r"[\w-]+\.\w{1,5}$|[_/\\{}<>=|#@]|\d{4,}|\(\)")  # names of files and functions, numbers


class Example(NamedTuple):
    """Something that the reader could ask, its language, and the document that it comes from."""

    text: str
    language: str
    document: int
    revision: int


def examples(visible: QuerySet[Collection]) -> list[Example]:
    """Up to SHOWN of them, those in the reader's language first, of as many of the collections as there are.

    Kept for SECONDS for whoever may see the same collections; that each is still there is asked each time.
    """
    collections = list(visible.order_by("name").values_list("pk", flat=True))
    reader = "zh" if (get_language() or "").startswith("zh") else "en"
    scope = hashlib.sha256(",".join(map(str, collections)).encode()).hexdigest()
    key = f"examples-{reader}-{scope}"
    found: list[Example] | None = cache.get(key)
    if found is None:
        found = _chosen([_of(one) for one in collections[:COLLECTIONS]], reader)
        if found:  # on a new site the first documents come in any moment
            cache.set(key, found, SECONDS)
    there = Document.objects.filter(pk__in=[one.document for one in found], collection__in=visible)
    live = set(there.values_list("pk", "live_revision"))
    return [one for one in found if (one.document, one.revision) in live]


def _of(collection: int) -> list[Example]:
    """What the newest documents of a collection could be asked; read by an index, however many there are."""
    newest = Document.objects.filter(collection=collection, live_revision__isnull=False).order_by("-pk")
    ids = list(newest.values_list("pk", flat=True)[:NEWEST])
    rows = Document.objects.filter(pk__in=ids).values_list(
        "pk", "title", "live_revision", "live_revision__title", "live_revision__language", "live_revision__headings"
    )
    found: list[Example] = []
    for pk, given, revision, title, language, headings in rows.order_by("-pk"):
        asked = [str(text) for _start, _level, text in headings if text.rstrip().endswith(("?", "？"))]
        text = next((one for one in (*asked, given or title) if _is_asked(one)), "")
        if text:
            found.append(Example(text.strip(), language, pk, revision))
    return found


def _is_asked(text: str) -> bool:
    """Whether people could ask that: some words that say enough without what stands around them."""
    dense = len(DENSE.findall(text))
    columns, words = len(text) + dense, len(text.split())
    enough = dense >= 4 or words >= (5 if text.rstrip().endswith("?") else 2)
    return enough and SHORTEST <= columns <= LONGEST and not NO_WORDS.search(text)


def _chosen(collections: Iterable[list[Example]], reader: str) -> list[Example]:
    """SHOWN of them, from the collections in turn."""
    turns = [one for turn in zip_longest(*collections) for one in turn if one is not None]
    different = list({one.text: one for one in reversed(turns)}.values())[::-1]
    own = [one for one in different if one.language == reader]
    others = [one for one in different if one.language != reader]
    first = own[: max(SHOWN - FOREIGN, SHOWN - len(others))]
    return [*first, *others[: SHOWN - len(first)]]
