"""manage.py evaluate. No test here is given the database, and pytest-django lets none use it that is not."""

from __future__ import annotations

import json
import math
import tempfile
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import pytest
from django.core.management import CommandError, call_command

from searchsite.index import backends
from searchsite.insight import kept
from tests.insight.sets import HERONS, write_set
from tests.insight.test_kept import Counting


@pytest.fixture(autouse=True)
def data(settings, tmp_path: Path, monkeypatch) -> Path:
    """The site's data folder, and a folder of its own for what is temporary."""
    settings.DATA_DIR = tmp_path / "data"
    settings.INDEX_DIR = settings.DATA_DIR / "index"
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return settings.DATA_DIR


class Said(NamedTuple):
    out: str
    err: str


def said(*arguments: object) -> Said:
    out, err = StringIO(), StringIO()
    call_command("evaluate", *map(str, arguments), stdout=out, stderr=err)
    return Said(out.getvalue(), err.getvalue())


def figures(*arguments: object) -> dict:
    return json.loads(said(*arguments, "--json").out)


def herons(folder: Path, judged: dict[str, int] | None = None) -> Path:
    """The query "heron" over HERONS: every system finds them in the order thrice, twice, once."""
    return write_set(folder, HERONS, {"q": "heron"}, {"q": judged or {"twice": 2, "once": 1}})


def test_the_figures_are_those_computed_by_hand(tmp_path: Path) -> None:
    # Found are: no answer, one of grade 2, one of grade 1. At best they would be 2, 1.
    ndcg = (2 / math.log2(3) + 1 / math.log2(4)) / (2 / math.log2(2) + 1 / math.log2(3))
    found = figures(herons(tmp_path / "set"))
    assert list(found)[:3] == ["lexical", "vector", "fused"]
    for system in ("lexical", "vector", "fused"):
        assert found[system] == pytest.approx({"nDCG@10": ndcg, "R@100": 1.0, "RR@10": 1 / 2})


def test_the_mean_is_over_all_queries_also_those_that_find_nothing(tmp_path: Path) -> None:
    queries = {"q": "heron", "none": "zebra", "blank": " ", "half": "willow"}
    judged = {"q": {"twice": 2, "once": 1}, "none": {"never": 1}, "blank": {"once": 1}, "half": {"never": 1, "once": 1}}
    ndcg = (2 / math.log2(3) + 1 / math.log2(4)) / (2 / math.log2(2) + 1 / math.log2(3))
    half = 1 / (1 + 1 / math.log2(3))  # "willow" finds one of two answers, at the first place
    found = figures(write_set(tmp_path / "set", HERONS, queries, judged))["lexical"]
    assert found == pytest.approx({"nDCG@10": (ndcg + half) / 4, "R@100": 1.5 / 4, "RR@10": 1.5 / 4})


def test_a_blank_query_finds_nothing_as_on_the_site(tmp_path: Path) -> None:
    found = figures(write_set(tmp_path / "set", HERONS, {"q": " "}, {"q": dict.fromkeys(HERONS, 1)}))
    assert {measure for system in found.values() for measure in system.values()} == {0.0}


def test_an_answer_that_the_corpus_lacks_is_never_found_and_that_is_told(tmp_path: Path) -> None:
    folder = herons(tmp_path / "set", {"thrice": 1, "gone": 1})
    assert figures(folder)["fused"]["R@100"] == 1 / 2
    assert "set: 1 judgements are of documents that it lacks" in said(folder).err


def test_the_table_has_a_row_for_each_set_and_system(tmp_path: Path) -> None:
    said_of = said(herons(tmp_path / "birds"), herons(tmp_path / "fish", {"thrice": 1}))
    head, *rows = (line.split() for line in said_of.out.splitlines())
    assert head == ["set", "system", "nDCG@10", "R@100", "RR@10", "s/query"]
    by_system = {(name, system): numbers for name, system, *numbers, _seconds in rows}
    assert by_system["birds", "fused"] == ["67.0", "100.0", "50.0"]
    assert by_system["fish", "fused"] == ["100.0", "100.0", "100.0"]
    assert len(by_system) == len(rows) == 2 * len(figures(tmp_path / "fish"))


