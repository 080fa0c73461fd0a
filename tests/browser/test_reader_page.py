"""The reader in a real browser: at a passage of a PDF, of a Word file and of a Chinese Markdown page."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from searchsite.documents.models import Collection
from searchsite.documents.uploads import take_in
from tests.browser.test_pages import LOW_CONTRAST, OVERFLOW
from tests.documents import files

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

FILLING = "Trains are booked by the office in good time. " * 12
CHAPTERS = {n: f"第{n}章 " + ("遗失电脑" if n == 7 else "其他规定") for n in range(1, 13)}
CHINESE = "# 员工手册\n\n" + "\n\n".join(
    f"## {title}\n\n"
    + ("笔记本电脑丢了,马上打电话给服务台。\n\n" if n in (7, 11) else "")
    + "这里写的是别的事情。" * 60
    for n, title in CHAPTERS.items()
)
DRAWN = """(image) => new Promise((done) => image.complete ? done(image.naturalWidth)
    : image.addEventListener("load", () => done(image.naturalWidth)))"""
IN_VIEW = """(element) => {
    const box = element.getBoundingClientRect();
    return box.top >= 0 && box.bottom <= innerHeight && box.left >= 0 && box.right <= innerWidth;
}"""


@pytest.fixture
def read(transactional_db, settings, tmp_path):
    """read(name, data, words, question) -> the address of the passage with these words in a file of that name."""
    settings.DATA_DIR = tmp_path
    shelf = Collection.objects.create(name="Shelf", slug="shelf", visibility=Collection.Visibility.PUBLIC)

    def _read(name: str, data: bytes, words: str, question: str = "") -> str:
        document = take_in(shelf, SimpleUploadedFile(name, data), None)
        document.refresh_from_db()
        passage = document.live_revision.passages.filter(text__contains=words).first()
        asked = f"&q={quote(question)}" if question else ""
        return f"{document.get_absolute_url()}?passage={passage.pk}{asked}#passage"

    return _read


def orchard() -> bytes:
    lines = ["Apples are picked by hand, and kept in a cool cellar."] * 20
    return files.pdf(*("\n".join([*lines, f"On page {n} stand the pears.", *lines[:5]]) for n in range(1, 7)))


def word() -> bytes:
    body = "".join(
        files.paragraph(f"Section {n}", "Heading1")
        + files.paragraph(FILLING)
        + files.paragraph(f"Case {n}", "Heading2")
        + files.paragraph("Receipts for taxis are handed in within a month." if n == 6 else FILLING)
        for n in range(1, 9)
    )
    return files.docx(body, title="Travel rules")


def marked(page) -> str:
    return " ".join(page.locator("mark").all_inner_texts())


def current(page) -> str:
    return page.inner_text(".outline [aria-current]")


def test_a_pdf_opens_at_the_passage_with_its_page_beside_it(read, visit):
    watched = visit()
    page = watched.page
    watched.open(read("orchard.pdf", orchard(), "page 3 stand the pears"))
    assert "On page 3 stand the pears." in marked(page)
    assert page.locator("#passage").evaluate(IN_VIEW)
    assert current(page) == "Page 3"
    picture, marks = page.locator(".leaf img").all()
    assert picture.evaluate(DRAWN) == 1000, "the page, not what stands for one that there is none of"
    assert marks.evaluate(DRAWN) == 1000
    assert picture.bounding_box() == marks.bounding_box()
    assert picture.get_attribute("alt").startswith("page 3 of")
    text = page.locator(".text").bounding_box()
    assert picture.bounding_box()["x"] >= text["x"] + text["width"], "beside the text"
    svg = page.request.get(watched.base + marks.get_attribute("src")).text()
    assert svg.count("<rect") >= 1
    page.click(".sheet [rel=next].beside")
    page.wait_for_url("**page_shown=4*#page-4")
    assert page.locator("#page-4").evaluate(IN_VIEW)
    assert (
        page.locator(".leaf img")
        .evaluate_all("(all) => all.map((one) => one.getAttribute('src'))")[0]
        .endswith("/pages/4.webp")
    )


def test_the_box_of_a_picture_does_not_change_when_it_comes(read, visit):
    watched = visit()
    wide = orchard().replace(b"/MediaBox [0 0 600 800]", b"/MediaBox [0 0 999 800]")
    held, page = [], watched.page

    def hold(route):
        held.append(route)

    page.route("**/pages/**", hold)
    address = watched.base + read("wide.pdf", wide, "page 3")
    with page.expect_request("**/pages/*.webp"), page.expect_request("**/marks.svg*"):
        page.goto(address, wait_until="domcontentloaded")
    picture = page.locator(".leaf img").first
    before = picture.bounding_box()
    assert picture.evaluate("(image) => image.naturalWidth") == 0
    for route in held:
        route.continue_()
    assert picture.evaluate(DRAWN) == 1000
    assert picture.bounding_box() == before


def test_on_a_phone_the_picture_is_fetched_when_it_is_opened(read, visit):
    watched = visit(width=360, height=740)
    page = watched.page
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    watched.open(read("orchard.pdf", orchard(), "page 3 stand the pears").removesuffix("#passage"))
    page.wait_for_load_state("networkidle")
    assert not [url for url in asked if "/pages/" in url]
    assert page.locator(".outline a").first.is_hidden()
    page.click(".sheet summary")
    assert page.locator(".leaf img").first.evaluate(DRAWN) == 1000
    assert page.evaluate(OVERFLOW) <= 0
    page.click(".sheet [rel=next].above")
    page.wait_for_url("**page_shown=4#sheet")
    assert page.locator(".leaf img").first.is_visible(), "who turns the pages stays with the picture"


def test_a_word_file_opens_at_the_passage_and_its_outline_leads_on(read, visit):
    watched = visit()
    page = watched.page
    watched.open(read("travel.docx", word(), "taxis"))
    assert "Receipts for taxis are handed in within a month." in marked(page)
    assert page.locator("#passage").evaluate(IN_VIEW)
    assert current(page) == "Case 6"
    assert page.locator(".outline > nav > ul > li > ul > li").count() == 8, "cases lie below sections"
    assert page.locator(".sheet").count() == 0
    page.click(".outline a:text('Section 2')")
    assert page.locator(".text h2:text('Section 2')").evaluate(IN_VIEW)
    assert page.locator(".outline a:text('Section 2')").evaluate(IN_VIEW), "the outline stays beside the text"


def test_a_chinese_page_opens_at_the_passage_and_the_next_match_moves_on(read, visit):
    watched = visit(locale="zh-CN")
    page = watched.page
    watched.open(read("手册.md", CHINESE.encode(), "笔记本电脑丢了", "笔记本电脑丢了"))
    assert "笔记本电脑丢了" in marked(page)
    assert page.locator("#passage").evaluate(IN_VIEW)
    assert current(page) == CHAPTERS[7]
    assert page.locator(".outline a").count() == 12
    first = page.url
    page.click(".matches a[rel=next]")
    page.wait_for_url(lambda url: url != first)
    assert page.locator("#passage").evaluate(IN_VIEW)
    assert current(page) != CHAPTERS[7]
    page.keyboard.press("p")
    page.wait_for_url(first)
    page.keyboard.press("n")
    page.wait_for_url(lambda url: url != first)
    second = page.url
    page.focus("#q")
    page.keyboard.press("End")
    page.keyboard.type("p")
    assert page.input_value("#q").endswith("p"), "in the question it is a letter"
    assert page.url == second


def test_the_matches_stay_in_view_and_hide_nothing_that_is_gone_to(read, visit):
    for width in (360, 1280):
        watched = visit(width=width)
        page = watched.page
        watched.open(read(f"{width}.docx", word(), "taxis", "receipts for taxis"))
        bar = page.locator(".matches").bounding_box()
        assert bar["y"] == 0
        assert page.locator("#passage").bounding_box()["y"] >= bar["y"] + bar["height"]
        if width > 1000:
            page.click(".outline a:text('Section 4')")
        else:
            page.goto(page.url.split("#")[0] + "#" + page.locator(".text h2").nth(3).get_attribute("id"))
        assert page.locator(".text h2:text('Section 4')").bounding_box()["y"] >= bar["height"]


def test_a_link_to_the_passage_is_copied_and_opens_it(read, visit):
    watched = visit(locale="zh-CN", permissions=["clipboard-read", "clipboard-write"])
    page = watched.page
    watched.open(read("手册.md", CHINESE.encode(), "笔记本电脑丢了", "笔记本电脑丢了"))
    page.click(".head button.copy")
    page.wait_for_function("() => document.getElementById('said').textContent")
    address = page.evaluate("navigator.clipboard.readText()")
    assert "q=" not in address, "what was asked is nobody else's business"
    page.goto(address)
    assert "笔记本电脑丢了" in marked(page)


def test_an_upload_is_downloaded_and_never_shown(read, visit):
    watched = visit()
    page = watched.page
    data = b"<html><title>Page</title><script>document.title = 'ran'</script><p>Words of a page.</p></html>"
    watched.open(read("page.html", data, "Words"))
    with page.expect_download() as download:
        page.click(".facts a[download]")
    assert download.value.suggested_filename == "page.html"
    with open(download.value.path(), "rb") as file:
        assert file.read() == data
    with page.expect_download():  # also to who asks for it by its address
        page.evaluate("(address) => { location.href = address; }", page.get_attribute(".facts a[download]", "href"))
    assert page.title().startswith("Page")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_on_it_can_be_read(read, visit, scheme):
    watched = visit(color_scheme=scheme)
    watched.open(read("orchard.pdf", orchard(), "page 3 stand the pears", "pears"))
    assert watched.page.evaluate(LOW_CONTRAST) == []
    for width in (320, 768, 1000, 1200):
        watched.page.set_viewport_size({"width": width, "height": 700})
        assert watched.page.evaluate(OVERFLOW) <= 0, width
