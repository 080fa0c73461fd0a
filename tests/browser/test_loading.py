"""What a page weighs, and that nothing in it shifts while it is loaded."""

from __future__ import annotations

import gzip

import pytest

pytestmark = pytest.mark.browser

MOST = 45_000  # bytes of style sheets and scripts, compressed by gzip as WhiteNoise sends them
UNSEEN = 0.001  # of the window, moved by its whole height: 0.1 is said to be good
SHIFTS = """
  window.shifts = [];
  new PerformanceObserver((list) => {
    for (const {value, hadRecentInput, sources} of list.getEntries())
      if (!hadRecentInput)
        window.shifts.push([value, ...sources.map(({node}) => (node && node.outerHTML || "").slice(0, 120))]);
  }).observe({type: "layout-shift", buffered: true});
"""


def test_style_sheets_and_scripts_of_a_page_stay_small(filled, looking):
    compressed: dict[str, int] = {}
    came: list = []
    too_much = {}
    listening = None
    for name, page in looking(filled.addresses):
        if listening is None:
            listening = page
            page.on("response", lambda response: came.append(response))  # noqa: PLW0108 # Playwright takes no builtin
            page.reload()
        weight = {}
        for response in came:
            if response.request.resource_type in ("stylesheet", "script"):
                if response.url not in compressed:
                    compressed[response.url] = len(gzip.compress(response.body(), 9))
                weight[response.url.rpartition("/")[2]] = compressed[response.url]
        came.clear()
        if page.locator("#container").count():  # Django's admin
            continue
        assert "site.css" in weight, name
        if sum(weight.values()) > MOST:
            too_much[name] = weight
    assert not too_much


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_shifts_while_a_page_is_loaded(looking, width):
    shifted = {}
    names = ("home", "results", "document", "document-long", "similar", "library", "library-collection", "upload")
    for name, page in looking(names, script=SHIFTS, viewport={"width": width, "height": 800}):
        page.wait_for_load_state("networkidle")
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        found = page.evaluate("window.shifts")
        if sum(value for value, *_elements in found) > UNSEEN:
            shifted[name] = found
    assert not shifted
