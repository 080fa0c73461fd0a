"""Every problem is a sentence in the reader's language, and survives being stored or handed between processes."""

from __future__ import annotations

import copy
import json
import pickle
import re
from pathlib import Path

import pytest
from django.utils import translation

import searchsite
from searchsite.documents.problems import MESSAGES, Problem, megabytes, sentence

ROOM = Path(searchsite.__file__).parent
# Problem("code", name=...) anywhere in the site; the second code is that of a conditional one.
RAISED = re.compile(r'Problem\(\s*"(\w+)"(?:[^()"]*"(\w+)")?')


def placeholders(code: str) -> set[str]:
    with translation.override("en"):
        return set(re.findall(r"%\((\w+)\)s", str(MESSAGES[code])))


@pytest.mark.parametrize("code", MESSAGES)
def test_each_is_a_whole_sentence_with_its_parameters(code: str) -> None:
    with translation.override("en"):
        said = sentence(code, {name: f"<{name}>" for name in placeholders(code)})

    assert said[0].isupper()
    assert said.endswith(".")
    assert "%" not in said
    assert all(f"<{name}>" in said for name in placeholders(code))


def test_each_code_that_is_raised_has_a_sentence() -> None:
    raised = {
        code
        for source in ROOM.rglob("*.py")
        for match in RAISED.finditer(source.read_text(encoding="utf-8"))
        for code in match.groups()
        if code
    }

    assert raised - set(MESSAGES) == set()
    assert raised >= {"empty_file", "password", "damaged", "needs_ocr", "unsupported_kind", "not_what_it_says"}


def test_a_problem_says_its_sentence_in_the_active_language(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = Problem("too_many_pages", pages=12, limit=10)
    monkeypatch.setitem(MESSAGES, "too_many_pages", _Translated("%(pages)s pages", "%(pages)s 页"))

    with translation.override("en"):
        assert str(problem) == "12 pages"
    with translation.override("zh-hans"):
        assert str(problem) == "12 页"


class _Translated:
    def __init__(self, english: str, chinese: str) -> None:
        self.english, self.chinese = english, chinese

    def __str__(self) -> str:
        return self.chinese if translation.get_language() == "zh-hans" else self.english


@pytest.mark.parametrize(("code", "params"), [("from a later version", {}), ("too_large", {"size": "3"})])
def test_what_is_not_known_is_still_a_sentence(code: str, params: dict[str, str | int]) -> None:
    assert sentence(code, params) == str(MESSAGES["internal"])


def test_a_problem_can_be_stored_and_read_again() -> None:
    problem = Problem("too_large", size="12.5", limit="10")

    stored = json.loads(json.dumps(problem.as_json()))

    assert stored == {"code": "too_large", "params": {"size": "12.5", "limit": "10"}}
    assert sentence(**stored) == str(problem)


@pytest.mark.parametrize("hand_over", [lambda p: pickle.loads(pickle.dumps(p)), copy.copy])
def test_a_problem_passes_between_processes(hand_over) -> None:
    passed = hand_over(Problem("too_many_pages", pages=12, limit=10))

    assert isinstance(passed, Problem)
    assert passed.as_json() == {"code": "too_many_pages", "params": {"pages": 12, "limit": 10}}


@pytest.mark.parametrize(
    ("size", "written"),
    [(0, "0"), (1, "0.1"), (2**20, "1"), (2**20 + 1, "1.1"), (25 * 2**20, "25"), (1.5 * 2**20, "1.5")],
)
def test_megabytes_are_rounded_up(size: int, written: str) -> None:
    assert megabytes(size) == written
