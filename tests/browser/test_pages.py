"""The pages in a real browser: nothing forbidden or broken on any of them, and they can be used as people use them."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from searchsite.index.follow import IndexUnavailable
from searchsite.search import views
from tests.browser.pages import ADMIN

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def test_no_page_breaks_its_policy_or_logs_an_error(site, visit):
    """Each page, by a stranger where they may, else signed in: `visit` fails on any complaint of the browser."""
    stranger, admin = visit(), visit()
    admin.sign_in()
    for name, address in site.items():
        expected = {"not-found": 404, "too-long": 400}.get(name, 200)
        assert (admin if name in ADMIN else stranger).open(address).status == expected, name


def test_an_empty_site_says_what_to_do(transactional_db, visit):
    User.objects.create_superuser("admin", password="admin")
    watched = visit()
    watched.open("/")
    assert "nothing to search yet" in watched.page.inner_text("main")
    watched.sign_in()
    watched.page.click("text=Upload files into it")
    watched.page.wait_for_selector("text=There is none yet")
    watched.page.click("text=Make a collection")
    watched.page.wait_for_selector("#id_name")


def test_an_index_that_cannot_serve_is_said_aloud(site, visit, monkeypatch):
    def unavailable(*_args):
        raise IndexUnavailable("The search index cannot be read. An administrator must rebuild the index.")

    monkeypatch.setattr(views, "search", unavailable)
    watched = visit()
    assert watched.open(site["results"]).status == 503
    assert "must rebuild the index" in watched.page.inner_text("[role=alert]")
    assert watched.page.input_value("#q") == "What if my laptop is stolen?", "the question is not lost"


def test_a_fault_of_the_site_shows_a_page_and_no_traceback(site, visit, monkeypatch):
    def broken(*_args):
        raise RuntimeError("the secret reason")

    monkeypatch.setattr(views, "search", broken)
    watched = visit(width=320)
    assert watched.open(site["results"]).status == 500
    assert "the site's fault" in watched.page.inner_text("main")
    assert "secret reason" not in watched.page.content()
    assert watched.page.evaluate(OVERFLOW) <= 0


def test_a_form_without_its_cookie_is_refused_in_words(site, visit):
    watched = visit()
    watched.open("/")
    watched.page.context.clear_cookies()
    watched.page.click("button[name=language]")
    watched.page.wait_for_url("**/i18n/setlang/")
    assert "was not accepted" in watched.page.inner_text("h1")


def test_a_question_can_be_asked_by_keyboard_alone(site, visit):
    watched = visit()
    page = watched.page
    watched.open("/")
    assert page.evaluate("document.activeElement.id") == "q", "on the empty page the box has the focus"
    page.keyboard.type("What if my laptop is stolen?")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?q=*")
    assert page.locator("ol.found > li").count() == 10
    assert page.evaluate("document.activeElement.id") == "q", "who asked can go on asking"
    assert page.input_value("#q") == "What if my laptop is stolen?"
    page.locator("h1").click(force=True)
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"
    assert page.input_value("#q") == "What if my laptop is stolen?", "the slash itself is not typed"


def test_every_page_works_without_javascript(site, visit):
    watched = visit(java_script_enabled=False)
    page = watched.page
    watched.open("/")
    page.fill("#q", "What if my laptop is stolen?")
    page.click("search button")
    page.click("a[rel=next]")
    page.wait_for_url("**/?q=What*page=2")
    page.click("ol.found h2 a")
    page.wait_for_selector("mark")


def test_the_way_from_a_result_to_its_passage_and_back(site, visit):
    watched = visit()
    page = watched.page
    watched.open(site["document"])
    box = page.locator("#passage").bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 800 * 0.6, "the passage is in view, not at the very bottom"
    assert "local police" in "".join(page.locator("mark").all_inner_texts())
    page.click(".crumbs a")
    page.wait_for_url("**/?q=*")
    assert page.input_value("#q") == "What if my laptop is stolen?"


def test_the_language_can_be_chosen_and_stays(site, visit):
    watched = visit(locale="en-GB")
    page = watched.page
    watched.open(site["results"])
    assert page.get_attribute("html", "lang") == "en"
    page.click("button[name=language]")
    page.wait_for_function("() => document.documentElement.lang === 'zh-hans'")
    assert "q=What" in page.url, "the question is kept"
    watched.open("/")
    assert page.get_attribute("html", "lang") == "zh-hans"
    page.click("button[name=language]")
    page.wait_for_function("() => document.documentElement.lang === 'en'")


def test_the_browsers_language_is_the_first_choice(site, visit):
    watched = visit(locale="zh-CN")
    watched.open("/")
    assert watched.page.get_attribute("html", "lang") == "zh-hans"


@pytest.mark.parametrize("locale", ["en", "zh-CN"])
@pytest.mark.parametrize("script", [True, False])
def test_on_a_phone_the_head_is_one_row_with_the_ways_in_a_menu(transactional_db, visit, locale, script):
    User.objects.create_superuser("admin", password="admin")
    watched = visit(width=320, locale=locale, java_script_enabled=script)
    page = watched.page
    watched.sign_in()
    name, menu, box = (page.locator(one).bounding_box() for one in (".brand", ".menu", "search form"))
    assert name["y"] + name["height"] / 2 == pytest.approx(menu["y"] + menu["height"] / 2, abs=2)
    assert box["y"] < 80, "the question stands right below it"
    assert page.locator("#ways").is_hidden()
    page.click(".menu")
    assert page.locator("#ways").is_visible()
    assert page.evaluate(OVERFLOW) <= 0
    page.keyboard.press("Escape")
    assert page.locator("#ways").is_hidden()
    assert page.locator(".menu").evaluate("(one) => one === document.activeElement")
    page.click(".menu")
    page.click("#ways a[href='/library/']")
    page.wait_for_url("**/library/")


def test_text_reaches_enough_contrast_in_light_and_dark(site, visit):
    """WCAG AA, 4.5:1, for each element that has text of its own."""
    for scheme in ("light", "dark"):
        watched = visit(color_scheme=scheme)
        for name in ("home", "results", "document", "document-failed", "too-long", "not-found"):
            watched.open(site[name])
            assert watched.page.evaluate(LOW_CONTRAST) == [], f"{name}, {scheme}"


def test_a_document_shows_itself_when_it_is_ready(site, visit):
    from searchsite.documents.models import Document, Job

    watched = visit()
    watched.open(site["document-running"])
    assert watched.page.locator("progress").count() == 1
    document = Document.objects.get(title="Being read")
    Job.objects.filter(document=document).delete()  # nobody works on it, whatever its row says
    document.try_again()
    watched.page.wait_for_selector("article .text")
    assert watched.page.locator("progress").count() == 0


def test_rows_of_the_admin_follow_what_happens(site, visit):
    from searchsite.documents.models import Document, State

    watched = visit()
    watched.sign_in()
    watched.open(site["documents"])
    page = watched.page
    assert page.locator("#result_list progress").count() == 1
    Document.objects.filter(title="Being read").update(state=State.READY)
    page.wait_for_selector("#result_list progress", state="detached")
    # The rows that did not change are the same elements still: their ticks work.
    page.locator("#result_list tbody tr").last.locator("input.action-select").check()
    assert "1 of" in page.inner_text(".action-counter")
    Document.objects.filter(title="Next").update(state=State.READY)
    page.wait_for_timeout(2500)
    assert page.locator(".state-queued").count() == 1, "no row changes while somebody is choosing rows"


def test_the_index_is_rebuilt_with_one_press(site, visit):
    watched = visit()
    watched.sign_in()
    watched.open(site["builds"])
    page = watched.page
    before = page.inner_text("#index-now-title")
    page.click(".index-now input[type=submit]")
    page.wait_for_selector(".messagelist li")
    page.wait_for_function("(old) => document.getElementById('index-now-title').innerText !== old", arg=before)
    assert page.locator("#result_list tbody tr").count() == 2


LOW_CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (colour) => rgba(colour).slice(0, 3)
    .map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, n) => sum + c * [0.2126, 0.7152, 0.0722][n], 0);
  const ground = (element) => {
    for (; element; element = element.parentElement) {
      const colour = getComputedStyle(element).backgroundColor;
      if (rgba(colour)[3] > 250) return colour;
    }
    return "Canvas";
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !element.checkVisibility() || element.closest("svg")) continue;
    const [a, b] = [getComputedStyle(element).color, ground(element)].map(luminance).sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) found.push(`${element.outerHTML.slice(0, 80)}: ${ratio.toFixed(2)}`);
  }
  return found;
}"""
