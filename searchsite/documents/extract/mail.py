"""Mail: messages as they are sent (EML) and as Outlook keeps them (MSG), with what is attached to them."""

import codecs
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date
from email.errors import MessageError
from email.header import decode_header
from email.message import Message
from email.parser import BytesParser
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from searchsite.documents.extract import extract, html
from searchsite.documents.extract.extracted import Extracted, Limits, Writer, as_date, one_line
from searchsite.documents.extract.text import decode
from searchsite.documents.problems import Problem

if TYPE_CHECKING:
    from oxmsg import Message as OutlookMessage
    from oxmsg.attachment import Attachment

T = TypeVar("T")
HEADERS = ("From", "To", "Cc", "Date")
LONGEST_HEADER = 20_000  # characters; a message may go to hundreds of people
MOST_ATTACHMENTS = 50  # that are read, of a message and all that is attached to it
DEEPEST_ATTACHMENT = 2  # a file in a message that is attached to a message
DEEPEST = 50  # parts, or messages, within each other
ADDRESS = re.compile(r'\s*"?([^"<>]*?)"?\s*<[^<>]*>')
FOLDED = re.compile(r"\r?\n[ \t]*")
SHORT_FILENAME = 0x3704  # PidTagAttachFilename, the name as DOS had it
DISPLAY_NAME = 0x3001  # PidTagDisplayName, all that an attached message has


@dataclass
class _Reading:
    """What may still be read within the file that is being read; shared by a message and all that is attached to it."""

    depth: int = 0
    attachments: int = MOST_ATTACHMENTS


READING: ContextVar[_Reading] = ContextVar("READING")


@contextmanager
def _reading() -> Iterator[None]:
    """Count attachments until the outermost message is read."""
    if READING.get(None) is not None:
        yield
        return
    token = READING.set(_Reading())
    try:
        yield
    finally:
        READING.reset(token)


def read_eml(data: bytes, limits: Limits) -> Extracted:
    """Read a message; its title is its subject, its author who sent it.

    Raises Problem: "too_much_text", "nested_too_deep".
    """
    try:
        # Not the newer policy: its parser of addresses lets exceptions out for headers that break the rules.
        message = BytesParser().parsebytes(data.removeprefix(codecs.BOM_UTF8))
    except RecursionError as error:
        raise Problem("nested_too_deep", limit=DEEPEST) from error
    writer = Writer(limits)
    with _reading():
        _write_message(message, writer, limits, 1)
    sender = _header(message, "From")
    return writer.extracted("eml", _header(message, "Subject"), _name(sender), as_date(_header(message, "Date")))


def _write_message(message: "Message", writer: Writer, limits: Limits, level: int) -> None:
    """Write the headers, then the parts, messages within this one as sections one level lower."""
    if level > DEEPEST:
        raise Problem("nested_too_deep", limit=DEEPEST)
    _write_head(_header(message, "Subject"), {name: _header(message, name) for name in HEADERS}, writer, level)
    attachments = []
    for part in _parts(message, 1):
        if part.get_content_type() == "message/rfc822":
            for inner in _children(part):
                _write_message(inner, writer, limits, level + 1)
        elif _is_attachment(part):
            attachments.append(part)
        elif part.get_content_maintype() == "text":
            _write_body(_text(part), part.get_content_subtype() == "html", writer)
    for part in attachments:
        if name := _filename(part):
            _write_attachment(_content(part), name, writer, limits, level + 1)


def _write_head(subject: str, headers: dict[str, str], writer: Writer, level: int) -> None:
    writer.heading(level, subject)
    writer.block("\n".join(f"{name}: {value}" for name, value in headers.items() if value))


def _write_body(text: str, is_html: bool, writer: Writer) -> None:
    if not is_html:
        writer.block(text)
    elif (page := html.parse(text)) is not None:
        html.write(page, writer)


def _children(part: "Message") -> list["Message"]:
    payload = part.get_payload()
    return [child for child in payload if isinstance(child, Message)] if isinstance(payload, list) else []


def _parts(part: "Message", depth: int) -> Iterator["Message"]:
    """The parts that hold something themselves, in their order; of alternatives the one that is read, and all files."""
    if depth > DEEPEST:
        raise Problem("nested_too_deep", limit=DEEPEST)
    if part.get_content_type() == "message/rfc822" or not part.is_multipart():
        yield part
        return
    children = _children(part)
    read = children
    if part.get_content_type() == "multipart/alternative":
        read = [_plainest(children)] if children else []
    for child in children:
        chosen = any(child is other for other in read)
        yield from (leaf for leaf in _parts(child, depth + 1) if chosen or _is_attachment(leaf))


def _plainest(alternatives: list["Message"]) -> "Message":
    """Plain text with something in it, else the last, which is the richest."""
    plain = (part for part in alternatives if part.get_content_type() == "text/plain" and _text(part).strip())
    return next(plain, alternatives[-1])


def _is_attachment(part: "Message") -> bool:
    is_file = part.get_content_disposition() == "attachment" or bool(_filename(part))
    return part.get_content_type() != "message/rfc822" and is_file


def _filename(part: "Message") -> str:
    return one_line(_decoded(part.get_filename() or ""))


