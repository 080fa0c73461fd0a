"""`manage.py evaluate PATH...`: how well this site finds, measured on retrieval sets."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from django.core.management.base import BaseCommand, CommandError

from encoder import EncoderError
from searchsite.insight import beir
from searchsite.insight.evaluate import MEASURES, Figures, evaluate
from searchsite.terminal import ProgressBar

QUERIES = 600
STOPPED = 130  # what a shell reports of a command ended by Ctrl-C

T = TypeVar("T")


class Command(BaseCommand):
    help = (
        "Measure how well this site's keywords, vectors, their fusion and its reranking find what the judgements of "
        "retrieval sets say is relevant. The site's own documents and index are neither used nor changed."
    )

    def add_arguments(self, parser: Any) -> None:
        add = parser.add_argument
        add("paths", nargs="+", metavar="PATH", help="a folder in BEIR layout: corpus.jsonl, queries.jsonl, qrels.tsv")
        add(
            "--queries", type=int, default=QUERIES, metavar="N",
            help="ask the N judged queries whose ids have the lowest SHA-256 (default: %(default)s; 0: all)",
        )  # fmt: skip
        add("--qrels", default="", metavar="FILE", help="other judgements; also a path within each folder")
        add(
            "--fold", type=int, choices=(0, 1),
            help="ask only the queries of one half, those whose id's SHA-256 ends in an even (0) or odd (1) hex digit: "
            "choose settings by one half, report the other",
        )  # fmt: skip
        add("--json", action="store_true", dest="as_json", help="print one JSON object, figures from 0 to 1")

    def handle(self, *_args: Any, paths: list[str], queries: int, qrels: str, **options: Any) -> None:
        if queries < 0:
            raise CommandError("--queries is a number of queries, or 0 for all.")
        self.stderr.style_func = None  # progress is no error, and not red
        paths = list(dict.fromkeys(paths))
        try:
            # All are read before the first is measured, so that a mistake in the last is told at once.
            sets = {
                name: beir.read(Path(path), qrels, queries, options["fold"])
                for path, name in zip(paths, names(paths), strict=True)
            }
            self._report(sets, options["as_json"])
        except (beir.BadSet, EncoderError) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            sentence = "Stopped. What was encoded is kept: run it again, and it goes on from there."
            raise CommandError(sentence, returncode=STOPPED) from None

    def _report(self, sets: dict[str, beir.RetrievalSet], as_json: bool) -> None:
        width = max(map(len, [*sets, "set"]))
        if not as_json:
            self.stdout.write(header(width))
        found = {}
        for name, given in sets.items():
            self.stderr.write(f"{name}: {len(given.documents)} documents, {len(given.queries)} queries")
            if given.missing:
                self.stderr.write(f"{name}: {given.missing} judgements are of documents that it lacks: never found.")
            found[name] = evaluate(given, self._watched)
            if not as_json:
                for system, figures in found[name].items():
                    self.stdout.write(row(name, width, system, figures))
                self.stdout.flush()
        if as_json:
            objects = {
                name: {system: figures.means for system, figures in systems.items()} for name, systems in found.items()
            }
            self.stdout.write(json.dumps(objects if len(objects) > 1 else next(iter(objects.values()))))

    def _watched(self, items: Sequence[T], doing: str) -> Iterator[T]:
        with ProgressBar(len(items), self.stderr) as bar:
            for item in items:
                yield item
                bar.step(doing)


def names(paths: Sequence[str]) -> list[str]:
    """What each set is called: its folder's name, or the path as given where two folders have the same name."""
    folders = [Path(path).resolve().name for path in paths]
    times = Counter(folders)
    return [folder if times[folder] == 1 else path for folder, path in zip(folders, paths, strict=True)]


def header(width: int) -> str:
    return f"{'set':<{width}}  {'system':<8}  " + "  ".join(f"{name:>7}" for name in MEASURES) + "  s/query"


def row(name: str, width: int, system: str, figures: Figures) -> str:
    """A line of the table: the measures times 100, and the seconds for a query in the median."""
    measures = "  ".join(f"{100 * figures.means[measure]:7.1f}" for measure in MEASURES)
    return f"{name:<{width}}  {system:<8}  {measures}  {figures.seconds:7.3f}"
