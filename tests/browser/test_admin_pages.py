"""The admin in a real browser: its front page, the buttons in rows, and what is asked before many are changed."""

from __future__ import annotations

import pytest

from searchsite import tasks
from searchsite.documents import jobs
from searchsite.documents.models import Collection, Document, Job, State
from searchsite.index.models import ActiveBuild

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
ADMIN = ("admin", "documents", "jobs", "builds", "uploads")
LISTS = ("documents", "jobs", "builds", "uploads", "collections", "users", "groups", "audit-log", "comparisons")


@pytest.fixture
def nobody_works():
    """What is queued waits until the test has it done."""
    jobs.queued.disconnect(dispatch_uid="searchsite.tasks")
    yield
    tasks.connect()


def test_the_admins_pages_fit_a_small_phone_in_every_colour_scheme(site, visit):
    for options in ({"color_scheme": "light"}, {"color_scheme": "dark"}, {"forced_colors": "active"}):
        watched = visit(width=320, height=640, **options)
        watched.sign_in()
        for name in ADMIN:
            assert watched.open(site[name]).status == 200, name
            assert watched.page.evaluate(OVERFLOW) <= 0, name


@pytest.mark.parametrize("locale", ["en", "zh-CN"])
def test_no_list_of_the_admin_is_cut_off_on_a_small_laptop(site, visit, locale):
    watched = visit(locale=locale)
    page = watched.page
    watched.sign_in()
    cut = []
    for name in LISTS:
        watched.open(site[name])
        for width in (1280, 1100, 1024):
            page.set_viewport_size({"width": width, "height": 800})
            over = page.locator("#changelist .results").evaluate("(one) => one.scrollWidth - one.clientWidth")
            if over > 1:
                cut.append(f"{name} at {width} px: {over} px are out of sight")
    assert not cut, "\n".join(cut)


def test_the_front_page_shows_columns_and_the_same_figures_as_a_table(site, visit):
    watched = visit()
    page = watched.page
    watched.sign_in()
    watched.open("/admin/")
    charts = page.locator(".by-day svg")
    assert charts.count() == 3
    for n in range(3):
        assert charts.nth(n).get_attribute("role") == "img"
        heights = charts.nth(n).locator(".bar").evaluate_all("bars => bars.map(b => b.getBoundingClientRect().height)")
        assert len(heights) == 30
        assert max(heights) > 40, "the highest fills the chart"
        assert min(heights) == 0
    assert not page.locator(".now-table table").is_visible()
    page.click(".now-table summary")
    assert page.locator(".now-table tbody tr").count() == 30


@pytest.mark.parametrize("script", [True, False])
def test_what_failed_is_tried_again_from_the_front_page_and_from_its_row(site, visit, nobody_works, script):
    failed = Document.objects.get(title="Scan")
    watched = visit(java_script_enabled=script)
    page = watched.page
    watched.sign_in()
    watched.open("/admin/")
    page.click("[aria-label='Try again: Scan']")
    page.wait_for_selector(".messagelist:has-text('is queued once more')")
    assert page.url == watched.base + "/admin/"
    failed.refresh_from_db()
    assert failed.state == State.QUEUED
    jobs.cancel(Job.objects.filter(document=failed))
    watched.open(site["jobs"] + "?state__exact=cancelled")
    page.click("button:has-text('Try again')")
    page.wait_for_selector(".messagelist:has-text('is queued once more')")
    assert page.url.endswith("?state__exact=cancelled"), "back to the same list"
    failed.refresh_from_db()
    assert failed.state == State.QUEUED


def test_the_front_page_follows_the_work(site, visit):
    watched = visit()
    page = watched.page
    watched.sign_in()
    watched.open("/admin/")
    bar = page.locator(".now-queue li:has-text('Being read') progress")
    assert bar.get_attribute("value") == "40"
    running = Job.objects.filter(document__title="Being read")
    running.update(done=80)
    page.wait_for_selector(".now-queue li:has-text('Being read') progress[value='80']")
    running.update(state=State.READY)
    page.wait_for_selector(".now-queue li:has-text('Being read')", state="detached")


def test_one_goes_back_to_the_build_before(site, visit):
    Job.queue(Job.Kind.REBUILD)
    before, now = (build for build in (ActiveBuild.objects.get().build.pk - 1, ActiveBuild.objects.get().build.pk))
    watched = visit(java_script_enabled=False)
    page = watched.page
    watched.sign_in()
    watched.open(site["builds"])
    page.click(f"text=Go back to build #{before}")
    page.wait_for_selector(f".messagelist:has-text('Build #{before} serves now.')")
    assert ActiveBuild.objects.get().build.pk == before
    page.click("button:has-text('Use this build')")
    page.wait_for_selector(f".messagelist:has-text('Build #{now} serves now.')")


def test_documents_are_moved_in_the_admin_without_a_script(site, visit):
    watched = visit(java_script_enabled=False)
    page = watched.page
    watched.sign_in()
    watched.open(site["documents"] + "?q=laptop")
    page.locator("input[name=_selected_action]").first.check()
    page.locator("select[name=action]").first.select_option("move")
    page.locator("button[name=index]").first.click()
    page.wait_for_selector("h1:has-text('Move 1 document')")
    page.select_option("#many-to", label="Empty")
    page.click("form.many button")
    page.wait_for_selector(".messagelist:has-text('1 document was moved to Empty.')")
    assert Document.objects.filter(collection=Collection.objects.get(slug="empty")).count() == 1
