"""Jupyter notebooks (nbformat 3 and 4): prose, code, and what the code printed."""

import json
import re
from typing import Any

from searchsite.documents.extract import markdown
from searchsite.documents.extract.extracted import Extracted, Limits, Writer, as_date
from searchsite.documents.problems import Problem

LONGEST_OUTPUT = 4000  # characters; a log of training may be as long as a book, and says little
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # ANSI codes for colours


def read(data: bytes, limits: Limits) -> Extracted:
    """Read a notebook in UTF-8; title, authors and date are those of its metadata.

    Raises Problem: "damaged" (also for JSON that is no notebook), "too_much_text", "nested_too_deep".
    """
    try:
        notebook = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Problem("damaged") from error
    writer = Writer(limits)
    for cell in _cells(notebook):
        _write(cell, writer)
    metadata = _dict(notebook.get("metadata"))
    authors = [_text(author.get("name")) for author in _dicts(metadata.get("authors"))]
    return writer.extracted(
        "ipynb",
        _text(metadata.get("title") or metadata.get("name")),  # nbformat 4, 3
        ", ".join(filter(None, authors)),
        as_date(_text(metadata.get("date"))),
    )


def _cells(notebook: Any) -> list[dict[str, Any]]:
    """All cells of a notebook; in nbformat 3 they stood in worksheets. Raises Problem("damaged")."""
    if not isinstance(notebook, dict) or not isinstance(notebook.get("nbformat", 0), int):
        raise Problem("damaged")
    if isinstance(notebook.get("cells"), list):
        return _dicts(notebook["cells"])
    if isinstance(notebook.get("worksheets"), list):
        return [cell for sheet in _dicts(notebook["worksheets"]) for cell in _dicts(sheet.get("cells"))]
    raise Problem("damaged")


def _write(cell: dict[str, Any], writer: Writer) -> None:
    source = _text(cell.get("source") or cell.get("input"))  # nbformat 4, 3
    match cell.get("cell_type"):
        case "markdown":
            markdown.write(source.replace("\r\n", "\n"), writer)
        case "heading":  # of nbformat 3
            level = cell.get("level")
            writer.heading(level if isinstance(level, int) and 1 <= level <= 6 else 1, source)
        case "code":
            writer.preformatted(source)
            for output in _dicts(cell.get("outputs")):
                writer.preformatted(ESCAPES.sub("", _printed(output))[:LONGEST_OUTPUT])
        case _:
            writer.block(source)


def _printed(output: dict[str, Any]) -> str:
    """What a reader sees of an output as text; "" for pictures and for what went wrong."""
    if output.get("output_type") in ("error", "pyerr"):
        return ""
    data = _dict(output.get("data"))
    return _text(data.get("text/plain") or output.get("text"))


def _text(value: Any) -> str:
    """A text of nbformat: a string, or a list of its lines."""
    if isinstance(value, list):
        return "".join(line for line in value if isinstance(line, str))
    return value if isinstance(value, str) else ""


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
