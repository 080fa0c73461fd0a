"""What kind of file it is: decided by its content, and only where that leaves a choice by its name."""

import io
import re
import zipfile
from pathlib import PurePath

from searchsite.documents.extract.text import decode
from searchsite.documents.problems import Problem

# The kinds as people know them, for the sentence that refuses all others.
KINDS = "PDF, DOCX, HTML, Markdown, TXT"
KIND_OF_EXTENSION = {
    ".pdf": "pdf",
    ".docx": "docx",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".md": "markdown",
    ".markdown": "markdown",
    ".txt": "text",
    ".text": "text",
    ".log": "text",
}
ZIP = (b"PK\x03\x04", b"PK\x05\x06")
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# How Office wraps a file with a password: its name in the directory of the OLE container.
ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")
WORD_DOCUMENT = re.compile(r"word/document\d*\.xml\Z")
PDF_HEADER_WITHIN = 1024  # bytes; readers accept junk before it
HTML_START = re.compile(r"\s*(?:<\?xml[^>]*>\s*|<!--.*?-->\s*)*<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL)
HTML_START_WITHIN = 4096  # characters
# Text to a machine only: what a reader would see of it is drawn by a program.
MARKUP_NOT_READ = ("{\\rtf", "%!PS")


def identify(data: bytes, name: str) -> tuple[str, bytes]:
    """The kind of a file ("text", "markdown", "html", "pdf" or "docx"), and its content; text now in UTF-8.

    Raises Problem: "unsupported_kind", "not_what_it_says", "password", "damaged".
    """
    extension = PurePath(name).suffix.lower()
    named = KIND_OF_EXTENSION.get(extension)
    if data.lstrip()[:5] == b"%PDF-" or (named == "pdf" and b"%PDF-" in data[:PDF_HEADER_WITHIN]):
        return "pdf", data
    if data.startswith(ZIP):
        if _is_word_document(data, named):
            return "docx", data
    elif data.startswith(OLE):
        if ENCRYPTED_PACKAGE in data:
            raise Problem("password")
    elif (text := decode(data)) is not None and not text.startswith(MARKUP_NOT_READ) and named not in ("pdf", "docx"):
        if named != "html" and HTML_START.match(text[:HTML_START_WITHIN]):
            named = "html"
        return named or "text", text.encode("utf-8", "ignore")
    if named:
        raise Problem("not_what_it_says", extension=extension)
    raise Problem("unsupported_kind", kinds=KINDS)


def _is_word_document(data: bytes, named: str | None) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return any(WORD_DOCUMENT.match(part) for part in archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError) as error:
        # Its directory stands at the end: most likely the end is missing.
        raise Problem("damaged") if named == "docx" else Problem("unsupported_kind", kinds=KINDS) from error
