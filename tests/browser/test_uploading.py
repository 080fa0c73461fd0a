"""Uploading in a real browser: choosing, dropping, progress, refusals, cancelling, a failing network, no script."""

from __future__ import annotations

from contextlib import suppress

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session

from searchsite import tasks
from searchsite.documents import jobs
from searchsite.documents.models import Collection, Document, Job, State, Upload, UploadItem

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ADDRESS = "/library/upload/"
FILES = "**/library/uploads/*/files/"
DROP = """(dropped) => {
  for (const type of ["dragover", "drop"]) {
    const event = new DragEvent(type, {bubbles: true, cancelable: true});
    Object.defineProperty(event, "dataTransfer", {value: dropped()});
    document.body.dispatchEvent(event);
  }
}"""


@pytest.fixture
def watched(transactional_db, visit):
    """The upload page, opened by an administrator; there is one collection."""
    return _opened(visit())


def _opened(watched):
    User.objects.create_superuser("admin", password="admin")
    Collection.objects.create(name="Papers", slug="papers")
    watched.sign_in()
    watched.open(ADDRESS)
    return watched


@pytest.fixture
def nobody_works():
    """What is queued waits until the test has it done."""
    jobs.queued.disconnect(dispatch_uid="searchsite.tasks")
    yield
    tasks.connect()


@pytest.fixture
def many(tmp_path):
    """Sixty small files, which are sent in three groups."""
    paths = [tmp_path / f"{n:02}.txt" for n in range(60)]
    for path in paths:
        path.write_text(f"Text {path.stem}.")
    return paths


@pytest.fixture
def held(watched):
    """The requests with files, kept back until the test lets them go on."""
    from playwright.sync_api import Error

    routes: list = []

    def hold(route) -> None:
        routes.append(route)

    watched.page.route(FILES, hold)
    yield routes
    for route in routes:
        with suppress(Error):  # it was let go, or the page gave it up
            route.abort()


def forgive(watched, meant: str = "ERR_FAILED") -> None:
    """That the network failed was meant, or that there was nothing at an address."""
    watched.complaints[:] = [complaint for complaint in watched.complaints if meant not in complaint]


def wait_until(page, condition) -> None:
    for _turn in range(100):
        if condition():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it did not come to pass")


def test_chosen_files_are_sent_and_each_is_told_of(watched, tmp_path):
    (tmp_path / "good.txt").write_text("Apples grow on trees.")
    (tmp_path / "empty.txt").write_text("")
    page = watched.page
    page.set_input_files("#id_files", [tmp_path / "good.txt", tmp_path / "empty.txt"])
    page.wait_for_selector("text=2 files, 21 bytes")
    shown = page.locator("#sending :is(button[data-do], [data-to], progress, .errornote):visible")
    assert shown.count() == 0, "what belongs to sending waits until then"
    assert page.locator(".chosen li").count() == 2
    page.fill("#id_tags", "fruit, trees")
    page.click("#upload-form button")
    page.wait_for_url("**/library/uploads/*/")
    assert page.inner_text("#upload-state .summary") == "1 of 2 ready, 1 refused"
    assert "The file is empty" in page.inner_text("#result_list tr:has-text('empty.txt') .reason")
    assert "fruit, trees" in page.inner_text(".of-upload")
    page.click("#result_list a:has-text('good.txt')")
    page.wait_for_selector("text=Apples grow on trees.")


def test_a_chosen_folder_keeps_its_paths_and_leaves_hidden_files_out(watched, tmp_path):
    folder = tmp_path / "papers"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.txt").write_text("Apples.")
    (folder / "deep" / "a.txt").write_text("Pears.")
    (folder / ".DS_Store").write_bytes(b"\0")
    (folder / "deep" / ".hidden.txt").write_text("Secret.")
    page = watched.page
    page.set_input_files("#id_folder", folder)
    page.wait_for_selector(".chosen li")
    page.click("#upload-form button")
    page.wait_for_url("**/library/uploads/*/")
    assert sorted(UploadItem.objects.values_list("name", flat=True)) == ["papers/a.txt", "papers/deep/a.txt"]
    assert Document.objects.count() == 2


def test_dropped_files_are_taken_wherever_they_are_dropped(watched):
    page = watched.page
    page.evaluate(
        f"""() => ({DROP})(() => {{
            const brought = new DataTransfer();
            brought.items.add(new File(["Pears."], "pears.txt"));
            return brought;
        }})"""
    )
    page.wait_for_selector(".chosen li:has-text('pears.txt')")
    page.click("#upload-form button")
    page.wait_for_url("**/library/uploads/*/")
    assert Document.objects.get().shown_title == "Pears."


