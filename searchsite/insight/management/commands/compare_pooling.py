"""`manage.py compare_pooling PATH... | --collection SLUG`: which pooling of an encoder finds best, measured."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from searchsite.documents.jobs import Progress
from searchsite.documents.models import Collection
from searchsite.insight import beir, poolings
from searchsite.insight.management.commands.evaluate import STOPPED, names
from searchsite.insight.models import LEFT_OUT, NOTES, Comparison, Refusal, Result, Row, conclusion_of
from searchsite.terminal import ProgressBar

COLUMNS = ("nDCG@10", "95 %", "RR@10", "R@10", "cosine", "+-", "1st PC", "|x|>0.9")
Case = tuple[str, dict[str, Any]]  # what it is called, and what `poolings.compared` is told of it


class Command(BaseCommand):
    help = (
        "Compare the ways of pooling an encoder's token states, in one pass over the same texts, on retrieval sets in "
        "BEIR layout or on a collection of this site, whose titles and sentences are then asked. Compared are plain "
        "cosines of the encoder; the site's index and its documents are not changed."
    )

    def add_arguments(self, parser: Any) -> None:
        add = parser.add_argument
        add("paths", nargs="*", metavar="PATH", help="a folder in BEIR layout: corpus.jsonl, queries.jsonl, qrels.tsv")
        add("--collection", default="", metavar="SLUG", help="a collection of this site, by its short name")
        add("--encoder", default="", metavar="NAME", help="as in SEARCHSITE_ENCODER (default: the one set there)")
        add(
            "--queries", type=int, default=poolings.QUERIES, metavar="N",
            help="ask at most N: of a folder those whose ids have the lowest SHA-256 (default: %(default)s; 0: all)",
        )  # fmt: skip
        add("--json", action="store_true", dest="as_json", help="print one JSON object, figures from 0 to 1, by set")

    def handle(
        self, *_args: Any, paths: list[str], collection: str, encoder: str, queries: int, **options: Any
    ) -> None:
        if queries < 0:
            raise CommandError("--queries is a number of queries, or 0 for all.")
        if bool(paths) == bool(collection):
            raise CommandError("Name folders in BEIR layout, or one collection: --collection SLUG.")
        self.stderr.style_func = None  # progress is no error, and not red
        cases = of_collection(collection) if collection else of_folders(paths, queries)
        found = {}
        try:
            for name, case in cases:
                with self._watched() as progress:
                    result = poolings.compared(
                        encoder or settings.SEARCHSITE_ENCODER, progress=progress, queries=queries, **case
                    )
                found[name] = result
                if not options["as_json"]:
                    self.stdout.write("\n".join(table(name, result)))
                    self.stdout.flush()
        except Refusal as refusal:
            raise CommandError(f"{name}: {refusal}") from refusal
        except KeyboardInterrupt:
            raise CommandError("Stopped.", returncode=STOPPED) from None
        if options["as_json"]:
            self.stdout.write(json.dumps(found))

    @contextmanager
    def _watched(self) -> Iterator[Progress]:
        """A bar for each step, begun when the step begins."""
        bar: ProgressBar | None = None
        shown = ""

        def progress(step: str, done: int, total: int) -> None:
            nonlocal bar, shown
            if bar is None or step != shown:
                bar, shown = ProgressBar(total, self.stderr), step
            bar.step(step, done - bar.done)

        yield progress
        if bar is not None:
            bar.__exit__(None)  # tells how long the last step, the encoding, took


def of_folders(paths: list[str], queries: int) -> list[Case]:
    """All are read before the first is measured, so that a mistake in the last is told at once."""
    paths = list(dict.fromkeys(paths))
    try:
        for path in paths:
            beir.read(Path(path), limit=queries)
    except beir.BadSet as error:
        raise CommandError(str(error)) from error
    source = Comparison.Source.FOLDER
    return [(name, {"source": source, "folder": path}) for path, name in zip(paths, names(paths), strict=True)]


def of_collection(slug: str) -> list[Case]:
    found = Collection.objects.filter(slug=slug).first()
    if found is None:
        raise CommandError(f"There is no collection with the short name {slug}.")
    sources = (Comparison.Source.TITLES, Comparison.Source.SENTENCES)
    return [(f"{slug}, {source}", {"source": source, "collection": found}) for source in sources]


def table(name: str, result: Result) -> list[str]:
    """The lines about a set: what was compared, a row for each pooling, what was left out, and the conclusion."""
    told = f"{result['passages']} passages, {result['queries']} queries, {result['seconds']:.0f} s"
    lines = [f"{name}: {result['encoder']}, {told}, {result['dtype']}"]
    if result["missing"]:
        lines.append(f"{result['missing']} judgements are of documents that the folder lacks: never found.")
    lines.append(f"{'pooling':<8}  " + "  ".join(f"{column:>{width(column)}}" for column in COLUMNS))
    lines += [f"{pooling:<8}  {cells(row)}" for pooling, row in result["poolings"].items()]
    lines += [f"{pooling:<8}  {LEFT_OUT[code]}" for pooling, code in result["left_out"].items()]
    if result["note"]:
        lines.append(str(NOTES[result["note"]]))
    return [*lines, conclusion_of(result), ""]


def width(column: str) -> int:
    return 11 if column == "95 %" else max(6, len(column))


def cells(row: Row) -> str:
    """Measures and shares times 100, cosines as they are."""
    shown = (
        f"{100 * row['ndcg']:.1f}", f"{100 * row['low']:.1f} - {100 * row['high']:.1f}", f"{100 * row['rr']:.1f}",
        f"{100 * row['recall']:.1f}", f"{row['cosine']:.3f}", f"{row['deviation']:.3f}",
        f"{100 * row['first_component']:.1f}", "" if row["saturation"] is None else f"{100 * row['saturation']:.1f}",
    )  # fmt: skip
    return "  ".join(f"{text:>{width(column)}}" for column, text in zip(COLUMNS, shown, strict=True)).rstrip()
