"""How long does an import take from files on disk to what can be searched, beside txtai?

    python benchmarks/importing.py TAR_GZ_OR_FOLDER [--files 100] [--ending .md] [--encoder NAME] [--rounds 1] [--json]

Both get the same files (chosen by the hash of their path) and the same checkpoint, and are processes of their own. They
are timed from start to end, with as many threads as torch takes:

- the site: `manage.py documents import` into a new SQLite site, then `manage.py worker --until-done`: originals kept,
  text extracted in a child, split, languages told, encoded, stored with the codes of tokens, both indexes brought up;
- txtai 9.14 as its documentation has it for such a site: `hybrid` (vectors in FAISS, BM25) and `content` (texts in
  SQLite), the checkpoint by its path with e5's prefixes, saved at the end. It is handed the passages that the site has
  cut, as one file, so it is spared reading, splitting and what the passages' titles are: a comparison in its favour.

txtai is no dependency of the site: where it is missing it is installed, alone, into a folder below the temporary ones.
Beside the wall time stands what processors computed, in seconds of all processes together: on a machine that has other
work its ratio is the better one (so threads wait sleeping in both). Both indexes are asked a question at the end, so
that neither has skipped its work.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from ingest import contents

ROOT = Path(__file__).resolve().parent.parent
PEER = ("txtai==9.14.0", "msgpack==1.2.4")

TXTAI = """
import json, sys
from txtai import Embeddings
checkpoint, passages, folder, query_prefix, passage_prefix, question = sys.argv[1:]
embeddings = Embeddings(
    path=checkpoint, method="transformers", hybrid=True, content=True,
    instructions={"query": query_prefix, "data": passage_prefix},
)
with open(passages, encoding="utf-8") as lines:
    embeddings.index((row["id"], row["text"], None) for row in map(json.loads, lines))
embeddings.save(folder)
print(json.dumps([row["text"] for row in embeddings.search(question, 3)]))
"""
# What the site encodes for each passage, one a line, and what it finds.
PASSAGES = """
import json, sys
from searchsite.documents.models import Passage
from searchsite.index.vectors import encoded_text
with open(sys.argv[-1], "w", encoding="utf-8") as out:
    for passage in Passage.objects.select_related("revision").order_by("pk"):
        title = passage.revision.encoded_title or passage.revision.title
        text = encoded_text(title, passage.heading_path, passage.text)
        out.write(json.dumps({"id": passage.pk, "text": text}) + "\\n")
"""
DESCRIBED = """
import json
from searchsite.index import backends
about = backends.description()
print(json.dumps([str(about.folder), about.query_prefix, about.passage_prefix]))
"""
FOUND = """
import json
from django.test import Client
from searchsite.documents.models import Collection
Collection.objects.update(visibility=Collection.Visibility.PUBLIC)
page = Client().get("/", {{"q": {question!r}}}, HTTP_HOST="localhost").content.decode()
print(json.dumps(page))
"""
QUESTION = "How do I limit the memory of a container?"


def chosen(source: Path, ending: str, count: int, folder: Path) -> int:
    """Write so many files into a folder, under their paths; returns how many bytes they have."""
    files = contents(source, ending)
    size = 0
    for name in sorted(files, key=lambda name: hashlib.sha256(name.encode()).digest())[:count]:
        path = folder / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files[name])
        size += len(files[name])
    return size


@contextmanager
def timed(into: dict[str, list[float]]) -> Iterator[None]:
    """Add the wall time, and what child processes computed, to the lists of these names."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    yield
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    into["wall"].append(seconds)
    into["computing"].append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    print(f"{into['wall'][-1]:.1f} s, computing {into['computing'][-1]:.1f} s", file=sys.stderr)


def manage(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return done.stdout


def shell(environment: dict[str, str], code: str) -> str:
    return manage(environment, "shell", "--no-imports", "-c", code)


def import_here(folder: Path, files: Path, encoder: str, into: dict[str, list[float]]) -> dict[str, str]:
    """Import the files into a new site; returns its environment."""
    models = os.environ.get("SEARCHSITE_MODELS_DIR", str(ROOT / "var" / "models"))
    environment = os.environ | {
        "SEARCHSITE_DATA_DIR": str(folder), "SEARCHSITE_MODELS_DIR": models, "SEARCHSITE_ENCODER": encoder,
        "SEARCHSITE_ADMIN_PASSWORD": "not-of-interest", "SEARCHSITE_LOG_LEVEL": "WARNING",
    }  # fmt: skip
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    manage(environment, "prepare")
    with timed(into):
        manage(environment, "documents", "import", str(files), "--collection", "Measured")
        manage(environment, "worker", "--until-done")
    return environment


def import_there(peer: Path, folder: Path, passages: Path, about: list[str], into: dict[str, list[float]]) -> None:
    environment = os.environ | {"PYTHONPATH": str(peer), "HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    checkpoint, query_prefix, passage_prefix = about
    command = [sys.executable, "-c", TXTAI, checkpoint, passages, folder, query_prefix, passage_prefix, QUESTION]
    with timed(into):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    found = json.loads(done.stdout.splitlines()[-1])
    print(f"txtai finds: {', '.join(repr(text[:60]) for text in found)}", file=sys.stderr)


def installed_peer() -> Path:
    folder = Path(tempfile.gettempdir()) / "searchsite-benchmark-peers"
    if not (folder / "txtai").is_dir():
        print(f"installing {PEER[0]} into {folder}", file=sys.stderr)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), *PEER]
        subprocess.run(pip, check=True)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--ending", default=".md")
    parser.add_argument("--encoder", default="e5-small")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    peer = installed_peer()
    here: dict[str, list[float]] = {"wall": [], "computing": []}
    there: dict[str, list[float]] = {"wall": [], "computing": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = chosen(asked.source, asked.ending, asked.files, folder / "files")
        for number in range(asked.rounds):
            environment = import_here(folder / f"site-{number}", folder / "files", asked.encoder, here)
            shell(environment, PASSAGES.replace("sys.argv[-1]", repr(str(folder / "passages.jsonl"))))
            about = json.loads(shell(environment, DESCRIBED).splitlines()[-1])
            import_there(peer, folder / f"txtai-{number}", folder / "passages.jsonl", about, there)
        page = json.loads(shell(environment, FOUND.format(question=QUESTION)).splitlines()[-1])
        titles = re.findall(r"<h[23][^>]*>\s*<a[^>]*>(.*?)</a>", page, re.DOTALL)[:3]
        print(f"the site finds: {', '.join(repr(' '.join(title.split())) for title in titles)}", file=sys.stderr)
        count = sum(1 for _line in (folder / "passages.jsonl").open())
    found = {
        "encoder": asked.encoder, "files": asked.files, "megabytes": round(size / 2**20, 2), "passages": count,
        "site_seconds": round(median(here["wall"]), 1), "txtai_seconds": round(median(there["wall"]), 1),
        "ratio_txtai": round(median(there["wall"]) / median(here["wall"]), 2),
        "site_computing": round(median(here["computing"]), 1), "txtai_computing": round(median(there["computing"]), 1),
        "ratio_computing": round(median(there["computing"]) / median(here["computing"]), 2),
    }  # fmt: skip
    print("| encoder | files | MB | passages | site, s | txtai, s | ratio | computing: site, s | txtai, s | ratio |")
    print("| --- " * len(found) + "|")
    print("| " + " | ".join(str(value) for value in found.values()) + " |")
    if asked.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
