"""Single sign-on in a real browser, whose policy about forms and whose cookies are what it could fail at."""

from __future__ import annotations

import pytest

from tests.people.provider import Provider
from tests.site.running import Browser, Site, free_port, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.processes]

OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def test_the_button_leads_to_the_provider_and_back_to_where_one_was(chromium, tmp_path):
    port = str(free_port())
    base = f"http://127.0.0.1:{port}"
    with (
        Provider(tmp_path, f"{base}/sign-in/oidc/callback/") as provider,
        Site(tmp_path, SEARCHSITE_PORT=port, **provider.settings) as site,
        chromium.new_context(viewport={"width": 320, "height": 700}) as context,
    ):
        site.start("-m", "gunicorn", "searchsite.wsgi", "--bind", f"127.0.0.1:{port}", "--threads", "4")
        wait_until(lambda: Browser(port).get("/healthz")[0] == 200, what="the site")
        context.set_default_timeout(15_000)
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        provider.says(sub="u-1", preferred_username="ada")
        page.goto(f"{base}/?q=apples")
        page.click(".menu")
        page.click("nav >> text=Sign in")
        assert page.evaluate(OVERFLOW) <= 0
        page.click("text=Sign in with Acme")
        page.wait_for_url(f"{base}/?q=apples")
        page.click(".menu")
        assert page.is_visible("text=Sign out")
        cookie = next(one for one in context.cookies() if one["name"] == "sessionid")
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
        assert complaints == []
        page.goto(f"{base}/sign-in/oidc/callback/?state=x&code=x")
        assert page.evaluate(OVERFLOW) <= 0
        page.click("text=Back to signing in")
        page.wait_for_url(f"{base}/sign-in/")
