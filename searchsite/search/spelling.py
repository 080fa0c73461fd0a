"""Did you mean: the words of a question that no passage has, put right by words of passages that the reader may see."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from searchsite.documents.language import HAN
from searchsite.index import misspelt, terms
from searchsite.search.query import parse

if TYPE_CHECKING:
    from searchsite.index.lexical import LexicalIndex

Texts = Callable[[Sequence[int]], Mapping[int, str]]

MOST_PUT_RIGHT = 3  # unknown words of a question that are looked up: each takes some milliseconds
READ = 20  # passages with words like an unknown one that are read

# What terms.py takes for words, in the text as it was typed: not scripts without spaces, and in full width, too.
_DENSE = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\uac00-\ud7af"
_MARKS = r"\u0300-\u036f\u0591-\u05bd\u05bf-\u05c7\u064b-\u065f\u0670"
_CHARACTER = rf"(?![{HAN.pattern[1:-1]}々〇{_DENSE}])[\w＿+#{_MARKS}]"
_RUN = re.compile(rf"(?:{_CHARACTER})+(?:[.\-/:@'’&\\．－／：＠＇＆＼]+(?:{_CHARACTER})+)*")
_WORD = re.compile(rf"(?:[^\W\d_]|[{_MARKS}])+")
_IDENTIFIER = re.compile(r"[\d_./:@\\]")


def suggestion(text: str, lexical: LexicalIndex | None, scope: frozenset[int] | None, texts: Texts) -> str:
    """The question with the words put right that no passage in these collections has; "" where there is nothing to
    put right, or nothing better. See `corrections`."""
    found = corrections(text, lexical, scope, texts)
    return corrected(text, found) if found else ""


def corrections(text: str, lexical: LexicalIndex | None, scope: frozenset[int] | None, texts: Texts) -> dict[str, str]:
    """Each unknown word of the question, as it is typed, and the word that is meant, in the question's order.

    `scope`: ids of the collections that the reader may see (None: all); `texts` gives {passage: text} of those passages
    that the reader may see. Only the first MOST_PUT_RIGHT unknown words are looked up; identifiers, words with digits
    and conditions, never. Raises LexicalError.
    """
    if lexical is None or scope == frozenset():
        return {}
    unknown = {word for word in lexical.unknown(text, scope) if misspelt.farthest(word)}
    if not unknown:
        return {}
    meant: dict[str, str] = {}
    found: dict[str, str] = {}
    for _start, typed in _words(text[: terms.LONGEST_QUESTION]):
        word = _surface(typed)
        if word in unknown and word not in meant and len(meant) < MOST_PUT_RIGHT:
            meant[word] = _nearest(word, lexical, scope, texts)
        if meant.get(word):
            found[typed] = _with_capitals_of(typed, meant[word])
    return found


def corrected(text: str, words: Mapping[str, str]) -> str:
    """The text with these words, as they are typed, replaced where they stand as words, and all else as it is."""
    parts: list[str] = []
    end = 0
    for start, typed in _words(text):
        if typed in words:
            parts += [text[end:start], words[typed]]
            end = start + len(typed)
    return "".join([*parts, text[end:]])


def while_typing(text: str, suggested: str) -> str:
    """The suggestion for this text with the word at its very end as it is typed, since it may be half typed; "" where
    nothing else was put right."""
    *_before, (start, last) = [(0, ""), *_words(text)]
    if not suggested or not last or start + len(last) < len(text):
        return suggested
    *_before, (end, _meant) = _words(suggested)
    kept = suggested[:end] + last
    return kept if kept != text else ""


def _words(text: str) -> Iterator[tuple[int, str]]:
    """(start, word as it is typed) of all words but those that are, or belong to, identifiers or conditions."""
    conditions = parse(text).conditions
    for run in _RUN.finditer(text):
        if not _IDENTIFIER.search(unicodedata.normalize("NFKC", run.group())):
            for word in _WORD.finditer(run.group()):
                start = run.start() + word.start()
                if not any(one.start <= start < one.end for one in conditions):
                    yield start, word.group()


def _surface(typed: str) -> str:
    """The word as the index has it (Terms.surface); "" of what is more than one word to it, as camelCase is."""
    surface, grams = terms.of_phrase(typed)
    return surface[0] if len(surface) == 1 and not grams else ""


def _nearest(word: str, lexical: LexicalIndex, scope: frozenset[int] | None, texts: Texts) -> str:
    """Of the words like this one the nearest, then the one in most of the passages read, then the first by alphabet; ""
    where there is none."""
    for most in range(1, misspelt.farthest(word) + 1):
        read = texts(lexical.near(word, most, READ, scope))
        held: Counter[str] = Counter()
        for text in read.values():
            held.update(other for other in terms.of_phrase(text)[0] if other.isalpha() and other != word)
        away = {other: steps for other in held if (steps := misspelt.distance(word, other, most)) <= most}
        # Two errors, and the first letter one of them, is mostly another word: vacation, action.
        away = {other: steps for other, steps in away.items() if steps < 2 or other[0] == word[0]}
        if away:
            best = min(away, key=lambda other: (away[other], -held[other], other))
            return _as_written(best, read.values())
    return ""


def _as_written(word: str, texts: Iterable[str]) -> str:
    """The word with the accents that it mostly has in these texts, in lower case."""
    forms: Counter[str] = Counter()
    for text in texts:
        for form, times in Counter(_WORD.findall(unicodedata.normalize("NFKC", text).lower())).items():
            accented = not form.isascii() and abs(len(form) - len(word)) <= 1
            if form == word or (accented and _surface(form) == word):
                forms[form] += times
    return min(forms, key=lambda form: (-forms[form], form), default=word)


def _with_capitals_of(typed: str, meant: str) -> str:
    if typed.isupper() and len(typed) > 1:
        return meant.upper()
    return meant[0].upper() + meant[1:] if typed[0].isupper() else meant
