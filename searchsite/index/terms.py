"""From text to the terms that the lexical index holds, and from a question to those that are looked up.

- Chinese is folded to simplified characters and cut into words (rjieba), and into single characters and pairs: no
  segmentation finds every name, but each name consists of pairs. Other scripts without spaces: characters and pairs.
- Other words are lower-cased and stemmed by the language of their passage (Snowball). A question's language is not
  asked: it looks up its words' stems in every language that the index holds.
- Identifiers and versions (`os.path.join`, `ERR_4012`, `TemporaryDirectory`, `v1.29`) are terms whole and in parts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from searchsite.documents.language import HAN, family_of

if TYPE_CHECKING:
    from collections.abc import Callable

# Scripts that are written without spaces, or (Hangul) with endings that hang on to a word.
_HAN = HAN.pattern[1:-1] + "々〇"
_DENSE = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\uac00-\ud7af"
# Signs that are written over, under and behind letters, and belong to the word: for Python they are no letters.
_POINTS = r"\u0300-\u036f\u0591-\u05bd\u05bf-\u05c7\u064b-\u065f\u0670"
_SIGNS = rf"{_POINTS}\u0483-\u0487\u0610-\u061a\u0900-\u0963\u0966-\u0dff"
_LETTER = rf"(?![{_HAN}{_DENSE}])"
_RUN = re.compile(
    rf"(?P<han>[{_HAN}]+)"
    rf"|(?P<dense>[{_DENSE}]+)"
    rf"|(?P<word>(?:{_LETTER}[\w{_SIGNS}+#])+(?:[.\-/:@'&\\](?:{_LETTER}[\w{_SIGNS}])+)*)"
)
_PIECES = re.compile(rf"(?:[^\W_]|[{_SIGNS}])+")
# Accents that are left when letters have theirs, vowel points of Hebrew and Arabic: often not typed.
_OPTIONAL = re.compile(rf"[{_POINTS}\u0640]")
_CLITIC = re.compile(r"'(?:s|t|d|m|ll|re|ve)\Z", re.IGNORECASE)
# Where a piece of an identifier has a joint: aB, ABc, a1, 1a.
_JOINTS = re.compile(
    r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])|(?<=[a-zß-öø-ÿ])(?=[A-ZÀ-ÖØ-Þ])|(?<=[A-Z])(?=[A-Z][a-z])"
)
_VERSION = re.compile(r"v(\d[\w.]*)")
# What a whole word has that is an identifier: digits among letters, or signs that join no words of a language.
_BROKEN = re.compile(rf"(?<=[{_HAN}])[^\S\n]*\n[^\S\n]*(?=[{_HAN}])")  # a line's end within Chinese text
_IDENTIFIER = re.compile(r"[^\W\d_]\W?\d|\d\W?[^\W\d_]|[_./:@\\]")
LONGEST = 200  # characters of a term; nobody types more, and the index takes no more than 65,530 bytes
LONGEST_QUESTION = 10_000  # characters that are looked at: what is pasted must not take seconds

# They say that something is asked, not what: rare in texts that answer, they would weigh as much as what is asked for.
ASKING = frozenset(["what", "which", "who", "whom", "whose", "when", "where", "why", "how", "do", "does", "did"])

STEMMERS = {
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "eo": "esperanto", "es": "spanish", "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish",
    "fr": "french", "ga": "irish", "hi": "hindi", "hu": "hungarian", "hy": "armenian", "id": "indonesian",
    "it": "italian", "lt": "lithuanian", "ne": "nepali", "nl": "dutch", "no": "norwegian", "pl": "polish",
    "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian", "sv": "swedish", "ta": "tamil",
    "tr": "turkish",
}  # fmt: skip


@dataclass(frozen=True)
class Terms:
    """What a passage is found by, in the text's order, repetitions included."""

    words: list[str]
    """Chinese words, stems of other words, whole identifiers."""
    grams: list[str]
    """Single characters and pairs of scripts without spaces."""
    surface: list[str]
    """Other words and parts of identifiers as they are written, lower-cased."""


@dataclass(frozen=True)
class Asked:
    """One thing that a question asks for, and the terms that would be it: any of them will do."""

    surface: str
    words: tuple[str, ...] = ()
    grams: tuple[str, ...] = ()
    exact: bool = False
    """An identifier, which means nothing but itself."""


def fold(text: str) -> str:
    """Full-width as half-width (NFKC), lower case, Traditional as Simplified Chinese: for comparing texts."""
    return _simplified(_straight(text)).casefold()


def of_passage(text: str, language: str) -> Terms:
    """The terms of a passage in that language (ISO 639-1)."""
    stem = _stemmer(language if language in STEMMERS or family_of(language) != "zh" else "en")
    found = Terms([], [], [])
    for kind, run in _runs(text):
        if kind == "word":
            whole, parts = _identifier(run)
            found.surface.extend(parts)
            if whole not in parts:
                found.words.append(whole)
            found.words.extend(stem(part) for part in parts)
        else:
            if kind == "han":
                found.words.extend(_chinese_words(run))
            found.grams.extend(run)
            found.grams.extend(_pairs(run))
    return found