def test_a_dropped_folder_is_looked_through_to_its_end(watched):
    """Chromium gives a script no folder to drop, so its entries are played; it hands out some at a time, then none."""
    page = watched.page
    page.evaluate(
        f"""() => {{
            const file = (name) => ({{name, isFile: true, file: (found) => found(new File([name], name))}});
            const folder = (name, ...within) => ({{name, isFile: false, createReader: () => {{
                const left = [...within];
                return {{readEntries: (found) => found(left.splice(0, 2))}};
            }}}});
            const top = folder("top", file("1.txt"), file("2.txt"), file(".DS_Store"), file("3.txt"),
                folder("deep", file("1.txt")), folder(".git", file("config.txt")), folder("empty"));
            const item = {{kind: "file", webkitGetAsEntry: () => top, getAsFile: () => null}};
            ({DROP})(() => ({{types: ["Files"], items: [item]}}));
        }}"""
    )
    page.wait_for_selector(".chosen li:has-text('top/deep/1.txt')")
    page.click("#upload-form button")
    page.wait_for_url("**/library/uploads/*/")
    names = sorted(UploadItem.objects.values_list("name", flat=True))
    assert names == ["top/1.txt", "top/2.txt", "top/3.txt", "top/deep/1.txt"]


def test_pressed_twice_while_a_folder_is_looked_through_one_upload_is_begun(watched, nobody_works):
    page = watched.page
    page.evaluate(
        f"""() => {{
            const file = (name) => ({{name, isFile: true, file: (found) => found(new File([name], name))}});
            const left = Array.from({{length: 20}}, (_, n) => file(`${{n}}.txt`));
            const slowly = (found) => setTimeout(() => found(left.splice(0, 5)), 100);
            const top = {{name: "top", isFile: false, createReader: () => ({{readEntries: slowly}})}};
            const item = {{kind: "file", webkitGetAsEntry: () => top, getAsFile: () => null}};
            ({DROP})(() => ({{types: ["Files"], items: [item]}}));
            const form = document.getElementById("upload-form");
            form.requestSubmit();
            form.requestSubmit();
        }}"""
    )
    page.wait_for_url("**/library/uploads/*/")
    assert Upload.objects.get().announced == 20
    assert UploadItem.objects.count() == 20


def test_a_cancelling_that_the_network_lost_can_be_pressed_again(watched, many, nobody_works, held):
    page = watched.page
    page.route("**/cancel/", lambda route: route.abort())
    page.set_input_files("#id_files", many)
    page.click("#upload-form button")
    wait_until(page, lambda: len(held) == 3)
    page.click("button[data-do=cancel]")
    page.wait_for_selector("text=The site could not be reached")
    page.unroute("**/cancel/")
    page.click("button[data-do=cancel]")
    page.wait_for_url("**/library/uploads/*/")
    assert Upload.objects.get().cancelled
    forgive(watched)


def test_a_file_can_be_left_out_again_and_one_of_the_same_name_is_told_apart(watched):
    page = watched.page
    for content in (b"apples", b"apples, too", b"pears"):
        page.set_input_files("#id_files", [{"name": "a.txt", "mimeType": "text/plain", "buffer": content}])
    assert page.locator(".chosen .path").all_inner_texts() == ["a.txt", "a (2).txt", "a (3).txt"]
    page.click("button[aria-label='Leave a (2).txt out']")
    page.click("#upload-form button")
    page.wait_for_url("**/library/uploads/*/")
    assert sorted(UploadItem.objects.values_list("name", flat=True)) == ["a (3).txt", "a.txt"]


def test_progress_is_shown_and_cancelling_midway_stops_what_was_sent_and_what_was_not(
    watched, many, nobody_works, held
):
    page = watched.page
    page.set_input_files("#id_files", many)
    page.click("#upload-form button")
    wait_until(page, lambda: len(held) == 3)
    assert page.locator(".chosen .is-sending progress").count() == 60
    held[0].continue_()
    page.wait_for_selector("text=25 of 60 files")
    assert page.locator(".chosen .is-taken").count() == 25
    share = page.evaluate("(({value, max}) => value / max)(document.querySelector('.overall progress'))")
    assert 0.3 < share < 0.6
    page.click("button[data-do=cancel]")
    page.wait_for_url("**/library/uploads/*/")
    assert "0 of 25 ready, 25 cancelled" in page.inner_text("#upload-state .summary")
    assert not Job.objects.open().exists()
    assert Upload.objects.get().cancelled


