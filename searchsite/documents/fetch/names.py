"""What a server says of a file, turned into a file's name, with an ending from which its kind can be told."""

import re
from collections.abc import Mapping
from email.message import Message
from email.utils import collapse_rfc2231_value
from pathlib import PurePath
from urllib.parse import unquote, urlsplit

from searchsite.documents.extract import safe_name
from searchsite.documents.extract.kinds import KIND_OF_EXTENSION, TEXTUAL, readable
from searchsite.documents.problems import Problem

OPEN_XML = "application/vnd.openxmlformats-officedocument"
ENDING_OF_TYPE = {
    "text/html": ".html",
    "application/xhtml+xml": ".xhtml",
    "application/pdf": ".pdf",
    "application/x-pdf": ".pdf",
    "application/msword": ".doc",
    f"{OPEN_XML}.wordprocessingml.document": ".docx",
    f"{OPEN_XML}.wordprocessingml.template": ".dotx",
    "application/vnd.ms-word.document.macroenabled.12": ".docm",
    f"{OPEN_XML}.presentationml.presentation": ".pptx",
    f"{OPEN_XML}.presentationml.slideshow": ".ppsx",
    "application/vnd.ms-powerpoint.presentation.macroenabled.12": ".pptm",
    f"{OPEN_XML}.spreadsheetml.sheet": ".xlsx",
    "application/vnd.ms-excel": ".xls",
    "application/vnd.ms-excel.sheet.macroenabled.12": ".xlsm",
    "application/vnd.ms-excel.sheet.binary.macroenabled.12": ".xlsb",
    "application/vnd.oasis.opendocument.text": ".odt",
    "application/vnd.oasis.opendocument.spreadsheet": ".ods",
    "application/epub+zip": ".epub",
    "application/vnd.ms-outlook": ".msg",
    "message/rfc822": ".eml",
    "multipart/related": ".mht",
    "application/x-mimearchive": ".mht",
    "text/csv": ".csv",
    "application/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "application/jsonl": ".jsonl",
    "application/x-jsonlines": ".jsonl",
    "application/x-ndjson": ".jsonl",
    "application/x-ipynb+json": ".ipynb",
    "text/markdown": ".md",
    "text/x-markdown": ".md",
    "text/x-rst": ".rst",
    "text/xml": ".xml",
    "text/javascript": ".js",
    "application/javascript": ".js",
    "application/json": ".json",
    "application/sql": ".sql",
    "application/toml": ".toml",
    "application/x-sh": ".sh",
    "application/x-tex": ".tex",
    "application/xml": ".xml",
    "application/x-yaml": ".yaml",
    "application/yaml": ".yaml",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/tiff": ".tif",
    "image/webp": ".webp",
    "image/bmp": ".bmp",
    "image/gif": ".gif",
}
# The rest of what is text to a reader; drawings (image/svg+xml) are none.
ENDING_OF_FAMILY = {
    re.compile(r"text/.+"): ".txt",
    re.compile(r"application/.+\+json"): ".json",
    re.compile(r"application/.+\+xml"): ".xml",
}
# What servers say who do not know the type: only the name's ending can tell.
VAGUE = frozenset(
    [
        "application/octet-stream",
        "binary/octet-stream",
        "application/x-download",
        "application/force-download",
        # Office files and books are archives, and are served as such where their own types are not known.
        "application/zip",
        "application/x-zip-compressed",
    ]
)
# A kind that a type stands for -> the more precise kinds that a name may tell.
MORE_PRECISE = {"text": TEXTUAL | {"eml"}, "code": {"ipynb", "jsonl"}}
# Python's parser of parameters takes long for more, and fails on numbers of thousands of digits.
LONGEST_HEADER = 2000  # characters
MEDIA_TYPE = re.compile(r"[\w!#$&^.+-]{1,127}/[\w!#$&^.+-]{1,127}", re.ASCII)


def file_name(url: str, headers: Mapping[str, str]) -> str:
    """A safe name for what the headers (by name, lower-case) announce; known endings fit the content's type.

    Raises Problem("fetch_type") for what cannot be read here.
    """
    media_type = content_type(headers)[0]
    given = _usable(_attachment(headers)) or _usable(_last_part(url))
    named = KIND_OF_EXTENSION.get(PurePath(given).suffix.lower())
    name = given or _host(url)
    # A server that says nothing leaves it to the content.
    if not media_type or (media_type in VAGUE and named):
        return name
    ending = _ending(media_type)
    if not ending:
        raise Problem("fetch_type", type=media_type, kinds=readable())
    kind = KIND_OF_EXTENSION[ending]
    fits = named == kind or named in MORE_PRECISE.get(kind, ())
    return name if fits else safe_name(name + ending)


def content_type(headers: Mapping[str, str]) -> tuple[str, str]:
    """The media type and the character set, in lower case, each "" where it is not told."""
    message = Message()
    message["Content-Type"] = header = headers.get("content-type", "")[:LONGEST_HEADER]
    media_type = header.partition(";")[0].strip().lower()
    if not MEDIA_TYPE.fullmatch(media_type):
        return "", ""
    return media_type, message.get_content_charset("")


def _ending(media_type: str) -> str:
    if media_type in ENDING_OF_TYPE:
        return ENDING_OF_TYPE[media_type]
    return next((ending for family, ending in ENDING_OF_FAMILY.items() if family.fullmatch(media_type)), "")


def _attachment(headers: Mapping[str, str]) -> str:
    message = Message()
    message["Content-Disposition"] = headers.get("content-disposition", "")[:LONGEST_HEADER]
    found = [value for name, value in message.get_params([], "content-disposition") if name.lower() == "filename"]
    # Those that tell their character set, as tuples, go before what is there for old browsers.
    found.sort(key=lambda value: not isinstance(value, tuple))
    return collapse_rfc2231_value(found[0]) if found else ""


def _last_part(url: str) -> str:
    return urlsplit(url).path.rstrip("/").rpartition("/")[2]


def _host(url: str) -> str:
    """The host as people write it."""
    import idna

    host = urlsplit(url).hostname or ""
    try:
        return safe_name(idna.decode(host))
    except idna.IDNAError:
        return safe_name(host)


def _usable(name: str) -> str:
    """The name, unescaped and safe, or ""."""
    try:
        return safe_name(unquote(name, errors="strict"))
    except UnicodeDecodeError:
        return safe_name(name)
    except Problem:
        return ""
