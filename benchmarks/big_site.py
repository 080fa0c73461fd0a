"""Fill a new site with many passages, without encoding any, and build both of its indexes.

    SEARCHSITE_DATA_DIR=NEW SEARCHSITE_MODELS_DIR=MODELS SEARCHSITE_RERANKER=none python benchmarks/big_site.py \\
        FILE.jsonl.gz... --vectors FOLDER [--passages 1000000]

FILE has an object with "title" and "text" on each line; files are taken one after the other, and again from the
beginning when they end. FOLDER has NAME-OFFSET.npy: the present encoder's vectors (n, dim) of NAME.jsonl.gz from line
OFFSET on. A text without one gets a vector drawn from those of its file, with noise; how many did is printed. Documents
have 1 to 20 passages, and lie in public collections, the n-th of which is as large as the first divided by n. There are
no codes of tokens, so the site is to be asked without reranking them.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "searchsite.settings")

if TYPE_CHECKING:
    from searchsite.index.vectors import Matrix

COLLECTIONS = 50
MOST_PASSAGES = 20  # of a document
NOISE = 0.5  # length of what is added to a vector of length 1 to draw another from it
AT_ONCE = 1000  # documents of a transaction

STEPS = "big_site.json"  # in the data folder: what each step took, in seconds, and how many passages there are

Text = tuple[str, str, "Matrix", bool]  # title, text, vector (dim,), whether it is the text's own


def texts(files: Sequence[Path], folder: Path, rng: np.random.Generator) -> Iterator[Text]:
    """Texts with a vector each, without end; those that come a second time have drawn vectors."""
    again = False
    while True:
        for file in files:
            name = file.name.removesuffix(".jsonl.gz")
            parts = {int(path.stem.rsplit("-", 1)[1]): np.load(path) for path in sorted(folder.glob(f"{name}-*.npy"))}
            own = {offset + row: vector for offset, part in parts.items() for row, vector in enumerate(part)}
            known = np.concatenate(list(parts.values()))
            with gzip.open(file, "rt", encoding="utf-8") as lines:
                for number, line in enumerate(lines):
                    row = json.loads(line)
                    drawn = again or number not in own
                    vector = _drawn(known, rng) if drawn else own[number].astype(np.float32)
                    yield row["title"], row["text"], vector, not drawn
        again = True


def _drawn(known: Matrix, rng: np.random.Generator) -> Matrix:
    near: Matrix = known[rng.integers(len(known))].astype(np.float32)
    noise = rng.standard_normal(len(near)).astype(np.float32)
    moved: Matrix = near + NOISE * noise / np.linalg.norm(noise)
    return moved / np.linalg.norm(moved)


def documents(given: Iterator[Text], passages: int, rng: np.random.Generator) -> Iterator[list[Text]]:
    """So many passages in all, as the documents that they belong to."""
    left = passages
    while left:
        count = min(left, int(rng.integers(1, MOST_PASSAGES + 1)))
        left -= count
        yield list(islice(given, count))


def fill(whole: Iterator[list[Text]], rng: np.random.Generator) -> tuple[int, int]:
    """Put the documents into a new site's database; returns how many passages have their own vector, and a drawn."""
    from searchsite.documents.models import Collection

    collections = [
        Collection(name=f"Collection {number}", slug=f"collection-{number}", visibility=Collection.Visibility.PUBLIC)
        for number in range(1, COLLECTIONS + 1)
    ]
    pks = [one.pk for one in Collection.objects.bulk_create(collections)]
    sizes = 1 / np.arange(1, COLLECTIONS + 1)
    document = passage = own = 0
    while some := list(islice(whole, AT_ONCE)):
        _store(some, document, passage, rng.choice(pks, len(some), p=sizes / sizes.sum()).tolist())
        document += len(some)
        passage += sum(len(one) for one in some)
        own += sum(real for one in some for *_text, real in one)
    return own, passage - own


def _store(some: Sequence[list[Text]], document: int, passage: int, collections: Sequence[int]) -> None:
    """One transaction. `document`, `passage`: how many of each there are already; their ids go on from there."""
    from django.db import transaction
    from django.db.models import QuerySet

    from searchsite.documents import revisions
    from searchsite.documents.language import detect
    from searchsite.documents.models import Document, Passage, Revision, State
    from searchsite.index import backends
    from searchsite.index.models import Vector
    from searchsite.index.vectors import as_bytes, encoded_text, text_hash

    rows: list[Document] = []
    live: list[Revision] = []
    passages: list[Passage] = []
    vectors: list[Vector] = []
    fingerprint, pipeline = backends.fingerprint(), revisions.pipeline()
    for pk, (one, collection) in enumerate(zip(some, collections, strict=True), document + 1):
        title, bodies = one[0][0][:300], [f"{title}\n\n{text}" for title, text, *_rest in one]
        rows.append(
            Document(pk=pk, collection_id=collection, title=title, text="\n\n".join(bodies), live_revision_id=pk)
        )
        rows[-1].take_in_source()
        rows[-1].state, rows[-1].passage_count = State.READY, len(one)
        language = detect(rows[-1].text)
        facts = {"content_hash": rows[-1].content_hash, "pipeline": pipeline, "split": True, "kind": "text"}
        live.append(Revision(pk=pk, document_id=pk, title=title, text=rows[-1].text, language=language, **facts))
        at = 0
        for ordinal, (body, (_title, _text, vector, _own)) in enumerate(zip(bodies, one, strict=True)):
            passage += 1
            span = {"start": at, "end": at + len(body)}
            passages.append(Passage(pk=passage, revision_id=pk, ordinal=ordinal, text=body, language=language, **span))
            hashed = text_hash(encoded_text(title, [], body))
            vectors.append(Vector(passage_id=passage, fingerprint=fingerprint, text_hash=hashed, data=as_bytes(vector)))
            at += len(body) + 2
    with transaction.atomic():
        # Not Document.objects: its bulk_create() queues what makes a document findable, which is done here.
        QuerySet(Document).bulk_create(rows)
        Revision.objects.bulk_create(live)
        Passage.objects.bulk_create(passages)
        Vector.objects.bulk_create(vectors)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--vectors", type=Path, required=True)
    parser.add_argument("--passages", type=int, default=1_000_000)
    given = parser.parse_args()
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    from searchsite.documents.models import Document, Job
    from searchsite.index import build, lexical_build

    call_command("migrate", verbosity=0)
    if Document.objects.exists():
        parser.error("the site has documents: name a new SEARCHSITE_DATA_DIR")
    rng = np.random.default_rng(1)
    began = time.perf_counter()
    own, drawn = fill(documents(texts(given.files, given.vectors, rng), given.passages, rng), rng)
    filled = time.perf_counter()
    print(f"{own} passages with their own vectors, {drawn} with drawn ones: {filled - began:.0f} s", flush=True)
    build.rebuild(Job(), lambda *_progress: None)
    meaning = time.perf_counter()
    print(f"vector index: {meaning - filled:.0f} s", flush=True)
    lexical_build.make_anew("it is new")
    ended = time.perf_counter()
    print(f"lexical index: {ended - meaning:.0f} s", flush=True)
    steps = {
        "rows into the database": filled - began,
        "vector index": meaning - filled,
        "lexical index": ended - meaning,
    }
    (Path(settings.DATA_DIR) / STEPS).write_text(json.dumps({"passages": given.passages, **steps}))


if __name__ == "__main__":
    main()