def test_leaving_while_files_are_sent_asks_and_who_stays_sees_it_go_on(watched, many, held, nobody_works):
    page = watched.page
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.set_input_files("#id_files", many)
    page.click("#upload-form button")
    wait_until(page, lambda: len(held) == 3)
    page.close(run_before_unload=True)
    wait_until(page, lambda: asked == ["beforeunload"])
    for route, done in zip(held, ("25 of 60", "50 of 60"), strict=False):
        route.continue_()
        page.wait_for_selector(f"text={done} files")
    held[2].continue_()
    page.wait_for_url("**/library/uploads/*/")
    assert page.inner_text("#upload-state .summary") == "0 of 60 ready, 60 waiting"
    assert len(asked) == 1, "when all is sent, nobody is asked"


def test_what_the_network_lost_can_be_sent_again(watched, many):
    page = watched.page
    attempts: list[str] = []
    page.route(FILES, lambda route: (attempts.append(route.request.url), route.abort()))
    page.set_input_files("#id_files", many[:3])
    page.click("#upload-form button")
    page.wait_for_selector(".is-unsent")
    assert len(attempts) == 3, "tried three times"
    assert "could not be reached" in page.inner_text("#sending .errornote")
    assert page.locator(".is-unsent").count() == 3
    page.unroute(FILES)
    page.click("button[data-do=again]")
    page.wait_for_url("**/library/uploads/*/")
    assert page.inner_text("#upload-state .summary") == "3 of 3 ready"
    forgive(watched)


def test_an_answer_that_was_lost_leaves_each_file_there_once(watched, many):
    page = watched.page
    lost: list[int] = []

    def answer_lost(route) -> None:
        lost.append(route.fetch().status)
        route.abort() if len(lost) == 1 else route.continue_()

    page.route(FILES, answer_lost)
    page.set_input_files("#id_files", many[:5])
    page.click("#upload-form button")
    page.wait_for_url("**/library/uploads/*/")
    assert lost[0] == 200
    assert Document.objects.count() == UploadItem.objects.count() == 5
    forgive(watched)


def test_who_was_signed_out_signs_in_and_goes_on(watched, many, held):
    page = watched.page
    page.set_input_files("#id_files", many[:3])
    page.click("#upload-form button")
    wait_until(page, lambda: len(held) == 1)
    Session.objects.all().delete()
    held[0].continue_()
    page.wait_for_selector("text=You are signed out")
    with page.context.expect_page() as opened:
        page.click("[data-to=sign-in]")
    tab = opened.value
    tab.fill("#id_username", "admin")
    tab.fill("#id_password", "admin")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("text=Sign out")
    page.click("button[data-do=again]")
    wait_until(page, lambda: len(held) == 2)
    held[1].continue_()
    page.wait_for_url("**/library/uploads/*/")
    assert page.inner_text("#upload-state .summary") == "3 of 3 ready"
    forgive(watched, "status of 404")


def test_a_file_over_the_limit_is_not_sent_and_says_why(watched, settings, held):
    settings.SEARCHSITE_MAX_FILE_MB, settings.SEARCHSITE_MAX_ARCHIVE_MB = 1, 2
    page = watched.page
    watched.open(ADDRESS)
    large = bytes(2**20 + 1)
    files = [("large.txt", large), ("large.zip", large * 2), ("fits.txt", b"Apples.")]
    chosen = [{"name": name, "mimeType": "text/plain", "buffer": content} for name, content in files]
    page.set_input_files("#id_files", chosen)
    assert "limit of 1 MB" in page.inner_text(".chosen li:has-text('large.txt') .word")
    assert "limit of 2 MB for archives" in page.inner_text(".chosen li:has-text('large.zip') .word")
    page.wait_for_selector("text=1 file, 7 bytes")
    page.click("#upload-form button")
    wait_until(page, lambda: len(held) == 1)
    held[0].continue_()
    page.wait_for_url("**/library/uploads/*/")
    assert page.inner_text("#upload-state .summary") == "1 of 3 ready, 2 refused"
    assert "at most 1 MB" in page.inner_text("#result_list tr:has-text('large.txt') .reason")
    assert "at most 2 MB" in page.inner_text("#result_list tr:has-text('large.zip') .reason")


