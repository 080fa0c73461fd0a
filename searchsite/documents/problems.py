"""What can be wrong with a file that somebody hands in, said in the reader's language.

A problem is kept as a code and its parameters, never as a finished sentence: whoever reads it later may read another
language than whoever caused it.
"""

import math
from functools import partial
from typing import Any

from django.utils.translation import gettext_lazy as _

# Each sentence says what was wrong, then what to do about it.
MESSAGES = {
    "address_known": _(
        "The collection has a document from this address already. Whoever may change documents can fetch it again."
    ),
    "archive_damaged": _(
        "The archive is damaged and cannot be opened. Pack its files into a ZIP archive once more, and upload that."
    ),
    "archive_empty": _("There are no files in the archive. Check that it was packed completely, and upload it again."),
    "archive_expands": _(
        "The archive claims to unpack to %(ratio)s times its size, as those do that are made to fill a disk. Unpack it "
        "yourself, and upload its files."
    ),
    "archive_password": _("It is protected by a password in the archive. Unpack it, and upload the file itself."),
    "archive_too_large": _(
        "The archive unpacks to %(size)s MB; at most %(limit)s MB are allowed. Pack its files into several archives."
    ),
    "archive_too_many": _(
        "The archive holds more than %(limit)s files, which is the most allowed. Pack its files into several archives."
    ),
    "archive_within": _("It is an archive within an archive, which is not opened. Unpack it, and upload its files."),
    "bad_name": _("The file has no usable name. Rename it, using letters or digits, and upload it again."),
    "cells_far_apart": _(
        "The cells of a sheet lie so far apart that it would have %(cells)s cells, nearly all of them empty. Delete "
        "the stray cells at its far end, or save it as XLSX or CSV, and upload that."
    ),
    "damaged": _(
        "The file is damaged and cannot be opened. Open it in the program it was made with, save it again, "
        "and upload the new copy."
    ),
    "empty_file": _("The file is empty (0 bytes). Check that it was saved completely, and upload it again."),
    "encoder": _(
        "The encoder cannot be used, so the document was not encoded: %(detail)s "
        "Once that is mended, choose “Try again”."
    ),
    "fetch_failed": _(
        "The host %(host)s could not be reached, or broke off in the middle (%(detail)s). Check the address, and "
        "choose “Try again” later."
    ),
    "fetch_private": _(
        "The host %(host)s lies in a private network, from which nothing is fetched. If it is meant to be read here, "
        "ask the administrator to name its network in SEARCHSITE_FETCH_NETWORKS, or save the page and upload the file."
    ),
    "fetch_redirects": _(
        "The address leads to other addresses more than %(limit)s times. Open it in a browser, and give the address "
        "where it ends."
    ),
    "fetch_slow": _(
        "Fetching from %(host)s took longer than %(limit)s seconds, so it was given up. Choose “Try again” later, or "
        "save the page and upload the file."
    ),
    "fetch_status": _(
        "The host %(host)s answered with the status %(status)s instead of the page. Check the address; what can be "
        "seen only after signing in there cannot be fetched: save it and upload the file."
    ),
    "fetch_too_large": _(
        "What is at the address has more than %(limit)s MB, which is the most allowed. Save the parts that matter, "
        "and upload them as files."
    ),
    "fetch_type": _(
        "At the address is something of the type %(type)s, which cannot be read here. Give the address of a page or of "
        "a document of one of these kinds: %(kinds)s, and other source code."
    ),
    "fetch_unknown_host": _("There is no host of the name %(host)s. Check the address."),
    "internal": _(
        "The file could not be read because of a fault on this site. Try again later, "
        "and tell the administrator if it keeps happening."
    ),
    "needs_ocr": _(
        "The file is a picture without a text layer. The OCR extra (requirements-ocr.txt) reads the text in pictures: "
        "ask the administrator to install it, then choose “Try again”."
    ),
    "nested_too_deep": _(
        "The parts of the file are nested more than %(limit)s levels deep, which no reader can follow. "
        "Save its text in a simpler form, and upload that."
    ),
    "no_text": _("No text was found in the file. Upload a file that contains readable text."),
    "no_text_layer": _(
        "The PDF has pages but no text layer; it is probably a scan. The OCR extra (requirements-ocr.txt) reads scans: "
        "ask the administrator to install it, then choose “Try again”, or upload a copy with recognised text."
    ),
    "not_what_it_says": _(
        "The file's name ends in %(extension)s, but its content is something else. Give the file the ending that "
        "fits its content, or save it as %(extension)s again, and upload it once more."
    ),
    "password": _("The file is protected by a password. Remove the password, and upload the file again."),
    "reader_died": _(
        "Reading the file ended the program that reads files, so the file is probably damaged. Open it in the program "
        "it was made with, save it again, and upload the new copy."
    ),
    "same_id": _(
        "Another row before it has the same id, %(id)s. Give each row an id of its own, or name another column."
    ),
    "too_large": _(
        "The file has %(size)s MB; at most %(limit)s MB are allowed. Split it into smaller files, "
        "or leave out large pictures."
    ),
    "too_many_columns": _(
        "A table in the file has more than %(limit)s columns, which is the most that is read. Save the columns that "
        "matter as a file of their own, and upload that."
    ),
    "too_many_pages": _(
        "The file has %(pages)s pages; at most %(limit)s are allowed. Split it into smaller files, "
        "and upload each of them."
    ),
    "too_much_text": _(
        "The file holds more than %(limit)s characters of text, which is the most allowed. "
        "Split it into smaller files, and upload each of them."
    ),
    "too_much_memory": _(
        "Reading the file needs more than %(limit)s MB of memory, which is the most allowed. "
        "Split it into smaller files, and upload each of them."
    ),
    "too_slow": _(
        "Reading the file took longer than %(limit)s seconds, so it was given up. Split it into smaller files, "
        "and upload each of them, or save it in a simpler form."
    ),
    "unpacks_too_large": _(
        "The file unpacks to %(size)s MB; at most %(limit)s MB are allowed. Split it into smaller files, "
        "and upload each of them."
    ),
    "unsafe_link": _("It is a link to another file, which is not followed. Pack the file itself."),
    "unsafe_path": _(
        "Its name in the archive leads out of the archive. Such a name is not trusted: unpack the archive, and upload "
        "the file itself."
    ),
    "unusable_address": _(
        "This is no address of a page that can be fetched. It must begin with http:// or https://, name a host, and "
        "hold no password."
    ),
    "worker_died": _(
        "Reading the document ended the worker process %(attempts)s times, so it was given up. It may need more "
        "memory than there is: split it into smaller files, or choose “Try again” once there is more."
    ),
    "unsupported_kind": _(
        "This kind of file cannot be read here. Save its text as one of these kinds, and upload that: %(kinds)s, "
        "and other source code."
    ),
}

