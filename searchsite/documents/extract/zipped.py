"""The zip formats (DOCX, PPTX, XLSX, ODF, EPUB): parts unpacked within limits, and XML parsed without DTDs.

A zip's directory says how large each part is, and may lie. So nothing is unpacked at once: each part is read piece by
piece, up to the size that the directory declares, and the declared sizes are held against a limit before.
"""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING
from xml.parsers import expat

from searchsite.documents.extract.extracted import as_date
from searchsite.documents.problems import Problem, megabytes

if TYPE_CHECKING:
    from lxml.etree import _Element  # type: ignore[import-untyped]

ENCRYPTED = 0x1  # flag of a zip entry
PIECE = 2**16  # bytes
# The only methods that office formats and EPUB allow, and the only ones that Python's zipfile unpacks piece by piece.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
XML_PART = re.compile(r".*\.(?:xml|rels)\Z", re.IGNORECASE | re.DOTALL)
CORE_PROPERTIES = "docProps/core.xml"
MOST_PROPERTIES = 2**20  # bytes
BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, ValueError)


@dataclass(frozen=True)
class Properties:
    """What an office file says about itself; "" and None where it does not say."""

    title: str = ""
    author: str = ""
    written: date | None = None


def open_archive(data: bytes) -> zipfile.ZipFile:
    """Open a zip; nothing is unpacked yet. Raises Problem("damaged")."""
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except BROKEN_ZIP as error:
        raise Problem("damaged") from error


def read_part(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """Unpack one part, at most `limit` bytes whatever the zip's directory says.

    Raises Problem: "unpacks_too_large", "password", "damaged" (also when there is no such part; ask
    `archive.namelist()` for parts that a file may lack).
    """
    try:
        entry = archive.getinfo(name)
    except KeyError as error:
        raise Problem("damaged") from error
    check_size(entry.file_size, limit)
    if entry.flag_bits & ENCRYPTED:
        raise Problem("password")
    if entry.compress_type not in METHODS:
        raise Problem("damaged")
    unpacked = bytearray()
    try:
        with archive.open(entry) as part:
            # Not read at once: zipfile would unpack all there is, and cut it to the declared size only then.
            while piece := part.read(PIECE):
                unpacked += piece
    except BROKEN_ZIP as error:
        raise Problem("damaged") from error
    return bytes(unpacked)


def check_size(size: int, limit: int) -> None:
    """Raises Problem("unpacks_too_large") when `size` bytes are more than `limit`."""
    if size > limit:
        raise Problem("unpacks_too_large", size=megabytes(size), limit=megabytes(limit))


def read_parts(archive: zipfile.ZipFile, wanted: re.Pattern[str], limit: int) -> dict[str, bytes]:
    """Unpack the parts whose names match, `limit` bytes in all.

    Raises Problem: "unpacks_too_large" (before anything is unpacked), "password", "damaged".
    """
    entries = [archive.getinfo(name) for name in dict.fromkeys(archive.namelist()) if wanted.match(name)]
    check_size(sum(entry.file_size for entry in entries), limit)
    return {entry.filename: read_part(archive, entry.filename, limit) for entry in entries}


def repacked(
    archive: zipfile.ZipFile,
    wanted: re.Pattern[str],
    limit: int,
    prepare: Callable[[bytes], bytes],
    *,
    empty_others: bool = False,
) -> bytes:
    """A zip of the parts whose names match, for a library that unpacks without limits of its own.

    prepare: takes each part and gives what is to stand in its place. It is called for XML only, and after
    `refuse_doctype`. empty_others: keep the other parts too, with nothing in them.
    Raises Problem: "unpacks_too_large" (before anything is unpacked), "password", "damaged".
    """
    names = dict.fromkeys(archive.namelist())
    check_size(sum(archive.getinfo(name).file_size for name in names if wanted.match(name)), limit)
    out = io.BytesIO()
    # Packed again, if lightly, since there are several copies of it in memory when a library reads it.
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as copy:
        for name in names:
            if wanted.match(name):
                content = read_part(archive, name, limit)
                if content and XML_PART.match(name):
                    refuse_doctype(content)
                    content = prepare(content)
                copy.writestr(name, content)
            elif empty_others:
                copy.writestr(name, b"")
    return out.getvalue()


def refuse_doctype(xml: bytes) -> None:
    """Raises Problem("damaged") for XML with a DTD, or for what is no XML up to its first element.

    Office formats have no DTDs; attacks with entities (billion laughs, XXE) need one.
    """
    parser = expat.ParserCreate()

    def doctype(*_: object) -> None:
        raise Problem("damaged")

    def first_element(*_: object) -> None:
        raise StopIteration

    parser.StartDoctypeDeclHandler = doctype
    parser.StartElementHandler = first_element
    try:
        parser.Parse(xml, True)
    except StopIteration:
        return
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise Problem("damaged") from error


def parse_xml(xml: bytes) -> "_Element":
    """The root of an XML part without a DTD. Raises Problem("damaged")."""
    from lxml import etree  # type: ignore[import-untyped]

    refuse_doctype(xml)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
    try:
        return etree.fromstring(xml, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Problem("damaged") from error


def core_properties(archive: zipfile.ZipFile) -> Properties:
    """Title, author and date of creation of a DOCX, PPTX or XLSX; none where its properties cannot be read."""
    if CORE_PROPERTIES not in archive.namelist():
        return Properties()
    try:
        root = parse_xml(read_part(archive, CORE_PROPERTIES, MOST_PROPERTIES))
    except Problem:  # the text matters more
        return Properties()
    return Properties(
        root.findtext("{*}title") or "", root.findtext("{*}creator") or "", as_date(root.findtext("{*}created") or "")
    )
