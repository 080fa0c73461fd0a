"""The audit log as CSV (RFC 4180), as spreadsheet programs can open it without harm."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import UTC

from django.db.models import QuerySet

from searchsite.people.models import Entry

HEADER = ("when", "action", "who", "who_id", "from", "about", "about_id", "collection", "collection_id", "details")
FORMULA = tuple("=+-@\t\r\n＝＋－＠")
"""What makes a spreadsheet program compute a cell, or move what it says into another."""
BOM = "\ufeff"  # without it, Excel takes UTF-8 for the code page of its own language
CHUNK = 1000  # entries read, and sent, at once


class _Sent:
    """What csv.writer writes to: gives back each line."""

    def write(self, line: str) -> str:
        return line


def lines(entries: QuerySet[Entry]) -> Iterator[bytes]:
    """The log in UTF-8, the newest first, in parts; read in chunks of ids, so that no read is a long one.

    Names are as people gave them, actions as `Action` has them, times in UTC, details as JSON.
    """
    write = csv.writer(_Sent()).writerow
    yield (BOM + write(HEADER)).encode()
    newest_first, below = entries.order_by("-pk"), None
    while chunk := list((newest_first if below is None else newest_first.filter(pk__lt=below))[:CHUNK]):
        below = chunk[-1].pk
        text = "".join(write([harmless(cell) for cell in _cells(entry)]) for entry in chunk)
        yield text.encode(errors="backslashreplace")  # SQLite keeps halves of characters, too


def harmless(cell: str) -> str:
    """The cell, with a ' before it where a spreadsheet program would take it for a formula."""
    return f"'{cell}" if cell.startswith(FORMULA) or cell.lstrip().startswith(FORMULA) else cell


def _cells(entry: Entry) -> list[str]:
    numbers = (entry.user_id, entry.about_id, entry.collection_id)
    who, about, collection = ("" if number is None else str(number) for number in numbers)
    return [
        entry.when.astimezone(UTC).isoformat(timespec="seconds"),
        entry.action,
        entry.username,
        who,
        entry.address or "",
        entry.about,
        about,
        entry.collection,
        collection,
        json.dumps(entry.details, ensure_ascii=False) if entry.details else "",
    ]
