"""A proxy says who has signed in: believed from its address alone, in a real server."""

from __future__ import annotations

import http.client
import os
import re
import subprocess
import sys

import pytest
from django.contrib.auth.models import User

from searchsite.people.middleware import name_told
from searchsite.people.models import Action, Entry
from tests.site.running import ROOT, Browser, Site, free_port, wait_until

PROXY, STRANGER = "127.0.0.2", "127.0.0.3"


class Asking:
    """HTTP from an address of the loopback network, with a cookie jar of one cookie and whatever headers."""

    def __init__(self, port: str, source: str) -> None:
        self.port, self.source, self.session = int(port), source, ""

    def get(self, path: str, *headers: tuple[str, str]) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30, source_address=(self.source, 0))
        connection.putrequest("GET", path)
        for name, value in (*headers, ("Cookie", f"sessionid={self.session}")):
            connection.putheader(name, value.encode())
        connection.endheaders()
        answer = connection.getresponse()
        page = answer.read().decode()
        if found := re.search(r"sessionid=([^;]*)", " ".join(answer.headers.get_all("Set-Cookie", []))):
            self.session = found.group(1)
        connection.close()
        return answer.status, page

    def who(self, *headers: tuple[str, str]) -> str:
        """The name of the account that the site takes this for; empty for nobody."""
        status, page = self.get("/account/", *headers)
        return re.search(r"<dd>(.*?)</dd>", page).group(1) if status == 200 else ""  # type: ignore[union-attr]


@pytest.mark.processes
def test_a_proxy_names_who_asks_and_nobody_else_can(tmp_path):
    with Site(tmp_path, SEARCHSITE_USER_HEADER="X-Remote-User", SEARCHSITE_PROXIES=f"{PROXY}/32") as site:
        site.shell(
            "from django.contrib.auth.models import User\n"
            "User.objects.create_superuser('boss', '', 'a good password')\n"
            "result = User.objects.create_user('gone', is_active=False).pk"
        )
        port = site.environment["SEARCHSITE_PORT"]
        site.start("-m", "gunicorn", "searchsite.wsgi", "--bind", f"0.0.0.0:{port}", "--threads", "2")
        wait_until(lambda: Browser(port).get("/healthz")[0] == 200, what="the site")

        proxy = Asking(port, PROXY)
        assert proxy.who(("X-Remote-User", "boss")) == "boss"
        assert proxy.who(("X-Remote-User", "new@example.com")) == "new@example.com", "another person, another session"
        assert proxy.who(("X-Remote-User", "张三")) == "张三"
        assert proxy.who() == "", "the header is gone, and with it the session"
        assert proxy.who(("X-Remote-User", "gone")) == ""
        assert proxy.who(("X-Remote-User", "(null)")) == ""
        assert proxy.who(("X-Remote-User", "boss"), ("X-Remote-User", "new@example.com")) == "", "two cannot be one"

        stranger = Asking(port, STRANGER)
        forged = ("X-Forwarded-For", PROXY), ("X-Real-Ip", PROXY), ("Forwarded", f"for={PROXY}")
        for name in ("X-Remote-User", "X_Remote_User", "x-remote-user", "X-Remote_User", "Remote-User", "REMOTE_USER"):
            assert stranger.who((name, "boss"), *forged) == "", name
        for name in ("X_Remote_User", "X-Remote_User", "HTTP_X_REMOTE_USER", "Remote-User", "REMOTE_USER"):
            assert proxy.who((name, "boss")) == "", f"{name}: the client's, let through by the proxy"
        assert proxy.who(("X-Remote-User", "new@example.com"), ("X_Remote_User", "boss")) == "new@example.com"

        assert proxy.who(("X-Remote-User", "boss")) == "boss"
        stranger.session = proxy.session
        assert stranger.who(("X-Remote-User", "boss")) == "", "a session that the proxy vouched for, past the proxy"

        made = site.shell(
            "from django.contrib.auth.models import User\n"
            "from searchsite.people.models import Entry\n"
            "result = {'accounts': [[user.username, user.is_staff or user.is_superuser, user.has_usable_password()]"
            " for user in User.objects.order_by('pk')],"
            " 'failures': Entry.objects.filter(action='sign_in_failed').count()}"
        )
        assert made["accounts"] == [
            ["boss", True, True], ["gone", False, False], ["new@example.com", False, False], ["张三", False, False],
        ]  # fmt: skip
        assert made["failures"] == 1


@pytest.mark.django_db
def test_an_inactive_account_that_the_proxy_names_is_written_down_once_and_locks_nobody_out(client, in_front):
    User.objects.create_user("gone", is_active=False)
    User.objects.create_user("anna")
    for _ in range(60):
        assert client.get("/account/", headers={"X-Remote-User": "gone"}, REMOTE_ADDR=PROXY).status_code == 302
    assert Entry.objects.filter(action=Action.SIGN_IN_FAILED, username="gone").count() == 1
    assert client.get("/account/", headers={"X-Remote-User": "anna"}, REMOTE_ADDR=PROXY).status_code == 200
    signed_in = Entry.objects.get(action=Action.SIGNED_IN)
    assert (signed_in.username, signed_in.details) == ("anna", {"backend": "HeaderBackend"})


@pytest.fixture
def in_front(settings):
    from ipaddress import ip_network

    settings.SEARCHSITE_USER_HEADER = "X-Remote-User"
    settings.SEARCHSITE_PROXIES = [ip_network(f"{PROXY}/32")]
    settings.AUTHENTICATION_BACKENDS = [
        *settings.AUTHENTICATION_BACKENDS, "searchsite.people.backends.HeaderBackend",
    ]  # fmt: skip


