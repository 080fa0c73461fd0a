"""What is marked of a passage on the page of results."""

from __future__ import annotations

import html
import re
from itertools import chain

import pytest
from hypothesis import example, given
from hypothesis import settings as with_settings
from hypothesis import strategies as st

from searchsite.documents.models import Document, Passage, Revision
from searchsite.index import lexical_follow
from searchsite.search.marks import Marks, lines

HEADINGS = ["Top", "Part. One"]
EVERYTHING = 10**6  # rows: nothing is left out


def passage(text: str) -> Passage:
    revision = Revision(title="Found")
    Document(title="A title", live_revision=revision)
    return Passage(text=text, heading_path=HEADINGS, revision=revision)


def flagged(text: str, marked: Marks) -> list[list[tuple[str, bool, bool]]]:
    """Each character of the lines that are shown, with whether it is in the sentence, and in a keyword."""
    found, start = [], 0
    for line in text.splitlines(keepends=True):
        if line.strip() and line.strip() not in [*HEADINGS, "A title"]:
            first = start + line.index(line.strip())
            found.append([
                (
                    text[at],
                    marked.sentence is not None and at in range(*marked.sentence),
                    any(at in range(*span) for span in marked.keywords),
                )
                for at in range(first, first + len(line.strip()))
            ])  # fmt: skip
        start += len(line)
    return found


def characters(pieces) -> list[tuple[str, bool, bool]]:
    return [(character, piece.meaning, piece.keyword) for piece in pieces for character in piece.text]


line = st.sampled_from([*HEADINGS, "A title", "Found", "  Top ", "", " "]) | st.text(
    "ab 猫。.<&\t\u2028\x85", max_size=99
)


@st.composite
def texts_and_marks(draw) -> tuple[str, Marks]:
    text = "\n".join(draw(st.lists(line, max_size=8)))
    span = st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).map(sorted).map(tuple)
    return text, Marks(draw(st.none() | span), draw(st.lists(span, max_size=5)))


@with_settings(max_examples=300, deadline=None)
@given(texts_and_marks())
def test_pieces_are_the_lines_that_are_shown_and_each_character_is_marked_as_it_should_be(drawn):
    text, marked = drawn
    found = lines(passage(text), marked, EVERYTHING)
    assert [characters(pieces) for pieces in found] == flagged(text, marked)
    assert all(piece.text for pieces in found for piece in pieces)


@with_settings(max_examples=300, deadline=None)
@example(("Top\n" * 5 + "A title\nFound\n<<", Marks((35, 35))), 1)
@given(texts_and_marks(), st.integers(1, 4))
def test_an_excerpt_is_the_end_of_the_passage_and_has_all_of_the_sentence_that_is_shown(drawn, rows):
    text, marked = drawn
    everything = list(chain(*flagged(text, marked)))
    found = list(chain(*map(characters, lines(passage(text), marked, rows))))
    if found != everything:
        assert [character for character, *_marks in found[:2]] == ["…", " "]
        assert found[2:] == everything[len(everything) - len(found) + 2 :]
        assert [one for one in found if one[1]] == [one for one in everything if one[1]] != []
        assert found[2][1], "it begins with the sentence"


def test_a_sentence_is_seen_in_the_first_rows_and_where_it_is_the_passage_begins_as_it_does():
    long = "\n".join(f"A line of text, with its number {n}, that is long enough for a row." for n in range(9))
    sentence = "Here is the answer."
    for before in range(9):
        text = "\n".join([*long.split("\n")[:before], sentence, long])
        at = text.index(sentence)
        shown = [
            "".join(piece.text for piece in one) for one in lines(passage(text), Marks((at, at + len(sentence))), 6)
        ]
        assert any(sentence in one for one in shown[:6])
        assert shown[0] == (text.split("\n")[0] if before < 6 else f"… {sentence}")


# --- on the page --------------------------------------------------------------------------------------------


@pytest.fixture
def quoted(client):
    """quoted(question) -> what stands in the first passage of the page, as HTML."""

    def _quoted(question: str) -> str:
        page = client.get("/", {"q": question}).content.decode()
        return re.search(r'<blockquote class="passage"[^>]*>(.*?)</blockquote>', page, re.S).group(1)

    return _quoted


def plain(quote: str) -> str:
    """What is read of it."""
    return html.unescape(re.sub(r"</?(?:span|mark|b)>", "", quote.replace("</span><span>", "\n")))


def marked(quote: str) -> str:
    """What is marked of it as the sentence, stretch by stretch."""
    return "\n".join(plain(one) for one in re.findall("<mark>(.*?)</mark>", quote.replace("</mark><mark>", "")))


HOSTILE = [
    "apples <script>alert(1)</script> &amp; <mark>not ours</mark> & </span></blockquote>",
    "`<b>` <img src=x onerror=alert(2)> 苹果<i>和</i>梨 \" ' &lt;script&gt; apples",
]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "question", ["apples", "script amp mark b img alert lt", "苹果和梨", "type:markdown", "</span>"]
)
def test_text_is_escaped_also_around_and_inside_of_marks(public, add, quoted, question):
    add(public, "\n".join(["```", *HOSTILE, "```"]), title="t")
    quote = quoted(question)
    assert plain(quote).split("\n") == HOSTILE
    assert set(re.findall(r"<[^>]*>", quote)) <= {"<span>", "</span>", "<mark>", "</mark>", "<b>", "</b>"}
    if question.startswith("script"):
        assert (
            "&lt;<b>script</b>&gt;<b>alert</b>(1)&lt;/<b>script</b>&gt; &amp;<b>amp</b>; &lt;<b>mark</b>&gt;"
            in re.sub("</?mark>", "", quote)
        )
    if question == "type:markdown":
        assert "<mark>" not in quote
        assert "<b>" not in quote


@pytest.mark.django_db
@pytest.mark.parametrize("with_keywords_index", [True, False])
def test_keywords_are_bold_and_the_sentence_most_like_the_question_is_marked(
    public, add, quoted, monkeypatch, with_keywords_index
):
    add(public, "Apples grow on trees. The river carries\nwater to the sea. Clouds bring rain.", title="Water")
    add(public, "苹果长在树上。河水流进大海。云带来雨。", title="水")
    if not with_keywords_index:
        monkeypatch.setattr(lexical_follow, "current", lambda: None)
    quote = quoted("rivers carry water to a sea")
    assert marked(quote) == "The river carries\nwater to the sea."
    assert re.findall("<b>(.*?)</b>", quote) == ["river", "carries", "water", "sea"]
    quote = quoted("河水 大海")
    assert marked(quote) == "河水流进大海。"
    assert re.findall("<b>(.*?)</b>", quote)[-1] == "大海"


@pytest.mark.django_db
def test_headings_stand_above_a_passage_and_are_not_repeated_in_it(client, public, add, quoted):
    add(public, "# Book of birds\n\n## Herons. And egrets\n\nThey wade.\n\nHerons. And egrets\n\nThey fish.")
    assert plain(quoted("herons egrets")) == "They wade.\nThey fish."
    page = client.get("/", {"q": "herons egrets"}).content.decode()
    assert "› Herons. And egrets</span>" in page


@pytest.mark.django_db
def test_a_sentence_of_a_line_that_is_not_shown_is_no_reason_to_begin_with_it(public, add, quoted):
    lines_between = [f"A line of text, number {n}, which is long enough for most of a row." for n in range(9)]
    add(public, "\n\n".join([*lines_between, "Herons. Egrets wade"]), title="Herons. Egrets wade")
    assert plain(quoted("egrets wade")).split("\n") == lines_between
