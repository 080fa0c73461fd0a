"""Real processes, killed for real."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.faults import counting
from tests.faults.counting import number, rows
from tests.site.running import Browser, Site, wait_until

pytestmark = pytest.mark.processes

KILLS = 20 if "SEARCHSITE_TEST_WHOLE" in os.environ else 10  # make test-whole
IN_UNPACKING = range(KILLS * 2 // 5, KILLS * 2 // 5 + 3)  # which of the kills come while the archive is unpacked


def test_a_worker_killed_again_and_again_in_an_import(tmp_path):
    """500 files and an archive, kill -9 at random moments: each document once, ready or with a reason; and no text
    that had its vector is encoded again."""
    seed = random.SystemRandom().randrange(10**6)
    dice = random.Random(seed)
    counting.write_files(tmp_path / "files")
    counting.write_archive(tmp_path / "more.zip", dice)
    (tmp_path / "tmp").mkdir()
    log = tmp_path / "encoded.log"
    work = ("-m", "tests.faults.counting", str(log), "worker")
    others = KILLS - len(IN_UNPACKING)
    moments = iter(
        [int((n + dice.random()) * 0.92 * (counting.FILES + counting.UNPACKED) / others) for n in range(others)]
    )
    at_work = 0
    with Site(tmp_path, TMPDIR=str(tmp_path / "tmp")) as site:
        site.manage("documents", "import", str(tmp_path / "files"), "--collection", "Files")
        for kill in range(KILLS):
            if kill == IN_UNPACKING.start:
                assert site.shell(counting.UPLOAD.format(path=str(tmp_path / "more.zip"))) == "queued"
            worker = site.start(*work)
            if kill in IN_UNPACKING:
                counting.wait_for_number(site, counting.UNPACKING.format(pid=worker.pid), 1)
                time.sleep(dice.uniform(0, 0.2))
            else:
                counting.wait_for_number(site, counting.FINISHED, next(moments))
                counting.wait_for_number(site, counting.HELD.format(pid=worker.pid), 1)
                time.sleep(dice.uniform(0, 0.5))
            worker.kill()
            assert worker.wait() == -signal.SIGKILL
            assert number(site, counting.OPEN) > 0, f"nothing was left for kill {kill}; seed {seed}"
            at_work += number(site, counting.HELD.format(pid=worker.pid))
        last = site.start(*work)
        counting.wait_for_number(site, counting.REBUILT, 1)  # queued when all is read
        assert number(site, counting.OPEN) == 0
        counts = site.shell(counting.COUNTS)
        site.manage("index", "verify")
        assert site.shell(counting.SEARCH) == [["078.md"], ["more-07.html"]]
        last.terminate()
        assert last.wait(20) == 0
        left = [path.name for path in (tmp_path / "tmp").iterdir()]
    texts = [line.split() for line in log.read_text().splitlines()]
    assert not [text for what, text, *_ in texts if what == "again"]
    assert {text for _, text, *_ in texts} == set(counts["encoded"])
    last_of = {process: batch for *_, process, batch in texts}
    kept = {text: (process, batch) for _, text, process, batch in texts}
    lost = [(process, batch) for _, text, process, batch in texts if kept[text] != (process, batch)]
    print(
        f"seed {seed}: {at_work} of {KILLS} kills in the middle of a job, {len(kept)} texts, {len(lost)} encoded twice"
    )
    assert all(last_of[process] == batch for process, batch in lost), "a kill costs the batch under way, no other"
    empty, damaged = [f"{n:03}.md" for n in counting.EMPTY], [f"{n:03}.docx" for n in counting.DAMAGED]
    names = {path.name for path in (tmp_path / "files").iterdir()} - {*empty, *damaged}
    assert counts["ready"] == sorted([*names, *(f"more-{n:02}.html" for n in range(counting.UNPACKED))])
    assert counts["failed"] == sorted(
        [[name, "no_text", True] for name in empty] + [[name, "damaged", True] for name in damaged]
    )
    assert counts["documents"] == counting.FILES + counting.UNPACKED
    assert counts["sources"] == counting.FILES
    assert counts["unpacked"] == [counting.UNPACKED] * 2
    assert counts["unpack_attempts"] > 1, f"no kill met the unpacking; seed {seed}"
    assert counts["revisions"] == len(counts["ready"])
    assert counts["vectors"] == [counts["passages"]] * 2
    assert counts["places"] == counts["passages"]
    assert counts["several_batches"] == len(counting.BIG)
    assert [counts["refused"], counts["jobs"], left] == [[], [], []]


def sources(site: Site) -> dict[str, tuple[str, int]]:
    """Content and id of each document, by where it came from."""
    found = rows(site, "SELECT source, content_hash, id FROM documents_document")
    assert len({source for source, *_ in found}) == len(found)
    return {source: (content, pk) for source, content, pk in found}


def contents(folder: Path) -> dict[str, str]:
    """SHA-256 of each file, by its path."""
    return {str(path.resolve()): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def import_killed(site: Site, folder: Path, dice: random.Random, kills: int) -> int:
    """Run `documents import --sync` until it ends of itself, and kill it up to so many times before; how many it was.

    After each kill, what the folder holds unchanged is there still.
    """
    wanted, before = contents(folder), sources(site)
    kept = {source: found for source, found in before.items() if wanted.get(source) == found[0]}

    def undone() -> int:
        return len({*wanted.items()} ^ {(source, content) for source, (content, _pk) in sources(site).items()})

    begun, killed = undone(), 0
    for kill in range(kills):
        moment = begun * (1 - (kill + dice.random()) / kills)
        command = site.start("manage.py", "documents", "import", str(folder), "--collection", "Files", "--sync")
        while undone() > moment and command.poll() is None:
            time.sleep(0.01)
        time.sleep(dice.uniform(0, 0.1))
        command.kill()
        killed += command.wait() == -signal.SIGKILL
        assert kept.items() <= sources(site).items()
    site.manage("documents", "import", str(folder), "--collection", "Files", "--sync")
    return killed


def test_an_import_killed_again_and_again_goes_on_where_it_was(tmp_path):
    """300 files, then changed, renamed, removed and added ones: each document once, and none lost that is there."""
    seed = random.SystemRandom().randrange(10**6)
    dice = random.Random(seed)
    folder = tmp_path / "files"
    folder.mkdir()
    for n in range(300):
        (folder / f"{n:03}.md").write_text(f"# Document {n}\n\n{counting.words_about(f'thing{n}', 3)}\n")
    with Site(tmp_path) as site:
        killed = import_killed(site, folder, dice, 5)
        first = sources(site)
        assert {source: content for source, (content, _pk) in first.items()} == contents(folder)
        for n in range(60):
            (folder / f"{n:03}.md").rename(folder / f"renamed-{n:03}.md")
        for n in range(60, 120):
            (folder / f"{n:03}.md").write_text(f"# Document {n}\n\nChanged in the meantime.\n")
        for n in range(120, 180):
            (folder / f"{n:03}.md").unlink()
            (folder / f"more-{n:03}.md").write_text(f"# More {n}\n\nThis was added in place of {n}.\n")
        killed += import_killed(site, folder, dice, 5)
        print(f"seed {seed}: {killed} of 10 kills in time")
        assert killed >= 5, f"the command was too quick to be killed; seed {seed}"
        then = sources(site)
        assert {source: content for source, (content, _pk) in then.items()} == contents(folder)
        was = {Path(source).name: pk for source, (_content, pk) in first.items()}
        now = {Path(source).name.removeprefix("renamed-"): pk for source, (_content, pk) in then.items()}
        assert len(now.items() & was.items()) == 240  # the others are new
        assert rows(site, counting.WITHOUT_WORK) == []


def worker_pid(site: Site) -> int | None:
    """The process id of the living worker that `up` runs, from the kernel's list of our grandchildren."""
    up = site.processes[0].pid
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            try:
                with open(f"/proc/{entry}/stat") as stat, open(f"/proc/{entry}/cmdline") as command:
                    parent, line = int(stat.read().rsplit(")", 1)[1].split()[1]), command.read()
            except OSError:
                continue
            if parent == up and "\0worker" in line:
                return int(entry)
    return None


