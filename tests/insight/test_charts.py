"""Charts: well-formed, readable without colour or styles, and drawn to the figures."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from searchsite.insight.charts import LABELS, NUMBERS, PANEL, WIDTH, Bar, Histogram, bars, histograms

SVG = "{http://www.w3.org/2000/svg}"
ROWS = [Bar("mean", 0.712, 0.68, 0.74), Bar("<tanh> & more", 0.35, 0.3, 0.4), Bar("none", 0.0, 0.0, 0.0)]
PANELS = [Histogram("mean", [0, 4, 8, 0], 0.25), Histogram("first token", [0, 0, 0, 16], 0.875)]
TOLD = {"title": "Which finds best", "description": "One bar & its whisker", "name": "ndcg"}


def drawn(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)


def bar_chart() -> ElementTree.Element:
    return drawn(bars(ROWS, **TOLD))


def histogram_chart() -> ElementTree.Element:
    return drawn(histograms(PANELS, lowest=-0.5, highest=1.0, **TOLD))


def texts(svg: ElementTree.Element, kind: str) -> list[str]:
    return [found.text for found in svg.iter(f"{SVG}text") if found.get("class") == kind]


def numbers(path: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?[\d.]+", path)]


@pytest.mark.parametrize("chart", [bar_chart, histogram_chart])
def test_it_is_read_out_by_its_title_and_description(chart) -> None:
    svg = chart()
    ids = {found.get("id"): found.text for found in svg.iter() if found.get("id")}
    assert svg.get("role") == "img"
    assert [ids[name] for name in svg.get("aria-labelledby").split()] == [TOLD["title"], TOLD["description"]]
    assert [found.tag for found in svg][:2] == [f"{SVG}title", f"{SVG}desc"]


@pytest.mark.parametrize("chart", [bar_chart, histogram_chart])
def test_it_has_no_styles_and_no_colour_but_that_of_the_text(chart) -> None:
    svg = chart()
    assert not [found for found in svg.iter() if found.get("style") or found.tag in (f"{SVG}style", f"{SVG}script")]
    colours = {found.get(kind) for found in svg.iter() for kind in ("fill", "stroke")}
    assert colours == {None, "none", "currentColor"}
    for found in svg.iter(f"{SVG}text"):
        assert found.get("fill") == "currentColor", found.text


def test_each_bar_has_its_label_and_its_number() -> None:
    svg = bar_chart()
    assert texts(svg, "label") == ["mean", "<tanh> & more", "none"]
    assert texts(svg, "number") == ["71.2", "35.0", "0.0"]


def test_bars_are_as_long_as_their_values_and_whiskers_span_the_interval() -> None:
    svg = bar_chart()
    full = WIDTH - LABELS - NUMBERS
    widths = [float(found.get("width")) for found in svg.iter(f"{SVG}rect")]
    assert widths == pytest.approx([full * row.value for row in ROWS], abs=0.1)
    whiskers = [numbers(found.get("d")) for found in svg.iter(f"{SVG}path")]
    for row, (low, _middle, high, *_caps) in zip(ROWS, whiskers, strict=True):
        assert (low, high) == pytest.approx((LABELS + full * row.low, LABELS + full * row.high), abs=0.1)


def test_nothing_is_drawn_outside_whatever_the_figures() -> None:
    svg = drawn(bars([Bar("much", 1.0, 0.9, 1.2), Bar("little", 0.0, -0.1, 0.1)], **TOLD))
    for found in svg.iter(f"{SVG}path"):
        low, _middle, high, *_caps = numbers(found.get("d"))
        assert LABELS <= low <= high <= WIDTH - NUMBERS
    for found in svg.iter(f"{SVG}text"):
        assert float(found.get("x")) < WIDTH - NUMBERS / 2, "the number has room"


def test_histograms_share_one_scale_of_counts_and_one_of_cosines() -> None:
    svg = histogram_chart()
    heights = [float(found.get("height")) for found in svg.iter(f"{SVG}rect")]
    assert heights == pytest.approx([heights[2] / 4, heights[2] / 2, heights[2]], abs=0.1)
    assert texts(svg, "tick") == ["-0.5", "1.0"] * 2
    assert texts(svg, "number") == ["0.25", "0.88"]
    lefts = [float(found.get("x")) for found in svg.iter(f"{SVG}text") if found.get("class") == "label"]
    means = [numbers(found.get("d"))[0] for found in svg.iter(f"{SVG}path") if found.get("class") == "mean"]
    shares = [(at - left) / PANEL for at, left in zip(means, lefts, strict=True)]
    assert shares == pytest.approx([0.75 / 1.5, 1.375 / 1.5], abs=0.01)


def test_no_rows_and_no_counts_are_still_charts() -> None:
    assert not list(drawn(bars([], **TOLD)).iter(f"{SVG}rect"))
    empty = histograms([Histogram("none", [0, 0], 0.0)], lowest=0, highest=0, **TOLD)
    assert texts(drawn(empty), "number") == ["0.00"]


def test_what_is_drawn_does_not_depend_on_the_language(settings) -> None:
    from django.utils.translation import override

    settings.USE_THOUSAND_SEPARATOR = True
    plain = bars(ROWS, **TOLD)
    with override("de"):
        assert bars(ROWS, **TOLD) == plain
