"""The page of results in a real browser: marks, why a result was found, conditions, and what is like a result."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import pairwise
from urllib.parse import parse_qs, urlsplit

import pytest

from searchsite.documents.models import Collection, Document, Job, Tag
from searchsite.index import fitness
from tests.browser.test_pages import LOW_CONTRAST, OVERFLOW

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

QUESTION = "lost laptop"
LAPTOP = "# Lost laptop\n\nA lost laptop is reported to the helpdesk at once. Trains leave on the hour."
ENGLISH = ("Trains are booked by the office.", "Bread is baked in the cellar.", "The laptop on the desk is new.")
CHINESE = (
    f"# 电脑丢失\n\n## {'丢失的电脑' * 30}\n\n笔记本电脑丢了,马上打电话给服务台。" + "出差由办公室订票" * 40,
    "面包在地下室烤,每天早上七点送到各个楼层的茶水间。",
)
WORD = "Donaudampfschifffahrtselektrizitaeten" * 4
WIDE = (
    f"# {WORD} {'a title that goes on ' * 8}\n\n## {WORD}\n\nA lost laptop, {WORD}, is lost."
    + " It was seen in the train to the sea." * 9
)
MANY = "lost laptop " + " ".join(f"-title:condition-{n}-{'x' * n}" for n in range(20))

# What stands wider than its box and is not cut or scrolled there, so that it lies over something else.
SPILLING = """() => [...document.querySelectorAll("body *")].filter((one) => one.checkVisibility()
    && one.clientWidth > 1 && one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX === "visible"
    && !one.closest("svg")).map((one) => one.outerHTML.slice(0, 120))"""

# The contrast of each element's text, and of the line below it, with all that is painted behind it.
CONTRASTS = """(elements) => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const paint = (colours) => {
    for (const colour of ["Canvas", ...colours]) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3)
      .map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
      .reduce((sum, c, n) => sum + c * [0.2126, 0.7152, 0.0722][n], 0);
  };
  const behind = (one) => one ? [...behind(one.parentElement), getComputedStyle(one).backgroundColor] : [];
  return elements.filter((one) => one.checkVisibility()).map((one) => {
    const style = getComputedStyle(one), ground = behind(one);
    const against = (colour) => {
      const [a, b] = [paint([...ground, colour]), paint(ground)].sort((x, y) => y - x);
      return (a + 0.05) / (b + 0.05);
    };
    return {text: against(style.color), line: against(style.borderBottomColor)};
  });
}"""


@pytest.fixture
def shelves(transactional_db) -> dict[str, str]:
    """Two collections, in two languages, one of them with names as long as they get; page's name -> address."""
    public = Collection.Visibility.PUBLIC
    office = Collection.objects.create(name="Office", slug="office", visibility=public)
    wide = Collection.objects.create(name=WORD[:90], slug="wide", visibility=public)
    laptop = Document(collection=office, text=LAPTOP)
    texts = [(office, text) for text in (*ENGLISH, *CHINESE)] + [(wide, WIDE)]
    for document in (laptop, *(Document(collection=place, text=text) for place, text in texts)):
        document.save()
    odd = Document.objects.get(collection=wide)
    odd.tags.add(*(Tag.objects.create(name=f"{n}{WORD}"[:60]) for n in range(4)))
    laptop.tags.add(Tag.objects.first())
    Document.objects.filter(pk=odd.pk).update(updated=datetime(2019, 5, 1, tzinfo=UTC))
    Job.queue(Job.Kind.REBUILD)
    passages = {one.pk: Document.objects.get(pk=one.pk).live_revision.passages.first().pk for one in (laptop, odd)}
    return {
        "results": f"/?q={QUESTION}",
        "chinese": "/?q=笔记本电脑丢了怎么办",
        "newest": f"/?q={QUESTION}&sort=date",
        "narrowed": f"/?q={QUESTION} lang:en collection:office after:2020",
        "many": f"/?q={MANY}",
        "a long word": f"/?q={WORD}",
        "conditions": "/?q=lang:en",
        "none": f"/?q={QUESTION} lang:de",
        "nothing": "/?q=quixotic zeppelins",
        "misspelt": "/?q=lost laptpo",
        **{
            f"{kind}{name}": f"/documents/{pk}/{address}{asked}"
            for name, pk in (("", laptop.pk), (" of the wide one", odd.pk))
            for kind, address, asked in (
                ("why", "why/", f"?passage={passages[pk]}&q={QUESTION}"),
                ("similar", "similar/", f"?passage={passages[pk]}"),
                ("similar document", "similar/", ""),
            )
        },
    }


