"""The library in a real browser: on a phone, without a script, and while the worker is at work."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from searchsite import tasks
from searchsite.documents import jobs
from searchsite.documents.models import Collection, Document, Membership, Role, State

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def nobody_works():
    """What is queued waits until the test has it done."""
    jobs.queued.disconnect(dispatch_uid="searchsite.tasks")
    yield
    tasks.connect()


def test_an_editor_does_all_of_his_work_without_a_script_and_without_the_admin(transactional_db, visit):
    papers = Collection.objects.create(name="Papers", slug="papers")
    other = Collection.objects.create(name="Other", slug="other")
    editor = User.objects.create_user("admin", password="admin")
    for collection in (papers, other):
        Membership.objects.create(collection=collection, user=editor, role=Role.MANAGER)
    watched = visit(java_script_enabled=False)
    page = watched.page
    watched.sign_in()
    page.click("nav >> text=Library")
    page.click("main >> text=Papers")
    page.click("text=Write a text")
    page.fill("#id_text", "# Apples\n\nThey are red.")
    page.click("main form button.main")
    page.wait_for_selector("h1:has-text('Apples')")
    page.click("text=Edit")
    page.fill("#id_title", "Quinces")
    page.fill("#id_tags", "fruit")
    page.click("button.main")
    page.wait_for_selector("h1:has-text('Quinces')")
    watched.open("/collections/papers/")
    page.check("[aria-label='Choose Quinces']")
    page.select_option("#bulk-to", label="Other")
    page.click("button[value=move]")
    page.wait_for_selector(".messages:has-text('1 document was moved to Other.')")
    watched.open("/collections/other/")
    page.check("[aria-label='Choose Quinces']")
    page.click("button[value=delete]")
    page.click("text=Yes, delete it")
    page.wait_for_selector(".messages:has-text('1 document was deleted.')")
    assert not Document.objects.exists()
    page.click("main >> text=Members")
    User.objects.create_user("maria")
    page.fill("#id_person-name", "maria")
    page.select_option("#id_person-role", "editor")
    page.click("form:has(#id_person-name) button")
    page.wait_for_selector(".members:has-text('maria')")
    page.select_option("select[name=role] >> nth=1", "reader")
    page.click("[aria-label='Save the role of maria']")
    page.wait_for_selector(".messages:has-text('is changed')")
    assert other.memberships.get(user__username="maria").role == Role.READER


def test_enter_in_the_field_for_tags_puts_them_on_and_does_nothing_else(site, visit):
    watched = visit()
    watched.sign_in()
    watched.open(site["library-collection-found"])
    page = watched.page
    page.check(".tick input")
    page.fill("#bulk-tags", "lost")
    page.keyboard.press("Enter")
    page.wait_for_selector(".messages:has-text('The tags of 1 document were changed.')")
    assert page.locator(".list .tags:has-text('lost')").count() == 1
    assert "title=laptop" in page.url


def test_the_list_follows_what_happens(site, visit, nobody_works):
    Document.objects.exclude(title="Next").delete()
    Document.objects.update(state=State.READY)
    Document(collection=Collection.objects.get(slug="handbook"), title="New", text="What is new.").save()
    watched = visit()
    watched.sign_in()
    watched.open("/collections/handbook/")
    page = watched.page
    assert page.locator(".list .state-queued").count() == 1
    while jobs.run_next(tasks.HANDLERS, "worker"):
        pass
    page.wait_for_selector(".list:not(:has(.state-queued))")
    assert page.locator(".list tr:has-text('New') .state-ready").count() == 1


def test_a_question_asked_in_a_collection_stays_in_it(site, visit):
    watched = visit()
    watched.open(site["library-collection-reader"])
    page = watched.page
    page.fill("#q", "What if my laptop is stolen?")
    page.keyboard.press("Enter")
    page.wait_for_selector("ol.found")
    assert page.input_value("#q") == "collection:handbook What if my laptop is stolen?"
