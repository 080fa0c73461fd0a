"""Where the main text of a page stands, and what around and within it is furniture: navigation, notices, comments."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lxml.html import HtmlElement  # type: ignore[import-untyped]

HIDDEN = frozenset([
    "script", "style", "noscript", "template", "nav", "iframe", "object", "svg", "canvas", "audio", "video", "button",
    "select", "datalist", "annotation", "annotation-xml", "ix:header",
])  # fmt: skip
# Both HTML's names and the ones that trafilatura gives its result (head, list, item, row, cell, quote, lb).
BLOCKS = frozenset([
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog", "div", "dl",
    "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup",
    "hr", "legend", "li", "main", "menu", "ol", "option", "p", "pre", "search", "section", "summary", "table", "tbody",
    "td", "tfoot", "th", "thead", "tr", "ul", "cell", "head", "item", "list", "quote", "row",
])  # fmt: skip

# Less than this is no article that trafilatura recognised: then nothing of the page is left out but its navigation.
LEAST_MAIN_TEXT = 250
# trafilatura takes time in proportion to length and depth. No page that people read is nested deeper than this.
DEEPEST_MAIN_TEXT = 128
MOST_MAIN_ELEMENTS = 50_000  # an annual report of 45 pages has 15,000
# What a page calls its main part is believed where it holds this part of the page's text without links ...
GOOD_PART = 0.25
# ... and what trafilatura found this one, because of several articles it takes only the first.
LARGER_PART = 0.5
LEAST_PART = 0.1  # of a text is not taken for furniture, or its names mislead
NEARLY_ALL = 0.9  # of what trafilatura found; a stray paragraph does not make the whole page its main part
MOSTLY_LINKS = 0.5
RUN_KEY = 40  # characters by which a run of text is known again

# Only these can be furniture. An item or a cell that is nothing but a link may well be text.
CONTAINERS = frozenset([
    "aside", "center", "dialog", "div", "dl", "fieldset", "footer", "form", "header", "menu", "ol", "p", "search",
    "section", "table", "ul",
])  # fmt: skip
# In these a header or footer is theirs and not the page's.
SECTIONS = frozenset(["article", "aside", "blockquote", "figure", "main", "section"])
FURNITURE_ROLES = frozenset([
    "alertdialog", "contentinfo", "dialog", "menu", "menubar", "navigation", "search", "toolbar",
])  # fmt: skip
# The last words of classes and ids: "site-nav", "cookie_banner", "relatedArticles".
FURNITURE_NAMES = frozenset([
    "ad", "addtoany", "advert", "advertisement", "ads", "breadcrumb", "breadcrumbs", "catlinks", "commentlist",
    "comments", "consent", "cookie", "cookies", "disqus", "editsection", "gdpr", "linenos", "nav", "navbar", "navbox",
    "navigation", "newsletter", "noprint", "outbrain", "pager", "pagination", "printfooter", "promo", "recommended",
    "related", "respond", "share", "sharedaddy", "sharing", "signup", "social", "sponsored", "subscribe",
    "taboola", "toc",
])  # fmt: skip
# A sidebar may also be a note beside the text, a menu what a restaurant has.
FURNITURE_OF_LINKS_NAMES = frozenset(["menu", "sidebar", "tags", "topics"])
# Furniture under such a name may be longer than the article.
COMMENTS_NAMES = frozenset(["commentlist", "comments", "disqus", "respond"])
NAME_ENDINGS = frozenset([
    "area", "articles", "banner", "bar", "block", "box", "buttons", "container", "content", "form", "icons", "inner",
    "items", "links", "list", "modal", "notice", "popup", "posts", "section", "slot", "stories", "thread", "widget",
    "wrap", "wrapper",
])  # fmt: skip
# "has-sidebar" says something about what is around.
NAME_BEGINNINGS = frozenset(["has", "hide", "no", "with", "without"])
NAME_WORD = re.compile(r"[A-Z]*[a-z]+|[A-Z]+")
NOT_SHOWN = re.compile(r"\s*display\s*:\s*none\b", re.IGNORECASE)
LONGEST_NAMES = 500  # characters


def main_part(page: "HtmlElement") -> "tuple[HtmlElement, Collection[HtmlElement]]":
    """The element that holds the main text of a page, and the elements within it that are to be left out.

    An element of the page; only where its text stands in no element but in the page's metadata, one of trafilatura's.
    """
    left_out = furniture(page)
    text = _substance(page, left_out)
    marked = _marked(page)
    if marked is not None:
        within = furniture(marked)
        if 0 < _substance(marked, within) >= GOOD_PART * text:
            return marked, within
    found = _found(page)
    if found is None:
        return page, left_out if text >= LEAST_MAIN_TEXT else ()
    kept = {key for part in _parts(found) for key, _ in part.runs}
    of_page = _kept(page, kept)
    if of_page < _kept(found, kept) / 2:
        return found, ()
    # Parts come as they end, so the first that holds it is the deepest.
    holders = (
        part.element
        for part in _parts(page, kept)
        if part.kept >= NEARLY_ALL * of_page and part.text - part.links >= LARGER_PART * text
    )
    holder = next(holders, page)
    return holder, furniture(holder, kept)


def is_hidden(element: "HtmlElement") -> bool:
    """Whether nothing within it is text of the page: scripts, controls, navigation, the page's head."""
    if element.tag == "head":
        parent = element.getparent()
        return parent is not None and parent.tag == "html"  # else it is a heading in trafilatura's result
    if element.tag in HIDDEN:
        return True
    # Hidden blocks are what a click shows (tabs, answers to questions), so text; hidden words are said twice, or marks.
    return element.tag not in BLOCKS and (
        element.get("aria-hidden") == "true" or NOT_SHOWN.match(element.get("style", "")) is not None
    )