def test_two_web_processes_see_each_others_changes_on_the_next_request(tmp_path):
    with Site(tmp_path, SEARCHSITE_TASKS="inline") as site:
        site.shell(
            "from django.contrib.auth.models import User; User.objects.create_superuser('admin', '', 'pw')\n"
            "from searchsite.documents.models import Collection\n"
            "result = Collection.objects.create(name='Open', slug='open', visibility='public').pk"
        )
        ports = [site.environment["SEARCHSITE_PORT"], str(int(site.environment["SEARCHSITE_PORT"]) + 1)]
        for port in ports:
            site.start("-m", "gunicorn", "searchsite.wsgi", "--bind", f"127.0.0.1:{port}", "--threads", "4")
        first, second = (Browser(port) for port in ports)
        for browser in (first, second):
            wait_until(lambda browser=browser: browser.get("/readyz")[0] == 200, what="the site")
        status, _page = first.post("/sign-in/", username="admin", password="pw", next="/admin/")
        assert status == 200
        assert "Zebras" not in second.get("/", q="zebras and quaggas")[1]
        status, _page = first.post(
            "/admin/documents/document/add/", collection="1", title="Zebras", text="About zebras and quaggas."
        )
        assert status == 200
        assert ">Zebras</a>" in second.get("/", q="zebras and quaggas")[1], "saved through one, found through the other"
        status, _page = first.post("/admin/documents/document/1/delete/", post="yes")
        assert status == 200
        assert ">Zebras</a>" not in second.get("/", q="zebras and quaggas")[1], "and gone"


