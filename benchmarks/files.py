"""What becomes of real files: a table of each file, what is expected of it, and what extraction made of it.

    python benchmarks/files.py FOLDER

FOLDER has an index.tsv with columns file, expect and phrase_or_why: TEXT = the phrase is in the extracted text, EITHER
= it is, or the file is refused, REFUSE = the file is refused, NOTEXT = text recognition reads the phrase, and without
the OCR extra the file is refused. Files are read as the site reads them, in a process of its own with limits.
Ends with status 1 when a file fails.
"""

from __future__ import annotations

import csv
import os
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "searchsite.settings")

READ_BY_OCR = re.compile(r"(?:OCR would read: |chi_sim reads )([^)]+)")


@dataclass(frozen=True)
class Row:
    """A file, what is expected of it, and what came: `outcome` is the kind it was read as, or the refusal's code."""

    file: str
    expect: str
    phrase: str
    outcome: str = ""
    detail: str = ""
    ok: bool = False
    seconds: float = 0.0


def expected(folder: Path) -> list[Row]:
    with (folder / "index.tsv").open(encoding="utf-8", newline="") as table:
        rows = [Row(row["file"], row["expect"], row["phrase_or_why"]) for row in csv.DictReader(table, delimiter="\t")]
    return [as_scan(row) for row in rows]


def as_scan(row: Row) -> Row:
    """Pictures count as scans: with text recognition they are read."""
    read = READ_BY_OCR.search(row.phrase)
    return Row(row.file, "NOTEXT", read[1]) if read else row


def tried(folder: Path, row: Row) -> Row:
    from searchsite.documents import reading
    from searchsite.documents.extract.extracted import Limits
    from searchsite.documents.extract.ocr import available
    from searchsite.documents.problems import Problem

    began = time.perf_counter()
    try:
        extracted = reading.read((folder / row.file).read_bytes(), row.file, Limits(50 * 2**20, 2000, 10_000_000))
    except Problem as problem:
        refused_as_it_should = {
            "REFUSE": True,
            "EITHER": True,
            "TEXT": False,
            "NOTEXT": not available() and problem.code in ("no_text_layer", "needs_ocr"),
        }[row.expect]
        outcome, detail, ok = problem.code, str(problem), refused_as_it_should
    else:
        found = " ".join(row.phrase.split()) in " ".join(extracted.text.split())
        pages = f"{len(extracted.pages)} pages, " if extracted.pages else ""
        outcome, detail = extracted.kind, f"{pages}{len(extracted.text)} characters, “{extracted.title}”"
        ok = found and row.expect != "REFUSE"
    return Row(row.file, row.expect, row.phrase, outcome, detail, ok, time.perf_counter() - began)


def main() -> int:
    import django

    django.setup()
    folder = Path(sys.argv[1])
    results = [tried(folder, row) for row in expected(folder)]
    print("| file | expected | came | | ok | seconds |\n| --- | --- | --- | --- | --- | --- |")
    for row in results:
        print(
            f"| {row.file} | {row.expect} | {row.outcome} | {row.detail} | {'yes' if row.ok else '**NO**'} "
            f"| {row.seconds:.2f} |"
        )
    failed = [row.file for row in results if not row.ok]
    print(f"\n{len(results) - len(failed)} of {len(results)} as expected", *failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
