"""Whether the encoder fits what the site holds: measured on a sample of its passages, remembered beside the index.

An encoder that does not know a language's letters turns all texts in it into nearly the same vector, without an error.
So the share of unknown letters is measured for each family of languages where a tokenizer is loaded anyway, in the
worker; pages only read what is remembered.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from django.conf import settings
from django.utils.translation import gettext as _

from encoder import EncoderError
from searchsite.documents.language import family_of
from searchsite.documents.models import ChangeCounter, Document, Passage
from searchsite.index import backends

log = logging.getLogger(__name__)

SEEN = 240  # passages whose languages are looked at
MEASURED = 60  # passages of one family whose letters are looked up
LEAST, LEAST_SHARE = 3, 0.02  # passages of a family, and its share of those seen: fewer are no reason to warn
BOTH_SHARE = (
    0.1  # of English and of Chinese; some passages in Latin letters, such as code, are in any Chinese collection
)
UNKNOWN = 0.1  # share of letters; MiniLM over Chinese has 0.66, e5-small over Chinese or English less than 0.001
CHANGES = 200  # after which it is measured again, on a small site after a tenth of its passages
CHANGED_SECONDS = 3600  # after which any change is enough

DOES_NOT_FIT = "W001"
DO_NOT_MEET = "W002"


@dataclass(frozen=True)
class Fitness:
    """What was measured at a change number."""

    number: int
    measured: float  # seconds since the epoch
    span: int  # of the passages' ids: at least as many as there are passages
    passages: dict[str, int]  # family -> how many of the passages seen are in it
    unknown: dict[str, float]  # family -> share of its letters that the tokenizer does not know

    def has(self, family: str, share: float = LEAST_SHARE) -> bool:
        """Whether so much of what the site holds is in this family."""
        return self.passages.get(family, 0) >= max(LEAST, share * sum(self.passages.values()))

    def is_due(self, number: int) -> bool:
        """Whether much has changed since, up to this change number, or anything and some time ago."""
        changes = number - self.number
        if changes < 0:  # another database, or an earlier state of it
            return True
        long_ago = abs(time.time() - self.measured) > CHANGED_SECONDS
        return changes >= (1 if long_ago else max(1, min(CHANGES, self.span // 10)))


@dataclass(frozen=True)
class Finding:
    """One way in which the encoder does not fit, in the present language."""

    id: str
    sentence: str
    advice: str


def findings() -> list[Finding]:
    """What is remembered against the present encoder. Asks neither the database nor a tokenizer."""
    fingerprint = _fingerprint()
    fitness = _remembered(fingerprint) if fingerprint else None
    if not fingerprint or not fitness:
        return []
    unfit = {family: share for family, share in fitness.unknown.items() if share > UNKNOWN and fitness.has(family)}
    found = [_does_not_fit(family, share) for family, share in sorted(unfit.items())]
    both = fitness.has("en", BOTH_SHARE) and fitness.has("zh", BOTH_SHARE)
    if both and not unfit.keys() & {"en", "zh"} and _languages_meet(fingerprint) is False:
        found.append(_do_not_meet())
    return found


def keep_up() -> None:
    """Measure where nothing is remembered of the present encoder, or much has changed since; else one query.

    Nothing happens while the encoder's files are not there. Raises the database's errors.
    """
    fingerprint = _fingerprint()
    if fingerprint is None:
        return
    # Read before the passages: what changes while they are read counts as a change since.
    number = ChangeCounter.objects.filter(pk=1).values_list("value", flat=True).first() or 0
    known = _remembered(fingerprint)
    if known and not known.is_due(number):
        return
    try:
        _remember(fingerprint, _measured(number))
    except (EncoderError, OSError):  # what needs the encoder or the folder says so, to those whom it concerns
        log.debug("whether the encoder fits could not be measured", exc_info=True)


def _fingerprint() -> str | None:
    try:
        return backends.fingerprint_at_hand()
    except (EncoderError, OSError):
        return None


def _measured(number: int) -> Fitness:
    span, seen = _sample()
    unknown = {}
    for family, ids in seen.items():
        some = ids[:: -(-len(ids) // MEASURED)]
        texts = Passage.objects.filter(pk__in=some).order_by("pk").values_list("text", flat=True)
        unknown[family] = backends.unknown_share(list(texts))
    return Fitness(number, time.time(), span, {family: len(ids) for family, ids in seen.items()}, unknown)


def _sample() -> tuple[int, dict[str, list[int]]]:
    """(span of the passages' ids, family -> ids of live passages, ascending): all of them, or of more than SEEN about
    so many, spread evenly. Each is one seek in the primary key: nothing is counted, sorted or scanned."""
    passages = Passage.objects.order_by("pk").values_list("pk", "language", "revision")
    rows = list(passages[: SEEN + 1])
    span = len(rows)
    if len(rows) > SEEN:
        first, last = rows[0][0], passages.reverse()[0][0]
        span = last - first + 1
        found: dict[int, tuple[int, str, int]] = {}
        for offset in _spread(span):
            found |= {row[0]: row for row in passages.filter(pk__gte=first + offset)[:1]}
            if len(found) == SEEN:
                break
        rows = sorted(found.values())
    revisions = {row[2] for row in rows}
    live = set(Document.objects.filter(live_revision__in=revisions).values_list("live_revision", flat=True))
    seen: dict[str, list[int]] = {}
    for pk, language, revision in rows:
        if revision in live:
            seen.setdefault(family_of(language), []).append(pk)
    return span, seen


def _spread(span: int) -> Iterator[int]:
    """Up to 4 * SEEN numbers below `span`, every beginning of which is spread evenly: van der Corput's sequence. More
    than SEEN, since those in a gap of deleted passages all lead to the passage behind it."""
    for i in range(4 * SEEN):
        yield span * int(f"{i:b}"[::-1], 2) // 2 ** i.bit_length()


def _path(fingerprint: str) -> Path:
    return Path(settings.INDEX_DIR) / f"fitness-{fingerprint}.json"


def _remember(fingerprint: str, fitness: Fitness) -> None:
    path = _path(fingerprint)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.aside-{os.getpid()}")
    aside.write_text(json.dumps(asdict(fitness)))
    aside.replace(path)


def _remembered(fingerprint: str) -> Fitness | None:
    try:
        kept = json.loads(_path(fingerprint).read_text())
        return Fitness(
            number=int(kept["number"]),
            measured=float(kept["measured"]),
            span=int(kept["span"]),
            passages={str(family): int(count) for family, count in kept["passages"].items()},
            unknown={str(family): float(share) for family, share in kept["unknown"].items()},
        )
    except (OSError, ValueError, TypeError, LookupError, AttributeError):  # not there yet, or damaged: it is a cache
        return None


def _languages_meet(fingerprint: str) -> bool | None:
    """Whether the encoder sees that English and Chinese texts say the same, as space.py has found; None where it has
    not looked yet: asking it would load the encoder."""
    kept = list(Path(settings.INDEX_DIR).glob(f"space-{fingerprint}-*.npy"))
    try:
        return bool(np.load(max(kept, key=os.path.getmtime))[0].any())
    except (OSError, EOFError, ValueError):
        return None


def _does_not_fit(family: str, share: float) -> Finding:
    languages = {
        "en": _("English or another language in Latin letters"),
        "zh": _("Chinese"),
        "other": _("languages in neither Latin nor Chinese writing"),
    }
    sentence = _(
        "The encoder %(encoder)s does not know %(percent)s %% of the letters of the passages in %(language)s, and will "
        "hardly find these passages by meaning."
    ) % {
        "encoder": settings.SEARCHSITE_ENCODER,
        "language": languages.get(family, family),
        "percent": round(100 * share),
    }
    return Finding(DOES_NOT_FIT, sentence, _advice())


def _do_not_meet() -> Finding:
    sentence = _(
        "The encoder %(encoder)s does not see that texts in English and Chinese say the same: a question in one of "
        "these languages will not find answers in the other."
    ) % {"encoder": settings.SEARCHSITE_ENCODER}
    return Finding(DO_NOT_MEET, sentence, _advice())


def _advice() -> str:
    if settings.SEARCHSITE_ENCODER == "e5-small":
        return _(
            "Set SEARCHSITE_ENCODER to an encoder that knows them, restart the site, and rebuild the index "
            "(manage.py index rebuild)."
        )
    return _(
        "Set SEARCHSITE_ENCODER to an encoder that knows them, such as e5-small (about 100 languages), restart the "
        "site, and rebuild the index (manage.py index rebuild)."
    )