def test_up_restarts_what_dies_and_ends_both_together(tmp_path):
    with Site(tmp_path) as site:
        up = site.start("manage.py", "up")
        browser = Browser(site.environment["SEARCHSITE_PORT"])
        wait_until(lambda: browser.get("/readyz")[0] == 200, what="the site")
        wait_until(lambda: worker_pid(site), what="the worker")
        health = wait_until(
            lambda: (h := json.loads(browser.get("/healthz")[1])) and h["parts"]["worker"] == "ok" and h,
            what="health",
        )
        assert health["parts"]["database"] == "ok"
        children = _children(up.pid)
        assert len(children) == 2
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: browser.get("/healthz")[0] == 200 and worker_pid(site), what="both again")
        children = _children(up.pid)
        up.terminate()
        assert up.wait(20) == 0
        assert not [pid for pid in children if os.path.exists(f"/proc/{pid}")]
        assert browser.get("/healthz")[0] == 0


def test_children_end_when_their_supervisor_is_killed(tmp_path):
    with Site(tmp_path) as site:
        up = site.start("manage.py", "up")
        browser = Browser(site.environment["SEARCHSITE_PORT"])
        wait_until(lambda: browser.get("/healthz")[0] == 200 and worker_pid(site), what="the site")
        children = _children(up.pid)
        up.kill()
        up.wait()
        wait_until(lambda: not [pid for pid in children if os.path.exists(f"/proc/{pid}")], what="both to end")


def test_a_port_in_use_is_refused_with_a_sentence(tmp_path):
    import socket

    with Site(tmp_path) as site, socket.socket() as taken:
        taken.bind(("127.0.0.1", int(site.environment["SEARCHSITE_PORT"])))
        taken.listen()
        up = site.start("manage.py", "up")
        assert up.wait(20) != 0
        assert "choose another with SEARCHSITE_PORT" in site.log()
        assert "Traceback" not in site.log()


@pytest.mark.parametrize(
    ("name", "value"),
    [("SEARCHSITE_PORT", "eighty"), ("SEARCHSITE_PORT", "99999"), ("SEARCHSITE_TASKS", "later"),
     ("SEARCHSITE_POOLING", "max"), ("DATABASE_URL", "nonsense"), ("SEARCHSITE_DEBUG", "perhaps"),
     ("SEARCHSITE_DATA_DIR", "/proc/nowhere")],
)  # fmt: skip
def test_a_setting_that_cannot_be_used_is_refused_at_start_with_a_sentence(tmp_path, name, value):
    import subprocess
    import sys

    from tests.site.running import ROOT

    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        env={**os.environ, name: value}, cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode != 0
    assert name in done.stderr
    assert "Traceback" not in done.stderr


def _children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        return [int(child) for child in children.read().split()]
