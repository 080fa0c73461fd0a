"""How long does the site take to start, and how much memory do its processes hold?

    python benchmarks/startup.py [--encoder e5-small|tiny] [--rounds 3] [--searches 50] [--alone] [--json]
    SEARCHSITE_...=... python benchmarks/startup.py --data FOLDER [...]

Starts `manage.py up`, asks for the first page until it comes, looks at the memory of each process, searches once, then
some more, and looks again. Without --data the site is a new one in a temporary folder, with the list of this
project's changes in it; with it, it is the one whose SEARCHSITE_DATA_DIR that is, with the settings of the environment,
and whatever size it has. Rounds of all that is compared alternate, and medians are printed.

Beside it, in the same run, each in a process of its own:
- a bare page: gunicorn and Django as they come, with one view that answers a word, and no database;
- the encoder alone: Python, the site's encoder and one question; no site;
- sentence-transformers: Python, SentenceTransformer(the same folder) and the same question.

Where the machine has other work, wall time says little; so the processor's seconds are printed, too: of all that has to
be done one after the other until then, by supervisor, arbiter and web server (the worker starts on another core).

Memory is what the kernel says in smaps_rollup: PSS, in which a page that n processes share counts a n-th for each, so
that the processes' PSS add up to what they take together; RSS counts it whole for each.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pydoc_data import topics
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
MB = 1024  # of the kernel's kB

BARE = """
import sys
from django.conf import settings
from django.http import HttpResponse
from django.urls import path
urlpatterns = [path("", lambda request: HttpResponse("here"))]
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="none")
from django.core.wsgi import get_wsgi_application
application = get_wsgi_application()
"""
ALONE = """
import sys
from pathlib import Path
import encoder
encoder.load(sys.argv[1], Path(sys.argv[2])).encode_queries([sys.argv[3]])
"""
PEER = """
import sys
from pathlib import Path
from sentence_transformers import SentenceTransformer
SentenceTransformer(sys.argv[1], device="cpu").encode(["query: " + sys.argv[2]])
"""
PUBLIC = "from searchsite.documents.models import Collection as C; C.objects.update(visibility=C.Visibility.PUBLIC)"
TELL = "print(open('/proc/self/smaps_rollup').read())"
QUESTION = "How do I search the documents of one collection?"


@dataclass(frozen=True)
class Memory:
    """Of a process, in MB; anonymous: the part of the PSS that is no file's."""

    pss: float
    rss: float
    anonymous: float


def memory(text: str) -> Memory:
    """From the text of a smaps_rollup."""
    kilobytes = dict(re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE))
    return Memory(*(int(kilobytes.get(name, 0)) / MB for name in ("Pss", "Rss", "Pss_Anon")))


def descendants(pid: int) -> list[int]:
    """The process and all below it."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            children = (task / "children").read_text().split()
        except FileNotFoundError:  # a thread that has ended meanwhile
            continue
        for child in children:
            found += descendants(int(child))
    return found


def processes(up: int) -> dict[str, Memory]:
    """What each process of the site holds, by what it is for."""
    found: dict[str, Memory] = {}
    listening = [pid for pid in descendants(up) if b"gunicorn" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    for pid in descendants(up):
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if pid == up:
            name = "supervisor"
        elif listening and pid == listening[-1]:
            name = "web"
        elif pid in listening:
            name = "gunicorn's arbiter"
        else:
            name = "worker" if b"worker" in command else "reader"
        found[name] = memory(Path(f"/proc/{pid}/smaps_rollup").read_text())
    return found


def computed(up: int) -> float:
    """Processor seconds of the site's processes until now, but for the worker's."""
    ticks = 0
    for pid in descendants(up):
        if b"worker\0" not in Path(f"/proc/{pid}/cmdline").read_bytes():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])  # utime, stime: proc_pid_stat(5)
    return ticks / os.sysconf("SC_CLK_TCK")


def get(address: str, seconds: float = 120) -> None:
    """Ask until it answers."""
    until = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(address, timeout=seconds) as answer:  # noqa: S310 - our own
                answer.read()
                return
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > until:
                raise
            time.sleep(0.01)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: Sequence[str], environment: dict[str, str], folder: Path) -> Iterator[int]:
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, env=environment, cwd=folder, stdout=quiet, stderr=quiet)
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


class Site:
    """A site to start, and its settings."""

    def __init__(self, folder: Path, encoder: str, models: Path, *, is_new: bool) -> None:
        self.environment = os.environ | {"SEARCHSITE_DATA_DIR": str(folder)}
        # Python's own compiled files are what a site has after its first start.
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)
        if is_new:
            self.environment |= {
                "SEARCHSITE_ENCODER": encoder,
                "SEARCHSITE_MODELS_DIR": str(models),
                "SEARCHSITE_ADMIN_PASSWORD": "not-of-interest",
            }
            self.manage("prepare")
            self.manage("documents", "import", "CHANGELOG.md", "--collection", "Docs")
            self.manage("shell", "--no-imports", "-c", PUBLIC)
            self.manage("worker", "--until-done")

    def manage(self, *arguments: str) -> None:
        command = [sys.executable, "manage.py", *arguments]
        subprocess.run(command, cwd=ROOT, env=self.environment, check=True, capture_output=True)

    def start(self, searches: int) -> tuple[dict[str, float], dict[str, dict[str, Memory]]]:
        """Seconds to a first page and to a first search; the processes' memory before, after one, after more."""
        port = free_port()
        address = f"http://127.0.0.1:{port}/"
        environment = self.environment | {"SEARCHSITE_PORT": str(port)}
        seconds, held = {}, {}
        began = time.perf_counter()
        with running([sys.executable, "manage.py", "up"], environment, ROOT) as up:
            get(address)
            seconds["first page"] = time.perf_counter() - began
            seconds["first page, computing"] = computed(up)
            settle()
            held["before a search"] = processes(up)
            began_to_search = time.perf_counter()
            get(f"{address}?{urllib.parse.urlencode({'q': QUESTION})}")
            seconds["first search itself"] = time.perf_counter() - began_to_search
            seconds["first search"] = seconds["first page"] + seconds["first search itself"]
            seconds["first search, computing"] = computed(up)
            held["after one"] = processes(up)
            for question in questions(searches):
                get(f"{address}?{urllib.parse.urlencode({'q': question})}")
            settle()
            held[f"after {searches + 1}"] = processes(up)
        return seconds, held


