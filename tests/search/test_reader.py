"""The reader's blocks: nothing lost, the mark where the passage is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from searchsite.search import reader

TEXT = "Title\n\nA paragraph\nof two lines.\n\ncode:\n\n  x = 1\n\n  y = 2\n\nEnd."


def test_headings_code_pages_and_paragraphs():
    code = TEXT.index("  x")
    end = TEXT.index("\n\nEnd")
    blocks = reader.blocks(TEXT, (0, len(TEXT)), [(0, 1, "Title")], [0, TEXT.index("code:")], [(code, end)], None)
    assert [block.kind for block in blocks] == [
        "page",
        "heading",
        "paragraph",
        "page",
        "paragraph",
        "code",
        "paragraph",
    ]
    assert blocks[5].pieces[0].text == "  x = 1\n\n  y = 2"
    assert [block.page for block in blocks if block.kind == "page"] == [1, 2]


@given(st.text("ab \n。", max_size=200), st.integers(0, 200), st.integers(0, 200))
def test_all_text_is_shown_and_exactly_the_passage_is_marked(text, start, length):
    start = min(start, len(text))
    mark = (start, min(start + length, len(text)))
    blocks = reader.blocks(text, (0, len(text)), [], None, [], mark)
    shown = "".join(piece.text for block in blocks for piece in block.pieces)
    assert "".join(shown.split()) == "".join(text.split())
    marked = "".join(piece.text for block in blocks for piece in block.pieces if piece.marked)
    assert "".join(marked.split()) == "".join(text[mark[0] : mark[1]].split())
    if text[mark[0] : mark[1]].strip():
        firsts = [piece for block in blocks for piece in block.pieces if piece.first]
        assert len(firsts) == 1, "one place to scroll to"
        assert text[mark[0] : mark[1]].lstrip().startswith(firsts[0].text.strip()[:1])


def test_long_texts_come_in_parts_cut_at_blank_lines():
    text = "\n\n".join(f"paragraph {n} " + "word " * 50 for n in range(1000))
    parts = reader.parts(text)
    assert len(parts) > 3
    assert "".join(text[a:b] for a, b in parts) == text
    assert all(b - a <= reader.PART * 5 // 4 for a, b in parts)
    assert all(text[a:].startswith("paragraph") for a, _b in parts)
    assert reader.parts("x" * 200_000)[-1][1] == 200_000


def test_no_level_of_headings_is_left_out():
    text = "Title\n\nA\n\nB\n\nC\n\nD\n\nend"
    headings = [
        (text.index(name), level, name) for name, level in (("Title", 1), ("A", 2), ("B", 5), ("C", 3), ("D", 1))
    ]
    shown = reader.blocks(text, (0, len(text)), headings, None, [], None)
    levels = [block.level for block in reader.without_gaps(shown, "Title") if block.kind == "heading"]
    assert levels == [1, 1, 2, 2, 1], "the first repeats the title, and is not shown"
    levels = [block.level for block in reader.without_gaps(shown[2:], "Title") if block.kind == "heading"]
    assert levels == [1, 1, 1], "a part in the middle begins anew"