def asked(page) -> str:
    return parse_qs(urlsplit(page.url).query)["q"][0]


def open_all(page) -> None:
    """Whatever can be opened on the page is open."""
    for summary in page.locator("summary:visible").all():
        if not summary.evaluate("(one) => one.parentElement.open"):
            summary.click()
    for link in page.locator("a.why").all()[:3]:
        link.click()
        passage = parse_qs(urlsplit(link.get_attribute("href")).query)["passage"][0]
        page.wait_for_selector(f"#why-{passage}")


def test_why_a_result_was_found_opens_and_closes_below_its_passage(shelves, visit):
    watched = visit()
    page = watched.page
    watched.open(shelves["results"])
    before = page.url
    first, second = page.locator("a.why").first, page.locator("a.why").nth(1)
    assert first.get_attribute("aria-expanded") == "false"
    assert page.locator(".because").count() == 0
    first.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("a.why[aria-expanded=true]")
    opened = page.locator("#" + first.get_attribute("aria-controls"))
    assert "lost" in opened.inner_text()
    passage = page.locator("blockquote.passage").first.bounding_box()
    assert passage["y"] + passage["height"] <= opened.bounding_box()["y"]
    assert opened.bounding_box()["y"] + opened.bounding_box()["height"] <= second.bounding_box()["y"]
    assert first.evaluate("(link) => link === document.activeElement"), "who reads on starts at the link"
    second.click()
    page.wait_for_function("() => document.querySelectorAll('.because').length === 2")
    first.focus()
    page.keyboard.press("Enter")
    assert first.get_attribute("aria-expanded") == "false"
    assert first.get_attribute("aria-controls") is None
    assert second.get_attribute("aria-expanded") == "true", "the other one stays open"
    assert page.locator(".because").count() == 1
    assert page.url == before


def test_pressing_twice_asks_once(shelves, visit):
    watched = visit()
    page = watched.page
    watched.open(shelves["results"])
    held = []

    def hold(route):
        held.append(route)

    page.route("**/why/**", hold)
    link = page.locator("a.why").first
    link.click()
    page.wait_for_selector("a.why[aria-busy]")
    link.click()
    page.wait_for_timeout(200)
    assert len(held) == 1
    held[0].continue_()
    page.wait_for_selector(".because")
    assert page.locator(".because").count() == 1


@pytest.mark.parametrize("fails", [lambda route: route.abort(), lambda route: route.fulfill(status=503, body="no")])
def test_where_it_cannot_be_fetched_the_link_is_followed(shelves, visit, fails):
    watched = visit()
    page = watched.page
    watched.open(shelves["results"])
    page.route("**/why/**fragment=1", fails)
    page.locator("a.why").first.click()
    page.wait_for_url(re.compile(r"/documents/\d+/why/\?passage=\d+&q=[^&]+$"))
    assert page.inner_text("h1") == "Why this result?"
    assert len(watched.complaints) == 1, "and only that it failed is complained of"
    assert "Failed to load resource" in watched.complaints.pop()


def test_a_link_that_is_opened_in_a_tab_of_its_own_is_left_to_the_browser(shelves, visit):
    watched = visit()
    page = watched.page
    watched.open(shelves["results"])
    with page.context.expect_page() as other:
        page.locator("a.why").first.click(modifiers=["Control"])
    other.value.wait_for_selector("h1:text('Why this result?')")
    assert page.locator(".because").count() == 0


def test_without_javascript_the_page_that_says_why_can_be_read(shelves, visit):
    watched = visit(java_script_enabled=False, width=360)
    page = watched.page
    watched.open(shelves["results"])
    assert page.locator("a.why").first.get_attribute("aria-expanded") is None, "a plain link says nothing of opening"
    page.locator("a.why").first.click()
    page.wait_for_selector(".because")
    assert QUESTION in page.inner_text("main")
    assert "reported to the helpdesk" in page.inner_text("blockquote.said")
    rows = page.locator(".scores tr").all()
    assert {row.locator("th").inner_text() for row in rows} >= {"Likeness in meaning", "Your words", "Score"}
    for row in rows:
        assert re.fullmatch(r"[+-]?\d\.\d\d", row.locator(".number").inner_text())
        assert row.locator("td").last.is_visible()
    numbers = [row.locator(".number").bounding_box() for row in rows]
    assert len({box["x"] + box["width"] for box in numbers}) == 1, "numbers stand below each other"
    page.click(".crumbs a")
    page.wait_for_selector("ol.found")
    assert asked(page) == QUESTION


