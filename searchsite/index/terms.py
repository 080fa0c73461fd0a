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
from typing import TYPE_CHECKING, Any

from searchsite.documents.language import HAN, family_of

if TYPE_CHECKING:
    from collections.abc import Callable

# Scripts that are written without spaces, or (Hangul) with endings that hang on to a word.
_HAN = HAN.pattern[1:-1]
_RUN = re.compile(
    rf"(?P<han>[{_HAN}々〇]+)"
    r"|(?P<dense>[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\uac00-\ud7af]+)"
    rf"|(?P<word>(?:(?![{_HAN}々〇\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\uac00-\ud7af])"
    r"[\w+#])+(?:[.\-/:@'&\\](?:(?![\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af])\w)+)*)"
)
_PIECES = re.compile(r"[^\W_]+")
# Where a piece of an identifier has a joint: aB, ABc, a1, 1a.
_JOINTS = re.compile(
    r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])|(?<=[a-zß-öø-ÿ])(?=[A-ZÀ-ÖØ-Þ])|(?<=[A-Z])(?=[A-Z][a-z])"
)
_VERSION = re.compile(r"v(\d[\w.]*)")
LONGEST = 200  # characters of a term; nobody types more, and the index takes no more than 65,530 bytes

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


def fold(text: str) -> str:
    """Full-width as half-width (NFKC), lower case, Traditional as Simplified Chinese: for comparing texts."""
    return _simplified(unicodedata.normalize("NFKC", text)).casefold()


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
    for kind, run in _runs(text):
        if kind == "word":
            whole, parts = _identifier(run)
            if whole not in parts:
                asked[Asked("", (whole,))] = None
            for part in parts:
                asked[Asked(part, tuple(dict.fromkeys([part, *(stem(part) for stem in stems)])))] = None
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
    for match in _RUN.finditer(_simplified(unicodedata.normalize("NFKC", text).replace("’", "'"))):
        kind = str(match.lastgroup)
        yield kind, match.group()


def _identifier(run: str) -> tuple[str, list[str]]:
    """(whole, parts) of a word, lower-cased. A plain word's only part is itself."""
    run = run.strip("_")
    whole = _bare(run)[:LONGEST]
    parts: dict[str, None] = {}
    for piece in run.split("'")[:1] if run.count("'") == 1 and len(run.split("'")[1]) <= 2 else [run]:
        for match in _PIECES.finditer(piece):
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
    """Lower case, without accents on Latin letters: they are often not typed."""
    folded = text.casefold()
    if folded.isascii():
        return folded
    return "".join(letter if ord(letter) >= 0x250 else unicodedata.normalize("NFD", letter)[0] for letter in folded)


def _pairs(run: str) -> list[str]:
    return [run[n : n + 2] for n in range(len(run) - 1)]


@lru_cache(maxsize=1)
def _converter() -> Any:
    import opencc

    return opencc.OpenCC("t2s")


def _simplified(text: str) -> str:
    return str(_converter().convert(text)) if HAN.search(text) else text


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
