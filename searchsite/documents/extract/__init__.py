"""File -> text: one function a format, found by what the file holds and not by what it is called."""

import re
import unicodedata
from dataclasses import replace
from importlib import import_module

from searchsite.documents.extract.extracted import Extracted, Heading, Limits
from searchsite.documents.extract.kinds import KIND_OF_EXTENSION, identify
from searchsite.documents.problems import Problem, megabytes

__all__ = ["READERS", "Extracted", "Heading", "Limits", "extract", "safe_name", "title_of_name"]

# Kind -> the function of this package that reads it: (data, limits) -> Extracted, or a Problem raised. Imported, with
# its library, when the first file of its kind comes.
READERS = {
    "text": "text.read",
    "code": "text.read_code",
    "markdown": "markdown.read",
    "rst": "rst.read",
    "ipynb": "notebook.read",
    "html": "html.read",
    "epub": "epub.read",
    "pdf": "pdf.read",
    "image": "image.read",
    "docx": "docx.read",
    "doc": "doc.read",
    "odt": "odt.read",
    "pptx": "pptx.read",
    "sheet": "sheet.read",
    "csv": "rows.read_csv",
    "jsonl": "rows.read_jsonl",
    "eml": "mail.read_eml",
    "msg": "mail.read_msg",
}
# Kinds whose first line says little about them: tables and programs.
NAMED_BY_FILE = frozenset(["code", "csv", "jsonl", "sheet"])
LONGEST_NAME = 200  # characters
LONGEST_TITLE = 200
# A first line that is longer is the text's first sentence rather than its title.
LONGEST_TITLE_LINE = 100
# What programs write into the title of a file when nobody gave it one.
NO_TITLE = re.compile(
    r"(?:untitled|no title|document|presentation|slide|title|无标题|未命名|幻灯片)[ \d]*\Z|microsoft \w+ - |"
    r"\S+\.(?:docx?|dotx?|dvi|html?|indd|odt|pages|pdf|pptx?|qxd|rtf|tex|tiff?|txt|xlsx?)\Z|(?:https?|file)://",
    re.IGNORECASE,
)


def extract(data: bytes, name: str, limits: Limits) -> Extracted:
    """The text of an uploaded file, with its title (never empty), pages, headings and code blocks.

    name: what the uploader called it; trusted for no more than the choice between formats of plain text.
    Raises Problem: "empty_file", "too_large", "no_text", and what `identify` and the format's reader raise.
    """
    if not data:
        raise Problem("empty_file")
    if len(data) > limits.max_bytes:
        raise Problem("too_large", size=megabytes(len(data)), limit=megabytes(limits.max_bytes))
    kind, content = identify(data, name)
    module, function = READERS[kind].split(".")
    extracted: Extracted = getattr(import_module(f"{__name__}.{module}"), function)(content, limits)
    if not extracted.text.strip():
        raise Problem("no_text")
    found = _title(extracted, name)
    return replace(extracted, title=found or title_of_name(name, kind), named_by_file=not found)


def safe_name(name: str) -> str:
    """The last part of a file's name, without anything that could lead elsewhere; at most 200 characters.

    Raises Problem("bad_name") when nothing is left.
    """
    base = re.split(r"[/\\]", name)[-1]
    visible = "".join(c for c in base if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp"))
    visible = visible.strip()
    if not visible.strip("."):
        raise Problem("bad_name")
    stem, dot, extension = visible.rpartition(".")
    if dot and len(extension) < LONGEST_NAME // 2:
        return stem[: LONGEST_NAME - 1 - len(extension)] + dot + extension
    return visible[:LONGEST_NAME]


def title_of_name(name: str, kind: str) -> str:
    """A title for a file that has none in it: its name, without its ending unless it is a program's."""
    name = safe_name(name)
    stem, _, extension = name.rpartition(".")
    return (name if kind == "code" else stem or extension)[:LONGEST_TITLE]


def _title(extracted: Extracted, name: str) -> str:
    """What the file calls itself, else its first heading, else its first line if it is short, else nothing."""
    _, dot, extension = safe_name(name).rpartition(".")
    first_line = extracted.text.lstrip().partition("\n")[0].strip()
    candidates = ["" if NO_TITLE.match(extracted.title) else extracted.title]
    if extracted.kind not in NAMED_BY_FILE:
        candidates += [heading.title for heading in extracted.headings[:1]]
        # The first line of a text in a file of no known ending (a message, a dump) says little about it, too.
        if len(first_line) <= LONGEST_TITLE_LINE and (not dot or f".{extension}".lower() in KIND_OF_EXTENSION):
            candidates.append(first_line)
    return next(filter(None, candidates), "")[:LONGEST_TITLE]
