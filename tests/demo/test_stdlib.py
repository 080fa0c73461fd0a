"""The demo reads the documentation that Python itself carries, quietly, and our Markdown reader loses nothing of it."""

from __future__ import annotations

import bisect
import heapq
import importlib
import inspect
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter

import pytest

from searchsite.demo import stdlib
from searchsite.documents.extract import Extracted, Limits, extract

LIMITS = Limits(max_bytes=10**7, max_pages=1, max_characters=10**7)


@pytest.fixture(scope="module")
def library() -> dict[str, stdlib.DemoDocument]:
    found = list(stdlib.documents())
    assert len(found) == len({document.key for document in found})
    return {document.key: document for document in found}


@pytest.fixture(scope="module")
def texts(library: dict[str, stdlib.DemoDocument]) -> dict[str, Extracted]:
    return {key: extract(document.text.encode(), "x.md", LIMITS) for key, document in library.items()}


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


@pytest.mark.parametrize(
    "heading",
    [
        "tempfile.TemporaryDirectory(suffix=None, ",
        "heapq.nlargest(n, iterable, key=None)",
        "bisect.bisect_left(a, x, ",
        "collections.abc.Mapping",
        "concurrent.futures.ThreadPoolExecutor(max_workers=None",
        "importlib.util.module_from_spec(spec)",
        "json.dumps(obj, *, skipkeys=False",
        "os.path.exists(path)",
        "sqlite3.connect(",
        "unittest.mock.patch(",
        "urllib.parse.quote(",
        "xml.etree.ElementTree.parse(source, parser=None)",
        "asyncio.gather(*coros_or_futures",
        "argparse.ArgumentParser(",
    ],
)
def test_headings_carry_the_dotted_public_name_once(texts: dict[str, Extracted], heading: str) -> None:
    carriers = [key for key, text in texts.items() for h in text.headings if h.title.startswith(heading)]

    assert len(carriers) == 1, carriers
    assert heading.startswith(carriers[0] + ".")


def test_methods_stand_below_their_class(texts: dict[str, Extracted]) -> None:
    levels = {h.title.partition("(")[0]: h.level for h in texts["collections"].headings}

    assert levels["collections"] == 1
    assert levels["collections.Counter"] == 2
    assert levels["Counter.most_common"] == 3


@pytest.mark.parametrize("thing", [heapq, heapq.nlargest, bisect.bisect_left, Counter, inspect, Counter.most_common])
def test_docstrings_come_out_whole(texts: dict[str, Extracted], thing: object) -> None:
    key = thing.__name__ if inspect.ismodule(thing) else inspect.getmodule(thing).__name__.lstrip("_")

    assert squeezed(inspect.getdoc(thing)) in squeezed(texts[key].text)


@pytest.mark.parametrize("key", ["heapq", "io", "http.client", "subprocess", "typing", "re", "string", "pprint"])
def test_marks_and_tables_in_a_module_s_docstring_stay_text(texts: dict[str, Extracted], key: str) -> None:
    assert squeezed(inspect.cleandoc(importlib.import_module(key).__doc__)) in squeezed(texts[key].text)
    assert texts[key].headings[0].title == key


@pytest.mark.parametrize(
    "text",
    [
        "Return <class> of *args and **kwargs, see __init__ and a_b_c.",
        "# not a heading\nbut text",
        "Constants\n---------\nDEVNULL: a value",
        "Title\n=====\nmore",
        "======== ====\nCharacter Meaning\n-------- ----\n'r'      open",
        "usage:\n\n>>> f(x)  # <doctest>\n[1, 2]\n\nand `code` &amp; [link](x) | $x ~y~ \\d",
        "- item *one*\n- item <two>\n\n1. first\n2. second",
        "a\n\n    indented <code> & __more__\n\n    further\n\nb",
        "<!-- no comment -->\n\n&lt; ![x](y)",
        "* starred\n+ plus\n> quoted\n| a | b |\n|---|---|",
        "~~~~ fence\n\n    ~~~~\n    x",
    ],
)
def test_plain_text_written_as_markdown_is_read_as_the_same_text(text: str) -> None:
    assert squeezed(extract(stdlib.escaped(text).encode(), "x.md", LIMITS).text) == squeezed(text)


def test_a_language_topic_has_its_headings_and_text(
    library: dict[str, stdlib.DemoDocument], texts: dict[str, Extracted]
) -> None:
    text = texts["topic-assignment"]

    assert library["topic-assignment"].title == "Python: Assignment statements"
    assert [(h.level, h.title) for h in text.headings][:2] == [
        (1, "Assignment statements"),
        (2, "Augmented assignment statements"),
    ]
    assert "***" not in text.text


def test_there_is_enough_of_it_and_not_too_much(texts: dict[str, Extracted]) -> None:
    words = sum(len(text.text.split()) for text in texts.values())

    assert len(texts) > 250
    assert 150_000 < words < 400_000


def test_it_is_the_same_each_time_prints_nothing_and_gives_no_secrets_away() -> None:
    code = (
        "import hashlib\n"
        "from searchsite.demo.stdlib import documents\n"
        "text = ''.join(d.key + d.title + d.text for d in documents())\n"
        "import sys; open(sys.argv[1], 'w').write(hashlib.sha256(text.encode()).hexdigest())\n"
        "assert ' at 0x' not in text\n"
        "assert 'canary' not in text.replace(chr(92), '')"
    )
    sums = []
    for seed in ("1", "2"):
        with tempfile.NamedTemporaryFile("r") as out:
            start = time.perf_counter()
            run = subprocess.run(
                [sys.executable, "-c", code, out.name],
                env={
                    "SECRET_KEY": f"canary{seed}",
                    "PYTHONHASHSEED": seed,
                    "PYTHONPATH": ":".join(filter(None, sys.path)),
                    "PATH": "",
                },
                capture_output=True,
                text=True,
            )
            assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
            assert time.perf_counter() - start < 30
            sums.append(out.read())
    assert sums[0] == sums[1] != ""
