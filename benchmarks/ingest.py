"""What do reading, splitting and storing cost beside encoding? Measured on an import into a site of its own.

    python benchmarks/ingest.py FOLDER_OR_TAR_GZ [--files 300] [--ending .md]

Imports files (chosen by the hash of their path) into a new SQLite site in a temporary folder, works them off in this
process as the worker does, and prints how long each step took, and all but the encoder as a share of its time.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tarfile
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

spent: dict[str, float] = defaultdict(float)


def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        began = time.perf_counter()
        try:
            return function(*args, **options)
        finally:
            spent[name] += time.perf_counter() - began

    return call


def contents(source: Path, ending: str) -> dict[str, bytes]:
    if source.is_dir():
        return {str(path): path.read_bytes() for path in source.rglob(f"*{ending}") if path.is_file()}
    with tarfile.open(source) as archive:
        members = (member for member in archive if member.isfile() and member.name.endswith(ending))
        return {member.name: archive.extractfile(member).read() for member in members}  # type: ignore[union-attr]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("--files", type=int, default=300)
    parser.add_argument("--ending", default=".md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("SEARCHSITE_MODELS_DIR", str(ROOT / "var" / "models"))
        os.environ |= {"SEARCHSITE_DATA_DIR": folder, "DJANGO_SETTINGS_MODULE": "searchsite.settings"}
        measure(contents(options.source, options.ending), options.files)


def measure(files: dict[str, bytes], count: int) -> None:
    import django

    django.setup()
    from django.core.files.base import ContentFile
    from django.core.management import call_command

    from searchsite.documents import jobs, reading
    from searchsite.documents.models import Collection, Document, Job, Passage, State
    from searchsite.index import backends, ingest, space
    from searchsite.tasks import HANDLERS

    call_command("migrate", verbosity=0)
    chosen = sorted(files, key=lambda name: hashlib.sha256(name.encode()).digest())[:count]
    collection = Collection.objects.create(name="Measured", slug="measured")
    space.current()  # loads the encoder
    began = time.perf_counter()
    for name in chosen:
        Document(collection=collection, file=ContentFile(files[name], name), name=Path(name).name, source=name).save()
    spent["taking in"] = time.perf_counter() - began

    real = backends.get_encoder()

    class Timed:
        encode_queries = staticmethod(real.encode_queries)
        encode_passages = staticmethod(timed("encoder", real.encode_passages))

    backends.get_encoder = lambda: Timed  # type: ignore[assignment, return-value]
    reading.read = timed("reading (the child)", reading.read)
    ingest.split = timed("splitting", ingest.split)
    ingest.detect = timed("languages of passages", ingest.detect)
    began = time.perf_counter()
    while jobs.run_next(HANDLERS, "benchmark") is not None:
        pass
    spent["storing and the rest"] = time.perf_counter() - began - sum(spent.values()) + spent["taking in"]
    assert not Job.objects.open().exists()

    states = {state: Document.objects.filter(state=state).count() for state in (State.READY, State.FAILED)}
    encoder = spent.pop("encoder")
    beside = sum(spent.values())
    size = sum(len(files[name]) for name in chosen) / 2**20
    print(f"{len(chosen)} files, {size:.1f} MB, {Passage.objects.count()} passages; {states}")
    print("| step | seconds | share of the encoder's time |\n| --- | --- | --- |")
    print(f"| encoder | {encoder:.1f} | 100 % |")
    for name, seconds in spent.items():
        print(f"| {name} | {seconds:.1f} | {100 * seconds / encoder:.1f} % |")
    print(f"| all but the encoder | {beside:.1f} | {100 * beside / encoder:.1f} % |")


if __name__ == "__main__":
    main()