def test_of_several_sets_the_object_is_by_the_names_of_their_folders(tmp_path: Path) -> None:
    found = figures(herons(tmp_path / "birds"), herons(tmp_path / "fish", {"thrice": 1}))
    assert {name: systems["fused"]["RR@10"] for name, systems in found.items()} == {"birds": 0.5, "fish": 1.0}


def test_folders_of_the_same_name_are_told_apart_by_their_paths(tmp_path: Path) -> None:
    paths = [herons(tmp_path / name) for name in ("one/set", "two/set", "other")]
    assert list(figures(*paths)) == [str(paths[0]), str(paths[1]), "other"]


def test_only_the_queries_asked_for_are_asked(tmp_path: Path) -> None:
    # By their hashes "d" comes before "b" (as in test_beir.py), and is of the other half.
    queries, judged = {"b": "heron", "d": "heron"}, {"b": {"thrice": 1}, "d": {"twice": 1}}
    folder = write_set(tmp_path / "set", HERONS, queries, judged)
    assert figures(folder)["lexical"]["RR@10"] == 0.75
    assert figures(folder, "--queries", 1)["lexical"]["RR@10"] == 0.5
    assert figures(folder, "--fold", 1)["lexical"]["RR@10"] == 1.0
    assert figures(folder, "--queries", 0)["lexical"]["RR@10"] == 0.75


def test_other_judgements_can_be_named(tmp_path: Path) -> None:
    folder = herons(tmp_path / "set")
    (folder / "strict.tsv").write_text("query-id\tcorpus-id\tscore\nq\tonce\t1\n")
    assert figures(folder, "--qrels", folder / "strict.tsv")["lexical"]["RR@10"] == pytest.approx(1 / 3)


def test_a_long_document_is_split_and_scored_by_its_best_passage(tmp_path: Path, settings) -> None:
    """Whole, the long document is mostly about willows; and its other passages are no places of their own."""
    settings.SEARCHSITE_PASSAGE_TOKENS = 16
    willows = " ".join("Willow willow willow willow willow willow willow willow." for _ in range(20))
    documents = {"long": f"{willows} {' '.join(['Heron'] * 16)}. {willows}", **HERONS}
    judged = {"q": {"long": 1}, "w": {"never": 1}}
    found = figures(write_set(tmp_path / "set", documents, {"q": "heron", "w": "willow"}, judged))
    for system in ("lexical", "vector", "fused"):
        assert found[system]["RR@10"] >= (1 + 1 / 2) / 2, "the second answer is at most behind the long document"


def test_as_many_passages_are_asked_for_as_a_hundred_documents_take(tmp_path: Path, settings, monkeypatch) -> None:
    """Here 60 passages of one document are better than any of the answer's; the first look is at 8."""
    monkeypatch.setattr("searchsite.insight.evaluate.DEPTH", 8)
    settings.SEARCHSITE_PASSAGE_TOKENS = 16
    documents = {"long": " ".join("Heron heron heron heron heron heron heron heron." for _ in range(120)), **HERONS}
    found = figures(write_set(tmp_path / "set", documents, {"q": "heron"}, {"q": {"once": 1}}))
    for system in ("lexical", "vector", "fused"):
        assert found[system] == pytest.approx({"nDCG@10": 1 / math.log2(5), "R@100": 1.0, "RR@10": 1 / 4})


def test_no_more_than_a_hundred_documents_count(tmp_path: Path) -> None:
    documents = {f"d{n:03}": "heron" for n in range(101)}
    folder = write_set(tmp_path / "set", documents, {"q": "heron"}, {"q": {"d099": 1, "d100": 1}})
    assert figures(folder)["lexical"]["R@100"] == 1 / 2, "of equal ones, those that come first in the corpus"