def settle() -> None:
    """Until the worker, too, has come up."""
    time.sleep(4)


def questions(count: int) -> list[str]:
    return [f"How does {topic} work, number {n}?" for n, topic in enumerate((sorted(topics.topics) * 10)[:count])]


def bare_page(folder: Path) -> tuple[float, Memory]:
    (folder / "bare.py").write_text(BARE)
    port = free_port()
    began = time.perf_counter()
    gunicorn = [sys.executable, "-m", "gunicorn", "bare", "--bind", f"127.0.0.1:{port}", "--log-level", "error"]
    with running([*gunicorn, "--worker-class", "gthread", "--no-control-socket"], dict(os.environ), folder) as pid:
        get(f"http://127.0.0.1:{port}/")
        seconds = time.perf_counter() - began
        return seconds, memory(Path(f"/proc/{descendants(pid)[-1]}/smaps_rollup").read_text())


def alone(code: str, *arguments: str) -> tuple[float, Memory]:
    """Seconds that a Python with this code takes from start to end, and its memory at the end."""
    began = time.perf_counter()
    command = [sys.executable, "-c", code + TELL, *arguments]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, env=os.environ | QUIET)
    return time.perf_counter() - began, memory(done.stdout)


# As the site has it; and the hub is not to be asked.
QUIET = {"OMP_WAIT_POLICY": "PASSIVE", "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}


def measure(site: Site, asked: argparse.Namespace, models: Path, folder: Path) -> dict[str, object]:
    seconds: dict[str, list[float]] = defaultdict(list)
    held: dict[str, dict[str, list[Memory]]] = defaultdict(lambda: defaultdict(list))
    from encoder import describe

    checkpoint = describe(asked.encoder, models).folder
    for number in range(asked.rounds + 1):  # the first is not counted: files come from the disk
        took, holding = site.start(asked.searches)
        print(f"round {number}: {took}", file=sys.stderr)
        took["bare page"], bare = bare_page(folder)
        holding["beside it"] = {"bare page": bare}
        if checkpoint is not None and not asked.alone:
            took["encoder alone"], holding["beside it"]["encoder alone"] = alone(
                ALONE, asked.encoder, str(models), QUESTION
            )
            took["sentence-transformers"], holding["beside it"]["sentence-transformers"] = alone(
                PEER, str(checkpoint), QUESTION
            )
        if number:
            for name, value in took.items():
                seconds[name].append(value)
            for moment, holders in holding.items():
                for name, value in holders.items():
                    held[moment][name].append(value)
    return {
        "encoder": asked.encoder,
        "seconds": {name: round(median(values), 2) for name, values in seconds.items()},
        "megabytes": {
            moment: {name: medians(values) for name, values in holders.items()} for moment, holders in held.items()
        },
    }


def medians(values: Sequence[Memory]) -> dict[str, int]:
    return {field: round(median(getattr(value, field) for value in values)) for field in Memory.__dataclass_fields__}


def show(found: dict[str, object]) -> None:
    seconds, megabytes = found["seconds"], found["megabytes"]
    assert isinstance(seconds, dict)
    assert isinstance(megabytes, dict)
    print(f"| {found['encoder']}: from the start to | seconds | to the limit |\n| --- | --- | --- |")
    limits = {"first page": "bare page", "first search": "encoder alone"}
    for name, value in seconds.items():
        limit = seconds.get(limits.get(name, ""))
        print(f"| {name} | {value:.2f} | {f'{value / limit:.2f} x {limits[name]}' if limit else ''} |")
    print("\n| memory, MB | process | PSS | of it no file's | RSS |\n| --- | --- | --- | --- | --- |")
    for moment, holders in megabytes.items():
        for name, value in holders.items():
            print(f"| {moment} | {name} | {value['pss']} | {value['anonymous']} | {value['rss']} |")
        if moment != "beside it":
            total = {field: sum(value[field] for value in holders.values()) for field in ("pss", "anonymous")}
            print(f"| {moment} | all together | {total['pss']} | {total['anonymous']} | |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default=os.environ.get("SEARCHSITE_ENCODER", "e5-small"))
    parser.add_argument("--data", type=Path, help="the folder of a site that is there already")
    parser.add_argument("--models", type=Path, help="where checkpoints are made ready")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--searches", type=int, default=50)
    parser.add_argument("--alone", action="store_true", help="without the encoder's and its peer's own start")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = asked.models or Path(os.environ.get("SEARCHSITE_MODELS_DIR", folder / "models"))
        os.environ["SEARCHSITE_MODELS_DIR"] = str(models.resolve())
        data = asked.data.resolve() if asked.data else folder / "site"
        site = Site(data, asked.encoder, models.resolve(), is_new=asked.data is None)
        found = measure(site, asked, models.resolve(), folder)
        shutil.rmtree(folder / "site", ignore_errors=True)
    show(found)
    if asked.json:
        print(json.dumps(found))


if __name__ == "__main__":
    main()
