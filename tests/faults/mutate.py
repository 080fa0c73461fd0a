"""Damaged files, thousands of them, through every reader: each is read or refused, and nothing else happens.

    python -m tests.faults.mutate [COUNT] [FOLDER] [--seed N]

Takes a small file of each kind (and, with FOLDER, the files in it up to 300 kB), flips bytes in it, cuts it, or joins
it to another, and reads it as the site does. Prints what became of them by kind, and the faults: children that died,
and exceptions that no reader expected. Ends with status 1 when there was a fault.
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import random
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

LARGEST = 300_000  # bytes of a file to start from


def seeds() -> dict[str, bytes]:
    """A small file of every kind that the site reads, by name."""
    from tests.documents import files
    from tests.documents import files_office as office
    from tests.documents.hostile import png

    html = (
        "<html><head><title>Pears</title></head><body><h1>Pears</h1><p>A pear &amp; a quince.</p>"
        "<ul><li>one</ul></body></html>"
    )
    notebook = (
        '{"cells": [{"cell_type": "markdown", "source": ["# Pears"]}, '
        '{"cell_type": "code", "source": "x = 1", "outputs": []}], "nbformat": 4}'
    )
    return {
        "a.txt": "一个梨。Ein Apfel, привет.".encode("gb18030"),
        "a.md": b"---\ntitle: Pears\n---\n# Pears\n\n* one\n* `two` <!-- no -->\n\n| a | b |\n| - | - |\n| 1 | 2 |\n",
        "a.rst": b"Pears\n=====\n\n* one\n* two\n\n.. note:: Take :ref:`care <x>`.\n\n+---+---+\n| a | b |\n+---+---+",
        "a.html": html.encode(),
        "a.pdf": files.pdf("A pear", "A quince", title="Pears"),
        "a.docx": files.docx(files.paragraph("A pear"), title="Pears"),
        "a.doc": office.doc("A pear\rA quince\r"),
        "a.odt": office.with_mimetype(office.odt("<text:p>A pear</text:p>"), "text"),
        "a.xlsx": office.xlsx(S='<row r="1">' + office.cell("A1", "Hello") + "</row>"),
        "a.xls": office.xls((0, 0, "Hello"), (1, 1, 2.0)),
        "a.csv": 'a;b\n1;"two; three"\n'.encode("utf-16"),
        "a.jsonl": '{"title": "梨", "text": "一个梨", "more": {"a": [1, 2]}}\n'.encode(),
        "a.ipynb": notebook.encode(),
        "a.eml": b"From: a@example.com\nSubject: =?utf-8?b?5qKo?=\nContent-Type: multipart/mixed; boundary=b\n\n--b\n"
        b"Content-Type: text/plain; charset=gbk\nContent-Transfer-Encoding: base64\n\nwOY=\n--b\n"
        b"Content-Type: text/html\n\n<p>A pear</p>\n--b--\n",
        "a.py": b"def pear(x):\n    return x + 1\n",
        "a.png": png(8, 8),
        **more_seeds(),
    }


def more_seeds() -> dict[str, bytes]:
    """Kinds whose smallest file is large."""
    import pptx

    from tests.documents import files_mail
    from tests.documents.test_extract_books import book
    from tests.documents.test_extract_mail import MESSAGE

    deck = pptx.Presentation()
    deck.slides.add_slide(deck.slide_layouts[1]).shapes.title.text = "A pear"
    out = io.BytesIO()
    deck.save(out)
    return {"a.pptx": out.getvalue(), "a.epub": book(), "a.msg": files_mail.msg(MESSAGE)}


def damaged(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """The file with some bytes flipped, put in or taken out, cut, or joined to another; a zip also within its parts."""
    if data.startswith(b"PK") and rng.random() < 0.7:
        try:
            return damaged_within(data, other, rng)
        except (zipfile.BadZipFile, NotImplementedError):
            pass
    spoiled = bytearray(data)
    how = rng.randrange(5)
    if how == 0:  # cut at the end or the beginning
        at = rng.randrange(len(spoiled) + 1)
        return bytes(spoiled[:at] if rng.random() < 0.7 else spoiled[at:])
    if how == 1:  # two files in one
        at = rng.randrange(len(spoiled) + 1)
        return bytes(spoiled[:at]) + other[rng.randrange(len(other) + 1) :]
    for _ in range(rng.choice([1, 2, 5, 20, 100])):
        at = rng.randrange(len(spoiled) or 1)
        if how == 2:
            spoiled[at : at + 1] = bytes([rng.randrange(256)])
        elif how == 3:
            spoiled[at : at + rng.randrange(50)] = rng.randbytes(rng.randrange(4))
        else:
            start = rng.randrange(len(spoiled) or 1)
            spoiled[at:at] = spoiled[start : start + rng.randrange(200)]
    return bytes(spoiled)


def damaged_within(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """The same zip with one of its parts damaged, and its checksums right."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(out, "w") as copy:
        names = archive.namelist()
        victim = rng.choice(names)
        for name in names:
            content = archive.read(name)
            copy.writestr(name, damaged(content, other, rng) if name == victim and content else content)
    return out.getvalue()


def mutants(originals: dict[str, bytes], count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    rng = random.Random(seed)
    names = sorted(originals)
    for number in range(count):
        name = names[number % len(names)]  # each kind as often
        yield name, damaged(originals[name], originals[rng.choice(names)], rng)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", nargs="?", type=int, default=2000)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "searchsite.settings")
    import django

    django.setup()
    from searchsite.documents import reading
    from searchsite.documents.problems import Problem
    from searchsite.documents.revisions import limits

    logging.getLogger("searchsite.documents.reading").setLevel(logging.ERROR)
    originals = seeds()
    if options.folder:
        found = (path for path in sorted(options.folder.iterdir()) if path.is_file())
        originals |= {path.name: path.read_bytes() for path in found if 0 < path.stat().st_size <= LARGEST}
    results: Counter[tuple[str, str]] = Counter()
    kept = Path(os.environ.get("SEARCHSITE_DATA_DIR", ".")) / "mutants"
    for number, (name, data) in enumerate(mutants(originals, options.count, options.seed)):
        try:
            code = reading.read(data, name, limits()).kind
            result = "read"
        except Problem as problem:
            code = result = problem.code
        if code in ("reader_died", "too_slow", "too_much_memory"):
            kept.mkdir(parents=True, exist_ok=True)
            (kept / f"{code}-{number}-{name}").write_bytes(data)
        results[Path(name).suffix, result] += 1
        if (number + 1) % 500 == 0:
            print(f"{number + 1} of {options.count}", file=sys.stderr, flush=True)
    endings = sorted({ending for ending, _ in results})
    codes = sorted({code for _, code in results})
    print("| kind | " + " | ".join(codes) + " |\n" + "| --- " * (len(codes) + 1) + "|")
    for ending in endings:
        print(f"| {ending} | " + " | ".join(str(results[ending, code] or "") for code in codes) + " |")
    faults = sum(count for (_, code), count in results.items() if code == "reader_died")
    print(f"\n{options.count} files, {faults} took a reader down or surprised it" + (f": see {kept}" if faults else ""))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
