"""reStructuredText becomes what its reader would see, also where it is written for Sphinx."""

from __future__ import annotations

import time
from datetime import date

import pytest

from searchsite.documents.extract import Extracted, Limits, extract
from searchsite.documents.problems import Problem

LIMITS = Limits(max_bytes=20_000_000, max_pages=10, max_characters=10_000_000)


def read(source: str, limits: Limits = LIMITS) -> Extracted:
    return extract(source.encode(), "a.rst", limits)


def outline(extracted: Extracted) -> list[tuple[int, str]]:
    return [(heading.level, heading.title) for heading in extracted.headings]


def code(extracted: Extracted) -> list[str]:
    return [extracted.text[start:end] for start, end in extracted.preformatted]


DOCUMENT = """\
The & <title>
=============

:Author: Ann Bee
:Date: 2024-03-05

Some *emphasised* ``code``, |sub|, a `link <https://example.org>`_ and 中文。

.. |sub| replace:: substituted
.. a comment

   that goes on
.. _target:

Section
-------

- one
- two

  1. inner
  2. next

term
  what it means

====  ===
Name  Age
====  ===
Ann   30
====  ===

An example::

    x = 1
      y = 2

.. note:: Take care.

| line one
| line two

.. image:: duck.png
   :alt: A duck

-v   verbose

Deeper
~~~~~~

end [1]_

.. [1] A footnote.
"""


def test_a_document() -> None:
    extracted = read(DOCUMENT)

    assert extracted.text == (
        "The & <title>\n\nAuthor: Ann Bee\nDate: 2024-03-05\n\n"
        "Some emphasised code, substituted, a link and 中文。\n\nSection\n\n- one\n- two\n  1. inner\n  2. next\n\n"
        "term\n\nwhat it means\n\nName | Age\nAnn | 30\n\nAn example:\n\nx = 1\n  y = 2\n\nTake care.\n\n"
        "line one\nline two\n\nA duck\n\n-v: verbose\n\nDeeper\n\nend 1\n\n1\n\nA footnote."
    )
    assert outline(extracted) == [(1, "The & <title>"), (2, "Section"), (3, "Deeper")]
    assert code(extracted) == ["x = 1\n  y = 2"]
    assert (extracted.kind, extracted.title) == ("rst", "The & <title>")
    assert (extracted.author, extracted.written) == ("Ann Bee", date(2024, 3, 5))


def test_sections_side_by_side_are_of_the_highest_level() -> None:
    assert outline(read("A\n=\n\nx\n\nB\n=\n\nC\n-\n\ny")) == [(1, "A"), (1, "B"), (2, "C")]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (".. function:: f(x, y=1)\n   :module: m\n\n   Gives *x*.", "f(x, y=1)\n\nGives x."),
        (".. versionadded:: 3.2\n   The `y`.", "New in version 3.2\nThe y."),
        (".. toctree::\n   :maxdepth: 2\n\n   intro\n   install", "intro\ninstall"),
        (".. seealso::\n\n   Module :mod:`json`", "Module json"),
        ("See :ref:`the text <target>` now.", "See the text now."),
        ("Call :func:`os.path`, :class:`~a.B` or :py:meth:`!go`.", "Call os.path, a.B or go."),
        (".. only:: html\n\n   shown", "shown"),
        (".. image:: x.png\n   :unknown: y", ".. image:: x.png\n   :unknown: y"),
        ("+---+\n| broken table\n+---+", "+---+\n| broken table\n+---+"),
        (".. include:: /etc/passwd\n\ntext", "text"),
        (".. csv-table:: t\n   :file: /etc/passwd\n\ntext", "text"),
        (".. raw:: html\n\n   <b>raw</b>\n\ntext", "text"),
        (".. raw:: html\n   :url: https://example.org/\n\ntext", "text"),
    ],
)
def test_directives_and_roles(source: str, text: str) -> None:
    assert read(source).text == text


@pytest.mark.parametrize("name", ["code-block", "sourcecode", "code"])
def test_code_with_options_of_sphinx(name: str) -> None:
    extracted = read(f".. {name}:: python\n   :emphasize-lines: 1\n   :caption: x\n\n   def f():\n       return '<&>'")

    assert code(extracted) == ["def f():\n    return '<&>'"] == [extracted.text]


@pytest.mark.parametrize(
    "source",
    [
        "".join("  " * n + "- x\n\n" for n in range(400)),
        "* " * 5000 + "x",
        "|a| " * 2000 + "\n\n.. |a| replace:: |a|\n",
        "x " * 600_000,
        "`" * 3000 + " x",
        ".. foo:: " * 1000,
        "Title\n==\n\n- a\n:x:`y\n",
    ],
)
def test_what_docutils_cannot_follow_is_read_all_the_same(source: str, capfd: pytest.CaptureFixture[str]) -> None:
    start = time.perf_counter()
    assert read(source).text
    assert time.perf_counter() - start < 60
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "piece",
    [
        "*a ", "``a ", "`a`_ ", "+--", "a\n=\n", "|a ", "_`a ", "a_ ", "a__ ", ":a: b\n", "- *a\n", "| a\n",
        "==  ==\na   b\n==  ==\n\n", "*a *b\n\n", "+--+--+\n|a |b |\n",
    ],
)  # fmt: skip
def test_a_megabyte_of_the_same_is_read_in_no_time(piece: str) -> None:
    """Also of as much as is still left to docutils."""
    for size in (8_000, 60_000, 240_000, 1_000_000):
        start = time.perf_counter()
        assert read(piece * (size // len(piece))).text
        assert time.perf_counter() - start < 60  # 5 s at most


def test_what_docutils_would_take_too_long_for_is_plain_text() -> None:
    source = "A & <title>\n===========\n\n" + "*a 中文 " * 5000

    assert read(source).text == source.strip()


def test_a_long_document_of_the_ordinary_kind_keeps_its_structure() -> None:
    section = (
        "Title\n=====\n\n"
        + "Some *emphasised* ``code``, see `this <https://example.org>`_ and more words.\n" * 6
        + "\n"
    )

    extracted = read(section * 400)

    assert len(extracted.headings) == 400
    assert "*" not in extracted.text


def test_refusals() -> None:
    for source, limits, problem in [(".. comment", LIMITS, "no_text"), ("x" * 99, Limits(999, 9, 9), "too_much_text")]:
        with pytest.raises(Problem) as caught:
            read(source, limits)
        assert caught.value.code == problem
