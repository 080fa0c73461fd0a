"""Files are read in a process of its own, within limits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from django.conf import settings as site

from searchsite.documents import reading
from searchsite.documents.extract.extracted import Limits
from searchsite.documents.problems import Problem
from tests.documents import files

LIMITS = Limits(max_bytes=50 * 2**20, max_pages=100, max_characters=50_000_000)
MARKDOWN = b"---\ntitle: Pears\nauthor: M. Quince\ndate: 2024-03-05\n---\n# Pears\n\nA pear.\n\n```\nx = 1\n```\n"


@pytest.fixture(autouse=True)
def fresh_child():
    reading.end_child()
    yield
    reading.end_child()


def child() -> reading.Child:
    return reading._warm[os.getpid()]


def test_what_is_read_is_what_the_child_found():
    extracted = reading.read(MARKDOWN, "pears.md", LIMITS)
    assert (extracted.title, extracted.author, extracted.written) == ("Pears", "M. Quince", date(2024, 3, 5))
    assert extracted.text == "Pears\n\nA pear.\n\nx = 1"
    assert [extracted.text[a:b] for a, b in extracted.preformatted] == ["x = 1"]
    assert extracted.headings[0].title == "Pears"


def test_the_child_stays_warm_between_files():
    reading.read(MARKDOWN, "pears.md", LIMITS)
    first = child().process.pid
    with pytest.raises(Problem) as refused:
        reading.read(b"no PDF", "a.pdf", LIMITS)
    assert refused.value.code == "not_what_it_says"
    reading.read(MARKDOWN, "pears.md", LIMITS)
    assert child().process.pid == first != os.getpid()


def test_a_file_that_needs_too_much_memory_is_refused_and_the_next_is_read(settings, monkeypatch):
    settings.SEARCHSITE_READ_MEMORY_MB = 128
    monkeypatch.setattr(reading, "OCR_MEMORY_MB", 0)
    with pytest.raises(Problem) as refused:
        reading.read(b"word " * 9_000_000, "a.txt", LIMITS)
    assert refused.value.code == "too_much_memory"
    assert "128 MB" in str(refused.value)
    assert reading.read(MARKDOWN, "pears.md", LIMITS).title == "Pears"


def test_a_file_that_takes_too_long_is_refused_and_its_child_ended(settings):
    reading.read(MARKDOWN, "pears.md", LIMITS)
    settings.SEARCHSITE_READ_SECONDS = 1
    rows = b"| a | b |\n| - | - |\n" + b"| *one* | `two` |\n" * 200_000
    began = time.monotonic()
    with pytest.raises(Problem) as refused:
        reading.read(rows, "a.md", LIMITS)
    assert refused.value.code == "too_slow"
    assert time.monotonic() - began < 30
    assert os.getpid() not in reading._warm


def test_a_child_that_dies_while_reading_says_so():
    reading.read(MARKDOWN, "pears.md", LIMITS)
    victim = child().process.pid
    threading.Timer(0.3, os.kill, (victim, 9)).start()
    # The child had read a file before, so a fresh one tries; the killer got only the first.
    rows = b"| a | b |\n| - | - |\n" + b"| *one* | `two` |\n" * 20_000
    assert reading.read(rows, "a.md", LIMITS).text.count("one | two") == 20_000
    assert child().process.pid != victim


def test_a_child_that_died_between_files_is_replaced():
    reading.read(MARKDOWN, "pears.md", LIMITS)
    victim = child().process.pid
    os.kill(victim, 9)
    assert reading.read(MARKDOWN, "pears.md", LIMITS).title == "Pears"
    assert child().process.pid != victim


def test_a_fault_of_a_reader_is_a_sentence_and_a_line_in_the_log(caplog, monkeypatch, tmp_path):
    """A library may raise what it never documented: here one that does so at once, in place of markdown-it."""
    (tmp_path / "markdown_it.py").write_text("raise ZeroDivisionError('by a library')")
    real = reading.Child._environment
    monkeypatch.setattr(reading.Child, "_environment", lambda self: {**real(self), "PYTHONPATH": str(tmp_path)})
    with pytest.raises(Problem) as refused:
        reading.read(MARKDOWN, "pears.md", LIMITS)
    assert refused.value.code == "reader_died"
    assert "ZeroDivisionError: by a library" in caplog.text


def test_the_child_writes_no_more_than_a_little(monkeypatch, tmp_path):
    """A library may put what it unpacks on the disk: here one that does nothing else, in place of markdown-it."""
    written = tmp_path / "unpacked"
    (tmp_path / "markdown_it.py").write_text(
        f"with open({str(written)!r}, 'wb') as out:\n    for _ in range(1000):\n        out.write(bytes(2**20))\n"
    )
    real = reading.Child._environment
    monkeypatch.setattr(reading.Child, "_environment", lambda self: {**real(self), "PYTHONPATH": str(tmp_path)})
    with pytest.raises(Problem) as refused:
        reading.read(MARKDOWN, "pears.md", LIMITS)
    assert refused.value.code == "reader_died"
    assert written.stat().st_size <= 64 * 2**20


def test_a_child_is_replaced_after_many_files(monkeypatch):
    from searchsite.documents.extract import child as child_module

    reading.read(MARKDOWN, "pears.md", LIMITS)
    first = child().process.pid
    for _ in range(child_module.MOST_FILES - 1):
        reading.read(b"a pear", "a.txt", LIMITS)
    assert os.getpid() not in reading._warm
    reading.read(b"a pear", "a.txt", LIMITS)
    assert child().process.pid != first


def test_the_child_knows_none_of_the_sites_secrets(monkeypatch):
    monkeypatch.setenv("SEARCHSITE_SECRET_KEY", "very secret")
    monkeypatch.setenv("DATABASE_URL", "postgres://user:password@nowhere/name")
    reading.read(MARKDOWN, "pears.md", LIMITS)
    environment = Path(f"/proc/{child().process.pid}/environ").read_bytes()
    assert b"secret" not in environment.lower()
    assert b"DATABASE_URL" not in environment


def test_the_child_ends_with_its_parent():
    code = (
        "import django; django.setup()\n"
        "from searchsite.documents import reading\n"
        "from searchsite.documents.extract.extracted import Limits\n"
        "reading.read(b'a pear', 'a.txt', Limits(1000, 10, 1000))\n"
        "import os\n"
        "print(reading._warm[os.getpid()].process.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "searchsite.settings"},
        cwd=site.BASE_DIR, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == -9, ended.stderr
    pid = int(ended.stdout)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]:
        assert time.monotonic() < deadline, "it still runs"
        time.sleep(0.05)


def test_a_child_in_the_middle_of_a_file_ends_with_its_parent():
    busy = (
        "import os, threading\n"
        "from searchsite.documents.extract import child\n"
        "threading.Thread(target=child._end_with, args=(os.getppid(),), daemon=True).start()\n"
        "print(os.getpid(), flush=True)\n"
        "while True: pass\n"
    )
    parent = (
        "import os, subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {busy!r}], stdout=subprocess.PIPE)\n"
        "print(int(child.stdout.readline()), flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", parent], cwd=site.BASE_DIR, capture_output=True, text=True, check=False
    )
    pid = int(ended.stdout)
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]:
        assert time.monotonic() < deadline, "it still runs"
        time.sleep(0.05)


def test_the_child_loads_neither_django_settings_nor_torch():
    code = (
        "import searchsite.documents.extract.child, sys\n"
        "from django.conf import settings\n"
        "print(settings.configured, [m for m in ('torch', 'faiss', 'transformers', 'numpy') if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], cwd=site.BASE_DIR, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False []"


def test_a_child_that_takes_no_input_is_given_up_in_time(settings):
    settings.SEARCHSITE_READ_SECONDS = 1
    reading.read(MARKDOWN, "pears.md", LIMITS)
    os.kill(child().process.pid, signal.SIGSTOP)
    with pytest.raises(Problem) as refused:
        reading.read(b"a pear " * 1_000_000, "a.txt", LIMITS)
    assert refused.value.code == "too_slow"
    assert os.getpid() not in reading._warm


def test_a_file_larger_than_the_childs_memory_is_refused_for_that(settings, monkeypatch):
    settings.SEARCHSITE_READ_MEMORY_MB = 128
    monkeypatch.setattr(reading, "OCR_MEMORY_MB", 0)
    with pytest.raises(Problem) as refused:
        reading.read(b"x" * 200 * 2**20, "a.txt", replace(LIMITS, max_bytes=300 * 2**20))
    assert refused.value.code == "too_much_memory"


@pytest.mark.parametrize(
    "answer",
    [
        "no JSON", "[]", "{}", '{"last": false}', '{"found": {}, "last": false}', '{"problem": 1, "last": true}',
        '{"done": 5, "total": 3}', '{"done": 0, "total": 1000000}', '{"done": 0, "total": 3}\n{"done": 0, "total": 3}',
        '{"found": {"text": 1, "headings": 3}, "last": false}',
    ],
)  # fmt: skip
def test_an_answer_that_makes_no_sense_ends_the_child(answer, monkeypatch):
    """A file that took over its reader could say anything."""
    program = f"import sys; sys.stdin.buffer.readline(); print({answer!r}, flush=True); sys.stdin.buffer.read()"
    real = subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda _command, **options: real([sys.executable, "-c", program], **options)
    )
    with pytest.raises(Problem) as refused:
        reading.read(MARKDOWN, "pears.md", LIMITS)
    assert refused.value.code == "reader_died"
    assert os.getpid() not in reading._warm


def test_temporary_folders_of_killed_processes_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    left, ours = tmp_path / f"searchsite-read-{ended.pid}-abc", tmp_path / f"searchsite-read-{os.getpid()}-abc"
    for folder in (left, ours):
        (folder / "below").mkdir(parents=True)
    reading.read(MARKDOWN, "pears.md", LIMITS)
    assert not left.exists()
    assert ours.exists()


# --- looking at pages


def test_looking_at_pages_and_reading_share_a_child():
    reading.read(MARKDOWN, "pears.md", LIMITS)
    first = child().process.pid
    assert reading.look("picture", files.pdf("A pear"), 1, str).startswith("UklGR")  # RIFF, in Base64
    with pytest.raises(Problem) as refused:
        reading.look("picture", b"no PDF", 1, str)
    assert refused.value.code == "damaged"
    assert reading.read(MARKDOWN, "pears.md", LIMITS).title == "Pears"
    assert child().process.pid == first


def test_a_child_that_died_between_pages_is_replaced_while_somebody_looks():
    reading.read(MARKDOWN, "pears.md", LIMITS)
    victim = child().process.pid
    data = files.pdf("A pear")
    os.kill(victim, signal.SIGSTOP)  # alive when it is asked, killed while it is waited for
    threading.Timer(0.3, os.kill, (victim, 9)).start()
    assert reading.look("picture", data, 1, str)
    assert child().process.pid != victim


@pytest.mark.parametrize("said", ['{"last": false}', '{"found": "<script>", "last": false}', '{"done": 0, "total": 1}'])
def test_an_answer_without_sense_about_a_page_ends_the_child(said, monkeypatch):
    program = f"import sys; sys.stdin.buffer.readline(); print({said!r}, flush=True); sys.stdin.buffer.read()"
    real = subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda _command, **options: real([sys.executable, "-c", program], **options)
    )
    with pytest.raises(Problem) as refused:
        reading.look("picture", files.pdf("A pear"), 1, int)
    assert refused.value.code == "reader_died"
    assert os.getpid() not in reading._warm


def test_a_page_that_needs_too_much_memory_is_refused_and_the_next_is_shown(settings, monkeypatch):
    settings.SEARCHSITE_READ_MEMORY_MB = 128
    monkeypatch.setattr(reading, "OCR_MEMORY_MB", 0)
    content = zlib.compress(b"0 0 m 9 9 l S\n" * 2**21, 1)
    data = files._with_table(
        {
            1: b"<< /Type /Catalog /Pages 2 0 R >>",
            2: b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            3: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R >>",
            4: b"<< /Filter /FlateDecode /Length %d >>\nstream\n%b\nendstream" % (len(content), content),
        },
        b"/Root 1 0 R",
    )
    with pytest.raises(Problem) as refused:
        reading.look("picture", data, 1, str)
    assert refused.value.code == "too_much_memory"
    assert reading.look("picture", files.pdf("A pear"), 1, str)
