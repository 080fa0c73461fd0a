"""WCAG 2.2 AA, as far as a machine can tell: axe-core on every page in both themes, and what it does not look at."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.browser.screenshots import PREPARATION

pytestmark = pytest.mark.browser

AXE = "axe-core@4.14.1"  # from npm, used by these tests only, and no part of the project
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# What the templates and scripts of Django's admin itself leave, which are not ours to copy: rule -> where.
DJANGOS = {
    "empty-table-header": "thead > tr > .original",
    "aria-prohibited-attr": ".help-tooltip",
    "label-title-only": "#searchbar",
}
LOOK = """async (rules) => {
  // Colours that another theme has just changed may be on their way.
  document.getAnimations().filter((one) => one instanceof CSSTransition).forEach((one) => one.finish());
  const only = {"target-size": {enabled: rules.length > 1}};
  const options = {runOnly: rules, rules: only, resultTypes: ["violations"]};
  const {violations} = await axe.run(document, options);
  return violations.flatMap(({id, nodes}) => nodes.map(({target, failureSummary}) =>
    `${id} at ${target.join(" ")}: ${failureSummary.split("\\n").slice(1).join(" ").trim()}`));
}"""


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core, fetched once and kept among the temporary files of this machine."""
    folder = Path(tempfile.gettempdir()) / AXE.replace("@", "-")
    source = folder / "node_modules" / "axe-core" / "axe.min.js"
    if not source.exists():
        if not shutil.which("npm"):
            pytest.skip("npm is not installed: the pages are not looked at by axe-core")
        fetching = ["npm", "install", "--prefix", folder, "--no-audit", "--no-fund", "--ignore-scripts", AXE]
        fetched = subprocess.run(fetching, capture_output=True, text=True, timeout=120)
        if fetched.returncode:
            pytest.skip(f"npm could not fetch {AXE}: {fetched.stderr[-300:]}")
    return source.read_text(encoding="utf-8")


def of_django(finding: str) -> bool:
    rule, _at, rest = finding.partition(" at ")
    return rule in DJANGOS and DJANGOS[rule] in rest.partition(": ")[0]


def test_axe_finds_nothing(axe, filled, looking):
    """In the dark only the colours are others than in the light; there they reach even level AAA, 7:1."""
    found = []
    for name, page in looking(filled.addresses, color_scheme="light"):
        PREPARATION.get(name, lambda _page: None)(page)
        page.evaluate(axe)
        for theme, rules in (("light", STANDARDS), ("dark", ["cat.color"])):
            page.emulate_media(color_scheme=theme)
            seen = page.evaluate(LOOK, rules)
            found += [f"{name}, {theme}: {finding}" for finding in seen if not of_django(finding)]
        page.emulate_media(color_scheme="light")
    assert not found, f"{len(found)} findings:\n" + "\n".join(found)


# --- what axe does not look at --------------------------------------------------------------------------------------

# An element that has the focus is seen to have it, and is not covered (2.4.7, 2.4.11): a point of it is on top.
FOCUSED = """() => {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const name = element.outerHTML.slice(0, 120);
  const seen = (one) => { const style = getComputedStyle(one); return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0; };
  const around = element.closest(".ask form");
  const wrong = [];
  if (!seen(element) && !(around && seen(around))) wrong.push("shows no focus");
  const uncovered = [...element.getClientRects()].some(({left, top, width, height}) =>
    [.5, .1, .9].some((part) => {
      const on_top = document.elementFromPoint(left + width / 2, top + height * part);
      return on_top && (on_top === element || element.contains(on_top) || on_top.contains(element) && on_top.matches("a, button, label, summary"));
    }));
  if (!uncovered) wrong.push("is covered or out of sight");
  return {name, wrong};
}"""  # noqa: E501
BY_KEYBOARD = (
    *("home", "results", "results-facets", "tips", "document", "document-long", "similar", "sign-in", "not-found"),
    *("account", "library", "library-collection", "library-members", "library-settings", "upload", "upload-state"),
)