def furniture(root: "HtmlElement", kept: Collection[str] = ()) -> "set[HtmlElement]":
    """The elements below a root that are no part of its text.

    kept: the runs of text (by their keys) that are known to be text; without any, nothing is furniture only because it
    is full of links.
    """
    candidates: list[tuple[HtmlElement, int]] = []
    total = 0
    for part in _parts(root, kept):
        if part.element is root:
            total = part.text
        elif part.element.tag in CONTAINERS and not part.has_h1 and (names := _furniture_names(part, bool(kept))):
            candidates.append((part.element, 0 if names & COMMENTS_NAMES else part.text))
    # What a name says of more than half of the text is wrong.
    left_out = {element for element, text in candidates if 2 * text <= total}
    rest = _substance(root, left_out)
    return left_out if rest >= LEAST_MAIN_TEXT or rest >= LEAST_PART * _substance(root, ()) else set()


@dataclass
class _Part:
    """An element, and how many characters it holds, of them in links, and in runs that were kept.

    in_section: a header or footer here is not the page's.
    """

    element: "HtmlElement"
    text: int = 0
    links: int = 0
    kept: int = 0
    has_h1: bool = False
    in_section: bool = False
    runs: list[tuple[str, int]] = field(default_factory=list)  # key and length of each that ends directly in it


def _parts(root: "HtmlElement", kept: Collection[str] = ()) -> Iterator[_Part]:
    """The elements of a tree but the hidden ones, each as it ends; a run is the text between two borders of blocks."""
    from lxml import etree  # type: ignore[import-untyped]

    opened: list[_Part] = []
    run: list[str] = []
    walk = etree.iterwalk(root, events=("start", "end"))
    for event, element in walk:
        hidden = is_hidden(element)
        if event == "start" and hidden:
            walk.skip_subtree()
        elif event == "start":
            if element.tag in BLOCKS and opened:
                _end_run(run, opened[-1], kept)
            in_section = opened[-1].in_section if opened else any(e.tag in SECTIONS for e in element.iterancestors())
            opened.append(_Part(element, in_section=in_section or element.tag in SECTIONS))
            _take(element.text, opened[-1], run)
        else:
            if not hidden:
                part = opened.pop()
                if element.tag in BLOCKS or not opened:
                    _end_run(run, part, kept)
                _add(part, opened)
                yield part
            if opened:
                _take(element.tail, opened[-1], run)


def _take(text: str | None, part: _Part, run: list[str]) -> None:
    if text and (words := "".join(text.split())):
        part.text += len(words)
        run.append(words)


