"""The space in which questions and passages are compared: the encoder's, with each language's own offset taken out.

A multilingual encoder puts all texts of one language into a region of its own. Left alone, every Chinese passage lies
nearer to a Chinese question than the English one that answers it (measured: 1 of 30 answers among the first three).
The offset of a language is the mean vector of texts that say the same in every language (parallel.py); taking it from
passages and questions makes the languages meet: Libovicky, Rosa and Fraser, "On the Language Neutrality of Pre-trained
Multilingual Representations" (Findings of EMNLP 2020), section 3.3. What is left of the preference for one's own
language is evened out by a small constant.

The database holds the encoder's vectors as they are; only the index lives in this space.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from searchsite.documents.language import family_of
from searchsite.index import backends
from searchsite.index.parallel import PASSAGES, QUESTIONS

Matrix = NDArray[np.float32]

# Chosen on shared retrieval sets, see benchmarks/README.md: how much of its language's offset is taken from a
# passage and from a question, and what a passage in another language than the question's gains.
PASSAGE_SHIFT = 1.0
QUESTION_SHIFT = 0.9
OTHER_LANGUAGE = 0.08

FAMILIES = ("en", "zh", "other")  # of languages, as documents/language.py tells them apart
KNOWS_BOTH = 0.8  # share of the parallel passages that must be nearest to their own translation


@dataclass(frozen=True)
class Space:
    """Offsets (languages, dim) of passages and questions, in the order of FAMILIES; zero for an encoder that does
    not know the languages to be the same. Its vectors have one number more than the encoder's: the language's sign.
    """

    passages: Matrix
    questions: Matrix
    bonus: float
    passage_tokens: Matrix
    """Offsets of the tokens' states, not of the vectors; never zero: index/tokens.py."""
    question_tokens: Matrix

    @property
    def dim(self) -> int:
        return int(self.passages.shape[1]) + 1

    def place_passages(self, vectors: Matrix, languages: Sequence[str]) -> Matrix:
        """(n, dim - 1) vectors of the encoder, L2-normalised -> (n, dim) vectors to be indexed."""
        rows = np.array([_row(language) for language in languages], np.int64)
        shifted = _unit(vectors - PASSAGE_SHIFT * self.passages[rows])
        return np.concatenate([shifted, SIGNS[rows][:, None]], axis=1, dtype=np.float32)

    def place_question(self, vector: Matrix, language: str) -> Matrix:
        """(dim - 1,) -> (dim,); its inner product with a placed passage is the score that ranks."""
        row = _row(language)
        shifted = _unit(vector - QUESTION_SHIFT * self.questions[row])
        return np.append(shifted, -SIGNS[row] * self.bonus / 2).astype(np.float32)

    def place_likeness(self, vector: Matrix, language: str) -> Matrix:
        """(dim - 1,) placed vectors of passages in that language, or their mean -> (dim,) to ask for what is like
        them, with what another language gains."""
        return np.append(_unit(vector), -SIGNS[_row(language)] * self.bonus / 2).astype(np.float32)

    def like(self, placed: Matrix) -> Matrix:
        """(n, dim) placed passages -> (n, dim) to ask for what is like each, as `place_likeness` does."""
        return np.concatenate([placed[:, :-1], placed[:, -1:] * -self.bonus / 2], axis=1, dtype=np.float32)

    def place_tokens(self, states: Matrix, language: str, *, question: bool = False) -> Matrix:
        """(tokens, dim - 1) states of a text's tokens -> the same, of length 1, without their language's offset."""
        offsets = self.question_tokens if question else self.passage_tokens
        return _unit(states - offsets[_row(language)])

    def shares(self, states: Matrix, language: str, question: Matrix) -> NDArray[np.float64]:
        """(tokens, dim - 1) states of all tokens of a passage, of which its vector is the mean -> (tokens,) what each
        gives to the passage's cosine with a placed question (dim,): they add up to it.

        With m the mean of N states s_t, o the offset and q the question, the cosine is that of m/|m| - o with q, and
        so the sum over t of (s_t/|m| - o)q / (N |m/|m| - o|). All 0 where a length is.
        """
        if not len(states):
            return np.zeros(0)
        exact = states.astype(np.float64)
        mean = exact.mean(axis=0)
        length = float(np.linalg.norm(mean))
        offset = PASSAGE_SHIFT * self.passages[_row(language)].astype(np.float64)
        asked = question[:-1].astype(np.float64)
        shifted = float(np.linalg.norm(mean / length - offset)) if length else 0.0
        scale = len(exact) * shifted * float(np.linalg.norm(asked))
        if not scale:
            return np.zeros(len(exact))
        found: NDArray[np.float64] = (exact / length - offset) @ asked / scale
        return found

    @property
    def language_axis(self) -> Matrix:
        """(dim,); its inner product with a placed passage is the sign of the passage's language, see `is_foreign`."""
        return np.append(np.zeros(self.dim - 1), 1).astype(np.float32)

    def is_foreign(self, sign: float, question_language: str) -> bool:
        """Whether a passage whose language has this sign is in another one than the question, and can be found all
        the same: never for an encoder that does not know the languages to be the same."""
        return bool(self.bonus) and abs(sign - float(SIGNS[_row(question_language)])) > 0.5

    def cosine(self, score: float, question_language: str, passage_language: str) -> float:
        """The cosine in this space, of a score that ranks."""
        signs = SIGNS[_row(question_language)] * SIGNS[_row(passage_language)]
        return score + float(signs) * self.bonus / 2


