"""Random questions through the query language: `python -m tests.search.fuzz_query 50000`.

Prints how many, what went wrong, and the slowest parse in processor time, which a busy machine does not lengthen.
"""

import random
import sys
import time
from collections import Counter
from dataclasses import replace
from itertools import pairwise

from searchsite.search.query import FIELDS, MOST_PHRASES, Query, narrowed, parse, widened

LONGEST = 1000
MARKS = '"“”„＂「」『』«»'
FIELD_NAMES = [*FIELDS, "ｔｉｔｌｅ", "Ｔag", "TYPE", "note", "http"]
VALUES = [
    "pdf", "word", "zh-CN", "英语", "2024", "2024-05", "2024/5/1", "２０２４．５．１", "2024年5月1日", "2024-13",
    "soon", "annual report", "员工手册", "a,", "?", "🔥", "\ud800", "\0", "5", "wi-fi", "os.path.join", "C++", "ﬃ",
    "é", "ß", "İ", "أهلا", "e\u0301", "\u200b", "24", "x" * 250,
]  # fmt: skip
SIGNS = [" ", " ", " ", "\u3000", "\t", "\n", "-", "－", "−", "–", ":", "：", ",", "，", "?", "(", "/"]


def question(chance: random.Random) -> str:
    """Pieces of the grammar in any order, well-formed or not."""
    pieces = []
    for _ in range(chance.choice([1, 2, 3, 5, 8, 20, 100])):
        kind = chance.random()
        if kind < 0.25:
            mark = chance.choice(["", '""', "“”", "「」", "«»", "＂＂"])
            value = mark[:1] + chance.choice(VALUES) + mark[1:]
            minus = chance.choice(["", "", "-", "－"])
            pieces.append(f"{minus}{chance.choice(FIELD_NAMES)}{chance.choice(':：')}{value}")
        elif kind < 0.5:
            pieces.append(chance.choice(MARKS + "'"))
        elif kind < 0.75:
            pieces.append(chance.choice(VALUES))
        else:
            pieces.append(chance.choice(SIGNS))
        pieces.append(chance.choice(["", " ", " "]))
    return "".join(pieces)[:LONGEST]


def everything_said(query: Query) -> list[str]:
    """The texts in a question."""
    return [query.text, *query.phrases, *query.without, *(one.value for one in query.conditions)]


def word_characters(text: str) -> Counter[str]:
    """How often each letter and digit occurs."""
    return Counter(filter(str.isalnum, text))


def broken(text: str) -> list[str]:
    """The laws of the query language that do not hold for this question."""
    query = parse(text)
    stretches = [(one.start, one.end) for one in query.conditions]
    kept = [query.text, *query.without, *(text[start:end] for start, end in stretches)]
    laws = {
        "each letter and digit is somewhere, once": word_characters(text) == word_characters("".join(kept)),
        "conditions stand one behind the other": stretches == sorted(stretches)
        and all(0 <= start < end <= len(text) for start, end in stretches)
        and all(end <= start for (_, end), (start, _) in pairwise(stretches)),
        "a phrase is part of what is asked": len(query.phrases) <= MOST_PHRASES
        and all(phrase in query.text for phrase in query.phrases),
        "what is excluded has a letter or digit": all(any(map(str.isalnum, one)) for one in query.without),
        "nothing is left that a database refuses": not any(
            c == "\0" or "\ud800" <= c <= "\udfff" for said in everything_said(query) for c in said
        ),
    }
    if not any(mark in said for said in everything_said(query) for mark in MARKS):  # none is left open
        laws["without a condition all else stays"] = all(
            parse(widened(text, one)) == replace(query, conditions=(*query.conditions[:n], *query.conditions[n + 1 :]))
            for n, one in enumerate(query.conditions)
        )
    more = narrowed(text, "tag", "an added tag")
    added = next((one for one in parse(more).conditions if one.value == "an added tag"), None)
    laws["a condition can be added and taken away"] = added is not None and parse(widened(more, added)) == query
    return [law for law, holds in laws.items() if not holds]


def run(count: int, seed: int = 6) -> tuple[list[str], float]:
    """(what went wrong, the slowest parse in seconds of processor time) for the `count` questions of a seed."""
    chance = random.Random(seed)
    wrong: list[str] = []
    slowest = 0.0
    for _ in range(count):
        text = question(chance)
        try:
            began = time.thread_time()
            parse(text)
            slowest = max(slowest, time.thread_time() - began)
            wrong += [f"{law}: {text!r}" for law in broken(text)]
        except Exception as error:  # noqa: BLE001 - whatever it is, is what we look for
            wrong.append(f"{error!r}: {text!r}")
    return wrong, slowest


if __name__ == "__main__":
    asked = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    errors, seconds = run(asked)
    print(*errors[:20], sep="\n", end="\n" if errors else "")
    print(f"{asked:,} questions, {len(errors)} errors, slowest parse {seconds * 1000:.2f} ms")
    sys.exit(bool(errors))
