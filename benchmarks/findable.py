"""How soon is a document found, once it is encoded, on a big site; beside a page of results of the same server:

    SEARCHSITE_DATA_DIR=FOLDER SEARCHSITE_RERANKER=none python benchmarks/findable.py [--documents 10]

FOLDER is a site's (benchmarks/big_site.py makes one), served by `manage.py up`. Documents of one passage are saved one
after the other, from this process; the worker encodes each. Measured is from the first look at which its revision is
live (looked every 20 ms) to the end of the first page of results that has it, asked for with its own words, again and
again; and how many pages were asked for. At the end they are deleted again, and it is measured how many pages it takes
until the last is gone.
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import sys
import time
import urllib.parse
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "searchsite.settings")

from pages import Server

WORDS = ["heron", "lantern", "quartz", "marmalade", "glacier", "tuba", "saffron", "pendulum", "walnut", "kayak"]
LOOK_SECONDS = 0.02
PATIENCE_SECONDS = 120


def has(server: Server, text: str, title: str) -> tuple[bool, float]:
    """Whether the page of results for this text has this title, and the milliseconds it took."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    began = time.perf_counter()
    connection.request("GET", "/?" + urllib.parse.urlencode({"q": text}), headers={"Host": "localhost"})
    page = connection.getresponse().read().decode()
    return title in page, 1000 * (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=10)
    given = parser.parse_args()
    import django

    django.setup()
    from django.conf import settings

    from searchsite.documents.models import Collection, Document

    chosen = random.Random(time.time())  # noqa: S311 - nobody's secret
    home, _new = Collection.objects.get_or_create(name="Findable", slug="findable", visibility="public")
    waits, asked, pages = [], [], []
    with Server(Path(settings.DATA_DIR)) as server:
        has(server, "to have all loaded", "")
        for _ in range(given.documents):
            text = f"The {' '.join(chosen.sample(WORDS, 6))} of {chosen.random():.9f}."
            title = f"Document {chosen.random():.12f}"
            before = [has(server, f"{text} {n}", title)[1] for n in range(3)]
            document = Document.objects.create(collection=home, title=title, text=text)
            until = time.monotonic() + PATIENCE_SECONDS
            while Document.objects.values_list("live_revision", flat=True).get(pk=document.pk) is None:
                if time.monotonic() > until:
                    raise SystemExit("the worker does not encode it")
                time.sleep(LOOK_SECONDS)
            began, count, found = time.perf_counter(), 0, False
            while not found:
                found, _taken = has(server, f"{text} {count} again", title)
                count += 1
            waits.append(1000 * (time.perf_counter() - began))
            asked.append(count)
            pages.append(median(before))
        document.delete()
        gone = 1
        while has(server, f"{text} {gone} once more", title)[0]:
            gone += 1
        Document.objects.filter(collection=home).delete()
    print("| | median | most |\n| --- | --- | --- |")
    print(f"| from encoded to found, ms | {median(waits):.0f} | {max(waits):.0f} |")
    print(f"| pages asked for until it was found | {median(asked):.0f} | {max(asked)} |")
    print(f"| a page of results before, ms | {median(pages):.0f} | {max(pages):.0f} |")
    print(f"\na deleted one was gone at page {gone}")


if __name__ == "__main__":
    main()
