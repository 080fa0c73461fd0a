"""DOCX: text, headings, lists, tables and notes of a Word document.

Its XML is walked through and not made a tree of, which would take 30 times its size in memory.
"""

import posixpath
import re
import zipfile

from searchsite.documents.extract import zipped
from searchsite.documents.extract.docx_blocks import Output
from searchsite.documents.extract.docx_body import Body
from searchsite.documents.extract.docx_styles import Attributes, Lists, Styles, local, walk
from searchsite.documents.extract.extracted import Extracted, Limits, Writer
from searchsite.documents.problems import Problem

MOST_UNPACKED = 64 * 2**20  # bytes; a book of a thousand pages has 15 MB of XML
MAIN_PART = re.compile(r"word/document\d*\.xml\Z")
PARTS = ("styles", "numbering", "footnotes", "endnotes")  # beside the main one


def read(data: bytes, limits: Limits) -> Extracted:
    """Read a DOCX; title, author and date are those of its properties.

    Raises Problem: "password", "damaged", "unpacks_too_large", "nested_too_deep", "too_much_text".
    """
    with zipped.open_archive(data) as archive:
        properties = zipped.core_properties(archive)
        names = _names(archive)
        wanted = re.compile(f"(?:{'|'.join(map(re.escape, names.values()))})\\Z")
        unpacked = zipped.read_parts(archive, wanted, MOST_UNPACKED)
    parts = {part: unpacked.pop(name, b"") for part, name in names.items()}
    writer = Writer(limits)
    body = Body(Output(writer), Styles(parts["styles"]), Lists(parts["numbering"]))
    for part in ("footnotes", "endnotes"):
        if parts[part]:
            walk(parts.pop(part), body.start, body.end, body.data)
    walk(parts["document"], body.start, body.end, body.data)
    body.finish()
    return writer.extracted("docx", properties.title, properties.author, properties.written)


def _names(archive: zipfile.ZipFile) -> dict[str, str]:
    """Part -> its name in the zip, which may be another than Word gives. Raises Problem("damaged")."""
    held = archive.namelist()
    main = _related(archive, "").get("officeDocument", "")
    if main not in held:
        main = next(filter(MAIN_PART.match, held), "")
    if not main:
        raise Problem("damaged")
    usual = {part: posixpath.join(posixpath.dirname(main), f"{part}.xml") for part in PARTS}
    return {"document": main, **usual, **{k: v for k, v in _related(archive, main).items() if k in PARTS}}


def _related(archive: zipfile.ZipFile, name: str) -> dict[str, str]:
    """What a part relates to: the last word of the relation's type -> the other part's name; {} where unreadable."""
    folder, base = posixpath.split(name)
    found: dict[str, str] = {}

    def start(element: str, attributes: Attributes) -> None:
        if local(element) == "Relationship" and attributes.get("TargetMode") != "External":
            target = posixpath.normpath(posixpath.join("/", folder, attributes.get("Target", "")))
            found.setdefault(attributes.get("Type", "").rpartition("/")[2], target.lstrip("/"))

    try:
        walk(zipped.read_part(archive, f"{posixpath.join(folder, '_rels', base)}.rels", zipped.MOST_PROPERTIES), start)
    except Problem:  # the parts have their usual names
        return {}
    return found