# Beginnings of the codes of what need not happen once more to the same file: something of the site was missing, or in
# its way, or a limit that can be raised.
PASSING = (
    "archive_too_", "encoder", "fetch_", "internal", "needs_ocr", "no_text_layer", "too_", "unpacks_too_large",
    "worker_died",
)  # fmt: skip


def may_pass(code: str) -> bool:
    """Whether trying again, with the same file, may help; "": nothing was wrong, it was only stopped."""
    return not code or code.startswith(PASSING)


class Problem(Exception):
    """A reason to refuse a file.

    `code` is a key of MESSAGES, `params` are the values for its sentence (JSON-able). Can be pickled, so that it may
    come from a child process.
    """

    def __init__(self, code: str, **params: str | int) -> None:
        super().__init__(code)
        self.code = code
        self.params = params

    def __str__(self) -> str:
        return sentence(self.code, self.params)

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(Problem, self.code, **self.params), ()

    def as_json(self) -> dict[str, Any]:
        """What to store: {"code": str, "params": {str: str | int}}; `sentence(**stored)` reads it back."""
        return {"code": self.code, "params": self.params}


def sentence(code: str, params: dict[str, str | int]) -> str:
    """Say the problem in the active language; one that is not known, or lacks a parameter, as a fault of the site."""
    message = MESSAGES.get(code, MESSAGES["internal"])
    try:
        return str(message) % {name: _said(name, value) for name, value in params.items()}
    except (KeyError, TypeError, ValueError):
        # Stored by an older version, with other parameters: the reader still gets a sentence.
        return str(MESSAGES["internal"])


def _said(name: str, value: str | int) -> str | int:
    """A parameter as it is, but for a detail of ours, which is kept in English: that one in the active language."""
    if name != "detail" or not isinstance(value, str):
        return value
    from searchsite.encoder_sentences import translated  # not where files are read: that process has no settings

    return translated(value)


def megabytes(size: int) -> str:
    """Write bytes as megabytes (2**20), rounded up to a tenth so that what is over a limit also reads so."""
    return f"{math.ceil(size / 2**20 * 10) / 10:.1f}".removesuffix(".0")
