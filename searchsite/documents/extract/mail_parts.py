"""The parts of a message as it is sent: which of them are read, their names, their bytes and text, their headers."""

import mimetypes
import re
from collections.abc import Iterator
from email.errors import MessageError
from email.header import decode_header
from email.message import Message

from searchsite.documents.extract import html
from searchsite.documents.extract.extracted import Limits, Writer, one_line
from searchsite.documents.extract.text import decode
from searchsite.documents.problems import Problem

LONGEST_HEADER = 20_000  # characters; a message may go to hundreds of people
DEEPEST = 50  # parts, or messages, within each other
LONGER = 2  # times; where HTML says that much more than the plain text beside it, that only says that there is HTML
# What mail servers write about a message: fields like those of a header.
REPORTS = frozenset(["message/delivery-status", "message/disposition-notification", "message/feedback-report"])
FOLDED = re.compile(r"\r?\n[ \t]*")


def children(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [child for child in payload if isinstance(child, Message)] if isinstance(payload, list) else []


def parts(part: Message, depth: int = 1) -> Iterator[Message]:
    """The parts that hold something themselves, in their order; of alternatives the one that is read, and all files.

    Raises Problem("nested_too_deep").
    """
    if depth > DEEPEST:
        raise Problem("nested_too_deep", limit=DEEPEST)
    kind = part.get_content_type()
    if kind == "message/rfc822" or kind in REPORTS or not part.is_multipart():
        yield part
        return
    inner = children(part)
    read = inner
    if kind == "multipart/alternative":
        read = [_richest(inner)] if inner else []
    elif kind == "multipart/related":
        read = [child for child in inner if _is_read_in_page(child)]
    chosen = {id(child) for child in read}
    for child in inner:
        yield from (leaf for leaf in parts(child, depth + 1) if id(child) in chosen or _is_file(leaf))


def _richest(alternatives: list[Message]) -> Message:
    """Plain text with something in it, unless HTML says much more; else the last, which is the richest."""
    plain = next(
        (part for part in alternatives if part.get_content_type() == "text/plain" and text_of(part).strip()), None
    )
    if plain is None:
        return alternatives[-1]
    for part in reversed(alternatives):
        inner = children(part) if part.get_content_maintype() == "multipart" else [part]
        page = next((leaf for leaf in inner if leaf.get_content_type() == "text/html"), None)
        if page is not None:
            return part if _says_more(text_of(page), " ".join(text_of(plain).split())) else plain
    return plain


def _says_more(page: str, plain: str) -> bool:
    """Whether the text of a page is more than LONGER times as long; the writer's limit ends it early."""
    scratch = Writer(Limits(max_bytes=0, max_pages=0, max_characters=LONGER * len(plain)))
    try:
        if (root := html.parse(page)) is not None:
            html.write(root, scratch)
    except Problem as problem:
        return problem.code == "too_much_text"
    return False


def _is_read_in_page(part: Message) -> bool:
    """Whether a part that belongs to a page is text of its own, rather than what the page is drawn with."""
    return part.get_content_type() in ("text/html", "text/plain") or part.get_content_maintype() in (
        "multipart",
        "message",
    )


def is_attachment(part: Message) -> bool:
    """Whether a part that is no multipart is a file, or is in a form that only programs for files can show."""
    return _is_file(part) or part.get_content_maintype() not in ("text", "multipart", "message")


def _is_file(part: Message) -> bool:
    is_file = part.get_content_disposition() == "attachment" or bool(part.get_filename())
    return part.get_content_type() != "message/rfc822" and is_file


def filename(part: Message) -> str:
    """The name of an attached file; without one it is named after what it is said to be."""
    name = one_line(decoded(part.get_filename() or ""))
    return name or f"attachment{mimetypes.guess_extension(part.get_content_type()) or ''}"


def content_of(part: Message) -> bytes:
    """The bytes of a part, its base64 or quoted-printable undone; b"" where that cannot be done."""
    try:
        content = part.get_payload(decode=True)
    except (ValueError, LookupError):
        return b""
    return content if isinstance(content, bytes) else b""


def text_of(part: Message) -> str:
    """The text of a part; a character set that does not fit it is not believed."""
    return decode(content_of(part), part.get_content_charset() or "") or ""


def header(message: Message, name: str) -> str:
    """The first header of this name as a reader sees it; "" without one."""
    # Not message[name], which makes of bytes beyond ASCII what cannot be undone.
    values = (value for key, value in message.raw_items() if key.lower() == name.lower())
    return one_line(decoded(str(next(values, ""))))


def decoded(value: str) -> str:
    """A header's value with its encoded words (=?utf-8?B?...?=) decoded."""
    raw = FOLDED.sub(" ", value[:LONGEST_HEADER]).encode("utf-8", "surrogateescape")
    text = decode(raw) or ""
    try:
        pieces = decode_header(text)
    except (MessageError, ValueError):
        return text
    return "".join(piece if isinstance(piece, str) else _word(piece, charset) for piece, charset in pieces)


def _word(piece: bytes, charset: str | None) -> str:
    # decode_header gives what stands between encoded words in this codec.
    return decode(piece, charset) or "" if charset else piece.decode("raw-unicode-escape", "replace")