def test_what_is_encoded_has_the_title_before_the_passage(tmp_path: Path, monkeypatch) -> None:
    counting = Counting()
    monkeypatch.setattr(backends, "get_encoder", lambda: counting)
    documents = {"d": {"title": "Birds", "text": "A heron."}, "e": "No title."}
    figures(write_set(tmp_path / "set", documents, {"q": "heron"}, {"q": {"d": 1}}))
    assert {"Birds\nA heron.", "\nNo title."} <= set(counting.encoded)


@pytest.fixture
def counting(monkeypatch) -> Counting:
    """The encoder, after the texts that say the same in two languages (index/space.py) have gone through it."""
    from searchsite.index import space

    space.current()
    found = Counting()
    monkeypatch.setattr(backends, "get_encoder", lambda: found)
    monkeypatch.setattr(kept, "BATCH", 2)
    return found


def test_a_second_run_encodes_nothing_and_says_the_same(tmp_path: Path, counting: Counting) -> None:
    first = figures(herons(tmp_path / "set"))
    assert len(counting.encoded) == 4 + 1, "four passages and the query"
    counting.encoded.clear()
    assert figures(tmp_path / "set") == first
    assert counting.encoded == [], "not even the query, which this process has encoded"
    backends.forget()
    assert figures(tmp_path / "set") == first
    assert counting.encoded == ["heron"]


def test_passages_that_another_set_has_too_are_not_encoded_again(tmp_path: Path, counting: Counting) -> None:
    figures(herons(tmp_path / "set"))
    counting.encoded.clear()
    figures(write_set(tmp_path / "other", {**HERONS, "new": "new"}, {"q": "heron"}, {"q": {"once": 1}}))
    assert counting.encoded == ["\nnew"]


def test_after_ctrl_c_the_next_run_goes_on_and_nothing_temporary_is_left(tmp_path: Path, counting: Counting) -> None:
    folder = herons(tmp_path / "set")
    counting.most = 3
    with pytest.raises(CommandError, match="Stopped") as stopped:
        figures(folder)
    assert stopped.value.returncode == 130
    assert len(counting.encoded) == 2
    counting.most = 5
    assert figures(folder)["fused"]["RR@10"] == 0.5
    assert len(counting.encoded) == 4 + 1
    assert list((tmp_path / "temporary").iterdir()) == []


def test_ctrl_c_while_asking_leaves_nothing_temporary(tmp_path: Path, counting: Counting) -> None:
    counting.most = 4
    with pytest.raises(CommandError, match="Stopped"):
        figures(herons(tmp_path / "set"))
    assert len(counting.encoded) == 4
    assert list((tmp_path / "temporary").iterdir()) == []


def test_all_that_is_written_is_the_cache_beside_the_site_s_data(tmp_path: Path, data: Path) -> None:
    from searchsite.index import space

    space.current()  # the site has it from its first search on
    (data / "index" / "build-1").mkdir(parents=True)
    before = {path for path in data.rglob("*") if path.is_file()}
    figures(herons(tmp_path / "set"))
    assert {path for path in data.rglob("*") if path.is_file()} == {*before, kept.cache_file()}
    assert kept.cache_file().is_relative_to(data / "evaluate")
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_set_that_cannot_be_used_is_refused_before_anything_is_measured(tmp_path: Path, counting: Counting) -> None:
    bad = herons(tmp_path / "bad")
    (bad / "qrels.tsv").unlink()
    with pytest.raises(CommandError, match=r"bad has no judgements"):
        said(herons(tmp_path / "set"), bad)
    assert counting.encoded == []


@pytest.mark.parametrize("wrong", [("--queries", "-1"), ("--queries", "some"), ("--fold", "2")])
def test_numbers_that_make_no_sense_are_refused(tmp_path: Path, wrong: tuple[str, str]) -> None:
    with pytest.raises(CommandError):
        said(herons(tmp_path / "set"), *wrong)


def test_an_encoder_that_is_not_there_is_a_sentence(tmp_path: Path, settings) -> None:
    settings.SEARCHSITE_ENCODER = "nowhere"
    backends.forget()
    with pytest.raises(CommandError, match='no encoder "nowhere"'):
        said(herons(tmp_path / "set"))
