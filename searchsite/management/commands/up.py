"""`manage.py up`: the web server and the worker, kept running together until Ctrl-C."""

from __future__ import annotations

import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from searchsite.processes import Child, Supervisor


class Command(BaseCommand):
    help = "Run the web server and the worker, restart what dies, end both on Ctrl-C."

    def handle(self, *_args: Any, **_options: Any) -> None:
        host, port = settings.SEARCHSITE_HOST, settings.SEARCHSITE_PORT
        if not settings.DEBUG and not (settings.STATIC_ROOT / "staticfiles.json").exists():
            raise CommandError("The site is not set up yet: run `manage.py prepare` first (`make run` does).")
        refuse_taken_port(host, port)
        web = [
            *(sys.executable, "-m", "gunicorn", "searchsite.wsgi", "--chdir", str(settings.BASE_DIR)),
            *("--bind", f"[{host}]:{port}" if ":" in host else f"{host}:{port}"),
            # One process with threads: one encoder and one index in memory. No preloading: torch must not be
            # loaded before a fork.
            *("--workers", "1", "--worker-class", "gthread", "--threads", str(settings.SEARCHSITE_THREADS)),
            *(
                "--timeout",
                "120",
                "--graceful-timeout",
                "10",
                "--log-level",
                "warning",
                "--no-control-socket",
            ),
        ]
        worker = [sys.executable, str(settings.BASE_DIR / "manage.py"), "worker"]
        address = f"http://{'localhost' if host in ('127.0.0.1', '0.0.0.0', '::1') else host}:{port}/"  # noqa: S104
        threading.Thread(target=self._announce, args=(address, host, port), daemon=True).start()
        Supervisor([Child("web", web), Child("worker", worker)], self._say).run()
        self._say("The web server and the worker have ended.")

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()

    def _announce(self, address: str, host: str, port: int) -> None:
        """Print the address when it answers, and that searches work when they do."""
        probe = f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"  # noqa: S104
        wait_for(f"{probe}/healthz")
        self._say(f"\n  The site is at {address}\n  Its administration at {address}admin/   (Ctrl-C ends it)\n")
        began = time.monotonic()
        if wait_for(f"{probe}/readyz"):
            self._say(f"  Searches work (encoder and index loaded in {time.monotonic() - began:.1f} s).")


def wait_for(url: str, seconds: float = 120) -> bool:
    """Whether `url` answers 200 within that time."""
    deadline = time.monotonic() + seconds
    request = urllib.request.Request(  # noqa: S310 - our own address
        url, headers={"Host": settings.ALLOWED_HOSTS[0].lstrip(".*") or "localhost"}
    )
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(request, timeout=60):  # noqa: S310 - our own address
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    return False


def refuse_taken_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CommandError(
                f"Port {port} on {host} cannot be used ({error.strerror}). End what uses it, or choose another "
                "with SEARCHSITE_PORT."
            ) from error