@pytest.mark.parametrize("width", [360, 1280])
def test_facets_narrow_the_question_and_chips_widen_it(shelves, visit, width):
    watched = visit(width=width)
    page = watched.page
    watched.open(shelves["results"])
    narrow = page.locator(".facets summary")
    if width == 360:
        assert page.locator(".facets li a").first.is_hidden()
        narrow.click()
    else:
        assert narrow.is_hidden()
        facets, found = page.locator(".facets nav").bounding_box(), page.locator("ol.found").first.bounding_box()
        assert facets["x"] + facets["width"] < found["x"], "beside the results"
    chinese = page.locator(".facets li a", has_text="Chinese")
    count = int(chinese.locator(".count").inner_text())
    chinese.click()
    page.wait_for_url("**lang*")
    assert asked(page) == f"{QUESTION} lang:zh"
    assert page.locator("ol.found > li").count() == count
    languages = page.locator("ol.found > li > blockquote").evaluate_all("(all) => all.map((one) => one.lang)")
    assert languages == ["zh"] * count
    chip = page.locator(".chosen a")
    assert chip.is_visible(), "what is chosen is seen, also on a phone"
    assert "Language: Chinese" in chip.inner_text()
    assert chip.get_attribute("title") == "lang:zh", "as it can be typed"
    assert page.locator(".answers").bounding_box()["y"] < 300, "what was found is not pushed out of sight"
    chip.click()
    page.wait_for_function("() => !document.querySelector('.chosen')")
    assert asked(page) == QUESTION


def test_the_newest_come_first_when_that_is_chosen_and_stay_so_when_narrowed(shelves, visit):
    watched = visit()
    page = watched.page
    watched.open(shelves["results"])
    assert page.inner_text(".orders strong") == "Nearest first"
    page.click("text=Newest first")
    page.wait_for_url("**sort=date*")
    assert page.inner_text(".orders strong") == "Newest first"
    assert "nearest" not in page.inner_text(".order > span:first-child")
    page.locator(".facets li a", has_text="English").click()
    page.wait_for_url("**lang*")
    assert "sort=date" in page.url
    page.click("text=Nearest first")
    page.wait_for_url(lambda url: "sort" not in url)
    assert asked(page) == f"{QUESTION} lang:en"


def test_what_does_not_match_is_said_and_what_is_misspelt_put_right(shelves, visit):
    watched = visit()
    page = watched.page
    watched.open(shelves["nothing"])
    assert "Nothing here matches your question well" in page.inner_text(".empty")
    line = page.locator("h2.line")
    assert line.inner_text() == "Weaker matches"
    assert line.bounding_box()["y"] < page.locator("ol.found h2").first.bounding_box()["y"]
    watched.open(shelves["misspelt"])
    assert page.inner_text(".suggestion") == "Did you mean lost laptop?"
    page.click(".suggestion a")
    page.wait_for_url("**laptop*")
    assert asked(page) == QUESTION
    assert page.locator(".suggestion").count() == 0
    watched.open("/?q=is a laptpo lost?")
    assert page.inner_text(".suggestion") == "Did you mean is a laptop lost?", "it is asked once"


def test_more_like_this_leads_on_from_a_passage_and_from_a_document(shelves, visit):
    watched = visit()
    page = watched.page
    watched.open(shelves["results"])
    page.locator(".more a", has_text="More like this").first.click()
    page.wait_for_selector("h1:text('More like this passage')")
    quoted = page.inner_text("blockquote.asked")
    assert "Lost laptop\n" in quoted, "a heading does not run into the text below it"
    titles = page.locator("ol.found h2").all_inner_texts()
    assert titles
    assert "Lost laptop" not in titles, "it is not like itself"
    assert "question" not in page.locator(".likeness").first.get_attribute("title"), "nothing was asked"
    page.click(".crumbs a")
    page.wait_for_url("**#passage")
    page.click("text=More like this document")
    page.wait_for_selector("h1:text('More like this document')")


@pytest.mark.parametrize("locale", ["en", "zh-CN"])
def test_nothing_is_wider_than_a_phone_or_lies_over_something_else(shelves, visit, locale):
    watched = visit(width=360, height=640, locale=locale)
    for name, address in {"home": "/", **shelves}.items():
        watched.open(address)
        open_all(watched.page)
        assert watched.page.evaluate(OVERFLOW) <= 0, name
        assert watched.page.evaluate(SPILLING) == [], name


