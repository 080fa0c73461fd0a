"""The lexical index and what may befall it, with real processes: found again by keyword each time, without help."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.faults.counting import OPEN, number
from tests.site.running import Browser, Site, wait_until

pytestmark = pytest.mark.processes

# A worker that is killed at the commit of a change from that number on: just before it, or just after it.
KILLED = """
import os, signal
from django.core.management import execute_from_command_line
from searchsite.index import lexical
commit = lexical.Writer.commit
def killed(writer, number):
    if {after} or number < {number}:
        commit(writer, number)
    if number >= {number}:
        os.kill(os.getpid(), signal.SIGKILL)
lexical.Writer.commit = killed
execute_from_command_line(["manage.py", "worker"])
"""
ADD = """
from searchsite.documents.models import Collection, Document
collection, _ = Collection.objects.get_or_create(name="Open", slug="open", visibility="public")
result = [Document.objects.create(collection=collection, text=text).pk for text in {texts}]
"""
DELETE = """
from searchsite.documents.models import Document
result = Document.objects.get(text={text!r}).delete()[0]
"""
FOUND = """
from searchsite.documents.models import Passage
from searchsite.index import lexical_follow
index = lexical_follow.current()
def texts(word):
    passages = [pk for pk, _score in index.search(word, 10)]
    found = Passage.objects.in_bulk(passages)
    return [found[pk].text if pk in found else "" for pk in passages]
result = None if index is None else [texts(word) for word in {words}]
"""
UPTODATE = "SELECT count(*) FROM index_activebuild a, documents_changecounter c WHERE a.lexical_number >= c.value"
ZEBRAS, OKAPIS, DINGOES = "About zebras and quaggas.", "Of okapis this is told.", "Dingoes are dogs."


def folder(site: Site) -> Path:
    from tests.faults.counting import rows

    return site.folder / "var" / "index" / rows(site, "SELECT lexical FROM index_activebuild")[0][0]


def add(site: Site, *texts: str) -> None:
    assert len(site.shell(ADD.format(texts=list(texts)))) == len(texts)


def wait_for(site: Site, **expected: str) -> None:
    """Until each word finds exactly that text, "" for none, and all is as the database says."""
    words, wanted = list(expected), [[text] if text else [] for text in expected.values()]
    # Asking the tables costs nothing; a shell takes a second of a processor that the worker needs.
    wait_until(
        lambda: number(site, OPEN) == 0 and number(site, UPTODATE) == 1, what=f"the worker; {site.log()[-2000:]}"
    )

    def found() -> bool:
        return site.shell(FOUND.format(words=words)) == wanted

    wait_until(found, what=f"{expected}; {site.log()[-2000:]}")
    assert "agrees" in site.manage("index", "verify")


def end(process) -> None:
    process.terminate()
    assert process.wait(20) == 0


@pytest.mark.parametrize("after", [False, True])
def test_a_worker_killed_around_the_lexical_commit(tmp_path, after):
    with Site(tmp_path) as site:
        worker = site.start("manage.py", "worker")
        add(site, ZEBRAS, DINGOES)
        wait_for(site, quaggas=ZEBRAS)
        end(worker)
        before = folder(site)
        add(site, OKAPIS)
        changes = number(site, "SELECT value FROM documents_changecounter")
        worker = site.start("-c", KILLED.format(number=changes + 1, after=after))
        assert worker.wait(60) == -signal.SIGKILL
        assert number(site, "SELECT value FROM documents_changecounter") == changes + 1
        assert site.shell(FOUND.format(words=["okapis"])) == ([[OKAPIS]] if after else [[]])
        assert site.shell(DELETE.format(text=DINGOES)) > 0
        site.start("manage.py", "worker")
        wait_for(site, okapis=OKAPIS, quaggas=ZEBRAS, dingoes="")
        assert folder(site) == before


def test_a_worker_killed_while_it_makes_the_index_anew(tmp_path):
    with Site(tmp_path) as site:
        add(site, ZEBRAS)
        site.manage("worker", "--until-done")
        before = folder(site)
        shutil.rmtree(before)
        worker = site.start("-c", KILLED.format(number=1, after=False))
        assert worker.wait(60) == -signal.SIGKILL
        assert folder(site) == before
        [left] = (site.folder / "var" / "index").glob("lexical-*")
        site.start("manage.py", "worker")
        wait_for(site, quaggas=ZEBRAS)
        assert folder(site) not in (before, left)


def test_until_done_ends_when_the_lexical_index_has_it_all(tmp_path):
    with Site(tmp_path) as site:
        add(site, ZEBRAS, OKAPIS)
        site.manage("worker", "--until-done")
        assert site.shell(FOUND.format(words=["quaggas", "okapis"])) == [[ZEBRAS], [OKAPIS]]


def test_the_index_deleted_cut_and_not_there_under_a_site_that_runs(tmp_path):
    """`up` with web server and worker: pages are served throughout, if need be by a web server started again."""
    with Site(tmp_path) as site:
        up = site.start("manage.py", "up")
        browser = Browser(site.environment["SEARCHSITE_PORT"])
        wait_until(lambda: browser.get("/readyz")[0] == 200, what="the site")
        add(site, ZEBRAS, OKAPIS)
        wait_for(site, quaggas=ZEBRAS, okapis=OKAPIS)
        for damage in (delete, cut_the_largest, empty_all, delete):
            before = folder(site)
            assert "zebras" in browser.get("/", q="quaggas")[1]
            damage(before)
            wait_until(lambda before=before: folder(site) != before, what="another folder")
            wait_until(lambda: "zebras" in browser.get("/", q="quaggas")[1], what="the site again")
            wait_for(site, quaggas=ZEBRAS, okapis=OKAPIS)
        assert up.poll() is None


def delete(path: Path) -> None:
    shutil.rmtree(path)


def cut_the_largest(path: Path) -> None:
    largest = max((one for one in path.iterdir() if one.suffix != ".json"), key=lambda one: one.stat().st_size)
    os.truncate(largest, largest.stat().st_size // 2)


def empty_all(path: Path) -> None:
    for one in path.iterdir():
        os.truncate(one, 0)


def test_two_workers_and_a_deletion_by_neither(tmp_path):
    with Site(tmp_path) as site:
        workers = [site.start("manage.py", "worker") for _ in range(2)]
        texts = [f"Of the {name} this is told." for name in ("aardvark", "bonobo", "caracal", "echidna")]
        for text in texts:
            add(site, text)
        add(site, DINGOES)
        wait_for(site, aardvark=texts[0], bonobo=texts[1], caracal=texts[2], echidna=texts[3], dingoes=DINGOES)
        workers[0].kill()
        assert site.shell(DELETE.format(text=texts[1])) > 0
        wait_until(lambda: number(site, UPTODATE) == 1, seconds=5, what="the deletion to arrive")
        wait_for(site, aardvark=texts[0], bonobo="", caracal=texts[2], dingoes=DINGOES)
        end(workers[1])
        assert "Traceback" not in site.log()


def test_the_command_shows_and_rebuilds(tmp_path):
    with Site(tmp_path) as site:
        assert "keywords  none yet" in site.manage("index", "status")
        add(site, ZEBRAS)
        site.manage("worker", "--until-done")
        assert "keywords  1 passages, change 1, " in site.manage("index", "status")
        before = folder(site)
        shutil.rmtree(before)
        assert "cannot be read" in site.manage("index", "status")
        site.manage("index", "rebuild")
        assert folder(site) != before
        wait_for(site, quaggas=ZEBRAS)
