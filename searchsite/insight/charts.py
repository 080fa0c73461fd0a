"""Charts of our own: plain functions from figures to SVG text, which goes into a page as it is.

Every figure is printed as a number in the chart or beside it, too, so that no chart needs its colours. There are
classes and presentation attributes, and no styles, which the site's content security policy forbids. Everything is
drawn in the colour of the text around it, light or dark; a style sheet may give the classes colours of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

# In units of the drawing, which fills the width that the page gives it.
WIDTH = 640
LABELS, NUMBERS = 180, 60  # left of the bars, and right of them
BAR, ROW, MARGIN = 18, 32, 8
PANEL, GAP, HEIGHT, HEAD, FOOT = 120, 10, 70, 40, 20
STEP, HIGH = 8, 60
STRETCHED = mark_safe(' preserveAspectRatio="none"')


@dataclass(frozen=True)
class Bar:
    """A mean and the interval about it, each 0 to 1."""

    label: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Histogram:
    """Counts in bins of equal width, and the mean of what was counted."""

    label: str
    counts: Sequence[int]
    mean: float


@dataclass(frozen=True)
class Column:
    """A value that is not negative; said: what it is of, and how much."""

    value: float
    said: str


def bars(rows: Sequence[Bar], *, title: str, description: str, name: str) -> SafeString:
    """An SVG of a bar for each row from 0 to 1, its interval as a whisker, and the value times 100 as a number.

    `title` and `description` are read out in place of the drawing; `name` must be unlike that of other charts of the
    page, since ids are made of it.
    """
    drawn = format_html_join("", "{}", ((_bar(row, MARGIN + place * ROW),) for place, row in enumerate(rows)))
    return _svg("chart-bars", WIDTH, 2 * MARGIN + len(rows) * ROW, drawn, title, description, name)


def _bar(row: Bar, top: float) -> SafeString:
    middle = top + ROW / 2
    low, value, high = (_across(number) for number in (row.low, row.value, row.high))
    return format_html(
        '<text class="label" x="{label}" y="{middle}" dy=".35em" text-anchor="end" fill="currentColor">{text}</text>'
        '<rect class="bar" x="{left}" y="{bar}" width="{width}" height="{height}" fill="currentColor"'
        ' fill-opacity=".3"/>'
        '<path class="whisker" d="M{low} {middle}H{high}M{low} {cap}v8M{high} {cap}v8" fill="none"'
        ' stroke="currentColor" stroke-width="1.5"/>'
        '<text class="number" x="{number}" y="{middle}" dy=".35em" fill="currentColor">{hundredths}</text>',
        label=LABELS - 8, left=LABELS, middle=_short(middle), text=row.label, bar=_short(middle - BAR / 2),
        width=_short(value - LABELS), height=BAR, low=_short(low), high=_short(high), cap=_short(middle - 4),
        number=_short(max(value, high) + 8), hundredths=f"{100 * row.value:.1f}",
    )  # fmt: skip


def _across(share: float) -> float:
    return LABELS + min(max(share, 0.0), 1.0) * (WIDTH - LABELS - NUMBERS)


def columns(
    values: Sequence[Column], *, title: str, description: str, name: str, lowest_scale: float = 1.0
) -> SafeString:
    """An SVG of a column for each value, as high as it is against the greatest, which is at least `lowest_scale`.

    It has no words, and may be stretched to whatever width and height there is: what the columns stand for, and how
    high the highest is, is said beside it. Each tells its own value to whoever points at it. `title`, `description`
    and `name` as for `bars`.
    """
    most = max([lowest_scale, *(column.value for column in values)])
    drawn = format_html_join(
        "", "{}", ((_column(one, place * STEP, HIGH * one.value / most),) for place, one in enumerate(values))
    )
    axis = format_html(
        '<path class="axis" d="M0 {0}H{1}" fill="none" stroke="currentColor" vector-effect="non-scaling-stroke"/>',
        HIGH, len(values) * STEP,
    )  # fmt: skip
    return _svg("chart-columns", len(values) * STEP, HIGH, drawn + axis, title, description, name, stretched=True)


def _column(column: Column, left: float, high: float) -> SafeString:
    high = max(high, 1.0) if column.value > 0 else 0.0  # little among much is still to be seen
    return format_html(
        '<g><title>{said}</title><rect class="hit" x="{left}" y="0" width="{step}" height="{whole}" fill="none"'
        ' pointer-events="all"/><rect class="bar" x="{inner}" y="{top}" width="{width}" height="{high}"'
        ' fill="currentColor"/></g>',
        said=column.said, left=_short(left), step=STEP, whole=HIGH, inner=_short(left + STEP / 8),
        top=_short(HIGH - high), width=_short(STEP * 3 / 4), high=_short(high),
    )  # fmt: skip


def histograms(
    panels: Sequence[Histogram], *, lowest: float, highest: float, title: str, description: str, name: str
) -> SafeString:
    """An SVG of small histograms side by side, on one scale from `lowest` to `highest` and one of heights, each with
    its mean as a number and as a line. `title`, `description` and `name` as for `bars`."""
    most = max((count for panel in panels for count in panel.counts), default=0) or 1
    drawn = format_html_join(
        "",
        "{}",
        ((_panel(panel, place * (PANEL + GAP), most, lowest, highest),) for place, panel in enumerate(panels)),
    )
    width = max(len(panels) * (PANEL + GAP) - GAP, PANEL)
    return _svg("chart-histograms", width, HEAD + HEIGHT + FOOT, drawn, title, description, name)


def _panel(panel: Histogram, left: float, most: int, lowest: float, highest: float) -> SafeString:
    base = HEAD + HEIGHT
    step = PANEL / max(len(panel.counts), 1)
    heights = [(place, HEIGHT * count / most) for place, count in enumerate(panel.counts) if count]
    columns = format_html_join(
        "",
        '<rect class="bar" x="{}" y="{}" width="{}" height="{}" fill="currentColor" fill-opacity=".3"/>',
        ((_short(left + place * step), _short(base - high), _short(step), _short(high)) for place, high in heights),
    )
    share = (panel.mean - lowest) / (highest - lowest) if highest > lowest else 0.0
    return format_html(
        '<text class="label" x="{left}" y="14" fill="currentColor">{label}</text>'
        '<text class="number" x="{left}" y="32" fill="currentColor">{mean}</text>'
        "{columns}"
        '<path class="mean" d="M{at} {head}V{base}" fill="none" stroke="currentColor" stroke-dasharray="3 2"/>'
        '<path class="axis" d="M{left} {base}H{right}" fill="none" stroke="currentColor"/>'
        '<text class="tick" x="{left}" y="{foot}" fill="currentColor">{lowest}</text>'
        '<text class="tick" x="{right}" y="{foot}" text-anchor="end" fill="currentColor">{highest}</text>',
        left=_short(left), right=_short(left + PANEL), label=panel.label, mean=f"{panel.mean:.2f}", columns=columns,
        at=_short(left + PANEL * min(max(share, 0.0), 1.0)), head=HEAD, base=base, foot=base + 15,
        lowest=f"{lowest:.1f}", highest=f"{highest:.1f}",
    )  # fmt: skip


def _svg(
    kind: str,
    width: float,
    height: float,
    drawn: SafeString,
    title: str,
    description: str,
    name: str,
    *,
    stretched: bool = False,
) -> SafeString:
    return format_html(
        '<svg xmlns="http://www.w3.org/2000/svg" class="chart {kind}" role="img" viewBox="0 0 {width} {height}"{fit}'
        ' aria-labelledby="{name}-title {name}-desc" font-size="13">'
        '<title id="{name}-title">{title}</title><desc id="{name}-desc">{description}</desc>{drawn}</svg>',
        kind=kind, width=_short(width), height=_short(height), name=name, title=title, description=description,
        drawn=drawn, fit=STRETCHED if stretched else "",
    )  # fmt: skip


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")  # as text, so that no language's way of writing numbers comes in