def test_what_was_refused_is_said_and_not_counted_as_sent(watched, settings, held):
    settings.SEARCHSITE_MAX_FILE_MB = 1
    page = watched.page
    watched.open(ADDRESS)
    files = [("large.txt", bytes(2**20 + 1)), ("empty.txt", b""), ("fits.txt", b"Apples.")]
    page.set_input_files("#id_files", [{"name": n, "mimeType": "text/plain", "buffer": c} for n, c in files])
    stay = {"status": 204}  # to which browsers stay on the page that they have
    page.route("**/library/uploads/*/", lambda route: route.fulfill(**stay))
    page.click("#upload-form button")
    wait_until(page, lambda: len(held) == 1)
    held[0].continue_()
    page.wait_for_selector("text=Sent; 2 were refused")
    page.wait_for_selector("text=1 of 3 files, 7 bytes of 7 bytes")
    assert page.evaluate("(({value, max}) => value / max)(document.querySelector('.overall progress'))") == 1
    assert page.locator(".chosen .path").all_inner_texts() == ["empty.txt", "fits.txt", "large.txt"]


def test_files_of_which_none_can_be_sent_begin_nothing(watched, settings):
    settings.SEARCHSITE_MAX_FILE_MB = 1
    page = watched.page
    watched.open(ADDRESS)
    large = {"name": "large.txt", "mimeType": "text/plain", "buffer": bytes(2**20 + 1)}
    page.set_input_files("#id_files", [large])
    page.wait_for_selector(".overall-line:has-text('None of these files can be sent.')")
    assert "1.0\u00a0MB" in page.inner_text(".chosen .size")
    page.click("#upload-form button")
    page.wait_for_selector("#upload-errors li:has-text('None of these files can be sent.')")
    assert not Upload.objects.exists()


def test_what_is_missing_is_said_and_nothing_is_begun(watched):
    page = watched.page
    page.click("#upload-form button")
    page.wait_for_selector("#upload-errors li")
    assert "Choose files or a folder" in page.inner_text("#upload-errors")
    page.fill("#id_addresses", "ftp://example.com/")
    page.click("#upload-form button")
    page.wait_for_url("**/library/uploads/*/")
    assert page.inner_text("#upload-state .summary") == "0 of 1 ready, 1 refused"


def test_tags_after_the_first_are_proposed_too(watched):
    from searchsite.documents.models import Tag

    document = Document(collection=Collection.objects.get(), text="Apples.")
    document.save()
    document.tags.add(Tag.objects.create(name="plans"))
    page = watched.page
    watched.open(ADDRESS)
    page.fill("#id_tags", "2024, ")
    assert page.get_attribute("#known-tags option", "value") == "2024, plans"


def test_the_page_of_an_upload_follows_what_happens(watched, many, nobody_works):
    page = watched.page
    page.set_input_files("#id_files", many[:3])
    page.click("#upload-form button")
    page.wait_for_url("**/library/uploads/*/")
    assert page.inner_text("#upload-state .summary") == "0 of 3 ready, 3 waiting"
    jobs.run_next(tasks.HANDLERS, "worker")
    page.wait_for_selector("text=1 of 3 ready, 2 waiting")
    page.click(".steering summary")
    jobs.run_next(tasks.HANDLERS, "worker")
    page.wait_for_selector("text=2 of 3 ready, 1 waiting")
    page.click("text=Yes, cancel the rest")
    page.wait_for_selector("text=2 of 3 ready, 1 cancelled")
    page.click("#upload-tabs a:has-text('Cancelled')")
    page.click("#result_list button")
    page.wait_for_selector("text=2 of 3 ready, 1 waiting")
    assert page.locator(".steering button").count() == 1, "what waits again can only be cancelled"


def test_all_of_it_works_without_a_script(transactional_db, visit, tmp_path, nobody_works):
    watched = _opened(visit(java_script_enabled=False))
    (tmp_path / "good.txt").write_text("Apples.")
    (tmp_path / "empty.txt").write_text("")
    page = watched.page
    page.set_input_files("#id_files", [tmp_path / "good.txt", tmp_path / "empty.txt"])
    page.click("#upload-form button")
    page.wait_for_url("**/library/uploads/*/")
    assert page.inner_text("#upload-state .summary") == "0 of 2 ready, 1 waiting, 1 refused"
    page.click(".steering summary")
    page.click("text=Yes, cancel the rest")
    page.wait_for_selector("text=0 of 2 ready, 1 refused, 1 cancelled")
    page.click("text=Try again")
    page.wait_for_selector("text=0 of 2 ready, 1 waiting, 1 refused")
    assert Document.objects.get().state == State.QUEUED
