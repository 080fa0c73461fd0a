"""The outline: nested as the headings are, bounded, and leading to the right part and page."""

from __future__ import annotations

import re

import pytest

from searchsite.search import outline, position, reader
from searchsite.search.outline import Place

on_the_page = pytest.mark.django_db


def shown(entries) -> list:
    return [entry.title if not entry.below else [entry.title, *shown(entry.below)] for entry in entries]


def nest(levels: list[int], passage: int | None = None) -> list[outline.Entry]:
    places = [Place(str(n), n * 10, f"h-{n * 10}", level) for n, level in enumerate(levels)]
    return outline.nested(places, lambda place: f"#{place.anchor}", passage)


def flat(entries) -> list[outline.Entry]:
    return [one for entry in entries for one in (entry, *flat(entry.below))]


def test_headings_are_nested_also_where_levels_jump():
    assert shown(nest([1, 2, 2, 1])) == [["0", "1", "2"], "3"]
    assert shown(nest([1, 4, 2, 3, 1])) == [["0", "1", ["2", "3"]], "4"]
    assert shown(nest([3, 1, 2])) == ["0", ["1", "2"]], "one that begins too deep has nothing above it"


def test_the_section_of_the_passage_is_the_last_that_begins_before_it():
    for passage, current in ((None, []), (10, ["1"]), (19, ["1"]), (20, ["2"]), (999, ["3"])):
        assert [e.title for e in flat(nest([1, 2, 2, 1], passage)) if e.current] == current
    late = [Place("a", 50, "a"), Place("b", 60, "b")]
    assert not any(e.current for e in outline.nested(late, lambda place: "", 49)), "it stands before every heading"


def test_there_is_no_outline_of_less_than_two_places():
    assert nest([1]) == nest([]) == []


def test_the_title_is_not_said_again():
    found = [(0, 1, "Book"), (10, 2, "Book"), (20, 2, "End")]
    assert [place.start for place in outline.headings(found, "Book")] == [10, 20]
    assert [place.start for place in outline.headings(found, "Other")] == [0, 10, 20]


def test_of_too_many_headings_the_deepest_are_left_out_first():
    found = [(n, 1 if n % 100 == 0 else 2 if n % 10 == 0 else 3, f"{n}") for n in range(4000)]
    assert {place.level for place in outline.headings(found, "")} == {1, 2}
    assert len(outline.headings(found, "")) == 400
    one_level = outline.headings([(n, 2, f"{n}") for n in range(4321)], "")
    assert 400 < len(one_level) <= outline.MOST
    assert one_level[0].start == 0
    assert one_level[-1].start > 4300, "they are spread over all of the document"


def test_a_level_from_a_hostile_file_makes_no_endless_nesting():
    depth, entries = 0, outline.nested(
        outline.headings([(n, n + 1, f"{n}") for n in range(300)], ""), lambda place: "", None
    )  # fmt: skip
    while entries:
        depth, entries = depth + 1, entries[-1].below
    assert depth <= outline.DEEPEST


def test_pages_are_places_too_each_with_its_number():
    places = outline.pages([0, 10, 10, 20], lambda number: f"page {number}")
    assert [(place.title, place.page, place.start) for place in places][1:3] == [("page 2", 2, 10), ("page 3", 3, 10)]
    assert len(outline.pages(list(range(2000)), str)) == outline.MOST
    assert outline.pages(None, str) == []


# --- the way to places --------------------------------------------------------------------------------------

CUTS = [(0, 100), (100, 200), (200, 300)]
PAGES = [0, 50, 50, 150, 250]


