"""Which language a text is in: by its script first, and among languages of one script by py3langid."""

import re
from copy import copy
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier  # type: ignore[import-untyped]

HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
LATIN = re.compile(r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff]+")
OTHER = re.compile(r"[^\W\d_A-Za-z\u00c0-\u024f\u1e00-\u1eff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
LOOKED_AT = 2000  # characters of a text

# ISO 639-1 codes. Rare languages are left out: a short English text with names in it soon looks like one of them.
WRITTEN_IN_LATIN = [
    "af", "ca", "cs", "cy", "da", "de", "en", "eo", "es", "et", "eu", "fi", "fr", "ga", "gl", "hr", "hu", "id",
    "is", "it", "la", "lt", "lv", "ms", "mt", "nl", "no", "pl", "pt", "ro", "sk", "sl", "sq", "sv", "sw", "tl",
    "tr", "vi",
]  # fmt: skip
WRITTEN_OTHERWISE = [
    "am", "ar", "be", "bg", "bn", "el", "fa", "gu", "he", "hi", "hy", "ja", "ka", "kk", "km", "kn", "ko", "ky",
    "lo", "mk", "ml", "mn", "mr", "ne", "pa", "ru", "si", "sr", "ta", "te", "th", "ug", "uk", "ur",
]  # fmt: skip
LEAST_WORDS = 6  # fewer say little about a language; what surrounds them says more
SURE = {"en": 0.9, "other": 0.5}  # probability; most other scripts have one or two languages only


def family(text: str) -> str:
    """Mostly Chinese is "zh", mostly Latin letters "en", anything else "other": told by the script alone.

    A Chinese character counts as much as a word of letters: each is about one token. Japanese has Chinese characters,
    but always others between them. A text without letters is taken for "en", as code and numbers mostly are.
    """
    text = text[:LOOKED_AT]
    han, latin, other = (len(script.findall(text)) for script in (HAN, LATIN, OTHER))
    if other > (han + latin) / 4:
        return "other"
    return "zh" if han > latin / 2 else "en"


def family_of(language: str) -> str:
    """The family of the texts in a language; a family is its own."""
    if language == "zh":
        return "zh"
    return "other" if language in WRITTEN_OTHERWISE or language == "other" else "en"


def detect(text: str, default: str = "en") -> str:
    """The language of a text as ISO 639-1 code; `default` where it is too short to tell and could be in that language.

    Never of another family than `family` says.
    """
    text = text[:LOOKED_AT]
    script = family(text)
    if script == "zh":
        return "zh"
    fallback = default if family_of(default) == script else {"en": "en", "other": "other"}[script]
    words = (LATIN if script == "en" else OTHER).findall(text)
    # Thai or Japanese have no spaces: a run of letters is a clause there.
    if len(words) < LEAST_WORDS and (script == "en" or not words):
        return fallback
    language, probability = _identifier(script).classify(" ".join(words))
    return str(language) if probability >= SURE[script] else fallback


@lru_cache(maxsize=2)
def _identifier(script: str) -> "LanguageIdentifier":
    identifier = copy(_model())  # its large tables are shared
    identifier.set_languages(WRITTEN_IN_LATIN if script == "en" else WRITTEN_OTHERWISE)
    return identifier


@lru_cache(maxsize=1)
def _model() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
