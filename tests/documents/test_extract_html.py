"""Pages keep the form of their main text, and lose what is around it."""

from __future__ import annotations

import time

import pytest

from searchsite.documents.extract import Extracted, Limits, extract
from searchsite.documents.problems import Problem

LIMITS = Limits(max_bytes=5_000_000, max_pages=10, max_characters=5_000_000)
LONG = ("Ducks are mostly aquatic birds and may be found in fresh water. " * 6).strip()
CHINESE = "鸭子大多是水鸟，常见于淡水中。"
LINKS = "".join(f'<li><a href="/{n}">Another article to read, number {n}</a>' for n in range(8))


def read(page: str) -> Extracted:
    return extract(page.encode(), "a.html", LIMITS)


def marked(inner: str) -> str:
    return f"<html><body><nav>Home</nav><main><article>{inner}</article></main><footer>Imprint</footer></body></html>"


def unmarked(inner: str) -> str:
    return f'<html><body><div class="nav">Home</div><div class="x">{inner}</div><footer>Imprint</footer></body></html>'


def between(piece: str) -> str:
    return f"<p>{LONG}</p>{piece}<p>Other {LONG}</p>"


@pytest.mark.parametrize("page", [marked, unmarked])
@pytest.mark.parametrize(
    ("piece", "text"),
    [
        ("<div>A longer bare div paragraph</div>", "A longer bare div paragraph"),
        ("<div>Two<br>lines</div>", "Two\nlines"),
        ("<details><summary>A question</summary><p>answered</details>", "A question\n\nanswered"),
        ("<table><tr><td>VAL<ul><li>it1</ul><td>b</table>", "VAL\n\n- it1\n\nb"),
        ("<table><tr><td><p>para1</p><p>para2</p></td><td>b</table>", "para1 para2 | b"),
        ("<table><tr><td>a<br>b</td><td><div>c</div>d</table>", "a b | c d"),
        ("<table><tr><td><p>para1</p><p>para2</p></table>", "para1\n\npara2"),
        ("<table><tr><form><td>a<td>b</form></tr></table>", "a | b"),
        ("<table><tr>no cell</tr></table>", "no cell"),
        ("<figure><img src=x><figcaption>A caption</figcaption></figure>", "A caption"),
        ("<aside>A note</aside>", "A note"),
        ("<p><label>A label</label> of <time>1 May</time></p>", "A label of 1 May"),
        ("<math><mi>E</mi><mo>=</mo><mi>m</mi><annotation>E=m</annotation></math>", "E=m"),
        ('<div class="footer-note">Figures are rounded</div>', "Figures are rounded"),
        ('<div class="with-sidebar">Not a sidebar</div>', "Not a sidebar"),
        ("<ol start=5><li>five<li>six<li value=9>nine<li>ten</ol>", "5. five\n6. six\n9. nine\n10. ten"),
        (f"<ol start={'9' * 5000}><li>one</ol>", "1. one"),
        ("<div>a &amp; b &lt; c &gt; &quot;d&quot;</div>", 'a & b < c > "d"'),
        (f"<div>{CHINESE}</div>", CHINESE),
        ('<p>E<span aria-hidden="true">E</span><span style="display: none">0013</span></p>', "E"),
        ('<div style="display:none">behind a tab</div>', "behind a tab"),
    ],
)
def test_no_text_of_an_article_is_lost(page: object, piece: str, text: str) -> None:
    assert callable(page)

    assert read(page(between(piece))).text == f"{LONG}\n\n{text}\n\nOther {LONG}"


@pytest.mark.parametrize("page", [marked, unmarked])
@pytest.mark.parametrize(
    "piece",
    [
        "<pre>line1\n  line2</pre>",
        "<pre><b>line1</b>\n  line2</pre>",
        "<pre><div>line1</div><div>  line2</div></pre>",
        "<pre><div>line1\n</div><div>  line2\n</div></pre>",
        "<pre><span>line1<br></span><span>  line2<br></span></pre>",
    ],
)
def test_code_keeps_its_lines(page: object, piece: str) -> None:
    assert callable(page)
    for source in (piece, f"<ul><li>{piece}</ul>"):
        extracted = read(page(between(source)))
        [(start, end)] = extracted.preformatted
        assert extracted.text[start:end] == "line1\n  line2"


