"""`manage.py index rebuild | status | verify [--repair]`."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand

from searchsite.documents import jobs
from searchsite.documents.models import Job, State
from searchsite.index import backends, build, lexical_build, lexical_follow, verify
from searchsite.index.follow import IndexUnavailable, active_build
from searchsite.index.models import Build

WAIT_SECONDS = 600.0  # for another process that makes the lexical index anew


class Command(BaseCommand):
    help = "Rebuild the search index, show its state, or verify it against the database."

    def add_arguments(self, parser: Any) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("rebuild", help="build the index anew; the old one serves until then")
        actions.add_parser("status", help="what is in it, and what waits")
        verifying = actions.add_parser("verify", help="compare the index with the database")
        verifying.add_argument("--repair", action="store_true", help="mend what differs")

    def handle(self, *_args: Any, action: str, **options: Any) -> None:
        if action == "rebuild":
            self._rebuild()
        elif action == "status":
            self._status()
        else:
            self._verify(options["repair"])

    def _rebuild(self) -> None:
        last = ""

        def show(step: str, done: int, total: int) -> None:
            nonlocal last
            line = f"{step}: {done}/{total}"
            if line != last:
                self.stdout.write(f"\r  {line}   ", ending="" if self.stdout.isatty() else "\n")
                last = line

        build.rebuild(Job(kind=Job.Kind.REBUILD), show)
        self.stdout.write("")
        make_anew = partial(lexical_build.make_anew, "it was asked for", progress=show)
        lexical_follow.patiently(make_anew, WAIT_SECONDS)
        self.stdout.write("")
        self._status()

    def _status(self) -> None:
        describes = backends.description()
        self.stdout.write(
            f"encoder   {describes.name}, {describes.dim} dimensions, fingerprint {describes.fingerprint}"
        )
        try:
            active = active_build()
        except IndexUnavailable as unavailable:
            self.stdout.write(f"build     {unavailable}")
            active = None
        else:
            self.stdout.write(f"build     {_described(active) if active else 'none yet'}")
        self.stdout.write(f"keywords  {lexical_follow.described()}")
        self.stdout.write(f"passages  {build.stored_vectors(describes.fingerprint)} findable by this encoder")
        self.stdout.write(
            f"jobs      {Job.objects.open().count()} open, {Job.objects.filter(state=State.FAILED).count()} failed"
        )
        self.stdout.write(f"workers   {jobs.living_workers()} alive")

    def _verify(self, repair: bool) -> None:
        findings = verify.verify()
        for finding in findings:
            self.stdout.write(f"- {finding.sentence}")
        if not findings:
            self.stdout.write("The index agrees with the database.")
        elif repair:
            for action in verify.repair(findings):
                self.stdout.write(action)
        else:
            self.stdout.write("`manage.py index verify --repair` mends this.")
            sys.exit(1)


def _described(active: Build) -> str:
    return f"#{active.pk} of {active.finished:%Y-%m-%d %H:%M}, {active.passages} passages, {active.size / 1e6:.1f} MB"
