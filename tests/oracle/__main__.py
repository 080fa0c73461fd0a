"""python -m tests.oracle [REQUESTS] [--seed N]: asks so many requests of a site made for it, in a database of its own.

Prints what was not as it must be, and how many of each route and of each relation were asked; ends with 1 where
something was not.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import tests.environment  # noqa: F401 - the settings of the tests' site

SHOWN = 50  # differences


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    parser.add_argument("requests", type=int, nargs="?", default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "searchsite.settings"
    import django

    django.setup()
    from django.conf import settings
    from django.db import connection
    from django.test.utils import override_settings, setup_test_environment

    logging.disable(logging.ERROR)  # each refusal is logged, and most of what is asked is refused
    setup_test_environment(debug=False)
    staticfiles = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    own = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="searchsite-oracle-") as folder,
            override_settings(INDEX_DIR=Path(folder), STORAGES=settings.STORAGES | {"staticfiles": staticfiles}),
        ):
            return ask(asked.requests, asked.seed)
    finally:
        connection.creation.destroy_test_db(own, verbosity=0)


def ask(requests: int, seed: int) -> int:
    """Make the world of that seed, and ask; 1 where something is not as it must be, else 0."""
    from django.db import transaction

    from tests.oracle.run import Oracle
    from tests.oracle.world import build

    began = time.monotonic()
    shown = 0

    def progress(done: int) -> None:
        nonlocal shown
        if shown < min(len(oracle.differences), SHOWN):
            print(oracle.differences[shown], flush=True)
            shown += 1
        if done % 1000 == 0 or done == requests:
            rate = done / (time.monotonic() - began)
            print(f"{done} of {requests} requests, {len(oracle.differences)} differences, {rate:.0f}/s", flush=True)

    with transaction.atomic():
        oracle = Oracle(build(seed))
        began = time.monotonic()
        oracle.run(requests, seed, progress)
        transaction.set_rollback(True)
    for title, place in (("route", 0), ("relation", 1)):
        print(f"\nrequests by {title}")
        counts: Counter[str] = Counter()
        for names, count in oracle.asked.items():
            counts[names[place]] += count
        print("\n".join(f"{count:8} {name}" for name, count in sorted(counts.items())))
    print(f"\n{len(oracle.differences)} differences")
    return 1 if oracle.differences else 0


if __name__ == "__main__":
    sys.exit(main())