@pytest.mark.parametrize("width", [768, 960, 1280])
def test_nothing_lies_over_something_else_on_wider_screens(shelves, visit, width):
    watched = visit(width=width)
    for name in ("results", "many", "a long word", "why of the wide one", "similar of the wide one"):
        watched.open(shelves[name])
        open_all(watched.page)
        assert watched.page.evaluate(OVERFLOW) <= 0, name
        assert watched.page.evaluate(SPILLING) == [], name
    watched.open(shelves["many"])
    assert watched.page.locator(".chosen a").count() == 20
    if width >= 960:
        chips, found = (watched.page.locator(one).first.bounding_box() for one in (".facets", ".answers"))
        assert chips["x"] + chips["width"] < found["x"]


@pytest.mark.parametrize("forced", ["none", "active"])
def test_marks_are_told_apart_without_colour(shelves, visit, forced):
    watched = visit()
    page = watched.page
    page.emulate_media(forced_colors=forced)
    watched.open(shelves["results"])
    style = "(one, name) => parseFloat(getComputedStyle(one)[name])"
    plain, mark, keyword = (page.locator(f".passage {one}").first for one in ("span", "mark", "b"))
    assert mark.evaluate(style, "borderBottomWidth") >= 2
    assert mark.evaluate("(one) => getComputedStyle(one).borderBottomStyle") == "solid"
    assert mark.evaluate_all(CONTRASTS)[0]["line"] >= 3
    assert plain.evaluate(style, "borderBottomWidth") == 0
    assert keyword.evaluate(style, "fontWeight") >= 600
    assert plain.evaluate(style, "fontWeight") < 600
    assert mark.evaluate(style, "fontWeight") < 600, "a marked sentence is not taken for keywords"
    assert "A lost laptop is reported" in "".join(page.locator("ol.found > li:first-child mark").all_inner_texts())
    page.locator("a.why").first.click()
    page.wait_for_selector(".because")
    widths = [page.locator(f".legend .shade-{n}").evaluate(style, "borderBottomWidth") for n in (0, 2, 4)]
    assert all(one < other for one, other in pairwise(widths)), "what gives more has a thicker line"
    legend = page.locator(".because .said .keyword").first
    assert legend.evaluate(style, "fontWeight") >= 600
    assert legend.evaluate("(one) => getComputedStyle(one).textDecorationStyle") == "dotted"
    assert min(one["line"] for one in page.locator(".because [class^=shade-]").evaluate_all(CONTRASTS)) >= 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_marks_counts_and_reasons_can_be_read(shelves, visit, scheme):
    watched = visit(color_scheme=scheme)
    page = watched.page
    for name in ("results", "narrowed", "none", "nothing", "misspelt", "why", "similar"):
        watched.open(shelves[name])
        open_all(page)
        assert page.evaluate(LOW_CONTRAST) == [], name
        for one in ("mark", ".passage b", ".facets .count", ".because [class^=shade-]", ".because .keyword"):
            found = [contrast["text"] for contrast in page.locator(one).evaluate_all(CONTRASTS)]
            assert not found or min(found) >= 4.5, f"{one} on {name}"
            assert found or name != "results", f"{one} is nowhere"
    watched.open(shelves["results"])
    assert min(one["line"] for one in page.locator("mark").evaluate_all(CONTRASTS)) >= 3, "the line is seen"


def test_administrators_are_told_that_the_encoder_does_not_fit(site, visit, monkeypatch):
    found = fitness.Finding(fitness.DOES_NOT_FIT, "The encoder does not know Chinese.", f"Take {WORD} instead.")
    monkeypatch.setattr(fitness, "findings", lambda: [found])
    stranger, admin = visit(), visit(width=360, color_scheme="dark")
    admin.sign_in()
    for name in ("home", "results", "why", "similar", "document"):
        stranger.open(site[name])
        assert stranger.page.locator(".encoder-warning").count() == 0
        admin.open(site[name])
        assert found.sentence in admin.page.inner_text(".encoder-warning[role=status]")
        assert admin.page.evaluate(OVERFLOW) <= 0, name
        assert admin.page.evaluate(LOW_CONTRAST) == [], name
    admin.page.click(".encoder-warning a")
    admin.page.wait_for_url("**/admin/index/build/")
