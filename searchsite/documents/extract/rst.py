"""reStructuredText: its text without the marks, also that of Sphinx, whose directives docutils does not know."""

import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from searchsite.documents.extract.extracted import Extracted, Limits, Writer, as_date, one_line
from searchsite.documents.problems import Problem

if TYPE_CHECKING:
    from docutils import nodes  # type: ignore[import-untyped]

# What docutils takes too long for is read as plain text: it reads 50,000 to 300,000 characters in a second.
LONGEST = 250_000  # characters
# For what may begin inline markup it looks as far as the paragraph goes, at the border of a table over and over: the
# work is counted in characters looked at, of which it does some 50 million in a second.
MOST_WORK = 100_000_000
WORK_OF_START = 5_000  # beside looking for its end
WORK_OF_LINE = 8_000
BLANK_LINE = re.compile(r"\n[ \t]*\n")
START = re.compile(r"(?<![^\s'\"(\[{<:/-])(?:\*\*?|``?|_`|\|)(?=\S)|\w__?(?!\w)|`__?(?!\w)")
BORDER = re.compile(r"\+[-+=]{50,}")
TITLE_OR_FIELD = re.compile(r"^(?:([^\w\s])\1*[ \t]*$|[ \t]*:[^:\n]+:)", re.MULTILINE)
SETTINGS = {
    "_disable_config": True,
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "report_level": 5,
    "halt_level": 5,
    "warning_stream": False,
    "traceback": True,  # exceptions come out, rather than SystemExit
    "sectsubtitle_xform": False,
    "smart_quotes": False,
    "math_output": "latex",
    "syntax_highlight": "none",
    "line_length_limit": 100_000,
}
ERROR = 3  # docutils' level
DIRECTIVE = re.compile(r"^[ \t]*\.\.[ \t]+(?:\|[^|\n]+\|[ \t]+)?([\w:+.-]+?)[ \t]?::(?:\s|\Z)", re.MULTILINE)
ROLE = re.compile(r":([a-zA-Z][\w:+.-]*?):`|`:([a-zA-Z][\w:+.-]*?):(?!`)")
ROLE_TARGET = re.compile(r"(.*\S)\s*<[^<>]*>\Z", re.DOTALL)
CODE = frozenset([
    "code", "code-block", "sourcecode", "code-cell", "doctest", "testcode", "testoutput", "testsetup", "testcleanup",
    "ipython", "prompt", "productionlist", "graphviz", "digraph", "mermaid", "plot",
])  # fmt: skip
# What they are given is for Sphinx, not for readers.
UNSEEN_ARGUMENT = CODE | {
    "only",
    "ifconfig",
    "toctree",
    "tab-set",
    "grid",
    "highlight",
    "index",
    "currentmodule",
    "module",
}
VERSION = {
    "versionadded": "New in version",
    "versionchanged": "Changed in version",
    "deprecated": "Deprecated since version",
}


def read(data: bytes, limits: Limits) -> Extracted:
    """Read reStructuredText in UTF-8; author and date are those of the fields it begins with.

    What docutils cannot read is read as plain text. Raises Problem("too_much_text").
    """
    source = data.decode()
    writer = Writer(limits)
    try:
        if _takes_too_long(source):
            raise ValueError("docutils would take too long")
        document = _parse(source)
        _Blocks(writer).children(document, 1)
    except Problem:
        raise
    except Exception:  # noqa: BLE001  docutils promises no class of error; nested deeply it ends in RecursionError
        writer = Writer(limits)
        writer.block(source)
        return writer.extracted("rst")
    author, written = _docinfo(document)
    return writer.extracted("rst", str(document.get("title", "")), author, as_date(written))


def _takes_too_long(source: str) -> bool:
    if len(source) > LONGEST:
        return True
    work = WORK_OF_LINE * sum(1 for _ in TITLE_OR_FIELD.finditer(source))
    for paragraph in BLANK_LINE.split(source):
        work += sum(1 for _ in START.finditer(paragraph)) * (WORK_OF_START + len(paragraph))
        work += sum(2 * len(border) ** 2 for border in BORDER.findall(paragraph))
    return work > MOST_WORK


def _parse(source: str) -> "nodes.document":
    from docutils.core import publish_doctree  # type: ignore[import-untyped]
    from docutils.parsers.rst import directives, roles  # type: ignore[import-untyped]

    unknown = {name.lower() for name in DIRECTIVE.findall(source)}
    for name in unknown & CODE | {name for name in unknown if not _is_known_directive(name)}:
        directives.register_directive(name, _keep())
    for name in {(first or second).lower() for first, second in ROLE.findall(source)}:
        if not _is_known_role(name):
            roles.register_canonical_role(name, _keep_role)
    return publish_doctree(source, settings_overrides=SETTINGS)


def _is_known_directive(name: str) -> bool:
    from docutils.parsers.rst import directives
    from docutils.parsers.rst.languages import en  # type: ignore[import-untyped]

    return name in en.directives or name in directives._directives


def _is_known_role(name: str) -> bool:
    from docutils.parsers.rst import roles
    from docutils.parsers.rst.languages import en

    return name in en.roles or name in roles._role_registry


