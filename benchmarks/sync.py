"""What does `documents import --sync` cost beside reading the files, and how does that grow with their number?

    python benchmarks/sync.py [--files 500 2000 8000]

For each size: writes so many Markdown files of 8 kB, imports them into a new SQLite site in a temporary folder, and
runs the same command again without a change; beside that, the files are only read and hashed. Prints seconds, and how
many times the hashing each run takes. Nothing is encoded: that is the worker's.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
TEXT = "A sentence of some words that say nothing. " * 190


def seconds(work: Callable[[], object], times: int = 1) -> float:
    """The median of how long it takes."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return median(took)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, nargs="+", default=[500, 2000, 8000])
    sizes = parser.parse_args().files
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "SEARCHSITE_DATA_DIR": f"{folder}/data", "SEARCHSITE_ENCODER": "tiny", "SEARCHSITE_ENV_FILE": "",
            "DJANGO_SETTINGS_MODULE": "searchsite.settings",
        }  # fmt: skip
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        print("| files | hashing them, s | first import, s | again, s | first / hashing | again / hashing |")
        print("| --- | --- | --- | --- | --- | --- |")
        for size in sizes:
            files = Path(folder) / f"files-{size}"
            write(files, size)

            def run(files: Path = files, size: int = size) -> None:
                call_command(
                    "documents", "import", str(files), "--collection", f"C{size}", "--sync", stdout=io.StringIO()
                )

            hashing = seconds(lambda files=files: hash_all(files), 3)
            first, again = seconds(run), seconds(run, 3)
            ratios = f"{first / hashing:.0f} | {again / hashing:.1f}"
            print(f"| {size:,} | {hashing:.2f} | {first:.1f} | {again:.2f} | {ratios} |", flush=True)


def write(folder: Path, count: int) -> None:
    for number in range(count):
        path = folder / f"{number % 50:02}" / f"{number}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# Page {number} of {count}\n\n{TEXT}")


def hash_all(folder: Path) -> list[str]:
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*.md"))]


if __name__ == "__main__":
    main()
