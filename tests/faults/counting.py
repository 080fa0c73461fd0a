"""An import of which all is counted: what goes in, what is given to the encoder, what is in the database at the end.

    python -m tests.faults.counting LOG COMMAND...

runs a command of the site. For each text of a document, before it is encoded, a line goes to LOG: "again", where
a vector of it by the present encoder is stored at that moment, or "new"; its hash, the process and the batch.
"""

from __future__ import annotations

import itertools
import os
import random
import sqlite3
import sys
import time
import zipfile
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

from tests.documents import files
from tests.site.running import Site

SECONDS_A_TEXT = 0.003  # so that what ends the process meets it encoding about as often as with a model


FILES = 500
UNPACKED = 60
BIG = range(30, 500, 120)  # several batches of vectors each
EMPTY = range(11, 500, 50)
DAMAGED = range(23, 500, 50)
EQUAL = range(37, 500, 10)  # each to the file before it

COUNTS = """
from django.db.models import Count
from searchsite.documents.models import *
from searchsite.index import backends
from searchsite.index.models import Vector
files, unpacked = Document.objects.exclude(source=""), UploadItem.objects.exclude(document=None)
ready = Document.objects.filter(state="ready", live_revision__isnull=False)
failed = Document.objects.filter(state="failed")
vectors = Vector.objects.filter(fingerprint=backends.fingerprint())
result = {
    "documents": Document.objects.count(),
    "sources": files.values("collection", "source").distinct().count(),
    "unpacked": [unpacked.count(), unpacked.filter(document__source="").values("document").distinct().count()],
    "refused": [item.name for item in UploadItem.objects.exclude(problem=None)],
    "ready": sorted(ready.values_list("name", flat=True)),
    "failed": sorted((document.name, document.problem["code"], bool(document.reason)) for document in failed),
    "revisions": Revision.objects.count(),
    "passages": Passage.objects.count(),
    "places": Passage.objects.values("revision", "start", "end").distinct().count(),
    "vectors": [Vector.objects.count(), vectors.values("passage").distinct().count()],
    "encoded": sorted(set(vectors.values_list("text_hash", flat=True))),
    "several_batches": Revision.objects.annotate(n=Count("passages")).filter(n__gt=512).count(),
    "unpack_attempts": Job.objects.get(kind="unpack").attempts,
    "jobs": list(
        Job.objects.exclude(state="ready").exclude(kind="calibrate").exclude(document__state="failed")
        .values_list("kind", "state")
    ),
}
"""
UPLOAD = """
from django.core.files.base import ContentFile
from searchsite.documents import uploads
from searchsite.documents.models import Collection
upload = uploads.begin(Collection.objects.get(), None, announced=1)
item = uploads.add_file(upload, "more.zip", ContentFile(open({path!r}, "rb").read(), name="more.zip"))
result = item.state
"""
SEARCH = """
from django.contrib.auth.models import User
from searchsite.documents.models import Passage
from searchsite.index.vectors import encoded_text
from searchsite.search.retrieve import search
admin = User.objects.create_superuser("admin", "", "pw")
result = []
for name in ("078.md", "more-07.html"):
    passage = Passage.objects.select_related("revision").filter(revision__live_for__name=name).last()
    question = encoded_text(passage.revision.title, passage.heading_path, passage.text)
    result.append([found.document.name for found in search(admin, question).results][:1])
"""
FINISHED = "SELECT count(*) FROM documents_job WHERE state NOT IN ('queued', 'running')"
# A calibration follows when all else is done, whenever upkeep comes to it.
OPEN = "SELECT count(*) FROM documents_job WHERE state IN ('queued', 'running') AND kind <> 'calibrate'"
HELD = "SELECT count(*) FROM documents_job WHERE state = 'running' AND worker LIKE '%:{pid}'"
WITHOUT_WORK = """
SELECT id FROM documents_document WHERE id NOT IN (
    SELECT document_id FROM documents_job WHERE kind = 'ingest' AND state = 'queued'
)"""
REBUILT = "SELECT count(*) FROM documents_job WHERE kind = 'rebuild' AND state = 'ready'"
UNPACKING = """
SELECT count(*) FROM documents_job
WHERE kind = 'unpack' AND (state = 'running' AND worker LIKE '%:{pid}' OR state IN ('ready', 'failed'))"""


