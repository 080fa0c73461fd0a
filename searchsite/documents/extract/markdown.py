"""Markdown (CommonMark with tables): its text without the marks, its headings and code blocks."""

import re
from collections.abc import Sequence
from datetime import date
from functools import cache
from typing import TYPE_CHECKING

from searchsite.documents.extract import html
from searchsite.documents.extract.extracted import Extracted, Limits, Writer, as_date

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_core import StateCore
    from markdown_it.token import Token

FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
FRONT_MATTER_KEY = re.compile(r"[\w-]+[ \t]*:", re.ASCII)
FRONT_MATTER_VALUE = re.compile(
    r"^(title|authors?|date)[ \t]*:[ \t]*(.*(?:\n[ \t]*- .*)*)$", re.MULTILINE | re.IGNORECASE
)
FENCE = re.compile(r"[ \t>]*(?:[-*+]|\d+[.)])?[ \t]*(`{3,}(?![^\n]*`)|~{3,})")  # no ```code``` within a line
CODE_OR_COMMENT = re.compile(r"`+[^`\n]*`+|<!--")
HEADING_ID = re.compile(r"[ \t]*\{#[\w:.-]+\}[ \t]*\Z")  # "## Pod lifetime {#pod-lifetime}", as site generators have it
# Declarations, processing instructions, and comments that are never closed: for each markdown-it looks for its end as
# far as the paragraph goes, in time quadratic in how many there are.
DECLARATION = re.compile(r"<(?=[!?])(?!!doctype\b[^<>]{0,300}>)", re.IGNORECASE)
NO_DECLARATION = "<\ufeff"  # the writer takes the mark out again
MOST_NESTED = 100  # quotes and lists in each other
# Beyond these a paragraph's marks are left as they are: markdown-it takes time quadratic in the length, and at each
# bracket looks how far those around it reach.
LONGEST_PARAGRAPH = 30_000  # characters
MOST_OPEN_BRACKETS = 20
BRACKET = re.compile(r"[\[\]]")
TAG = re.compile(r"</?([a-zA-Z][\w:-]*)")
BREAK_TAG = re.compile(r"<br\b", re.IGNORECASE)


def read(data: bytes, limits: Limits) -> Extracted:
    """Read Markdown in UTF-8; title, author and date are those of its front matter.

    Raises Problem: "too_much_text", "nested_too_deep".
    """
    source, values = _without_front_matter(data.decode().replace("\r\n", "\n"))
    writer = Writer(limits)
    write(source, writer)
    title = values.get("title", "").strip("\"'")
    author = ", ".join(_items(values.get("author") or values.get("authors", "")))
    if writer.is_empty:  # a section's index page, say: it is found by what it is called
        writer.heading(1, title)
    return writer.extracted("markdown", title, author, _date(values))


def write(source: str, writer: Writer) -> None:
    """Write Markdown without front matter, whose line breaks are \\n, block by block."""
    blocks = _Blocks(writer)
    for token in _parser().parse(DECLARATION.sub(NO_DECLARATION, without_comments(source))):
        blocks.take(token)


@cache
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    # What is nested deeper the parser leaves out without a word.
    parser = MarkdownIt("commonmark", {"maxNesting": MOST_NESTED}).enable(["table", "strikethrough"])
    parser.core.ruler.at("inline", _parse_paragraphs)
    return parser


def _parse_paragraphs(state: "StateCore") -> None:
    """Parse what stands within each paragraph; markdown-it's own step but for paragraphs that would take too long."""
    from markdown_it.token import Token

    for token in state.tokens:
        if token.type == "inline":
            token.children = []
            if _takes_too_long(token.content):
                token.children.append(Token("text", "", 0, content=token.content))
            else:
                state.md.inline.parse(token.content, state.md, state.env, token.children)


def _takes_too_long(paragraph: str) -> bool:
    if len(paragraph) > LONGEST_PARAGRAPH:
        return True
    depth = 0
    for bracket in BRACKET.findall(paragraph):
        depth = depth + 1 if bracket == "[" else max(0, depth - 1)
        if depth > MOST_OPEN_BRACKETS:
            return True
    return False