SIGNS = np.array([1, -1, 0], np.float32)  # of FAMILIES: the product is -1 for an English and a Chinese text


def _row(language: str) -> int:
    return FAMILIES.index(family_of(language))


def _unit(vectors: Matrix) -> Matrix:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    result: Matrix = (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return result


def current() -> Space:
    """The space of the present encoder. The first call for an encoder encodes the parallel texts, and keeps the result
    in the index folder: a cache like all that lies there."""
    return _space(backends.fingerprint(), str(settings.INDEX_DIR))


@lru_cache(maxsize=4)
def _space(fingerprint: str, folder: str) -> Space:
    texts = hashlib.sha256(repr((PASSAGES, QUESTIONS)).encode()).hexdigest()[:8]
    path = Path(folder) / f"space-{fingerprint}-{texts}.npy"
    try:
        offsets = _read(path)
    except (OSError, EOFError, ValueError):  # not there yet, or damaged: it is a cache
        _measure(path)
        offsets = _read(path)
    passages, questions, passage_tokens, question_tokens = offsets
    return Space(passages, questions, OTHER_LANGUAGE if passages.any() else 0.0, passage_tokens, question_tokens)


def _read(path: Path) -> Matrix:
    offsets: Matrix = np.load(path)
    if offsets.shape[:2] != (4, len(FAMILIES)):
        raise ValueError("it was made by another version")
    return offsets


def _measure(path: Path) -> None:
    encoder = backends.get_encoder()
    vectors, states = {}, {}
    for kind, texts, encode in (
        ("passages", PASSAGES, encoder.encode_passages),
        ("questions", QUESTIONS, encoder.encode_queries),
    ):
        for language in ("en", "zh"):
            seen: list[Matrix] = []
            vectors[kind, language] = encode([text[language] for text in texts], states=lambda _n, s: seen.append(s))  # noqa: B023
            states[kind, language] = np.concatenate(seen)
    if _same_meaning(vectors["passages", "en"], vectors["passages", "zh"]):
        means = [_means(vectors, "passages"), _means(vectors, "questions")]
    else:
        means = [np.zeros((len(FAMILIES), backends.description().dim), np.float32)] * 2
    means += [_means(states, "passages"), _means(states, "questions")]
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.aside-{os.getpid()}")
    with aside.open("wb") as out:
        np.save(out, np.stack(means))
    aside.replace(path)


def _means(vectors: dict[tuple[str, str], Matrix], kind: str) -> Matrix:
    """In the order of FAMILIES; what is neither is taken to lie between."""
    english, chinese = (vectors[kind, language].mean(axis=0) for language in ("en", "zh"))
    return np.stack([english, chinese, (english + chinese) / 2])


def _same_meaning(english: Matrix, chinese: Matrix) -> bool:
    """Whether the encoder sees that the parallel passages say the same; an English encoder over Chinese does not."""
    likeness = _unit(english - english.mean(axis=0)) @ _unit(chinese - chinese.mean(axis=0)).T
    return bool((likeness.argmax(axis=1) == np.arange(len(english))).mean() >= KNOWS_BOTH)