@pytest.mark.django_db
def test_a_closed_site_lets_in_whom_the_proxy_names(client, in_front, settings):
    settings.SEARCHSITE_REQUIRE_LOGIN = True
    page = client.get("/", headers={"X-Remote-User": "anna"}, REMOTE_ADDR=PROXY)
    assert page.status_code == 200
    assert "/sign-out/" not in page.content.decode(), "the next request would sign in again"
    assert client.get("/", REMOTE_ADDR=PROXY).status_code == 302


@pytest.mark.django_db
def test_a_forged_header_is_gone_for_all_that_comes_later(rf, in_front):
    from django.contrib.auth.models import AnonymousUser
    from django.contrib.sessions.backends.db import SessionStore

    from searchsite.people.middleware import UserHeader

    request = rf.get("/", headers={"X-Remote-User": "boss"}, REMOTE_ADDR=STRANGER)
    assert request.headers["X-Remote-User"] == "boss"
    request.session, request.user = SessionStore(), AnonymousUser()
    UserHeader(lambda request: None)(request)
    assert "X-Remote-User" not in request.headers
    assert "boss" not in map(str, request.META.values())


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("anna", "anna"),
        (" anna ", "anna"),
        ("DOMAIN\\anna", "DOMAIN\\anna"),
        ("ａｎｎａ", "anna"),
        ("张三".encode().decode("latin-1"), "张三"),
        ("Jos\xe9", "José"),
        ("(null)", ""),
        ("", ""),
        ("   ", ""),
        ("anna,boss", ""),
        ("anna, boss", ""),
        ("an\tna", ""),
        ("an\u200bna".encode().decode("latin-1"), ""),
        ("a" * 151, ""),
    ],
)
def test_a_name_is_taken_as_a_form_would_take_it(told, name):
    assert name_told(told) == name


@pytest.mark.parametrize(
    ("settings_", "sentence"),
    [
        ({"SEARCHSITE_USER_HEADER": "X-Remote-User"}, "SEARCHSITE_PROXIES does not say who alone may send it"),
        (
            {"SEARCHSITE_USER_HEADER": "X-Remote-User", "SEARCHSITE_PROXIES": "10.0.0.1,::/0"},
            "anybody could be anybody",
        ),
        ({"SEARCHSITE_USER_HEADER": "X_Remote_User", "SEARCHSITE_PROXIES": "10.0.0.1"}, "such as X-Remote-User"),
        (
            {"EMAIL_URL": "smtp+tls://u:the-password@h/?_default_from_email=a@example.com"},
            "no address of a mail server",
        ),
        ({"EMAIL_URL": "smtp://u:the-password@h:x/"}, "no address of a mail server"),
        ({"EMAIL_URL": "submission://u:the-password@mail.example.com/"}, "does not say from whom"),
        ({"SEARCHSITE_SIGN_IN_FAILURES": "0"}, "from 1 to 1000"),
    ],
)
def test_settings_that_would_let_in_anybody_or_cannot_work_are_refused_at_start(settings_, sentence):
    environment = {**os.environ, **settings_, "DJANGO_SETTINGS_MODULE": "searchsite.settings"}
    start = [sys.executable, "-c", "from django.conf import settings; settings.DEBUG"]
    done = subprocess.run(start, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0
    assert sentence in done.stderr.splitlines()[-1]
    assert "the-password" not in done.stderr


def test_a_proxy_that_is_not_named_is_pointed_out(settings):
    from searchsite.people.checks import proxies_are_named

    assert proxies_are_named() == []
    settings.USE_X_FORWARDED_HOST = True
    assert [warning.id for warning in proxies_are_named()] == ["people.W001"]
    settings.SEARCHSITE_PROXIES = ["10.0.0.5/32"]
    assert proxies_are_named() == []


@pytest.mark.processes
def test_mail_goes_out_through_the_server_of_the_settings(tmp_path):
    from aiosmtpd.controller import Controller
    from aiosmtpd.handlers import Message

    class Inbox(Message):
        def __init__(self) -> None:
            super().__init__()
            self.messages = []

        def handle_message(self, message) -> None:
            self.messages.append(message)

    inbox = Inbox()
    server = Controller(inbox, hostname="127.0.0.1", port=free_port())
    server.start()
    try:
        mail_server = f"smtp://127.0.0.1:{server.port}/?_default_from_email=search@example.com"
        with Site(tmp_path, EMAIL_URL=mail_server) as site:
            site.shell(
                "from django.contrib.auth.models import User\n"
                "result = User.objects.create_user('anna', 'anna@example.com', 'a good password').pk"
            )
            port = site.environment["SEARCHSITE_PORT"]
            site.start("-m", "gunicorn", "searchsite.wsgi", "--bind", f"127.0.0.1:{port}")
            browser = Browser(port)
            wait_until(lambda: browser.get("/healthz")[0] == 200, what="the site")
            assert "on its way" in browser.post("/account/password/forgotten/", email="anna@example.com")[1]
            message = wait_until(lambda: inbox.messages, what="the mail")[0]
            assert (message["From"], message["To"]) == ("search@example.com", "anna@example.com")
            text = message.get_payload(decode=True).decode()
            link = re.search(r"http://[^/]+(/account/password/new/\S+)", text).group(1)
            assert "password of the account anna" in browser.get(link)[1]
    finally:
        server.stop()
