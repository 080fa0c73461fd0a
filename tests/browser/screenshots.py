"""Pictures of every page, in both languages, light and dark, on a phone and a desktop, to be looked at:

    python -m tests.browser.screenshots FOLDER [ENCODER] [PAGE...]

FOLDER/index.html shows them side by side. The site is one of its own in a temporary folder. ENCODER is a value of
SEARCHSITE_ENCODER; "tiny" unless given. `make pictures` makes those of the README, with the real encoder.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

SIZES = {"phone": (360, 740), "desktop": (1280, 800)}


class Silent(WSGIRequestHandler):
    def log_message(self, *_args) -> None:
        pass


def main(folder: Path, encoder: str, wanted: set[str]) -> None:
    with site(encoder) as base:
        folder.mkdir(parents=True, exist_ok=True)
        from tests.browser.pages import ERRORS, empty, fill, looks

        look(base, empty(), folder, wanted)
        errors = {name: address for name, (address, _status) in ERRORS.items()}
        look(base, fill(pages=40) | errors | looks(), folder, wanted)
    write_index(folder)


@contextmanager
def site(encoder: str) -> Iterator[str]:
    """A site with nothing in it, in a temporary folder; its address. The tables it needs are there."""
    with tempfile.TemporaryDirectory(prefix="searchsite-screenshots-") as data:
        os.environ.update(
            SEARCHSITE_ENV_FILE="", SEARCHSITE_DATA_DIR=data, SEARCHSITE_ENCODER=encoder, SEARCHSITE_TASKS="inline",
            SEARCHSITE_DEBUG="0", SEARCHSITE_LOG_LEVEL="ERROR", DJANGO_ALLOW_ASYNC_UNSAFE="1",
        )  # fmt: skip
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "searchsite.settings")
        import django

        django.setup()
        from django.conf import settings
        from django.core.management import call_command

        settings.ROOT_URLCONF = "tests.browser.urls"  # the site's, and pages that show its errors
        logging.getLogger("django.request").setLevel("CRITICAL")  # they are meant
        if encoder != "tiny":
            call_command("encoder", "prepare")
        call_command("migrate", verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        with serve() as base:
            yield base


def write_index(folder: Path) -> None:
    """A page that shows all pictures of the folder: a row for each page, its pictures side by side."""
    rows: dict[str, list[str]] = {}
    for picture in sorted(folder.glob("*.*.*.*.png")):
        rows.setdefault(picture.name.partition(".")[0], []).append(picture.name)
    links = " ".join(f'<a href="#{name}">{name}</a>' for name in rows)
    pictures = "".join(
        f'<h2 id="{name}">{name}</h2><div>'
        + "".join(f'<a href="{one}"><img loading="lazy" src="{one}" alt="{one}" title="{one}"></a>' for one in of_page)
        + "</div>"
        for name, of_page in rows.items()
    )
    (folder / "index.html").write_text(
        '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Gallery</title><style>'
        "body{font:14px sans-serif;background:#777;color:#fff}a{color:#fff}"
        "div{display:flex;gap:8px;align-items:start;overflow-x:auto}img{height:520px;object-fit:cover;object-position:top}"
        f"</style><nav>{links}</nav>{pictures}</html>",
        encoding="utf-8",
    )


def serve():
    """A server in a thread: context manager that gives its address."""
    import threading
    from socketserver import ThreadingMixIn
    from wsgiref.simple_server import WSGIServer

    from searchsite.wsgi import application

    class Server(ThreadingMixIn, WSGIServer):
        daemon_threads = True

    @contextmanager
    def running():
        server = make_server("127.0.0.1", 0, application, server_class=Server, handler_class=Silent)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()

    return running()


def look(base: str, pages: dict[str, str], folder: Path, wanted: set[str]) -> None:
    from playwright.sync_api import sync_playwright

    from tests.browser.pages import ADMIN, ARGUMENTS, CHROMIUM

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for language, scheme, size in product(("en", "zh-CN"), ("light", "dark"), SIZES):
            width, height = SIZES[size]
            context = browser.new_context(
                viewport={"width": width, "height": height}, locale=language, color_scheme=scheme
            )
            context.set_default_timeout(120_000)  # some pages take long on a busy machine, and none is checked here
            page = context.new_page()
            signed_in = False
            for name, address in sorted(pages.items(), key=lambda item: item[0] in ADMIN):
                if wanted and name not in wanted:
                    continue
                if name in ADMIN and not signed_in:
                    sign_in(page, base)
                    signed_in = True
                page.goto(base + address)
                PREPARATION.get(name, lambda _page: None)(page)
                page.wait_for_timeout(100)
                picture = folder / f"{name}.{language[:2]}.{scheme}.{size}.png"
                page.screenshot(path=picture, full_page="#" not in address)
                print(picture.name, flush=True)
            context.close()
        browser.close()


def sign_in(page, base: str) -> None:
    page.goto(f"{base}/sign-in/")
    page.fill("#id_username", "admin")
    page.fill("#id_password", "admin")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{base}/")


def choose(page) -> None:
    """Thirty files, of which one is refused by the server, and one not even sent."""
    files = [(f"report {n}.txt", f"Report {n}. ".encode() * 20 * n) for n in range(1, 29)]
    files += [("empty.txt", b""), ("film.mp4", bytes(21 * 2**20))]
    chosen = [{"name": name, "mimeType": "text/plain", "buffer": content} for name, content in files]
    page.select_option("#id_collection", label="Empty")
    page.set_input_files("#id_files", chosen)
    page.wait_for_selector(".chosen li")


def send_some(page) -> None:
    """Half of them are there, and the others wait for the server."""
    choose(page)
    page.on("dialog", lambda dialog: dialog.accept())  # the page asks when the next picture's is opened
    answered = []

    def hold_later_ones(route) -> None:
        answered.append(route)
        if len(answered) < 3:
            route.continue_()

    page.route("**/files/", hold_later_ones)
    page.click("#upload-form button")
    page.wait_for_selector(".is-taken")
    page.wait_for_timeout(500)


def send_all(page) -> None:
    page.unroute_all(behavior="ignoreErrors")
    choose(page)
    sent = []

    def lose_later_ones(route) -> None:
        sent.append(route)
        route.continue_() if len(sent) == 1 else route.abort()

    page.route("**/files/", lose_later_ones)
    page.click("#upload-form button")
    page.wait_for_selector("[data-to=page]:not([hidden])", timeout=60_000)


def open_why(page) -> None:
    page.locator("a.why").first.click()
    page.wait_for_selector(".because")


def open_facets(page) -> None:
    if page.locator(".facets summary").is_visible():  # on a desktop they are open
        page.click(".facets summary")


def open_layer(page) -> None:
    page.locator(".lab-layer summary").nth(1).click()


def open_tips(page) -> None:
    page.click(".tips > summary")


def tick_some(page) -> None:
    for number in range(3):
        page.locator(".tick input").nth(number).check()
    page.click("button[value=delete]")
    page.wait_for_selector(".titles")


def sign_in_wrongly(page) -> None:
    page.fill("#id_username", "somebody")
    page.fill("#id_password", "a wrong one")
    page.keyboard.press("Enter")
    page.wait_for_selector("#wrong")


def choose_a_bad_password(page) -> None:
    for name, text in (("old_password", "not it"), ("new_password1", "12345"), ("new_password2", "123456")):
        page.fill(f"#id_{name}", text)
    page.keyboard.press("Enter")
    page.wait_for_selector(".errorlist")


PREPARATION = {
    "sign-in-refused": sign_in_wrongly,
    "password-refused": choose_a_bad_password,
    "library-delete-many": tick_some,
    "upload-chosen": choose,
    "upload-midway": send_some,
    "upload-over": send_all,
    "results-why": open_why,
    "results-facets": open_facets,
    "tips": open_tips,
    "lab-look": open_layer,
}


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), (sys.argv[2:] or ["tiny"])[0], set(sys.argv[3:]))