def _content(part: "Message") -> bytes:
    """The bytes of a part, its base64 or quoted-printable undone; b"" where that cannot be done."""
    try:
        content = part.get_payload(decode=True)
    except (ValueError, LookupError):
        return b""
    return content if isinstance(content, bytes) else b""


def _text(part: "Message") -> str:
    """The text of a part; a character set that does not fit it is not believed."""
    return decode(_content(part), part.get_content_charset() or "") or ""


def _header(message: "Message", name: str) -> str:
    """The first header of this name as a reader sees it; "" without one."""
    # Not message[name], which makes of bytes beyond ASCII what cannot be undone.
    values = (value for key, value in message.raw_items() if key.lower() == name.lower())
    return one_line(_decoded(str(next(values, ""))))


def _decoded(value: str) -> str:
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


def _name(sender: str) -> str:
    """The name in "Name <address>"; all of it without one."""
    match = ADDRESS.match(sender[:LONGEST_HEADER])
    return (match[1] if match else "") or sender


def _write_attachment(content: bytes, name: str, writer: Writer, limits: Limits, level: int) -> None:
    """Write what an attached file says as a section under its name; only its name where it cannot be read."""
    reading = READING.get()
    if reading.depth >= DEEPEST_ATTACHMENT or reading.attachments <= 0:
        writer.block(name)
        return
    reading.attachments -= 1
    reading.depth += 1
    try:
        extracted = extract(content, name, limits)
    except Problem as problem:
        if problem.code == "too_much_text":
            raise
        writer.block(name)
    else:
        writer.heading(level, name)
        _copy(extracted, writer, level)
    finally:
        reading.depth -= 1


def _copy(extracted: Extracted, writer: Writer, level: int) -> None:
    """Write a text that was extracted already, its headings below this level."""
    marks: list[tuple[int, int, int | None]] = [(start, end, None) for start, end in extracted.preformatted]
    marks += [(h.offset, h.offset + len(h.title), h.level) for h in extracted.headings]
    position = 0
    for start, end, heading in sorted(marks, key=lambda mark: mark[:2]):
        writer.block(extracted.text[position:start])
        if heading is None:
            writer.preformatted(extracted.text[start:end])
        else:
            writer.heading(level + heading, extracted.text[start:end])
        position = end
    writer.block(extracted.text[position:])


def read_msg(data: bytes, limits: Limits) -> Extracted:
    """Read a message of Outlook; its title is its subject, its author who sent it.

    Raises Problem: "damaged", "too_much_text", "nested_too_deep".
    """
    message = _load(data)
    writer = Writer(limits)
    subject, sender = _got(lambda: message.subject) or "", _got(lambda: message.sender) or ""
    kept = {name.title(): _decoded(value) for name, value in (_got(lambda: message.message_headers) or {}).items()}
    sent = _got(lambda: message.sent_date)
    people = _got(lambda: [recipient.name or recipient.email_address for recipient in message.recipients]) or []
    headers = {
        "From": _decoded(sender),
        "To": kept.get("To") or ", ".join(people),
        "Cc": kept.get("Cc", ""),
        "Date": kept.get("Date") or (f"{sent:%Y-%m-%d %H:%M} UTC" if sent else ""),
    }
    _write_head(subject, {name: one_line(value) for name, value in headers.items()}, writer, 1)
    if (body := _got(lambda: message.body)) and body.strip():
        writer.block(body)
    else:
        _write_body(_outlook_html(message), True, writer)
    with _reading():
        for attachment in _got(lambda: message.attachments) or ():
            if name := _outlook_name(attachment):
                content = _got(partial(getattr, attachment, "file_bytes")) or b""
                _write_attachment(content, name, writer, limits, 2)
    written: date | None = sent.date() if sent else as_date(headers["Date"])
    return writer.extracted("msg", subject, _name(headers["From"]), written)


def _load(data: bytes) -> "OutlookMessage":
    """Raises Problem("damaged")."""
    import olefile  # type: ignore[import-untyped]
    from oxmsg import Message as OutlookMessage

    try:
        with olefile.OleFileIO(io.BytesIO(data)) as container:
            # oxmsg reads all streams at once, and each may claim the same bytes.
            size = sum(
                entry.size for entry in container.direntries if entry and entry.entry_type == olefile.STGTY_STREAM
            )
        if size > len(data):
            raise Problem("damaged")
        message = OutlookMessage.load(data)
        message.properties.str_prop_value(0)  # reads them all
    except Problem:
        raise
    except Exception as error:  # olefile and oxmsg promise no class of error
        raise Problem("damaged") from error
    return message


def _got(get: Callable[[], T]) -> T | None:
    """A property of a message of Outlook; None when it is broken, as the others may still be read."""
    try:
        return get()
    except Exception:  # noqa: BLE001  oxmsg promises no class of error
        return None


def _outlook_html(message: "OutlookMessage") -> str:
    from oxmsg.domain.constants import PID_HTML

    if content := _got(lambda: message.properties.binary_prop_value(PID_HTML)):
        return decode(content, _got(lambda: message.properties.body_encoding) or "") or ""
    return _got(lambda: message.html_body) or ""


def _outlook_name(attachment: "Attachment") -> str:
    properties = attachment.properties
    name = _got(lambda: attachment.file_name) or _got(lambda: properties.str_prop_value(SHORT_FILENAME))
    return one_line(name or _got(lambda: properties.str_prop_value(DISPLAY_NAME)) or "")
