"""benchmarks/confidence.py: what its table is made of."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from searchsite.insight import beir
from searchsite.search.confidence import LEAST_CANDIDATES, Thresholds, answering
from searchsite.search.ranking import Ranked
from tests.insight.sets import write_set

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def benchmark_script(monkeypatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import confidence

    return confidence


@pytest.mark.parametrize(
    ("positive", "negative", "area"),
    [
        ([3.0, 4.0], [1.0, 2.0], 1.0),
        ([1.0, 2.0], [3.0, 4.0], 0.0),
        ([1.0, 1.0], [1.0], 0.5),
        ([1.0, 3.0], [2.0], 0.5),
        ([2.0], [1.0, 2.0, 3.0, 0.0], 2.5 / 4),
    ],
)
def test_the_area_is_the_share_of_pairs_in_order_and_ties_count_half(benchmark_script, positive, negative, area):
    assert benchmark_script.auc(positive, negative) == pytest.approx(area)


def test_what_has_the_same_prefix_answers_too_only_when_asked(benchmark_script, tmp_path):
    documents = dict.fromkeys(("dr-7-0", "dr-7-1", "dr-71-0", "dr-7", "dr-8-0"), "heron")
    folder = write_set(
        tmp_path, documents, {"7": "heron", "8": "heron"}, {"7": {"dr-7-1": 1}, "8": {"gone": 1, "dr-8-0": 1}}
    )
    given = beir.read(folder)
    assert benchmark_script.relevant(given, same_prefix=False) == {"7": {1}, "8": {4}}
    assert benchmark_script.relevant(given, same_prefix=True) == {"7": {0, 1}, "8": {4}}


def test_a_query_whose_answers_the_corpus_lacks_is_not_asked(benchmark_script, tmp_path):
    folder = write_set(tmp_path, {"one": "heron"}, {"7": "heron", "8": "heron"}, {"7": {"gone": 1}, "8": {"one": 1}})
    assert benchmark_script.relevant(beir.read(folder), same_prefix=False) == {"8": {0}}


def ranked(first: float, *, foreign: bool = False) -> list[Ranked]:
    """One passage of that score, and a background of 0."""
    return [Ranked(0, first, first / 2, first, 0.0, foreign)] + [
        Ranked(number, 0.0, 0.0, 0.0) for number in range(1, LEAST_CANDIDATES)
    ]


@pytest.mark.parametrize("first", [0.1, 0.29, 0.31, 0.7])
@pytest.mark.parametrize("foreign", [True, False])
def test_the_margin_is_below_nothing_where_the_site_says_that_nothing_answers(benchmark_script, first, foreign):
    found = ranked(first, foreign=foreign)
    least = Thresholds(own=0.3, foreign=0.1)
    margin = benchmark_script.margin(found, list(range(len(found))), least)
    assert (margin >= 0) == any(answering(found, least))


def test_a_foreign_passage_is_measured_by_what_it_has_more_of(benchmark_script):
    least = Thresholds(own=0.3, foreign=0.1)
    owners = list(range(LEAST_CANDIDATES))
    assert benchmark_script.margin(ranked(0.4), owners, least) == pytest.approx(0.1)
    assert benchmark_script.margin(ranked(0.4, foreign=True), owners, least) == pytest.approx(0.1)
    assert benchmark_script.margin(ranked(0.28, foreign=True), owners, least) == pytest.approx(0.04)
    assert benchmark_script.margin(ranked(0.28), owners, least) == pytest.approx(-0.02)


def test_only_the_first_passage_of_a_document_counts(benchmark_script):
    """As in the site: what comes behind in a document that does not answer is not shown above the line."""
    found = ranked(0.2)
    found[1] = Ranked(1, 0.1, 0.5, 0.0, 0.0, True)
    least = Thresholds(own=0.3, foreign=0.1)
    owners = [0, 0, *range(1, LEAST_CANDIDATES - 1)]
    assert benchmark_script.margin(found, owners, least) == pytest.approx(-0.1)


def test_of_too_few_passages_there_is_no_margin(benchmark_script):
    found = ranked(0.9)[:-1]
    assert benchmark_script.margin(found, list(range(len(found))), Thresholds(0.3, 0.1)) is None