def without_comments(source: str) -> str:
    """Take out HTML comments, however many lines they span, but leave them where they are code.

    CommonMark ends a comment where the list item around it ends; writers who comment out whole paragraphs do not.
    """
    kept: list[str] = []
    position = 0
    fence = ""
    while position < len(source):
        end = source.find("\n", position) + 1 or len(source)
        mark = FENCE.match(source, position, end)
        if fence:
            closes = mark and mark[1].startswith(fence) and not source[mark.end() : end].strip("`~ \t\n")
            fence = "" if closes else fence
        elif mark:
            fence = mark[1]
        else:
            comment = _comment_start(source, position, end)
            after = source.find("-->", comment) + 3 if comment >= 0 else 0
            if after > 2:
                kept.append(source[position:comment])
                position = after
                continue
            if comment >= 0:  # never closed, and so is no other that follows
                return "".join(kept) + source[position:]
        kept.append(source[position:end])
        position = end
    return "".join(kept)


def _comment_start(source: str, position: int, end: int) -> int:
    """Where a comment starts in a line, but not in `code`; -1 without one."""
    for match in CODE_OR_COMMENT.finditer(source, position, end):
        if match[0] == "<!--":
            return match.start()
    return -1


def _without_front_matter(source: str) -> tuple[str, dict[str, str]]:
    """The text behind the block of YAML that a file may start with, and what that says about the file."""
    match = FRONT_MATTER.match(source)
    # A text may also start with a thematic break.
    if not match or not FRONT_MATTER_KEY.match(match[1]):
        return source, {}
    values = {key.lower(): value.strip() for key, value in FRONT_MATTER_VALUE.findall(match[1])}
    return source[match.end() :], values


def _items(value: str) -> list[str]:
    """The items of a YAML list of names, written in one line or in several; of anything else the one there is."""
    items = re.split(r"(?:^|\n)[ \t]*- " if "- " in value else ",", value.strip("[]"))
    return [name for item in items if (name := item.strip().strip("\"'"))]


def _date(values: dict[str, str]) -> date | None:
    return as_date(values.get("date", "").strip("\"'"))


class _Blocks:
    """Writes the blocks of a stream of Markdown tokens."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.heading = 0  # the level of the heading that is open
        self.numbers: list[int] = []  # of the next item of each list that is open
        self.marker = ""
        self.row: list[str] | None = None

    def take(self, token: "Token") -> None:
        match token.type:
            case "heading_open":
                self.heading = int(token.tag[1:])
            case "heading_close":
                self.heading = 0
            case "inline":
                self._write(inline_text(token.children or []))
            case "fence" | "code_block":
                self.writer.preformatted(token.content)
            case "html_block":
                if (part := html.parse(token.content)) is not None:
                    html.write(part, self.writer)
            case "bullet_list_open" | "ordered_list_open":
                self.numbers.append(int(token.attrGet("start") or 1))
            case "bullet_list_close" | "ordered_list_close":
                self.numbers.pop()
            case "list_item_open":
                # Counted, as a reader sees it: many write "1." before each item.
                number = f"{self.numbers[-1]}{token.markup}" if token.info else "-"
                self.numbers[-1] += 1
                self.marker = f"{'  ' * (len(self.numbers) - 1)}{number} "
            case "list_item_close":
                self.marker = ""
            case "tr_open":
                self.row = []
            case "tr_close":
                self.writer.block(" | ".join(filter(None, self.row or [])), run="table")
                self.row = None

    def _write(self, text: str) -> None:
        if self.heading:
            self.writer.heading(self.heading, HEADING_ID.sub("", text))
        elif self.row is not None:
            self.row.append(" ".join(text.split()))
        else:
            self.writer.block(self.marker + text.strip(), run="list" if self.marker else None)
            self.marker = ""


def inline_text(tokens: "Sequence[Token]") -> str:
    """The text within a paragraph as a reader sees it: no marks, no tags, of a link only its words."""
    pieces: list[str] = []
    for token in tokens:
        match token.type:
            case "softbreak" | "hardbreak":
                pieces.append("\n")
            case "image":
                pieces.append(inline_text(token.children or []))
            case "html_inline":
                pieces.append(_tag_text(token.content))
            case _:
                pieces.append(token.content)
    return "".join(pieces)


def _tag_text(tag: str) -> str:
    """What stays of a tag: nothing, but "pip install <package>" is not HTML though it looks like a tag."""
    if BREAK_TAG.match(tag):
        return "\n"
    name = TAG.match(tag)
    return tag if name and name[1].lower() not in _html_tags() else ""


@cache
def _html_tags() -> frozenset[str]:
    from lxml.html import defs  # type: ignore[import-untyped]

    return frozenset(defs.tags | {"svg", "path", "picture", "source", "video", "audio", "details", "summary"})
