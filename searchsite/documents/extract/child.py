"""The process in which files are read: it takes one file after the other from its input, and answers in JSON.

`python -m searchsite.documents.extract.child MEMORY_MB`, started by documents/reading.py. It never sees the
database, the settings or a secret: whatever a file makes a library do, it is done to this process only.
"""

import errno
import json
import os
import resource
import signal
import sys
import threading
import time
import traceback
from base64 import b64encode
from collections.abc import Callable
from dataclasses import asdict
from typing import IO, Any

from searchsite.documents.extract import extract, pdf_picture
from searchsite.documents.extract.extracted import Limits
from searchsite.documents.problems import Problem

MOST_FILES = 200  # then the process is replaced, whatever its libraries may have leaked
MOST_WRITTEN = 64 * 2**20  # bytes of a file: libraries may need a temporary one
# A process that holds more than this part of its memory would fail the next file for what the one before it left.
HELD = 0.5
Tell = Callable[[int, int], None]
ALARM_AFTER = 10  # seconds beyond the limit: then nobody is there any more to end this process


def main() -> None:
    memory = int(sys.argv[1]) * 2**20
    _bound(memory)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    requests = sys.stdin.buffer
    # What libraries print must not come between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for number in range(1, MOST_FILES + 1):
        request = requests.readline()
        if not request:
            return
        answer = _answer(json.loads(request), requests, answers)
        signal.alarm(0)
        last = number == MOST_FILES or "fault" in answer or _resident() > HELD * memory
        _send(answers, {**answer, "last": last})
        if last:
            return


def _end_with(parent: int) -> None:
    """End this process when its parent was killed: nobody waits for the file that it reads."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)


def _bound(memory: int) -> None:
    """Bound what this process may take; RLIMIT_DATA counts memory that is its own, not libraries or reserved ranges."""
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_WRITTEN, MOST_WRITTEN))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _answer(request: dict[str, Any], requests: IO[bytes], answers: IO[bytes]) -> dict[str, Any]:
    def in_time() -> None:
        signal.alarm(request["seconds"] + ALARM_AFTER)

    def tell(done: int, total: int) -> None:
        in_time()
        _send(answers, {"done": done, "total": total})

    in_time()
    try:
        data = requests.read(request["size"])
        return {"found": WORK[request["do"]](data, request, tell)}
    except Problem as problem:
        return {"problem": problem.as_json()}
    except MemoryError:
        return {"fault": "memory"}
    except OSError as error:
        return {"fault": "disk" if error.errno in (errno.ENOSPC, errno.EDQUOT) else traceback.format_exc()}
    except BaseException:  # noqa: BLE001 - a panic of Rust is no Exception; it is told, and this process ends
        return {"fault": traceback.format_exc()}


def _read(data: bytes, request: dict[str, Any], tell: Tell) -> dict[str, Any]:
    extracted = asdict(extract(data, request["name"], Limits(**request["limits"], tell=tell)))
    return {**extracted, "written": extracted["written"] and extracted["written"].isoformat()}


def _picture(data: bytes, request: dict[str, Any], _tell: Tell) -> str:
    return b64encode(pdf_picture.picture(data, request["number"])).decode()


def _marks(data: bytes, request: dict[str, Any], _tell: Tell) -> dict[str, Any]:
    return asdict(pdf_picture.marks(data, request["number"], request["passage"], request["place"]))


# What is asked for -> what finds it: (file, request, what to tell of pages) -> JSON-able, or a Problem raised.
WORK: dict[str, Callable[[bytes, dict[str, Any], Tell], Any]] = {"read": _read, "picture": _picture, "marks": _marks}


def _send(answers: IO[bytes], answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
    answers.flush()


def _resident() -> int:
    """Bytes of memory that this process holds now."""
    try:
        with open("/proc/self/statm", "rb") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize()
    except OSError:  # no Linux
        return 0


if __name__ == "__main__":
    main()
