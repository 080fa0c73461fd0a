"""What kind of file it is: decided by its content, and only where that leaves a choice by its name."""

import io
import re
import zipfile
from pathlib import PurePath

from searchsite.documents.extract import ocr
from searchsite.documents.extract.text import decode
from searchsite.documents.extract.zipped import BROKEN_ZIP, METHODS
from searchsite.documents.problems import Problem

# The kinds as people know them in any language, for the sentence that refuses all others.
KINDS = (
    "PDF, DOCX, DOC, ODT, PPTX, XLSX, XLS, ODS, CSV, JSONL, HTML, MHT, EPUB, EML, MSG, Markdown, reStructuredText, "
    "IPYNB, TXT, PNG, JPEG, TIFF, WebP, PY, JS, JAVA, C, SQL, XML, YAML"
)
PICTURES = frozenset(["PNG", "JPEG", "TIFF", "WebP"])
KIND_OF_EXTENSION = {
    ".pdf": "pdf",
    ".docx": "docx",
    ".docm": "docx",
    ".dotx": "docx",
    ".doc": "doc",
    ".odt": "odt",
    ".pptx": "pptx",
    ".pptm": "pptx",
    ".ppsx": "pptx",
    ".xlsx": "sheet",
    ".xlsm": "sheet",
    ".xlsb": "sheet",
    ".xls": "sheet",
    ".ods": "sheet",
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".epub": "epub",
    ".eml": "eml",
    ".mht": "eml",
    ".mhtml": "eml",
    ".msg": "msg",
    ".md": "markdown",
    ".markdown": "markdown",
    ".rst": "rst",
    ".rest": "rst",
    ".ipynb": "ipynb",
    ".png": "image",
    ".jpg": "image",
    ".jpeg": "image",
    ".tif": "image",
    ".tiff": "image",
    ".webp": "image",
    ".bmp": "image",
    ".gif": "image",
    ".txt": "text",
    ".text": "text",
    ".log": "text",
}
CODE = (
    "asm awk bash bat bib c cc cfg clj cmake conf cpp cs css cu cxx dart diff env erl ex exs f90 fs fsx gd glsl go "
    "gradle graphql groovy h hh hpp hs hxx ini java jl js json json5 jsx kt kts less lisp lua m4 mjs ml mk mm nim "
    "nix patch php pl plist pm properties proto ps1 py pyi pyx r rb rs sas sass scala scm scss sh sol sql svelte "
    "swift tcl tex tf toml ts tsx v vb vhd vue xml xsd xsl yaml yml zig zsh"
)
KIND_OF_EXTENSION |= {f".{extension}": "code" for extension in CODE.split()}
# Kinds that are text, so that a file may be one of them by its name alone.
TEXTUAL = frozenset(["text", "markdown", "html", "rst", "csv", "jsonl", "ipynb", "code"])
ZIP = (b"PK\x03\x04", b"PK\x05\x06")
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ENCRYPTED = ("EncryptedPackage", "EncryptionInfo")  # what Office puts into an OLE container for a file with a password
PICTURE = re.compile(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|II\*\0|MM\0\*|BM.{4}\0{4}|RIFF.{4}WEBP", re.DOTALL)
PART_OF_KIND = {  # what a zip holds -> what it is
    re.compile(r"word/document\d*\.xml\Z"): "docx",
    re.compile(r"ppt/presentation\.xml\Z"): "pptx",
    re.compile(r"xl/workbook\.(?:xml|bin)\Z"): "sheet",
    re.compile(r"META-INF/container\.xml\Z"): "epub",
}
KIND_OF_MIMETYPE = {  # the part "mimetype" of a zip
    b"application/epub+zip": "epub",
    b"application/vnd.oasis.opendocument.text": "odt",
    b"application/vnd.oasis.opendocument.spreadsheet": "sheet",
}
KIND_OF_STREAM = {  # what stands at the top of an OLE container
    "WordDocument": "doc",
    "Workbook": "sheet",
    "Book": "sheet",
    "__properties_version1.0": "msg",
}
# "From: ", after a byte order mark, the line "From " of a mailbox, or an empty line or two.
MAIL_HEADER = re.compile(rb"(?:\xef\xbb\xbf)?\s{0,9}(?:>?From [^\n]*\n)?[!-9;-~]{1,76}[ \t]*:")
LONGEST_MIMETYPE = 100  # bytes
PDF_HEADER_WITHIN = 1024  # bytes; readers accept junk before it
# Possessive and atomic: linear in time, however many comments.
HTML_START = re.compile(
    r"\s*+(?>(?:<\?xml[^>]*>|<!--.*?-->)\s*+)*+<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL
)
HTML_START_WITHIN = 4096  # characters
# Text to a machine only: what a reader would see of it is drawn by a program.
MARKUP_NOT_READ = ("{\\rtf", "%!PS")


def readable() -> str:
    """KINDS, as far as they can be read here: pictures only with the OCR extra."""
    return ", ".join(kind for kind in KINDS.split(", ") if kind not in PICTURES or ocr.available())


def identify(data: bytes, name: str) -> tuple[str, bytes]:
    """The kind of a file (a key of READERS), and its content; text now in UTF-8.

    Raises Problem: "unsupported_kind", "not_what_it_says", "password", "damaged".
    """
    extension = PurePath(name).suffix.lower()
    named = KIND_OF_EXTENSION.get(extension)
    if data.lstrip()[:5] == b"%PDF-" or (named == "pdf" and b"%PDF-" in data[:PDF_HEADER_WITHIN]):
        return "pdf", data
    if PICTURE.match(data):
        return "image", data
    found = None
    if data.startswith(ZIP):
        found = _zip_kind(data, named)
    elif data.startswith(OLE):
        found = _ole_kind(data)
    elif named == "eml" and MAIL_HEADER.match(data):
        return "eml", data  # its parts each have a character set of their own, or none
    elif named in (None, *TEXTUAL) and (text := decode(data)) is not None and not text.startswith(MARKUP_NOT_READ):
        if named not in ("html", "code", "jsonl", "csv") and HTML_START.match(text[:HTML_START_WITHIN]):
            named = "html"
        return named or "text", text.encode("utf-8", "ignore")
    if found:
        return found, data
    if named:
        raise Problem("not_what_it_says", extension=extension)
    raise Problem("unsupported_kind", kinds=readable())


def _zip_kind(data: bytes, named: str | None) -> str | None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            if "mimetype" in names and archive.getinfo("mimetype").compress_type in METHODS:
                # Not archive.read, which unpacks all there is, whatever size is declared.
                with archive.open("mimetype") as part:
                    mimetype = part.read(LONGEST_MIMETYPE).strip()
                if kind := KIND_OF_MIMETYPE.get(mimetype.removesuffix(b"-template")):
                    return kind
    except BROKEN_ZIP as error:
        # Its directory stands at the end: most likely the end is missing.
        raise Problem("damaged") if named else Problem("unsupported_kind", kinds=readable()) from error
    return next((kind for part, kind in PART_OF_KIND.items() if any(map(part.match, names))), None)


def _ole_kind(data: bytes) -> str | None:
    import olefile  # type: ignore[import-untyped]

    try:
        with olefile.OleFileIO(io.BytesIO(data)) as container:
            encrypted = any(map(container.exists, ENCRYPTED))
            found = next((kind for stream, kind in KIND_OF_STREAM.items() if container.exists(stream)), None)
    except Exception as error:  # olefile promises no class of error
        raise Problem("damaged") from error
    if encrypted:
        raise Problem("password")
    return found
