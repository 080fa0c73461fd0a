"""Mail: messages as they are sent (EML) and as Outlook keeps them (MSG), with what is attached to them.

Browsers save pages in the form of a message, too (MHT).
"""

import codecs
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date
from email.message import Message
from email.parser import BytesParser
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from searchsite.documents.extract import extract, html
from searchsite.documents.extract.extracted import Extracted, Limits, Writer, as_date, one_line
from searchsite.documents.extract.mail_parts import (
    DEEPEST,
    LONGEST_HEADER,
    REPORTS,
    children,
    content_of,
    decoded,
    filename,
    header,
    is_attachment,
    parts,
    text_of,
)
from searchsite.documents.extract.text import decode
from searchsite.documents.problems import Problem

if TYPE_CHECKING:
    from oxmsg import Message as OutlookMessage
    from oxmsg.attachment import Attachment

T = TypeVar("T")
HEADERS = ("From", "To", "Cc", "Date")
MOST_ATTACHMENTS = 50  # that are read, of a message and all that is attached to it
DEEPEST_ATTACHMENT = 2  # a file in a message that is attached to a message
SAVED_BY = re.compile(r"[\"<]?Saved by ")  # in an MHT file in the sender's place
ADDRESS = re.compile(r'\s*"?([^"<>]*?)"?\s*<[^<>]*>')
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
    sender = header(message, "From")
    sender = "" if SAVED_BY.match(sender) else sender
    return writer.extracted("eml", header(message, "Subject"), _name(sender), as_date(header(message, "Date")))


def _write_message(message: Message, writer: Writer, limits: Limits, level: int) -> None:
    """Write the headers, then the parts, messages within this one as sections one level lower."""
    if level > DEEPEST:
        raise Problem("nested_too_deep", limit=DEEPEST)
    _write_head(header(message, "Subject"), {name: header(message, name) for name in HEADERS}, writer, level)
    attachments = []
    for part in parts(message):
        kind = part.get_content_type()
        if kind == "message/rfc822":
            for inner in children(part):
                _write_message(inner, writer, limits, level + 1)
        elif kind in REPORTS:
            _write_report(part, writer)
        elif is_attachment(part):
            attachments.append(part)
        elif part.get_content_maintype() == "text":
            _write_body(text_of(part), part.get_content_subtype() == "html", writer)
    for part in attachments:
        _write_attachment(content_of(part), filename(part), writer, limits, level + 1)


def _write_head(subject: str, headers: dict[str, str], writer: Writer, level: int) -> None:
    writer.heading(level, subject)
    writer.block("\n".join(f"{name}: {value}" for name, value in headers.items() if value))


def _write_report(part: Message, writer: Writer) -> None:
    """Write the fields of each group: those about the message, and those about each one it was meant for."""
    for group in children(part):
        writer.block("\n".join(f"{name}: {one_line(decoded(str(value)))}" for name, value in group.raw_items()))


def _write_body(text: str, is_html: bool, writer: Writer) -> None:
    if not is_html:
        writer.block(text)
    elif (page := html.parse(text)) is not None:
        html.write(page, writer)


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
    kept = {name.title(): decoded(value) for name, value in (_got(lambda: message.message_headers) or {}).items()}
    sent = _got(lambda: message.sent_date)
    people = _got(lambda: [recipient.name or recipient.email_address for recipient in message.recipients]) or []
    headers = {
        "From": decoded(sender),
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
