"""A link with which one sets a new password: by mail, or made by an administrator."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.core import mail
from django.utils import timezone

from searchsite.people.models import Action, Entry

pytestmark = pytest.mark.django_db
PASSWORD = "a good password"
NEW = "quite another one"


@pytest.fixture(autouse=True)
def fast_hashing(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def anna(settings):
    settings.SEARCHSITE_SENDS_MAIL = True
    return User.objects.create_user("anna", "anna@example.com", PASSWORD)


def ask(client, address="anna@example.com", **options):
    return client.post("/account/password/forgotten/", {"email": address}, **options)


def link_in(text: str) -> str:
    return re.search(r"http://testserver(/account/password/new/\S+/)", text).group(1)


def use(client, link: str):
    form = client.get(link, follow=True)
    assert form.status_code == 200
    assert link not in form.content.decode(), "the token is in no address that could be passed on"
    return client.post(form.redirect_chain[-1][0], {"new_password1": NEW, "new_password2": NEW}, follow=True)


def signs_in(client, password: str) -> bool:
    return client.post("/sign-in/", {"username": "anna", "password": password}).status_code == 302


def test_a_mail_brings_a_link_that_sets_a_password_once(client, anna):
    assert "on its way" in ask(client, follow=True).content.decode()
    (message,) = mail.outbox
    assert message.to == ["anna@example.com"]
    assert message.subject == "Your password at testserver"
    assert "account anna." in message.body
    assert "for 3 days" in message.body
    link = link_in(message.body)
    done = use(client, link)
    assert done.redirect_chain == [("/sign-in/", 302)]
    assert signs_in(client, NEW)
    assert "This link does not work" in client.get(link, follow=True).content.decode()


def test_a_mail_is_in_the_language_of_the_page(client, anna):
    from django.utils.translation import gettext, override

    ask(client, headers={"accept-language": "zh-hans"})
    with override("zh-hans"):
        assert gettext("This page sets it:") in mail.outbox[0].body


def test_names_are_not_escaped_in_a_mail(client, settings):
    settings.SEARCHSITE_SENDS_MAIL = True
    User.objects.create_user("o'neill&co", "o@example.com", PASSWORD)
    ask(client, "o@example.com")
    assert "o'neill&co" in mail.outbox[0].body


def test_nobody_is_told_whether_there_is_an_account(client, anna):
    User.objects.create_user("gone", "gone@example.com", PASSWORD, is_active=False)
    elsewhere = User.objects.create(username="sso", email="sso@example.com")
    elsewhere.set_unusable_password()
    elsewhere.save()
    mailed = {}
    for address in ("anna@example.com", "nobody@example.com", "gone@example.com", "sso@example.com"):
        mail.outbox.clear()
        answer = ask(client, address)
        assert (answer.status_code, answer["Location"]) == (302, "/account/password/forgotten/?sent")
        mailed[address] = len(mail.outbox)
    assert mailed == {"anna@example.com": 1, "nobody@example.com": 0, "gone@example.com": 0, "sso@example.com": 0}


def test_the_mail_is_sent_only_when_the_answer_is_out(rf, anna):
    """What the server does before it answers is the same for an address that is known and one that is not."""
    from django.contrib.sessions.backends.db import SessionStore

    from searchsite.people import audit, views

    sent = {}
    for address in ("anna@example.com", "nobody@example.com"):
        request = rf.post("/account/password/forgotten/", {"email": address})
        request.session, request._dont_enforce_csrf_checks = SessionStore(), True
        audit.following(views.Forgotten.as_view())(request)
        sent[address] = len(mail.outbox)
        audit._finish()
    assert sent == {"anna@example.com": 0, "nobody@example.com": 1}, "one came after the first answer, none later"
    assert len(mail.outbox) == 1


def test_a_mail_server_that_fails_is_no_business_of_the_page(client, anna, settings, caplog):
    settings.EMAIL_BACKEND = "tests.people.test_password_links.Failing"
    assert ask(client).status_code == 302
    assert "Failed to send password reset email" in caplog.text


class Failing:
    def __init__(self, **_options) -> None:
        pass

    def send_messages(self, _messages) -> None:
        raise ConnectionRefusedError


def test_an_account_gets_three_mails_an_hour_and_an_address_causes_ten(client, anna):
    for number in range(5):
        ask(client, REMOTE_ADDR=f"192.0.2.{number}")
    assert len(mail.outbox) == 3
    Entry.objects.update(when=timezone.now() - timedelta(minutes=61))
    ask(client, REMOTE_ADDR="192.0.2.1")
    assert len(mail.outbox) == 4
    for number in range(12):
        User.objects.create_user(f"user{number}", f"user{number}@example.com", PASSWORD)
        ask(client, f"user{number}@example.com", REMOTE_ADDR="192.0.2.99")
    assert len(mail.outbox) == 14
    ask(client, "user11@example.com", REMOTE_ADDR="192.0.2.98")
    assert len(mail.outbox) == 15


def test_without_a_mail_server_an_administrator_is_to_be_asked(client, settings):
    settings.SEARCHSITE_SENDS_MAIL = False
    User.objects.create_user("anna", "anna@example.com", PASSWORD)
    page = client.get("/account/password/forgotten/").content.decode()
    assert "Ask an administrator for a link" in page
    assert 'name="email"' not in page
    ask(client)
    assert mail.outbox == []


@pytest.mark.parametrize("uid", ["MQ", "OTk5", "x", "!!", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkw"])
def test_a_link_that_is_made_up_sets_nothing_and_tells_nothing(client, anna, uid):
    pages = [client.get(f"/account/password/new/{uid}/{token}/") for token in ("set-password", "c0ffee-0123456789")]
    assert {page.status_code for page in pages} == {200}
    assert all("This link does not work" in page.content.decode() for page in pages)
    assert all("anna" not in page.content.decode() for page in pages)


def test_a_link_ends_with_time_and_with_the_account(client, anna, settings):
    from searchsite.people.links import password_path

    link = password_path(anna)
    User.objects.update(is_active=False)
    assert "does not work" in client.get(link, follow=True).content.decode()
    User.objects.update(is_active=True)
    assert "does not work" not in client.get(link, follow=True).content.decode()
    settings.PASSWORD_RESET_TIMEOUT = -1
    assert "does not work" in client.get(link, follow=True).content.decode()


def test_setting_a_password_ends_the_sessions_and_the_lock_out(client, anna):
    from django.test import Client

    from searchsite.people.links import password_path

    elsewhere = Client()
    elsewhere.force_login(anna)
    anna.refresh_from_db()
    for _ in range(5):
        client.post("/sign-in/", {"username": "anna", "password": "wrong"})
    assert not signs_in(client, PASSWORD)
    use(client, password_path(anna))
    assert elsewhere.get("/account/").status_code == 302
    assert signs_in(client, NEW)


# --- made by an administrator ---


def staff(*permissions: str) -> User:
    helper = User.objects.create_user("helper", password=PASSWORD, is_staff=True)
    helper.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return helper


def page_of(account: User) -> str:
    return f"/admin/auth/user/{account.pk}/link/"


def test_a_superuser_makes_a_link_also_for_an_account_that_never_had_a_password(admin_client, client):
    account = User.objects.create(username="anna")
    account.set_unusable_password()
    account.save()
    assert page_of(account) in admin_client.get(f"/admin/auth/user/{account.pk}/change/").content.decode()
    asked = admin_client.get(page_of(account)).content.decode()
    assert "/account/password/new/" not in asked, "opening the page makes none"
    assert not Entry.objects.filter(action=Action.PASSWORD_LINK).exists()
    made = admin_client.post(page_of(account))
    assert "for 3 days" in made.content.decode()
    assert "no-store" in made["Cache-Control"]
    entry = Entry.objects.get(action=Action.PASSWORD_LINK)
    assert (entry.username, entry.about, entry.about_id) == ("admin", "anna", account.pk)
    use(client, link_in(made.content.decode().replace("<", " ")))
    assert signs_in(client, NEW)


def test_no_link_is_made_without_the_forms_token(admin_user):
    from django.test import Client

    stranger = Client(enforce_csrf_checks=True)
    stranger.force_login(admin_user)
    assert stranger.post(page_of(admin_user)).status_code == 403
    assert not Entry.objects.filter(action=Action.PASSWORD_LINK).exists()


def test_no_link_is_made_for_an_inactive_account(admin_client, anna):
    User.objects.filter(pk=anna.pk).update(is_active=False)
    assert "is not active" in admin_client.post(page_of(anna)).content.decode()
    assert not Entry.objects.filter(action=Action.PASSWORD_LINK).exists()


def test_staff_who_may_change_accounts_make_links_for_plain_ones_alone(client, anna):
    boss = User.objects.create_superuser("boss")
    colleague = User.objects.create_user("colleague", is_staff=True)
    helper = staff("view_user", "change_user")
    client.force_login(helper)
    answers = {account.username: client.post(page_of(account)) for account in (anna, boss, colleague, helper)}
    assert {name: answer.status_code for name, answer in answers.items()} == {
        "anna": 200, "boss": 404, "colleague": 404, "helper": 404,
    }  # fmt: skip
    assert [entry.about for entry in Entry.objects.filter(action=Action.PASSWORD_LINK)] == ["anna"]
    assert client.post("/admin/auth/user/999/link/").status_code == 404
    assert client.post("/admin/auth/user/x/link/").status_code == 404


def test_others_make_none(client, anna):
    client.force_login(staff("view_user"))
    assert client.post(page_of(anna)).status_code == 404
    client.force_login(anna)
    assert client.post(page_of(anna))["Location"].startswith("/admin/login/")
    assert not Entry.objects.filter(action=Action.PASSWORD_LINK).exists()
