"""The search page under people's hands: results as one types, the address and the way back, the keyboard, what is
remembered, and what happens when no answer comes."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User

from searchsite.documents.models import Collection, Document, Job
from searchsite.index.follow import IndexUnavailable
from searchsite.search import views

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

TEXTS = {
    "Lost or stolen laptop": "# Lost or stolen laptop\n\nA lost laptop is reported to the helpdesk at once.",
    "Bread and butter": "# Bread and butter\n\nBread is baked in the cellar.",
    "Trains to the sea": "# Trains to the sea\n\nTrains are booked by the office.",
    "笔记本电脑丢失怎么办": "# 笔记本电脑丢失怎么办\n\n笔记本电脑丢了，马上打电话给服务台。",
}
SHIFTS = """() => {
  window.shifted = 0;
  new PerformanceObserver((list) => { for (const one of list.getEntries()) window.shifted += one.value; })
    .observe({type: "layout-shift", buffered: true});
}"""

# Letter by letter within one task of the page, so that no pause can be as long as that at which the page asks.
TYPE_AT_ONCE = """(text) => {
  const box = document.getElementById("q");
  for (const letter of text) {
    box.value += letter;
    box.dispatchEvent(new InputEvent("input", {bubbles: true, data: letter, inputType: "insertText"}));
  }
}"""


@pytest.fixture
def shelf(transactional_db) -> Collection:
    shelf = Collection.objects.create(name="Office", slug="office", visibility=Collection.Visibility.PUBLIC)
    for text in TEXTS.values():
        Document(collection=shelf, text=text).save()
    Job.queue(Job.Kind.REBUILD)
    return shelf


class Requests:
    """The questions that a page asked of the search page, in their order."""

    def __init__(self, page) -> None:
        self.asked: list[str] = []
        page.on("request", self._note)

    def _note(self, request) -> None:
        address = urlsplit(request.url)
        if address.path == "/" and request.headers.get("hx-request"):
            self.asked.append(parse_qs(address.query).get("q", [""])[0])


def shown(page, question: str) -> None:
    """Waits until the page shows the answer to that question."""
    page.wait_for_function("(asked) => document.getElementById('answer').dataset.question === asked", arg=question)


def focused(page) -> str:
    return page.evaluate("document.activeElement.id || document.activeElement.textContent")


def compose(page, client, text: str, final: str) -> None:
    """Types as with an input method: letters that are being composed, then what they come to."""
    for end in range(1, len(text) + 1):
        client.send("Input.imeSetComposition", {"text": text[:end], "selectionStart": end, "selectionEnd": end})
        page.wait_for_timeout(60)
    page.wait_for_timeout(400)
    client.send("Input.insertText", {"text": final})


@pytest.mark.parametrize("locale", ["en", "zh-CN"])
def test_results_come_as_one_types_and_enter_makes_an_entry_of_the_history(shelf, visit, locale):
    watched = visit(locale=locale)
    page, requests = watched.page, Requests(watched.page)
    watched.open("/")
    assert focused(page) == "q"
    before = page.evaluate("history.length")
    page.evaluate(TYPE_AT_ONCE, "lost laptop")
    shown(page, "lost laptop")
    assert requests.asked == ["lost laptop"], "not at every key"
    assert page.inner_text("ol.found h2 >> nth=0") == "Lost or stolen laptop"
    assert focused(page) == "q"
    assert page.url == f"{watched.base}/?q=lost%20laptop"
    assert page.title().startswith("lost laptop · ")
    assert page.evaluate("history.length") == before, "typing fills no history"
    page.keyboard.press("Enter")
    assert page.evaluate("history.length") == before + 1
    assert requests.asked == ["lost laptop"], "what is shown is not asked again"
    page.keyboard.press("Control+A")
    page.keyboard.type("bread")
    shown(page, "bread")
    page.keyboard.press("Enter")
    assert page.evaluate("history.length") == before + 2
    page.go_back()
    shown(page, "lost laptop")
    assert page.input_value("#q") == "lost laptop"
    page.go_back()
    page.wait_for_selector(".start h1")
    assert page.input_value("#q") == ""
    assert page.url == f"{watched.base}/"
    page.go_forward()
    shown(page, "lost laptop")
    page.go_forward()
    shown(page, "bread")
    assert page.input_value("#q") == "bread"
    page.reload()
    assert page.inner_text("ol.found h2 >> nth=0") == "Bread and butter", "the address says all"


def test_a_result_that_is_opened_leads_back_to_the_results_and_these_to_the_start(shelf, visit):
    watched = visit()
    page = watched.page
    watched.open("/")
    page.keyboard.type("lost laptop")
    shown(page, "lost laptop")
    page.click("ol.found h2 a >> nth=0")
    page.wait_for_selector("#passage")
    page.go_back()
    shown(page, "lost laptop")
    assert page.input_value("#q") == "lost laptop"
    page.go_back()
    page.wait_for_selector(".start h1")


def test_a_word_that_is_still_being_typed_is_not_put_right(shelf, visit):
    watched = visit()
    page, requests = watched.page, Requests(watched.page)
    suggested = page.locator(".suggestion:visible")
    watched.open("/")
    page.evaluate(TYPE_AT_ONCE, "lost laptpo")
    shown(page, "lost laptpo")
    assert suggested.count() == 0, "who types may come to another word yet"
    page.keyboard.press("Space")
    assert suggested.inner_text() == "Did you mean lost laptop?"
    page.evaluate(TYPE_AT_ONCE, "cellr")
    shown(page, "lost laptpo cellr")
    assert suggested.inner_text() == "Did you mean lost laptop cellr?", "what was suggested does not go"
    page.keyboard.press("Enter")
    assert suggested.inner_text() == "Did you mean lost laptop cellar?"
    assert requests.asked == ["lost laptpo", "lost laptpo cellr"], "nothing is asked again for it"
    page.reload()
    assert suggested.inner_text() == "Did you mean lost laptop cellar?"
    suggested.locator("a").click()
    page.wait_for_url("**/?q=lost*laptop*cellar")


def test_what_is_being_composed_is_no_question_yet(shelf, visit):
    watched = visit(locale="zh-CN")
    page, requests = watched.page, Requests(watched.page)
    watched.open("/")
    compose(page, page.context.new_cdp_session(page), "dian nao", "电脑丢了")
    shown(page, "电脑丢了")
    assert requests.asked == ["电脑丢了"]
    assert page.inner_text("ol.found h2 >> nth=0") == "笔记本电脑丢失怎么办"


def test_one_letter_is_no_question_but_one_chinese_character_is(shelf, visit):
    watched = visit()
    page, requests = watched.page, Requests(watched.page)
    watched.open("/")
    page.keyboard.type("b")
    page.wait_for_timeout(500)
    assert requests.asked == []
    page.fill("#q", "脑")
    shown(page, "脑")
    page.fill("#q", "br")
    shown(page, "br")
    assert requests.asked == ["脑", "br"]


def test_one_request_is_on_its_way_at_a_time_and_of_those_that_wait_the_last_is_asked(shelf, visit):
    watched = visit()
    page, requests = watched.page, Requests(watched.page)
    watched.open("/")
    held = []

    def hold(route):
        held.append(route) if not held else route.continue_()

    page.route(re.compile(r"/\?q="), hold)
    page.keyboard.type("lost")
    page.wait_for_function("() => document.getElementById('answer').classList.contains('htmx-request')")
    for letters in (" la", "pt", "op"):
        page.keyboard.type(letters)
        page.wait_for_timeout(350)
    assert requests.asked == ["lost"]
    held[0].continue_()
    shown(page, "lost laptop")
    assert requests.asked == ["lost", "lost laptop"]


def test_arrows_move_through_the_results_enter_opens_and_escape_goes_back_and_clears(shelf, visit):
    watched = visit()
    page = watched.page
    watched.open("/")
    page.keyboard.type("lost laptop")
    shown(page, "lost laptop")
    titles = page.locator("ol.found h2").all_inner_texts()
    page.keyboard.press("ArrowDown")
    assert focused(page) == titles[0]
    outline = "(one) => getComputedStyle(one).outlineStyle"
    assert page.locator("ol.found h2 a").first.evaluate(outline) == "solid", "it is seen where one is"
    page.keyboard.press("ArrowDown")
    assert focused(page) == titles[1]
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert focused(page) == "q"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Escape")
    assert focused(page) == "q"
    assert page.input_value("#q") == "lost laptop", "first it goes back"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("/")
    assert focused(page) == "q"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_selector("#passage")
    page.go_back()
    page.focus("#q")
    page.keyboard.press("Escape")
    page.wait_for_selector(".start h1")
    assert page.input_value("#q") == ""
    assert focused(page) == "q"


def test_the_number_of_results_is_said_once_who_types_pauses(shelf, visit):
    watched = visit()
    page = watched.page
    watched.open("/")
    said = page.locator("#said")
    assert said.get_attribute("role") == "status"
    assert said.inner_text() == ""
    page.keyboard.type("lost laptop")
    shown(page, "lost laptop")
    page.wait_for_function("() => document.getElementById('said').textContent")
    assert said.inner_text() == "4 documents for “lost laptop”"


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_that_is_seen_moves_while_it_comes(shelf, visit, width):
    watched = visit(width=width, height=740)
    page = watched.page
    page.add_init_script(f"({SHIFTS})()")
    watched.open("/?q=lost laptop")
    page.wait_for_timeout(500)
    assert page.evaluate("window.shifted") == 0
    watched.open("/")
    page.wait_for_timeout(300)
    # Set by a script, so that the browser does not excuse what follows a key.
    for question in ("lost laptop", "bread lang:en", "", "quixotic zeppelins"):
        page.evaluate(
            "(text) => { const q = document.getElementById('q'); q.value = text;"
            " q.dispatchEvent(new Event('input', {bubbles: true})); }",
            question,
        )
        shown(page, question)
        page.wait_for_timeout(100)
    assert page.evaluate("window.shifted") == 0


def test_an_index_that_cannot_serve_is_said_and_then_asked_again(shelf, visit, monkeypatch):
    def unavailable(*_args):
        raise IndexUnavailable("The search index cannot be read.")

    watched = visit()
    page = watched.page
    watched.open("/")
    with monkeypatch.context() as broken:
        broken.setattr(views, "search", unavailable)
        page.keyboard.type("lost laptop")
        page.wait_for_selector("[role=alert]")
        assert "cannot be read" in page.inner_text("[role=alert]")
        assert focused(page) == "q"
    page.keyboard.type("s")
    shown(page, "lost laptops")
    assert page.locator("[role=alert]").count() == 0
    watched.complaints.clear()  # the browser's own, of the status 503


@pytest.mark.parametrize(
    "fails", [lambda route: route.abort(), lambda route: route.fulfill(status=502, body="<h1>Bad gateway</h1>")]
)
def test_a_site_that_does_not_answer_takes_nothing_away_and_is_asked_again_with_enter(shelf, visit, fails):
    watched = visit()
    page = watched.page
    watched.open("/")
    page.route(re.compile(r"/\?q="), fails)
    page.keyboard.type("lost laptop")
    page.wait_for_selector("[role=alert]")
    assert "does not answer" in page.inner_text("[role=alert]")
    assert "Bad gateway" not in page.content()
    assert page.input_value("#q") == "lost laptop"
    page.unroute_all()
    page.keyboard.press("Enter")
    shown(page, "lost laptop")
    watched.complaints.clear()  # the browser's own, of what did not answer


def test_whoever_was_signed_out_meanwhile_comes_to_the_sign_in_and_back(shelf, visit, settings):
    User.objects.create_superuser("admin", password="admin")
    watched = visit()
    page = watched.page
    watched.sign_in()
    settings.SEARCHSITE_REQUIRE_LOGIN = True
    page.context.clear_cookies()
    page.keyboard.type("lost laptop")
    page.wait_for_url(re.compile(r"/sign-in/\?next="))
    assert "lost" in parse_qs(urlsplit(page.url).query)["next"][0]


@pytest.mark.parametrize("by_history", [False, True])
def test_who_signs_in_or_chooses_language_or_colours_comes_back_to_what_is_seen(shelf, visit, by_history):
    """Not to the address that was loaded first."""
    User.objects.create_superuser("admin", password="admin")
    watched = visit()
    page = watched.page
    watched.open("/?q=bread&sort=date")
    page.fill("#q", "lost laptop & 100 %")
    shown(page, "lost laptop & 100 %")
    if by_history:  # the address changes once more, by the history
        page.keyboard.press("Enter")
        page.fill("#q", "trains")
        shown(page, "trains")
        page.keyboard.press("Enter")
        page.go_back()
        shown(page, "lost laptop & 100 %")
    seen = {"q": ["lost laptop & 100 %"], "sort": ["date"]}

    def asks_again() -> None:
        for question in ("trains", *seen["q"]):
            page.fill("#q", question)
            shown(page, question)

    def comes_back() -> bool:
        here = urlsplit(page.url)
        return here.path == "/" and parse_qs(here.query) == seen and page.input_value("#q") == seen["q"][0]

    page.click("button[name=theme][value=dark]")
    page.wait_for_selector("button[value=dark][aria-pressed=true]")
    assert comes_back()
    asks_again()
    page.click("button[name=language]")
    page.wait_for_selector("html[lang=zh-hans]")
    assert comes_back()
    asks_again()
    page.click(".top nav a[href*='/sign-in/']")
    page.fill("#id_username", "admin")
    page.fill("#id_password", "admin")
    page.keyboard.press("Enter")
    page.wait_for_selector("form[action='/sign-out/']")
    assert comes_back()


def test_recent_searches_are_offered_and_forgotten(shelf, visit):
    watched = visit(locale="zh-CN")
    page = watched.page
    asked = Requests(page)
    watched.open("/")
    assert page.locator("recent-searches").is_hidden()
    for question in ("笔记本电脑", "bread", "笔记本电脑"):
        page.fill("#q", question)
        shown(page, question)
        page.keyboard.press("Enter")
    page.fill("#q", "trains")
    shown(page, "trains")
    page.fill("#q", "")
    page.wait_for_selector(".start h1")
    links = page.locator("recent-searches a")
    assert links.all_inner_texts() == ["笔记本电脑", "bread"], "each once, and not what was only typed past"
    page.reload()
    assert links.all_inner_texts() == ["笔记本电脑", "bread"]
    page.keyboard.press("ArrowDown")
    assert focused(page) == "笔记本电脑"
    page.locator("recent-searches li button").first.click()
    assert links.all_inner_texts() == ["bread"]
    page.click("recent-searches .all")
    assert page.locator("recent-searches").is_hidden()
    assert focused(page) == "q"
    page.reload()
    assert page.locator("recent-searches").is_hidden()
    assert set(asked.asked) <= {"笔记本电脑", "bread", "trains", ""}, "what is remembered is sent nowhere"


def test_what_somebody_searched_goes_when_he_signs_out(shelf, visit):
    User.objects.create_superuser("admin", password="admin")
    watched = visit()
    page = watched.page
    watched.sign_in()
    page.fill("#q", "lost laptop")
    shown(page, "lost laptop")
    page.keyboard.press("Enter")
    watched.open("/")
    assert page.locator("recent-searches a").count() == 1
    page.click("form[action='/sign-out/'] button")
    page.wait_for_url(f"{watched.base}/")
    assert page.locator("recent-searches").is_hidden()
    assert page.evaluate("localStorage.length") == 0


def test_a_link_to_a_passage_is_copied_without_the_question(shelf, visit):
    watched = visit(permissions=["clipboard-read", "clipboard-write"])
    page = watched.page
    watched.open("/?q=lost laptop")
    page.locator("button.copy").first.click()
    page.wait_for_selector("button.copy:text('Copied')")
    assert page.inner_text("#said") == "Copied"
    address = page.evaluate("navigator.clipboard.readText()")
    assert re.fullmatch(re.escape(watched.base) + r"/documents/\d+/\?passage=\d+#passage", address)
    page.wait_for_selector("button.copy:text('Copied')", state="detached")
    page.goto(address)
    assert "lost laptop is reported" in "".join(page.locator("mark").all_inner_texts())


def test_without_javascript_everything_is_there_but_what_needs_it(shelf, visit):
    watched = visit(java_script_enabled=False)
    page = watched.page
    watched.open("/")
    assert page.locator("recent-searches").is_hidden()
    page.locator(".examples a", has_text="Lost or stolen laptop").click()
    page.wait_for_selector("ol.found")
    assert page.locator("button.copy").first.is_hidden()
    page.fill("#q", "bread")
    page.click("search button")
    page.wait_for_url("**/?q=bread")
    assert page.inner_text("ol.found h2 >> nth=0") == "Bread and butter"


@pytest.mark.parametrize(("locale", "first"), [("en", "Trains to the sea"), ("zh-CN", "笔记本电脑丢失怎么办")])
def test_who_comes_for_the_first_time_sees_what_can_be_asked_in_his_language_first(shelf, visit, locale, first):
    watched = visit(locale=locale)
    page = watched.page
    watched.open("/")
    examples = page.locator(".examples a").all_inner_texts()
    assert examples[0] == first
    assert set(examples) == TEXTS.keys()
    page.locator(".examples a").first.click()
    page.wait_for_selector("ol.found")
    assert page.inner_text("ol.found h2 >> nth=0") == first


def test_what_came_as_one_typed_can_be_asked_why_and_copied(shelf, visit):
    """On plain http, too, where the browser has no clipboard to write to."""
    watched = visit()
    page = watched.page
    page.add_init_script("delete Navigator.prototype.clipboard;")
    watched.open("/")
    page.keyboard.type("lost laptop")
    shown(page, "lost laptop")
    why = page.locator("a.why").first
    assert why.get_attribute("aria-expanded") == "false"
    why.click()
    page.wait_for_selector("a.why[aria-expanded=true]")
    page.locator("button.copy").first.click()
    page.wait_for_selector("button.copy:text('Copied')")
    page.focus("#q")
    page.keyboard.press("Control+A")
    page.keyboard.press("Control+V")
    assert re.search(r"/documents/\d+/\?passage=\d+#passage$", page.input_value("#q"))