def of_question(text: str, languages: Iterable[str]) -> list[Asked]:
    """What a question asks for, each once, in the order in which it is asked. `languages`: those of the passages."""
    stems = [_stemmer(language) for language in sorted({"en", *languages} & {*STEMMERS})]
    asked: dict[Asked, None] = {}
    for kind, run in _runs(text[:LONGEST_QUESTION]):
        if kind == "word":
            whole, parts = _identifier(run)
            if whole not in parts:
                asked[Asked("", (whole,), exact=_IDENTIFIER.search(whole) is not None)] = None
            for part in parts:
                words = tuple(dict.fromkeys([part, *(stem(part) for stem in stems)]))
                asked[Asked(part, words, exact=part == whole and _IDENTIFIER.search(whole) is not None)] = None
        else:
            for word in _chinese_words(run) if kind == "han" else []:
                asked[Asked("", (word,))] = None
            for gram in _pairs(run) or [run]:
                asked[Asked("", (), (gram,))] = None
    return [one for one in asked if one.surface not in ASKING] or list(asked)


def of_phrase(phrase: str) -> tuple[list[str], list[str]]:
    """(surface, grams) that a text which holds this phrase has, all of them."""
    surface: dict[str, None] = {}
    grams: dict[str, None] = {}
    for kind, run in _runs(phrase):
        if kind == "word":
            surface.update(dict.fromkeys(_identifier(run)[1]))
        else:
            grams.update(dict.fromkeys(_pairs(run) or [run]))
    return list(surface), list(grams)


def holds_phrase(text: str, phrase: str) -> bool:
    """Whether the text has this phrase, however it is spaced, and in whole words where words are spaced."""
    wanted = " ".join(fold(phrase).split())
    if not wanted:
        return True
    pattern = re.escape(wanted).replace(r"\ ", r"\s+")
    before = r"(?<![a-z0-9_])" if re.match(r"[a-z0-9_]", wanted) else ""
    behind = r"(?![a-z0-9_])" if re.search(r"[a-z0-9_]\Z", wanted) else ""
    return re.search(before + pattern + behind, fold(text)) is not None


def _runs(text: str) -> Iterator[tuple[str, str]]:
    """(kind, run): "han" and "dense" folded; "word" with its capitals, which tell the parts of identifiers."""
    for match in _RUN.finditer(_simplified(_straight(text))):
        if run := match.group().strip("_"):
            yield str(match.lastgroup), run


def _identifier(run: str) -> tuple[str, list[str]]:
    """(whole, parts) of a word, lower-cased. A plain word's only part is itself."""
    if run.isascii() and run.isalpha() and run.islower():  # most words: half of the time of indexing is saved here
        return run[:LONGEST], [run[:LONGEST]]
    whole = _bare(run)[:LONGEST]
    parts: dict[str, None] = {}
    for match in _PIECES.finditer(_CLITIC.sub("", run)):
        _add_parts(match.group(), parts)
    if version := _VERSION.fullmatch(whole):
        parts[version.group(1)] = None
    return whole, list(parts) or [whole]


def _add_parts(piece: str, parts: dict[str, None]) -> None:
    parts[_bare(piece)[:LONGEST]] = None
    inner = _JOINTS.split(piece)
    if 1 < len(inner) <= 20:
        for part in inner:
            if len(part) > 1 or part.isdigit():
                parts[_bare(part)[:LONGEST]] = None


def _bare(text: str) -> str:
    """Lower case, without accents on Latin letters and without vowel points: they are often not typed."""
    folded = text.casefold()
    if folded.isascii():
        return folded
    return _OPTIONAL.sub("", "".join(_base(letter) for letter in folded)) or folded


def _base(letter: str) -> str:
    latin = letter < "\u0250" or "\u1e00" <= letter < "\u1f00"
    return unicodedata.normalize("NFD", letter)[0] if latin else letter


def _pairs(run: str) -> list[str]:
    return [run[n : n + 2] for n in range(len(run) - 1)]


def _straight(text: str) -> str:
    return _BROKEN.sub("", unicodedata.normalize("NFKC", text).replace("’", "'"))


@lru_cache(maxsize=1)
def _simple_characters() -> dict[int, str]:
    """Traditional -> simplified, each character by itself: in a word, OpenCC leaves some as they are (乾坤), and a
    part of the word (乾) would not be the same. And it refuses texts with half a surrogate pair."""
    import opencc

    han = [chr(code) for code in range(0x3400, 0xFB00) if HAN.match(chr(code))]
    simple = str(opencc.OpenCC("t2s").convert("\n".join(han))).split("\n")
    return {ord(one): other for one, other in zip(han, simple, strict=True) if one != other}


def _simplified(text: str) -> str:
    return text.translate(_simple_characters()) if HAN.search(text) else text


def _chinese_words(run: str) -> list[str]:
    import rjieba

    return [str(word) for word in rjieba.cut_for_search(run)]


@lru_cache(maxsize=64)
def _stemmer(language: str) -> Callable[[str], str]:
    """Word -> stem in that language; the word itself where no stemmer is known."""
    if language not in STEMMERS:
        return lambda word: word
    import Stemmer  # type: ignore[import-not-found]

    stemmer = Stemmer.Stemmer(STEMMERS[language])

    # Stemmer objects are not safe for several threads at once, but words repeat: what was stemmed is remembered.
    @lru_cache(maxsize=50_000)
    def stem(word: str) -> str:
        return str(stemmer.stemWord(word))

    return stem
