"""The writer, whose offsets are right by construction."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from searchsite.documents.extract.extracted import Limits, Writer

TEXTS = st.text(st.sampled_from("ab \n\t\r高&<\x00"), max_size=6)
CALLS = st.lists(
    st.one_of(
        st.tuples(st.just("page")),
        st.tuples(st.just("unread_page")),
        st.tuples(st.just("heading"), TEXTS),
        st.tuples(st.just("block"), TEXTS, st.sampled_from(["", "list", "table"])),
        st.tuples(st.just("preformatted"), TEXTS),
    ),
    max_size=20,
)


@given(CALLS)
def test_every_page_starts_at_the_first_character_that_is_written_on_it(calls: list[tuple[str, ...]]) -> None:
    writer = Writer(Limits(0, 0, 10_000))
    on_pages: list[str] = [""]
    for name, *arguments in calls:
        if name == "page":
            writer.page()
            on_pages.append("")
        elif name == "unread_page":
            writer.unread_page()
        elif name == "heading":
            writer.heading(1, arguments[0])
        elif name == "block":
            writer.block(arguments[0], run=arguments[1])
        else:
            writer.preformatted(arguments[0])
        on_pages[-1] += "".join(arguments[:1])

    extracted = writer.extracted("text")

    starts = [0, *(extracted.pages or []), len(extracted.text)]
    assert len(starts) == len(on_pages) + 1
    for (start, end), written in zip(pairwise(starts), on_pages, strict=True):
        page = extracted.text[start:end]
        assert visible(page) == visible(written)
        assert not visible(page) or page[0] != "\n"
    for heading in extracted.headings:
        assert extracted.text.startswith(heading.title, heading.offset)


def visible(text: str) -> str:
    return "".join(text.replace("\x00", "").split())