def test_what_has_the_focus_is_seen_and_the_first_way_leads_to_the_content(looking):
    found = []
    for name, page in looking(BY_KEYBOARD):
        PREPARATION.get(name, lambda _page: None)(page)
        page.evaluate("scrollTo(0, 0); document.activeElement.blur()")
        if name not in ("home", "tips"):  # there the box has the focus from the beginning
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.className") != "skip":
                found.append(f"{name}: the first way does not skip to the content")
        before = set()
        for _press in range(150):
            focused = page.evaluate(FOCUSED)
            if focused is None or (focused["name"] in before and len(before) > 5 and "skip" in focused["name"]):
                break
            before.add(focused["name"])
            found += [f"{name}: {focused['name']} {wrong}" for wrong in focused["wrong"]]
            page.keyboard.press("Tab")
        page.focus(".skip")
        page.keyboard.press("Enter")
        if page.evaluate("document.activeElement.id") != "main":
            found.append(f"{name}: skipping does not lead to the content")
    assert not found, "\n".join(found)


OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# WCAG 1.4.12: nothing is lost when readers set these.
SPACED_TEXT = """() => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
    * { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important; }
    p { margin-bottom: 2em !important; }`);
  document.adoptedStyleSheets = [sheet];
}"""
NOT_THE_ADMINS = """() => !document.getElementById("container")"""


# width, height: 320 px are a zoom of 400 % (1.4.10), 640 px one of 200 % (1.4.4)
SIZES = [(320, 640), (640, 400), (768, 640), (1280, 640)]


def test_nothing_is_lost_sideways(filled, looking):
    """No script looks how wide the window is, so that a page made wider is as one opened so."""
    found = []

    def look(name: str, page, way: str) -> None:
        if (over := page.evaluate(OVERFLOW)) > 0:
            found.append(f"{name}, {way}: {over} px too wide")

    for name, page in looking(filled.addresses, viewport={"width": 320, "height": 640}):
        if not page.evaluate(NOT_THE_ADMINS):
            continue  # its tables are moved sideways, as tables may
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate("innerWidth") == width
            look(name, page, f"{width} px")
        page.set_viewport_size({"width": 320, "height": 640})
        page.emulate_media(color_scheme="dark")
        look(name, page, "dark")
        page.emulate_media(color_scheme="light")
        page.evaluate(SPACED_TEXT)
        look(name, page, "spaced text")
    assert not found, "\n".join(found)


# What is chosen among others is told apart also where a system's own few colours are all there are.
CHOSEN = ["[aria-pressed=true]", "a[aria-current]", "mark", "strong"]
LOOKS = """([chosen, page]) => {
  const look = (one) => ["color", "backgroundColor", "borderBottomColor", "borderBottomWidth", "borderBottomStyle", "fontWeight", "textDecorationLine"]
    .map((name) => getComputedStyle(one)[name]).join(" ");
  return [...document.querySelectorAll(chosen)].filter((one) => one.checkVisibility()).flatMap((one) => {
    const others = [...one.parentElement.children, ...(one.closest("ul, nav") || one).querySelectorAll("a")]
      .filter((other) => other.tagName === one.tagName && !other.matches(chosen));
    const told_apart = others.length ? others.every((other) => look(other) !== look(one)) : look(one) !== look(one.parentElement);
    return told_apart ? [] : [`${page}: ${one.outerHTML.slice(0, 120)}`];
  });
}"""  # noqa: E501


def test_what_is_chosen_is_told_apart_in_forced_colours(looking):
    found = []
    names = ("home", "results", "results-newest", "document", "library-collection-failed", "upload-failed", "library")
    for name, page in looking(names, forced_colors="active"):
        assert page.evaluate("matchMedia('(forced-colors: active)').matches")
        for chosen in CHOSEN:
            found += page.evaluate(LOOKS, [chosen, name])
    assert not found, "\n".join(found)


MOVES = """() => [...document.querySelectorAll("*")].filter((one) => {
  const {animationName, transitionDuration, scrollBehavior} = getComputedStyle(one);
  return animationName !== "none" || transitionDuration.split(", ").some((time) => parseFloat(time) > .01) || scrollBehavior === "smooth";
}).map((one) => one.outerHTML.slice(0, 120))"""  # noqa: E501


def test_nothing_moves_for_who_wants_less_motion(looking):
    found = []
    for name, page in looking(BY_KEYBOARD, reduced_motion="reduce"):
        found += [f"{name}: {moving}" for moving in page.evaluate(MOVES)]
    assert not found, "\n".join(found)
