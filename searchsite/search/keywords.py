"""Where a text has the keywords of a question.

terms.py says what a keyword is, of folded text; here it is found in the text as it was written, so that it can be
marked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from searchsite.documents.language import HAN
from searchsite.index import terms

Span = tuple[int, int]  # (start, end) in characters

# Asked for like others, but in nearly every passage: marked, they would hide the words that tell passages apart.
COMMON = frozenset([
    "a", "an", "and", "are", "as", "at", "be", "been", "by", "can", "for", "from", "had", "has", "have", "he", "her",
    "his", "i", "if", "in", "into", "is", "it", "its", "may", "me", "my", "no", "not", "of", "on", "or", "our",
    "shall", "she", "should", "so", "than", "that", "the", "their", "them", "then", "there", "these", "they", "this",
    "those", "to", "up", "us", "was", "we", "were", "will", "with", "would", "you", "your",
])  # fmt: skip

# Runs as terms.py sees them, but in the text as it was written: full and half width are told apart only there.
_HAN = HAN.pattern[1:-1] + "々〇"
_DENSE = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\uac00-\ud7af\uff66-\uffdc"
_BREAK = r"[^\S\n]*\n[^\S\n]*"  # a line's end within Chinese text
_SIGNS = r"\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0963\u0966-\u0dff"
_CHARACTER = rf"(?![{_HAN}{_DENSE}])[\w{_SIGNS}+#＋＃]"
_RUN = re.compile(
    rf"(?P<dense>[{_HAN}]+(?:{_BREAK}[{_HAN}]+)*|[{_DENSE}]+)"
    rf"|(?P<word>(?:{_CHARACTER})+(?:[.\-/:@'’&\\．－／：＠＇＆＼](?:{_CHARACTER})+)*)"
)
_CLUSTER = re.compile(r"\S[\u3099\u309a\uff9e\uff9f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0300-\u036f]*")
_PIECE = re.compile(rf"(?:[^\W_]|[{_SIGNS}])+")
_DENSE_CHARACTER = re.compile(rf"[{_HAN}{_DENSE}\u3000-\u303f\uff00-\uff0f\uff1a-\uff20]")


def keyword_spans(text: str, language: str, asked: Sequence[terms.Asked]) -> list[Span]:
    """(start, end) of what a text in that language (ISO 639-1) has of a question's keywords, in order and apart.

    Whole words, by their stems, or the parts of identifiers that were asked for; of scripts without spaces the longest
    stretches that are made of words and pairs of the question. Not COMMON words, unless nothing else is asked for.
    """
    telling = telling_apart(asked)
    words = frozenset(word for one in telling for word in one.words)
    dense = frozenset(gram for one in telling for gram in one.grams)
    dense |= {word for word in words if len(word) > 1 and HAN.search(word)}
    spans: list[Span] = []
    for run in _RUN.finditer(text):
        if run.lastgroup == "word":
            found = _in_word(run.group(), language, words)
        else:
            found = _in_dense(run.group(), dense) if dense else []
        spans += [(run.start() + start, run.start() + end) for start, end in found]
    return spans


def telling_apart(asked: Sequence[terms.Asked]) -> list[terms.Asked]:
    """What is asked for without COMMON words, unless there is nothing else."""
    return [one for one in asked if one.surface not in COMMON] or list(asked)


def named(asked: Sequence[terms.Asked]) -> dict[str, terms.Asked]:
    """What is asked for, by what people would call it, in order: words, identifiers whole and in parts; and characters
    and pairs of scripts without spaces where no word has them."""
    telling = telling_apart(asked)
    found = {one.words[0]: one for one in telling if one.words and not (len(one.words[0]) < 2 and _is_han(one))}
    seen = set("".join(found))
    found |= {one.grams[0]: one for one in telling if one.grams and not seen & set(one.grams[0])}
    return found


def holds(text: str, language: str, asked: terms.Asked) -> bool:
    """Whether a text in that language (ISO 639-1) has what is asked for."""
    return bool(keyword_spans(text, language, [asked]))


def _is_han(asked: terms.Asked) -> bool:
    return HAN.search(asked.words[0]) is not None


def _in_word(run: str, language: str, words: frozenset[str]) -> list[Span]:
    """The whole run, where it is asked for whole; else those of its parts that are."""
    if not words & _terms(run, language):
        return []
    whole = terms.of_passage(run, language).words[:1]
    pieces = [piece.span() for piece in _PIECE.finditer(run)]
    asked = [span for span in pieces if words & _terms(run[slice(*span)], language)]
    if not asked or len(asked) == len(pieces) or words.intersection(whole):
        return [(0, len(run))]
    return asked


@lru_cache(maxsize=20_000)
def _terms(run: str, language: str) -> frozenset[str]:
    found = terms.of_passage(run, language)
    return frozenset([*found.words, *found.surface])


def _in_dense(run: str, asked: frozenset[str]) -> list[Span]:
    """Where characters of the run belong to anything that is asked for, neighbours together."""
    places: list[Span] = []
    folded = ""
    for cluster in _CLUSTER.finditer(run):
        as_asked = terms.fold(cluster.group())
        folded += as_asked
        places += [cluster.span()] * len(as_asked)
    covered = [False] * len(folded)
    for one in asked:
        at = folded.find(one)
        while at >= 0:
            covered[at : at + len(one)] = [True] * len(one)
            at = folded.find(one, at + 1)
    spans: list[Span] = []
    before = False
    for (start, end), marked in zip(places, covered, strict=True):
        if marked and before:
            spans[-1] = (spans[-1][0], end)
        elif marked:
            spans.append((start, end))
        before = marked
    return spans


def is_dense(character: str) -> bool:
    """Whether it is of a script without spaces, or a sign that goes with it."""
    return _DENSE_CHARACTER.match(character) is not None
