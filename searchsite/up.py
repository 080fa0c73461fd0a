"""The web server and the worker, kept running together until Ctrl-C. Needs the settings, and nothing else of Django:
so the supervisor stays small, and the web server starts a second sooner."""

from __future__ import annotations

import socket
import sys
import threading
import time
import urllib.error
import urllib.request

from django.conf import settings

from searchsite.processes import Child, Supervisor


class CannotStart(Exception):
    """In a sentence, why."""


def up() -> None:
    """Run both, restart what dies, and return when told to stop. Raises CannotStart."""
    host, port = settings.SEARCHSITE_HOST, settings.SEARCHSITE_PORT
    if not settings.DEBUG and not (settings.STATIC_ROOT / "staticfiles.json").exists():
        raise CannotStart("The site is not set up yet: run `manage.py prepare` first (`make run` does).")
    refuse_taken_port(host, port)
    web = [
        *(sys.executable, "-m", "gunicorn", "searchsite.wsgi", "--chdir", str(settings.BASE_DIR)),
        *("--bind", f"[{host}]:{port}" if ":" in host else f"{host}:{port}"),
        # One process with threads, unless told otherwise: one encoder and one index in memory. No preloading: torch
        # must not be loaded before a fork.
        *("--workers", str(settings.SEARCHSITE_PROCESSES), "--worker-class", "gthread"),
        *("--threads", str(settings.SEARCHSITE_THREADS)),
        *("--timeout", "120", "--graceful-timeout", "10", "--log-level", "warning", "--no-control-socket"),
    ]
    worker = [sys.executable, str(settings.BASE_DIR / "manage.py"), "worker"]
    threading.Thread(target=_announce, args=(host, port), daemon=True).start()
    unusable = Supervisor([Child("web", web), Child("worker", worker)], say).run()
    if unusable:
        raise CannotStart("The site cannot run with these settings; what is wrong with them stands above.")
    say("The web server and the worker have ended.")


def say(text: str) -> None:
    print(text, flush=True)


def _announce(host: str, port: int) -> None:
    """Print the address when it answers."""
    address = f"http://{'localhost' if host in ('127.0.0.1', '0.0.0.0', '::1') else host}:{port}/"  # noqa: S104
    probe = f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"  # noqa: S104
    if wait_for(f"{probe}/healthz"):
        say(f"\n  The site is at {address}\n  Its administration at {address}admin/   (Ctrl-C ends it)\n")


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
            raise CannotStart(
                f"Port {port} on {host} cannot be used ({error.strerror}). End what uses it, or choose another "
                "with SEARCHSITE_PORT."
            ) from error
