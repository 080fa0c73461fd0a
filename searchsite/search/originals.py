"""The content type with which an original is handed out: from a table of ours, never from the upload."""

from __future__ import annotations

from pathlib import PurePath

from searchsite.documents.extract.kinds import KIND_OF_EXTENSION

UNKNOWN = "application/octet-stream"
OFFICE = "application/vnd.openxmlformats-officedocument"
OPEN = "application/vnd.oasis.opendocument"
# No character set is named: which one a file is in, only its reader finds out, and we do not keep it.
OF_EXTENSION = {
    ".pdf": "application/pdf",
    ".docx": f"{OFFICE}.wordprocessingml.document",
    ".docm": "application/vnd.ms-word.document.macroEnabled.12",
    ".dotx": f"{OFFICE}.wordprocessingml.template",
    ".doc": "application/msword",
    ".odt": f"{OPEN}.text",
    ".pptx": f"{OFFICE}.presentationml.presentation",
    ".pptm": "application/vnd.ms-powerpoint.presentation.macroEnabled.12",
    ".ppsx": f"{OFFICE}.presentationml.slideshow",
    ".xlsx": f"{OFFICE}.spreadsheetml.sheet",
    ".xlsm": "application/vnd.ms-excel.sheet.macroEnabled.12",
    ".xlsb": "application/vnd.ms-excel.sheet.binary.macroEnabled.12",
    ".xls": "application/vnd.ms-excel",
    ".ods": f"{OPEN}.spreadsheet",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".jsonl": "application/jsonl",
    ".ndjson": "application/x-ndjson",
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "application/xhtml+xml",
    ".epub": "application/epub+zip",
    ".eml": "message/rfc822",
    ".mht": "multipart/related",
    ".mhtml": "multipart/related",
    ".msg": "application/vnd.ms-outlook",
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".rst": "text/x-rst",
    ".rest": "text/x-rst",
    ".ipynb": "application/x-ipynb+json",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".webp": "image/webp",
    ".bmp": "image/bmp",
    ".gif": "image/gif",
}
# Where the name does not fit what the content was found to be. Of the others there are several formats each.
OF_KIND = {
    "pdf": OF_EXTENSION[".pdf"],
    "docx": OF_EXTENSION[".docx"],
    "doc": OF_EXTENSION[".doc"],
    "odt": OF_EXTENSION[".odt"],
    "pptx": OF_EXTENSION[".pptx"],
    "html": OF_EXTENSION[".html"],
    "epub": OF_EXTENSION[".epub"],
    "msg": OF_EXTENSION[".msg"],
    "text": "text/plain",
    "code": "text/plain",
}


def content_type(name: str, kind: str) -> str:
    """The content type of a file that is called `name` and was found to be of that kind ("": it was never read).

    The ending of the name only chooses between the formats of the kind.
    """
    extension = PurePath(name).suffix.lower()
    if kind and KIND_OF_EXTENSION.get(extension) == kind and extension in OF_EXTENSION:
        return OF_EXTENSION[extension]
    return OF_KIND.get(kind, UNKNOWN)
