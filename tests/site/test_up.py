"""`manage.py up` needs little itself; what is configured wrongly ends it with a sentence."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from searchsite.management.commands.worker import NICENESS_OF_SESSION
from searchsite.processes import UNUSABLE, Child, Supervisor
from tests.site.running import ROOT, Browser, Site, wait_until


def test_the_supervisor_loads_the_settings_and_nothing_else_of_the_site() -> None:
    code = (
        "import sys, searchsite.up\n"
        "from django.conf import settings; settings.DEBUG\n"
        "heavy = ('numpy', 'django.db.models', 'django.core.management', 'django.http', 'searchsite.search')\n"
        "print([m for m in heavy if m in sys.modules])"
    )
    environment = {**__import__("os").environ, "DJANGO_SETTINGS_MODULE": "searchsite.settings"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_child_that_cannot_run_with_its_settings_ends_all_and_is_not_started_again() -> None:
    said: list[str] = []
    lasting = Child("lasting", [sys.executable, "-c", "import time; time.sleep(60)"])
    unusable = Child("unusable", [sys.executable, "-c", f"import sys; sys.exit({UNUSABLE})"])
    assert Supervisor([lasting, unusable], said.append).run() is True
    assert lasting.process is not None
    assert lasting.process.returncode is not None
    assert said == []


@pytest.mark.processes
@pytest.mark.parametrize("options", [(), ("--no-color",)])
def test_what_the_checks_refuse_ends_it_with_a_sentence(options: tuple[str, ...], tmp_path) -> None:
    with Site(tmp_path) as site:
        up = site.start("manage.py", "up", *options, SEARCHSITE_RERANKER="nowhere")
        assert up.wait(60) == 1
        assert "SEARCHSITE_RERANKER is 'nowhere', but no folder of that name holds a checkpoint" in site.log()
        assert "Traceback" not in site.log()


@pytest.mark.processes
@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="only Linux groups processes by sessions")
def test_the_worker_comes_second_also_where_sessions_share_the_processors(tmp_path) -> None:
    with Site(tmp_path) as site:
        up = psutil.Process(site.start("manage.py", "up").pid)

        def niceness(what: str) -> int:
            """Of the session of that child; -1 where it has not begun yet."""
            own = [one for one in up.children() if what in " ".join(one.cmdline())]
            return int(Path(f"/proc/{own[0].pid}/autogroup").read_text().split()[-1]) if own else -1

        wait_until(lambda: niceness("manage.py worker") == NICENESS_OF_SESSION, what="the worker")
        assert niceness("gunicorn") == 0


@pytest.mark.processes
def test_several_processes_of_the_web_server_find_what_was_saved(tmp_path) -> None:
    with Site(tmp_path, SEARCHSITE_PROCESSES="2", SEARCHSITE_TASKS="inline") as site:
        up = site.start("manage.py", "up")
        browser = Browser(site.environment["SEARCHSITE_PORT"])
        wait_until(lambda: browser.get("/healthz")[0] == 200, what="the site")
        (web,) = (one for one in psutil.Process(up.pid).children() if "gunicorn" in " ".join(one.cmdline()))
        serving = wait_until(lambda: len(found := web.children()) == 2 and found)
        site.shell(
            "from searchsite.documents.models import Collection, Document\n"
            "home = Collection.objects.create(name='Home', slug='home', visibility='public')\n"
            "Document.objects.create(collection=home, title='Cats', text='A cat sleeps on the mat.')\n"
            "result = None"
        )
        before = [one.cpu_times().user for one in serving]
        asked = 0
        while not all(one.cpu_times().user > was for one, was in zip(serving, before, strict=True)):
            asked += 1
            assert asked < 500, "one of the two does nothing"
            status, page = browser.get("/", q=f"Where does the cat sleep, number {asked}?")
            assert (status, "A cat sleeps" in re.sub("<[^>]*>", "", page)) == (200, True)