class Counted:
    """An encoder that lists the texts of documents before it encodes them."""

    def __init__(self, encoder: Any, log: str) -> None:
        self._encoder, self._log = encoder, log
        self._batch = itertools.count()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def encode_passages(self, texts: list[str], *rest: Any, **named: Any) -> Any:
        from searchsite.index import backends
        from searchsite.index.models import Vector
        from searchsite.index.parallel import PASSAGES
        from searchsite.index.vectors import text_hash

        of_no_document = {text for passage in PASSAGES for text in passage.values()}
        hashes = [text_hash(text) for text in texts if text not in of_no_document]
        of_these = Vector.objects.filter(fingerprint=backends.fingerprint(), text_hash__in=set(hashes))
        stored = set(of_these.values_list("text_hash", flat=True))
        end = f"{os.getpid()} {next(self._batch)}\n"
        lines = "".join(f"{'again' if one in stored else 'new'} {one} {end}" for one in hashes)
        log = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(log, lines.encode())  # at once: a kill leaves no half of it
        os.close(log)
        time.sleep(SECONDS_A_TEXT * len(texts))
        return self._encoder.encode_passages(texts, *rest, **named)


def write_files(folder: Path) -> None:
    """Files of an import: small and large, of kinds that take longer, equal to others, empty of text and damaged."""
    folder.mkdir()
    for n in range(FILES):
        text = f"# Document {n}\n\n{words_about(f'thing{n}', 600 if n in BIG else 4)}\n"
        (folder / f"{n:03}.md").write_text(" \n" * n if n in EMPTY else text)
    for n in EQUAL:
        (folder / f"{n:03}.md").write_bytes((folder / f"{n - 1:03}.md").read_bytes())
    whole = files.docx("".join(files.paragraph(f"Paragraph {n} of a long letter.") for n in range(3000)))
    pages = files.pdf(*(f"Page {n} of a long report." for n in range(400)))
    for n, ending, data in [
        *((n, "docx", whole[: len(whole) // 2 + n]) for n in DAMAGED),
        (250, "docx", whole),
        (400, "pdf", pages),
    ]:
        (folder / f"{n:03}.md").unlink()
        (folder / f"{n:03}.{ending}").write_bytes(data)


def write_archive(path: Path, dice: random.Random) -> None:
    """Its files are large and their texts short, so that unpacking takes longer than reading."""
    with zipfile.ZipFile(path, "w") as archive:
        for n in range(UNPACKED):
            body = f"<!-- {dice.randbytes(600_000).hex()} --><h1>More {n}</h1><p>Of stuff{n} this is told.</p>"
            archive.writestr(f"folder/more-{n:02}.html", f"<html><body>{body}</body></html>")


def rows(site: Site, query: str) -> list[tuple]:
    """What the site's database answers; quick, as one looks often."""
    if site.database:
        import psycopg

        with psycopg.connect(site.environment["DATABASE_URL"], autocommit=True) as connection:
            return connection.execute(query).fetchall()
    with closing(sqlite3.connect(site.folder / "var" / "searchsite.sqlite3", timeout=20)) as connection:
        return connection.execute(query).fetchall()


def number(site: Site, query: str) -> int:
    return rows(site, query)[0][0]


def words_about(name: str, parts: int) -> str:
    return "\n\n".join(f"## Part {n}\n\nOf {name} it is told {n} times, {name} and {n * n}." for n in range(parts))


def wait_for_number(site: Site, query: str, at_least: int) -> None:
    """As wait_until, but looks so often that short moments are met."""
    deadline = time.monotonic() + 200
    while number(site, query) < at_least:
        assert time.monotonic() < deadline, f"waited in vain for {at_least} of {query}"
        time.sleep(0.03)


def main() -> None:
    log, *command = sys.argv[1:]
    from django.core.management import execute_from_command_line

    from searchsite.index import backends

    load = backends.get_encoder
    backends.get_encoder = cache(lambda: Counted(load(), log))
    os.nice = lambda _by: (
        0
    )  # a worker gives way to all others; on a busy machine the test would take as long as they do
    execute_from_command_line(["manage.py", *command])


if __name__ == "__main__":
    main()
