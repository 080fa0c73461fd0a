"""Signing in, one's own account and its password, in a real browser."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from django.urls import reverse

from searchsite.people.links import password_path
from tests.browser.test_pages import LOW_CONTRAST, OVERFLOW

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PASSWORD = "a good password"


@pytest.fixture
def anna(settings):
    settings.SEARCHSITE_SENDS_MAIL = True
    account = User.objects.create_user("anna", "anna@example.com", PASSWORD, first_name="Anna", last_name="Arendt")
    account.groups.add(Group.objects.create(name="A group with a long name " + "that goes on " * 8))
    return account


def type_and_send(page, *texts: str) -> None:
    """With the keyboard alone: a text, tab, the next one, enter."""
    for number, text in enumerate(texts):
        if number:
            page.keyboard.press("Tab")
        page.keyboard.type(text)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def test_signing_in_with_the_keyboard(visit, anna):
    watched = visit()
    page = watched.page
    watched.open(reverse("account"))
    page.focus("#id_username")
    type_and_send(page, "anna", "a wrong one")
    assert "do not belong together" in page.inner_text("[role=alert]")
    assert page.input_value("#id_username") == "anna"
    page.focus("#id_password")
    type_and_send(page, PASSWORD)
    assert page.url == watched.base + reverse("account")
    assert page.inner_text("h1") == "Your account"
    page.click("text=Change your password")
    page.focus("#id_old_password")
    type_and_send(page, PASSWORD, "quite another one", "quite another one")
    assert "Your password is changed" in page.inner_text("[role=status]")
    page.click("text=Sign out")
    page.wait_for_selector("text=Sign in")


@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (1280, "dark")])
def test_pages_of_an_account_fit_and_can_be_read(visit, anna, width, scheme):
    watched = visit(width=width, height=640, color_scheme=scheme)
    page = watched.page

    def look(address: str, shown: str) -> None:
        watched.open(address)
        page.wait_for_selector(shown)
        assert page.evaluate(OVERFLOW) <= 0, address
        assert page.evaluate(LOW_CONTRAST) == [], address

    look(reverse("sign_in"), "#id_password")
    page.fill("#id_username", "anna")
    page.fill("#id_password", "wrong")
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=alert]")
    assert page.evaluate(LOW_CONTRAST) == []
    look(reverse("password_forgotten"), "#id_email")
    look(reverse("password_forgotten") + "?sent", "[role=status]")
    look(password_path(anna), "#id_new_password1")
    look(reverse("password_new", args=["MQ", "made-up"]), "text=This link does not work")
    look(reverse("sign_in"), "#id_password")
    page.fill("#id_username", "anna")
    page.fill("#id_password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(watched.base + "/")
    look(reverse("account"), "dl")
    look(reverse("password"), "#id_old_password")


def test_a_link_is_made_and_used(visit, anna):
    watched, owner = visit(width=320), visit()
    User.objects.create_superuser("admin", password="admin")
    watched.sign_in()
    watched.open(reverse("admin:auth_user_change", args=[anna.pk]))
    watched.page.click("text=Make a link to set a password")
    watched.page.click("text=Make the link")
    link = watched.page.input_value("#link")
    assert watched.page.evaluate(OVERFLOW) <= 0
    owner.page.goto(link)
    owner.page.focus("#id_new_password1")
    type_and_send(owner.page, "quite another one", "quite another one")
    assert "Your password is set" in owner.page.inner_text("[role=status]")
    owner.page.focus("#id_username")
    type_and_send(owner.page, "anna", "quite another one")
    assert owner.page.url == watched.base + "/"
