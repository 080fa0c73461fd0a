"""A real site for a test: its own data folder and database, real processes, real HTTP on the loopback interface."""

from __future__ import annotations

import http.cookiejar
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Site:
    """`with Site(tmp_path) as site:`; what it started is ended at the end, by process id."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "SEARCHSITE_DATA_DIR": str(folder / "var"),
            "SEARCHSITE_ENCODER": "tiny",
            "SEARCHSITE_TASKS": "worker",
            "SEARCHSITE_LEASE_SECONDS": "2",
            "SEARCHSITE_PORT": str(free_port()),
            "DJANGO_SETTINGS_MODULE": "searchsite.settings",
            **settings,
        }
        self.processes: list[subprocess.Popen[bytes]] = []
        self.database = ""

    def __enter__(self) -> Site:
        new = _new()
        shutil.copytree(new.folder / "var", self.folder / "var", dirs_exist_ok=True)
        self._use_database(template=new.database)
        return self

    def _use_database(self, template: str = "template1") -> None:
        """On PostgreSQL, a database of its own; on SQLite it lies in the data folder."""
        if os.environ.get("DATABASE_URL", "").startswith("postgres"):
            self.database = f"site_{uuid.uuid4().hex[:12]}"
            self._postgres(f"CREATE DATABASE {self.database} TEMPLATE {template}")
            url = urllib.parse.urlsplit(os.environ["DATABASE_URL"])
            self.environment["DATABASE_URL"] = urllib.parse.urlunsplit(url._replace(path=f"/{self.database}"))

    def __exit__(self, *_exception: object) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        if self.database:
            self._postgres(f"DROP DATABASE {self.database} WITH (FORCE)")

    def _postgres(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[arg-type]

    def manage(self, *arguments: str) -> str:
        """Run a management command to its end; returns what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            env=self.environment, cwd=ROOT, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def shell(self, code: str) -> Any:
        """Evaluate Python in the site's shell; `code` assigns `result`, which must be JSON-able."""
        out = self.manage("shell", "--no-imports", "-c", f"import json\n{code}\nprint('\\n@@' + json.dumps(result))")
        return json.loads(out.rsplit("@@", 1)[1])

    def start(self, *command: str, **settings: str) -> subprocess.Popen[bytes]:
        """Start a process of the site; its output goes to a file in the folder."""
        log = (self.folder / f"process-{len(self.processes)}.log").open("wb")
        process = subprocess.Popen(
            [sys.executable, *command],
            env={**self.environment, **settings}, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.processes.append(process)
        return process

    def log(self) -> str:
        return "".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("process-*.log")))


@cache
def _new() -> Site:
    """A site with its tables and collected files, of which those of the tests are copies: making it takes seconds."""
    site = Site(Path(tempfile.mkdtemp(prefix="new-", dir=os.environ["SEARCHSITE_DATA_DIR"])))
    site._use_database()
    site.manage("migrate", "--verbosity", "0")
    site.manage("collectstatic", "--no-input", "--verbosity", "0")
    return site


class Browser:
    """HTTP with cookies, for one server."""

    def __init__(self, port: str | int) -> None:
        self.base = f"http://127.0.0.1:{port}"
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def get(self, path: str, **query: str) -> tuple[int, str]:
        address = self.base + path + (f"?{urllib.parse.urlencode(query)}" if query else "")
        return self._open(urllib.request.Request(address))

    def post(self, path: str, **fields: str) -> tuple[int, str]:
        _status, page = self.get(path)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token, page[:500]
        data = urllib.parse.urlencode({"csrfmiddlewaretoken": token.group(1), **fields}).encode()
        return self._open(urllib.request.Request(self.base + path, data))

    def _open(self, request: urllib.request.Request) -> tuple[int, str]:
        try:
            with self.opener.open(request, timeout=30) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except (urllib.error.URLError, ConnectionError):
            return 0, ""


def wait_until(condition: Any, seconds: float = 60, what: str = "it") -> Any:
    """The first true value of `condition()`; fails when none came in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.2)
    raise AssertionError(f"waited {seconds} s for {what}")