def _end_run(run: list[str], part: _Part, kept: Collection[str]) -> None:
    text = "".join(run)
    run.clear()
    if text:
        key = text[:RUN_KEY]
        part.runs.append((key, len(text)))
        part.kept += len(text) if key in kept else 0


def _add(part: _Part, opened: list[_Part]) -> None:
    """Add what an element holds to the one around it."""
    if part.element.tag == "a" and part.element.get("href") is not None:
        part.links = part.text
    part.has_h1 = part.has_h1 or part.element.tag == "h1"
    if opened:
        around = opened[-1]
        around.text += part.text
        around.links += part.links
        around.kept += part.kept
        around.has_h1 = around.has_h1 or part.has_h1


def _kept(root: "HtmlElement", kept: Collection[str]) -> int:
    return next(part.kept for part in _parts(root, kept) if part.element is root)


def _substance(root: "HtmlElement", left_out: "Collection[HtmlElement]") -> int:
    """How many characters a tree holds outside of links and of what is to be left out."""
    from lxml import etree

    length = 0
    walk = etree.iterwalk(root, events=("start", "end"))
    for event, element in walk:
        if event == "end":
            length += len("".join(element.tail.split())) if element.tail and element is not root else 0
        elif is_hidden(element) or element in left_out or element.tag == "a":
            walk.skip_subtree()
        else:
            length += len("".join(element.text.split())) if element.text else 0
    return length


def _furniture_names(part: _Part, by_links: bool) -> frozenset[str]:
    """What an element is called, or why, if that makes it furniture; empty where it is none."""
    element = part.element
    full_of_links = part.links > MOSTLY_LINKS * part.text
    if element.get("role") in FURNITURE_ROLES:
        return frozenset(["role"])
    if element.tag in ("aside", "footer", "header") and (full_of_links or not part.in_section):
        return frozenset([element.tag])
    if by_links and full_of_links and not part.kept and element.tag != "p":
        return frozenset(["links"])
    names = frozenset(_last_words(element))
    return names & (FURNITURE_NAMES | FURNITURE_OF_LINKS_NAMES if full_of_links else FURNITURE_NAMES)


def _last_words(element: "HtmlElement") -> Iterator[str]:
    """The word that each class and the id end with, but for what says no more than that it is a box."""
    for name in f"{element.get('class', '')} {element.get('id', '')}"[:LONGEST_NAMES].split():
        words = [word.lower() for word in NAME_WORD.findall(name)]
        while len(words) > 1 and words[-1] in NAME_ENDINGS:
            words.pop()
        if words and words[0] not in NAME_BEGINNINGS:
            yield words[-1]


def _marked(page: "HtmlElement") -> "HtmlElement | None":
    """The one element that the page calls its main part or, without such, its article; None without or with several."""
    from lxml import etree

    mains = list(islice(page.iter("main"), 2)) or list(islice(page.iterfind(".//*[@role='main']"), 2))
    if not mains:
        walk = etree.iterwalk(page, events=("start",), tag="article")
        for _, article in walk:
            walk.skip_subtree()  # comments may be articles within the article
            mains.append(article)
    return mains[0] if len(mains) == 1 else None


def _found(page: "HtmlElement") -> "HtmlElement | None":
    """What trafilatura takes for the page's main text; None when it finds none, or next to nothing."""
    import trafilatura

    if _depth(page) > DEEPEST_MAIN_TEXT or next(islice(page.iter(), MOST_MAIN_ELEMENTS, None), None) is not None:
        return None
    # "xml" leaves out its rendering as Markdown, and fast its second opinion (justext): both take time quadratic in the
    # length of a list.
    try:
        found = trafilatura.bare_extraction(
            page, fast=True, include_comments=False, include_formatting=True, output_format="xml"
        )
    except Exception:  # noqa: BLE001 - it documents none, and the page can be read without it
        return None
    if found is None or isinstance(found, dict) or len(found.raw_text or "") < LEAST_MAIN_TEXT:
        return None
    return found.body


def _depth(root: "HtmlElement") -> int:
    """How many elements stand within each other at most."""
    from lxml import etree

    depth = deepest = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        deepest = max(depth, deepest)
    return deepest
