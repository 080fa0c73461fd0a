"""`manage.py worker`: does the queued work, at a lower priority than the web server."""

from __future__ import annotations

import logging
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, SystemCheckError
from django.db import DatabaseError, close_old_connections, connection

from searchsite import tasks
from searchsite.documents import jobs
from searchsite.index import lexical_follow
from searchsite.processes import UNUSABLE

LEXICAL_SECONDS = 0.5  # between looks at whether something has changed that the lexical index must be told
NICENESS = 10
NICENESS_OF_SESSION = 5  # a quarter of a core that others want, too: with 10 a tenth, and imports would starve
END_SECONDS = 10.0  # that the thread which tells it may take to end

log = logging.getLogger(__name__)


def come_second() -> None:
    """Let the web server go first where both want the processors."""
    os.nice(NICENESS)
    # Where Linux shares the processors among sessions first, niceness counts only within one (sched(7), "autogroup"),
    # and under `manage.py up` each process leads its own. In a session that others belong to, it is enough.
    if os.getsid(0) == os.getpid():
        with suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(NICENESS_OF_SESSION))


class Command(BaseCommand):
    help = "Do the queued work: read, encode and index documents. Several may run, on several machines."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--until-done", action="store_true", help="end when nothing waits any more")

    def check(self, *args: Any, **options: Any) -> None:
        """As for each command; but that it was this which it failed at, is told by how it ends."""
        try:
            super().check(*args, **options)
        except SystemCheckError as error:
            error.returncode = UNUSABLE
            raise

    def handle(self, *_args: Any, until_done: bool, **_options: Any) -> None:
        if settings.SEARCHSITE_TASKS != "worker":
            raise CommandError("SEARCHSITE_TASKS is not 'worker', so nothing is queued for a worker to do.")
        # Imported here: its module reads the settings of the task database.
        from django_tasks_db.management.commands.db_worker import Worker

        come_second()
        name = jobs.worker_name()
        stop = threading.Event()
        tasks.upkeep(name)
        upkeep = threading.Thread(target=keep_up, args=(name, stop), name="upkeep", daemon=True)
        upkeep.start()
        lexical = threading.Thread(target=keep_lexical, args=(stop,), name="lexical", daemon=True)
        lexical.start()
        worker = Worker(
            queue_names=["*"],
            interval=0.25,
            batch=until_done,
            backend_name="default",
            startup_delay=False,
            max_tasks=None,
            worker_id=name,
            excluded_queue_names=[],
        )
        worker.configure_signals()
        try:
            worker.run()
        finally:
            stop.set()
            lexical.join(END_SECONDS)  # it may be writing
        if until_done:
            lexical_follow.keep_up(wait_seconds=tasks.WAIT_SECONDS)  # what was done last, too


def keep_up(name: str, stop: threading.Event) -> None:
    """Tell that this worker lives, and set right what dead ones left, every few seconds until `stop`."""
    while not stop.wait(settings.SEARCHSITE_LEASE_SECONDS / 4):
        close_old_connections()
        try:
            tasks.upkeep(name)
        except DatabaseError:  # a busy or restarting database: the next turn tries again
            log.exception("upkeep failed; it is tried again")


def keep_lexical(stop: threading.Event) -> None:
    """Have the lexical index follow all changes, of other processes too, within a second, until `stop`."""
    while not stop.is_set():
        close_old_connections()
        try:
            lexical_follow.keep_up(stop.is_set)
        except Exception:  # a busy or restarting database, say: the next turn tries again
            log.exception("the lexical index could not follow; it is tried again")
        stop.wait(LEXICAL_SECONDS)
    connection.close()
