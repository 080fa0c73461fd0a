"""What the page of a comparison shows: its figures as a table and as charts, and in sentences."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from searchsite.documents.shown import grouped
from searchsite.insight import charts
from searchsite.insight.models import LABELS, LEFT_OUT, NOTES, Comparison, Result
from searchsite.insight.models import Row as Figures

HIGHEST = 1.0  # of a cosine
NARROW = LABELS | {"last2": _("last two layers")}  # as wide as the charts have room for


@dataclass(frozen=True)
class Row:
    """The figures of a pooling as they are written: measures and shares times 100, cosines as they are."""

    label: str
    best: bool
    ndcg: str
    between: str
    rr: str
    recall: str
    cosine: str
    deviation: str
    first_component: str
    saturation: str


def about(comparison: Comparison) -> str:
    """What was compared on, in a few words: of a folder its name alone, since the list is narrow."""
    if comparison.source == Comparison.Source.FOLDER:
        return PurePath(comparison.folder).name
    return str(comparison.collection or gettext("a collection that was deleted"))


def shown(result: Result) -> dict[str, Any]:
    """The context of the page: the best pooling first, whatever order the database keeps."""
    ordered = sorted(result["poolings"].items(), key=lambda item: -item[1]["ndcg"])
    best = result["conclusion"]["best"] if result["conclusion"]["code"] == "clear" else ""
    return {
        "result": result,
        "passages": grouped(result["passages"]),
        "queries": grouped(result["queries"]),
        "rows": [_row(label(name), figures, name == best) for name, figures in ordered],
        "found": _found(ordered),
        "alike": _alike(ordered, result["lowest"]),
        "left_out": [(label(name), LEFT_OUT.get(code, code)) for name, code in result["left_out"].items()],
        "note": NOTES.get(result["note"], ""),
    }


def label(pooling: str) -> str:
    return str(LABELS.get(pooling, pooling))


def narrow(pooling: str) -> str:
    return str(NARROW.get(pooling, pooling))


def _row(name: str, figures: Figures, best: bool) -> Row:
    saturation = figures["saturation"]
    return Row(
        label=name,
        best=best,
        ndcg=_hundredths(figures["ndcg"]),
        between=f"{_hundredths(figures['low'])} – {_hundredths(figures['high'])}",
        rr=_hundredths(figures["rr"]),
        recall=_hundredths(figures["recall"]),
        cosine=f"{figures['cosine']:.3f}",
        deviation=f"{figures['deviation']:.3f}",
        first_component=_hundredths(figures["first_component"]),
        saturation="" if saturation is None else _hundredths(saturation),
    )


def _found(ordered: list[tuple[str, Figures]]) -> str:
    bars = [charts.Bar(narrow(name), one["ndcg"], one["low"], one["high"]) for name, one in ordered]
    return charts.bars(
        bars,
        title=gettext("nDCG@10 of each pooling"),
        description=gettext("Bars from 0 to 100, with the interval that 95 percent of a bootstrap's draws lie in."),
        name="found",
    )


def _alike(ordered: list[tuple[str, Figures]], lowest: float) -> str:
    panels = [charts.Histogram(narrow(name), one["histogram"], one["cosine"]) for name, one in ordered]
    return charts.histograms(
        panels,
        lowest=lowest,
        highest=HIGHEST,
        title=gettext("Cosines of random pairs of passages"),
        description=gettext("A histogram for each pooling on one scale; a dashed line is the mean."),
        name="alike",
    )


def _hundredths(share: float) -> str:
    return f"{100 * share:.1f}"