@cache
def _keep() -> Any:
    """The directive in whose place any directive that docutils does not know is read: nothing of it is lost."""
    from docutils import nodes
    from docutils.parsers.rst import Directive

    class AnyOptions(dict[str, Callable[[str], Any]]):
        def __missing__(self, _name: str) -> Callable[[str], Any]:
            return str

    class Keep(Directive):  # type: ignore[misc]
        optional_arguments = 1
        final_argument_whitespace = True
        has_content = True
        option_spec = AnyOptions(name=str)

        def run(self) -> list[nodes.Node]:
            kept: list[nodes.Node] = []
            name = self.name.lower()
            if self.arguments and name not in UNSEEN_ARGUMENT:
                text = f"{VERSION[name]} {self.arguments[0]}" if name in VERSION else self.arguments[0]
                inline, messages = self.state.inline_text(text, self.lineno)
                kept.append(nodes.paragraph(text, "", *inline))
                kept += messages
            if name in CODE:
                code = "\n".join(self.content)
                kept.append(nodes.literal_block(code, code))
            elif self.content:
                inner = nodes.container()
                self.state.nested_parse(self.content, self.content_offset, inner, match_titles=True)
                kept.append(inner)
            return kept

    return Keep


def _keep_role(
    _name: str,
    rawtext: str,
    text: str,
    _lineno: int,
    _inliner: object,
    _options: object = None,
    _content: object = None,
) -> tuple[list[Any], list[Any]]:
    """Any role that docutils does not know: its text, of "text <target>" the text."""
    from docutils import nodes, utils

    text = utils.unescape(text)
    match = ROLE_TARGET.match(text)
    return [nodes.inline(rawtext, match[1] if match else text.lstrip("~!"))], []


def _docinfo(document: "nodes.document") -> tuple[str, str]:
    from docutils import nodes

    for docinfo in document.findall(nodes.docinfo):
        authors = [node.astext() for node in docinfo.findall(nodes.author)]
        return ", ".join(authors), next((node.astext() for node in docinfo.findall(nodes.date)), "")
    return "", ""


class _Blocks:
    """Writes the nodes of a document block by block."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.marker = ""
        self.depth = 0  # of lists

    def children(self, node: "nodes.Node", level: int) -> None:
        """level: that of a title among them."""
        from docutils import nodes

        for child in node.children:
            if isinstance(child, nodes.title | nodes.subtitle) and isinstance(node, nodes.document | nodes.section):
                self.writer.heading(level, child.astext())
                level += isinstance(node, nodes.document)
            else:
                self._take(child, level)

    def _take(self, node: "nodes.Node", level: int) -> None:
        from docutils import nodes

        if isinstance(node, nodes.Invisible | nodes.raw | nodes.target):
            return
        if isinstance(node, nodes.system_message):
            # An error, such as a broken table, holds what it is about; a warning what was left out on purpose.
            for text in node.findall(nodes.literal_block) if node["level"] >= ERROR else ():
                self.writer.preformatted(text.astext())
        elif isinstance(node, nodes.section) and "system-messages" not in node["classes"]:
            self.children(node, level if self._is_top(node) else level + 1)
        elif isinstance(node, nodes.literal_block | nodes.doctest_block | nodes.math_block):
            self.writer.preformatted(node.astext())
        elif isinstance(node, nodes.bullet_list | nodes.enumerated_list):
            self._list(node, level)
        elif isinstance(node, nodes.row):
            cells = (one_line(cell.astext()) for cell in node.children)
            self.writer.block(" | ".join(filter(None, cells)), run="table")
        elif isinstance(node, nodes.line_block):
            self._write("\n".join(line.astext() for line in node.findall(nodes.line)))
        elif isinstance(node, nodes.field | nodes.option_list_item):
            self.writer.block(": ".join(child.astext() for child in node.children), run="fields")
        elif isinstance(node, nodes.Bibliographic) and not isinstance(node, nodes.authors):
            if isinstance(node, nodes.topic):
                self.children(node, level)
            else:
                self.writer.block(f"{type(node).__name__.title()}: {node.astext()}", run="fields")
        elif isinstance(node, nodes.TextElement):
            self._write(node.astext())
        elif isinstance(node, nodes.image):
            self._write(node.get("alt", ""))
        elif not isinstance(node, nodes.section):
            self.children(node, level)

    def _is_top(self, section: "nodes.Node") -> bool:
        from docutils import nodes

        return isinstance(section.parent, nodes.document)

    def _list(self, node: Any, level: int) -> None:
        from docutils import nodes

        indent = "  " * self.depth
        self.depth += 1
        number = int(node.get("start", 1)) if isinstance(node, nodes.enumerated_list) else None
        for item in node.children:
            self.marker = f"{indent}- " if number is None else f"{indent}{number}. "
            self.children(item, level)
            number = None if number is None else number + 1
        self.marker = ""
        self.depth -= 1

    def _write(self, text: str) -> None:
        self.writer.block(self.marker + text, run="list" if self.marker else None)
        self.marker = ""
