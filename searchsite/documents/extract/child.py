"""The process in which files are read: it takes one file after the other from its input, and answers in JSON.

`python -m searchsite.documents.extract.child MEMORY_MB SECONDS`, started by documents/reading.py. It never sees the
database, the settings or a secret: whatever a file makes a library do, it is done to this process only.
"""

import errno
import json
import os
import resource
import signal
import sys
import traceback
from dataclasses import asdict
from typing import IO, Any

from searchsite.documents.extract import extract
from searchsite.documents.extract.extracted import Limits
from searchsite.documents.problems import Problem

MOST_FILES = 200  # then the process is replaced, whatever its libraries may have leaked
MOST_WRITTEN = 64 * 2**20  # bytes of a file: libraries may need a temporary one
# A process that holds more than this part of its memory would fail the next file for what the one before it left.
HELD = 0.5
ALARM_AFTER = 10  # seconds beyond the limit: then nobody is there any more to end this process


def main() -> None:
    memory, seconds = int(sys.argv[1]) * 2**20, int(sys.argv[2])
    _bound(memory)
    requests = sys.stdin.buffer
    # What libraries print must not come between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for number in range(1, MOST_FILES + 1):
        request = requests.readline()
        if not request:
            return
        signal.alarm(seconds + ALARM_AFTER)
        answer = _answer(json.loads(request), requests, answers, seconds)
        signal.alarm(0)
        last = number == MOST_FILES or "fault" in answer or _resident() > HELD * memory
        _send(answers, {**answer, "last": last})
        if last:
            return


def _bound(memory: int) -> None:
    """Bound what this process may take; RLIMIT_DATA counts memory that is its own, not libraries or reserved ranges."""
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_WRITTEN, MOST_WRITTEN))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _answer(request: dict[str, Any], requests: IO[bytes], answers: IO[bytes], seconds: int) -> dict[str, Any]:
    def tell(done: int, total: int) -> None:
        signal.alarm(seconds + ALARM_AFTER)
        _send(answers, {"done": done, "total": total})

    try:
        data = requests.read(request["size"])
        extracted = asdict(extract(data, request["name"], Limits(**request["limits"], tell=tell)))
    except Problem as problem:
        return {"problem": problem.as_json()}
    except MemoryError:
        return {"fault": "memory"}
    except OSError as error:
        return {"fault": "disk" if error.errno in (errno.ENOSPC, errno.EDQUOT) else traceback.format_exc()}
    except BaseException:  # noqa: BLE001 - a panic of Rust is no Exception; it is told, and this process ends
        return {"fault": traceback.format_exc()}
    extracted["written"] = extracted["written"] and extracted["written"].isoformat()
    return {"extracted": extracted}


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