def test_what_is_asked_for_is_shown_and_else_where_the_passage_is():
    def at(passage=None, pages=(), **parameters):
        found = position.position(parameters, CUTS, pages, passage)
        return found.part, found.page

    assert at() == (1, None)
    assert at(210) == (3, None)
    assert at(210, part="2") == (2, None)
    assert at(210, PAGES) == (3, 4)
    assert at(210, PAGES, page_shown="1") == (1, 1)
    assert at(210, PAGES, part="2") == (2, 3), "the first page of that part: it begins before it"
    assert at(None, PAGES, page_shown="2") == (1, 2), "a page without text has a picture all the same"
    for odd in ("0", "-1", "9", "x", "٣", "9" * 30, ""):
        assert at(None, PAGES, part=odd, page_shown=odd) == (1, 1)


def test_an_address_names_part_and_page_only_where_something_else_would_be_shown():
    asked = {"q": "a & b", "passage": "7", "part": "1", "other": "x"}
    text = position.position(asked, CUTS, [], None)
    assert text.address(Place("", 20, "h-20")) == "#h-20"
    assert text.address(Place("", 120, "h-120")) == "?passage=7&q=a+%26+b&part=2#h-120"
    pictures = position.position(asked, CUTS, PAGES, None)
    assert pictures.address(Place("", 20, "h-20")) == "#h-20"
    assert pictures.address(Place("", 60, "h-60")).endswith("&part=1&page_shown=3#h-60")
    assert pictures.address(Place("", 50, "page-2", page=2)).endswith("&page_shown=2#page-2")


def test_a_picture_has_the_pages_beside_it_and_none_beyond_the_ends():
    def turns(page):
        return position.sheet(position.position({"page_shown": page}, CUTS, PAGES, None), True)

    assert (turns("1").previous, turns("5").next) == (None, None)
    assert turns("2").next.text == "?part=1&page_shown=3#page-3"
    assert turns("2").next.picture == "?part=1&page_shown=3#sheet"
    assert turns("4").previous.text == "?part=1&page_shown=3#page-3", "in another part of the text"
    assert position.sheet(position.position({}, CUTS, [], None), False) is None


# --- on the page --------------------------------------------------------------------------------------------

BOOK = "# Book\n\nFirst.\n\n## Apples\n\nRed.\n\n### Old &lt;b&gt; kinds\n\nGreen apples.\n\n## Pears\n\nYellow."


@on_the_page
def test_the_page_lists_its_headings_and_each_link_finds_its_place(client, public, add):
    document = add(public, BOOK)
    passage = document.live_revision.passages.filter(text__contains="Green").first()
    page = client.get(f"{document.get_absolute_url()}?passage={passage.pk}").content.decode()
    links = re.findall(r'<a href="#(h-\d+)"([^>]*)>([^<]*)</a>', page)
    assert [title for _anchor, _more, title in links] == ["Apples", "Old &lt;b&gt; kinds", "Pears"]
    assert [title for _a, more, title in links if "aria-current" in more] == ["Old &lt;b&gt; kinds"]
    for anchor, _more, title in links:
        assert re.search(rf'<h\d id="{anchor}">(<mark[^>]*>)?{re.escape(title)}', page)


@on_the_page
def test_a_long_documents_outline_leads_to_its_other_parts(client, public, add):
    document = add(public, "\n\n".join(f"## Chapter {n}\n\n" + "Long and wide. " * 400 for n in range(40)))
    page = client.get(document.get_absolute_url()).content.decode()
    address, anchor = re.search(r'<a href="(\?part=\d+)#(h-\d+)">Chapter 39', page).groups()
    assert f'id="{anchor}"' not in page
    there = client.get(document.get_absolute_url() + address).content.decode()
    assert re.search(rf'<h\d id="{anchor}">Chapter 39', there)


@on_the_page
def test_a_document_without_headings_and_pages_has_no_outline(client, public, add):
    assert b"<details" not in client.get(add(public, "Only text.").get_absolute_url()).content


def test_blank_pages_are_shown_too():
    blocks = reader.blocks("One.\n\nTwo.", (0, 10), [], [0, 6, 6, 6], [], None)
    assert [block.anchor for block in blocks if block.kind == "page"] == ["page-1", "page-2", "page-3", "page-4"]
