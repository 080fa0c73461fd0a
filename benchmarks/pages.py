"""How long does a page of results take, through HTTP, on a big site; and what does the site do to it beside that?

    python benchmarks/pages.py DATA_DIR FILE.jsonl.gz... [--requests 300] [--clients 16] [--seconds 20] [--json]
        [--conditions type:text lang:en]

DATA_DIR is a site's (benchmarks/big_site.py makes one); `manage.py up` serves it, web server and worker, without
reranking, since such a site has no codes of tokens. The questions are different ones each time, made of the FILEs'
titles and texts: some words in a row of an English one, some characters of a Chinese one. Measured are

- a page alone, one request after the other, beside the same server's page without a question and its /healthz: what the
  stack itself takes;
- a page alone, with each of the conditions in its question;
- so many clients at once, each asking as fast as it is answered: requests a second, and errors;
- a page alone while an import is read and encoded, and while the index is built anew: ratios to the first.

The client runs on the same cores.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.site.running import free_port, wait_until  # noqa: E402

LINES = 20_000  # of each file that questions are made of
LETTERS = re.compile(r"[A-Za-z][A-Za-z-]{2,}")


def questions(files: list[Path], seed: int) -> Iterator[str]:
    """Different questions, without end; half of them Chinese where there are Chinese texts."""
    texts: dict[bool, list[str]] = {True: [], False: []}
    for file in files:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in islice(lines, LINES):
                row = json.loads(line)
                text = f"{row['title']} {row['text']}"
                texts[bool(re.search("[\u4e00-\u9fff]", text))].append(text)
    chosen = random.Random(seed)  # noqa: S311 - nobody's secret
    kinds = [kind for kind in (True, False) if texts[kind]]
    while True:
        chinese = chosen.choice(kinds)
        text = chosen.choice(texts[chinese])
        if chinese:
            start = chosen.randrange(max(1, len(text) - 8))
            ending = chosen.choice(["是什么", "怎么办", "吗", "的原因"])
            yield text[start : start + chosen.randint(6, 14)].strip() + ending
        else:
            words = LETTERS.findall(text)
            start = chosen.randrange(max(1, len(words) - 5))
            yield " ".join(words[start : start + chosen.randint(3, 8)])


class Server:
    """`manage.py up` on a data folder; ended by process id at the end."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.environment = os.environ | {
            "SEARCHSITE_DATA_DIR": str(folder), "SEARCHSITE_RERANKER": "none", "SEARCHSITE_PORT": str(self.port),
        }  # fmt: skip

    def __enter__(self) -> Server:
        self.manage("collectstatic", "--no-input", "--verbosity", "0")
        command = [sys.executable, "manage.py", "up"]
        self.process = subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=subprocess.DEVNULL)
        wait_until(lambda: self.ask("/readyz")[0] == 200, 120, "the site")
        return self

    def __exit__(self, *_exception: object) -> None:
        self.process.terminate()
        self.process.wait(60)

    def manage(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            check=False, cwd=ROOT, env=self.environment, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(done.stdout + done.stderr)
        return done.stdout

    def ask(self, path: str, connection: http.client.HTTPConnection | None = None) -> tuple[int, float]:
        """(status, milliseconds); 0 where there was no answer."""
        used = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        began = time.perf_counter()
        try:
            used.request("GET", path, headers={"Host": "localhost", "Accept-Encoding": "gzip"})
            response = used.getresponse()
            response.read()
            return response.status, 1000 * (time.perf_counter() - began)
        except (OSError, http.client.HTTPException):
            used.close()
            return 0, 1000 * (time.perf_counter() - began)


def address(question: str) -> str:
    return "/?" + urllib.parse.urlencode({"q": question})


def alone(server: Server, paths: Iterator[str], go_on: Callable[[int], bool]) -> list[float]:
    """Milliseconds of one request after the other."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    taken: list[float] = []
    while go_on(len(taken)):
        status, milliseconds = server.ask(next(paths), connection)
        if status != 200:
            raise SystemExit(f"a request was answered {status}")
        taken.append(milliseconds)
    return taken


def together(server: Server, paths: Iterator[str], clients: int, seconds: float) -> tuple[list[float], int]:
    """Milliseconds of each request of so many clients at once, and how many were no 200."""
    found: list[tuple[int, float]] = []
    lock, until = threading.Lock(), time.monotonic() + seconds

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        while time.monotonic() < until:
            with lock:
                path = next(paths)
            answer = server.ask(path, connection)
            with lock:
                found.append(answer)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [taken for _status, taken in found], sum(status != 200 for status, _taken in found)


def busy(server: Server, kind: str) -> Callable[[int], bool]:
    """Go on while the worker does that kind of job, and until there are enough requests to say something."""
    state = {"looked": 0.0, "open": True}

    def go_on(done: int) -> bool:
        if time.monotonic() - state["looked"] > 5:
            count = f"print(Job.objects.open().filter(kind='{kind}').count())"
            code = f"from searchsite.documents.models import Job; {count}"
            state["open"] = server.manage("shell", "--no-imports", "-c", code).strip().splitlines()[-1] != "0"
            state["looked"] = time.monotonic()
        return bool(state["open"]) and done < 2000

    return go_on


def pages(folder: Path, asked: Iterator[str], number: int) -> None:
    """Files to be imported, of some passages each, made of questions: no two alike."""
    for count in range(number):
        text = "\n\n".join(" ".join(islice(asked, 60)) for _ in range(4))
        (folder / f"page-{count}.md").write_text(f"# Page {count} of {random.random()}\n\n{text}\n")  # noqa: S311


def p50_p95(taken: list[float]) -> tuple[float, float]:
    return float(np.quantile(taken, 0.5)), float(np.quantile(taken, 0.95))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--pages", type=int, default=60, help="imported meanwhile; 0: neither import nor rebuild")
    parser.add_argument("--conditions", nargs="*", default=[])
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    asked = questions(given.files, given.seed)
    paths = map(address, asked)
    rows: dict[str, tuple[float, float]] = {}
    with Server(given.folder.resolve()) as server:
        alone(server, paths, lambda done: done < 20)  # files are mapped, caches are filled
        rows["/healthz"] = p50_p95(alone(server, iter(lambda: "/healthz", ""), lambda done: done < 50))
        rows["no question"] = p50_p95(alone(server, iter(lambda: "/", ""), lambda done: done < 50))
        rows["a page of results"] = p50_p95(alone(server, paths, lambda done: done < given.requests))
        for condition in given.conditions:
            narrowed = (address(f"{question} {condition}") for question in asked)
            rows[f"with {condition}"] = p50_p95(alone(server, narrowed, lambda done: done < 50))
        taken, errors = together(server, paths, given.clients, given.seconds)
        rows[f"{given.clients} clients"] = p50_p95(taken)
        if given.pages:
            with tempfile.TemporaryDirectory(prefix="searchsite-pages-") as folder:
                pages(Path(folder), asked, given.pages)
                server.manage("documents", "import", folder, "--collection", f"Benchmark {random.random()}")  # noqa: S311
                rows["during an import"] = p50_p95(alone(server, paths, busy(server, "ingest")))
            server.manage("shell", "--no-imports", "-c",
                          "from searchsite.documents.models import Job; Job.queue(Job.Kind.REBUILD)")  # fmt: skip
            rows["during a rebuild"] = p50_p95(alone(server, paths, busy(server, "rebuild")))
    first = rows["a page of results"]
    print("| | p50, ms | p95, ms | p95 to that of a page alone |\n| --- | --- | --- | --- |")
    for name, (half, most) in rows.items():
        print(f"| {name} | {half:.1f} | {most:.1f} | {most / first[1]:.2f} |")
    print(f"\n{given.clients} clients: {len(taken) / given.seconds:.1f} requests/s, {errors} errors")
    if given.json:
        print(json.dumps({"rows": rows, "requests_per_second": len(taken) / given.seconds, "errors": errors}))


if __name__ == "__main__":
    main()
