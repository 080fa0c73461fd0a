"""Finding by meaning, with the real encoder, over the demo as a user would load it.

The handbook is loaded whole; of the library each third page, and what is asked for below, for encoding it all takes
minutes. `make test-whole` loads it all.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.management import call_command

from searchsite.documents.models import Document, State
from searchsite.management.commands import demo as command
from searchsite.management.commands.demo import library as whole_library
from searchsite.search.retrieve import search

pytestmark = pytest.mark.meaning
WHOLE = "SEARCHSITE_TEST_WHOLE" in os.environ
OF_THE_LIBRARY = [
    ("temporary directory that removes itself", "tempfile", "tempfile.TemporaryDirectory"),
    ("怎样得到最大的几个元素", "heapq", "heapq.nlargest"),
]
QUESTIONS = json.loads((Path(__file__).parents[1] / "data" / "cross_language_questions.json").read_text())


def library() -> Iterator[tuple[str, str, str]]:
    """The pages of the library that are loaded: (source, title, text)."""
    asked = tuple(f"/{module}" for _question, module, _heading in OF_THE_LIBRARY)
    for number, page in enumerate(whole_library()):
        if WHOLE or number % 3 == 0 or page[0].endswith(asked):
            yield page


@pytest.fixture(scope="module")
def demo(django_db_setup, django_db_blocker, tmp_path_factory):
    """The demo, loaded once for the module by the command that `make run` uses, and taken away again."""
    from django.test import override_settings

    from searchsite.index import backends, follow

    folder = tmp_path_factory.mktemp("demo")
    with (
        pytest.MonkeyPatch.context() as patched,
        override_settings(
            SEARCHSITE_ENCODER="e5-small",
            SEARCHSITE_MODELS_DIR=Path(os.environ["SEARCHSITE_TEST_MODELS_DIR"]),
            SEARCHSITE_TASKS="worker",
            INDEX_DIR=folder / "index",
        ),
        django_db_blocker.unblock(),
    ):
        backends.forget()
        patched.setattr(command, "library", library)
        call_command("demo")
        backends.forget()
        yield folder
        call_command("flush", interactive=False, verbosity=0)
        follow.forget()
        backends.forget()


@pytest.fixture
def ask(demo, db, settings):
    """ask(question) -> the first three (document, best passage's heading path)."""
    settings.SEARCHSITE_ENCODER = "e5-small"
    settings.INDEX_DIR = demo / "index"
    settings.SEARCHSITE_MODELS_DIR = Path(os.environ["SEARCHSITE_TEST_MODELS_DIR"])

    def _ask(question: str):
        return [
            (result.document, [" › ".join(found.passage.heading_path) for found in result.found])
            for result in search(AnonymousUser(), question).results[:3]
        ]

    return _ask


def test_everything_in_the_demo_is_findable(ask):
    assert Document.objects.filter(source__startswith="handbook/").count() == 40
    assert Document.objects.filter(source__startswith="python/").count() > (200 if WHOLE else 70)
    assert not Document.objects.exclude(state=State.READY).exists()


def test_loading_the_demo_again_does_nothing(ask):
    before = list(Document.objects.order_by("pk").values_list("pk", "updated"))
    out = io.StringIO()
    call_command("demo", stdout=out)
    assert out.getvalue().strip() == "Demo: loaded"
    assert list(Document.objects.order_by("pk").values_list("pk", "updated")) == before


def test_questions_find_answers_in_the_other_language(ask):
    """At least nine in ten of the questions find, in the first three results of the whole demo, the one page."""
    misses = []
    for question in QUESTIONS:
        found = [document.source for document, _headings in ask(question["question"])]
        if f"handbook/{question['document']}" not in found:
            misses.append(f"{question['question']}: {question['document']} not in {found}")
    print(f"{len(QUESTIONS) - len(misses)} of {len(QUESTIONS)} right", *misses, sep="\n  ")
    assert {question["language"] for question in QUESTIONS} == {"en", "zh"}
    assert len(QUESTIONS) >= 20
    assert len(misses) <= len(QUESTIONS) // 10, misses


@pytest.mark.parametrize(("question", "module", "heading"), OF_THE_LIBRARY)
def test_the_library_is_found_by_what_it_does(ask, question, module, heading):
    found = ask(question)
    headings = [h for document, paths in found for h in paths if document.source.endswith(f"/{module}")]
    assert any(heading in path for path in headings), [(d.source, h) for d, h in found]
