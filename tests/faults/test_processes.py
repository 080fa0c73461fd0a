"""Real processes, killed for real."""

from __future__ import annotations

import json
import os
import random
import signal
import time

import pytest

from tests.site.running import Browser, Site, wait_until

pytestmark = pytest.mark.processes

COUNTS = """
from django.db.models import Count
from searchsite.documents.models import *
from searchsite.index.models import Vector
result = {
    "documents": Document.objects.count(),
    "ready": Document.objects.filter(state="ready", live_revision__isnull=False).count(),
    "failed": Document.objects.filter(state="failed").count(),
    "revisions": Revision.objects.count(),
    "sources": Document.objects.values("source").distinct().count(),
    "passages": Passage.objects.count(),
    "distinct_passages": Passage.objects.values("revision__document", "start", "end").distinct().count(),
    "vectors": Vector.objects.count(),
    "open_jobs": Job.objects.open().count(),
    "attempts": max(Job.objects.values_list("attempts", flat=True), default=0),
}
"""


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


def test_a_worker_killed_in_the_middle_of_an_import(tmp_path):
    """200 files, kill -9 at random moments: all become ready, none twice, without anybody's help."""
    files = tmp_path / "files"
    files.mkdir()
    for n in range(200):
        sections = "\n\n".join(f"## Part {part}\n\nDocument {n} says {part * n} things." for part in range(15))
        (files / f"{n:03}.md").write_text(f"# Document {n}\n\n{sections}\n")
    dice = random.Random()
    with Site(tmp_path) as site:
        site.manage("documents", "import", str(files), "--collection", "Files")
        site.start("manage.py", "up")
        killed_at_work = 0
        for _kill in range(4):
            pid = wait_until(lambda: worker_pid(site), what="a worker")
            wait_until(lambda: "running" in site.manage("shell", "-c", RUNNING) or None, what="work going on")
            time.sleep(dice.uniform(0, 0.5))
            os.kill(pid, signal.SIGKILL)
            killed_at_work += 1
            wait_until(lambda pid=pid: worker_pid(site) not in (None, pid), what="another worker")
            if site.shell(COUNTS)["open_jobs"] == 0:
                break
        counts = wait_until(
            lambda: (c := site.shell(COUNTS)) and c["open_jobs"] == 0 and c,
            seconds=120,
            what="all jobs to end",
        )
        assert killed_at_work >= 1
        assert counts["documents"] == counts["ready"] == counts["revisions"] == counts["sources"] == 200, counts
        assert counts["failed"] == 0
        assert counts["passages"] == counts["distinct_passages"] == counts["vectors"] >= 200
        site.manage("index", "verify")
        assert "killed by SIGKILL" in site.log()


RUNNING = "from searchsite.documents.models import Job; print(set(Job.objects.values_list('state', flat=True)))"


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
        status, _page = first.post("/admin/login/", username="admin", password="pw", next="/admin/")
        assert status == 200
        assert "Zebras" not in second.get("/", q="zebras and quaggas")[1]
        status, _page = first.post(
            "/admin/documents/document/add/", collection="1", title="Zebras", text="About zebras and quaggas."
        )
        assert status == 200
        assert "About zebras" in second.get("/", q="zebras and quaggas")[1], (
            "saved through one, found through the other"
        )
        status, _page = first.post("/admin/documents/document/1/delete/", post="yes")
        assert status == 200
        assert "About zebras" not in second.get("/", q="zebras and quaggas")[1], "and gone"


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