@pytest.mark.parametrize("page", [marked, unmarked])
@pytest.mark.parametrize(
    "piece",
    [
        f'<div class="related-articles"><h3>Related</h3><ul>{LINKS}</ul></div>',
        f"<aside><h3>More to read</h3><ul>{LINKS}</ul></aside>",
        f'<div class="cookie-banner"><p>We use cookies. {LONG[:100]}</p></div>',
        f'<section id="comments"><h2>Comments</h2><p>First! {LONG}</p><p>I differ. {LONG}</p></section>',
        f'<div role="navigation">{LINKS}</div>',
        '<div class="shareButtons">Tell your friends</div>',
        '<div class="ad-slot">Advertisement</div>',
        '<ul class="breadcrumbs"><li><a href="/">Start</a></ul>',
        "<button>Buy</button><select><option>one</select>",
    ],
)
def test_what_is_no_text_of_an_article_is_left_out(page: object, piece: str) -> None:
    assert callable(page)

    assert read(page(f"<h1>Ducks</h1>{between(piece)}")).text == f"Ducks\n\n{LONG}\n\nOther {LONG}"


def test_links_around_an_unmarked_article_are_left_out_whatever_they_are_called() -> None:
    page = (
        f'<html><body><div class="a"><ul>{LINKS}</ul></div><div class="b"><h1>Ducks</h1>{between("")}</div>'
        f'<div class="c"><h3>More</h3><ul>{LINKS}</ul></div></body></html>'
    )

    assert read(page).text == f"Ducks\n\n{LONG}\n\nOther {LONG}"


def test_a_main_part_that_holds_little_of_the_page_is_not_believed() -> None:
    page = f"<html><body><main><p>Loading</p></main><div>{between('<div>And more</div>')}</div></body></html>"

    assert f"{LONG}\n\nAnd more\n\nOther {LONG}" in read(page).text


def test_names_that_would_leave_nothing_are_not_believed() -> None:
    page = marked(f'<div class="comments">{between("")}</div>')

    assert read(page).text == f"{LONG}\n\nOther {LONG}"


def test_several_articles_are_all_read() -> None:
    page = "".join(f"<article><h2>Duck {n}</h2><p>Number {n}: {LONG}</p></article>" for n in range(3))

    extracted = read(f"<html><body><div>{page}</div></body></html>")

    assert [heading.title for heading in extracted.headings] == ["Duck 0", "Duck 1", "Duck 2"]
    assert all(f"Number {n}: {LONG}" in extracted.text for n in range(3))


def test_an_article_that_stands_in_the_metadata_only() -> None:
    page = (
        '<html><head><script type="application/ld+json">{"@type": "NewsArticle", "articleBody": "'
        f'{LONG}"}}</script></head><body><div id="app">Loading</div></body></html>'
    )

    assert LONG in read(page).text


@pytest.mark.parametrize(
    "page", ["<html></html>", "<nav>Home</nav><main></main>", "<html><body><main>", "<!-- nothing"]
)
def test_a_page_without_text_is_refused(page: str) -> None:
    with pytest.raises(Problem, match="No text"):
        read(page)


def test_a_page_that_was_cut_off_is_read_as_far_as_it_goes() -> None:
    page = marked(between("<div>Two<br>lines</div>"))

    assert read(page[: page.index("lines")]).text == f"{LONG}\n\nTwo"


@pytest.mark.parametrize(
    "piece",
    [
        "<ul><li>x</ul>",
        "<section><p>a</p></section>",
        "<header>x</header>",
        "<table><tr><td>x</table>",
        "<article>x</article>",
        "<pre>x</pre>",
        '<div class="nav"><p>x</div>',
    ],
)
@pytest.mark.parametrize("around", ["", "<div>" * 1900])
def test_a_page_of_many_pieces_takes_time_linear_in_their_number(around: str, piece: str) -> None:
    start = time.perf_counter()
    read(f"<html><body>{around}{piece * (240_000 // len(piece))}")
    assert time.perf_counter() - start < 60  # about 1 s; what is quadratic takes a minute and more
