"""Light and dark, by the system and by choice, in a real browser."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LIGHT, DARK = "rgb(252, 251, 249)", "rgb(20, 23, 26)"
GROUND = "getComputedStyle(document.body).backgroundColor"


@pytest.mark.parametrize(("scheme", "by_system"), [("light", LIGHT), ("dark", DARK)])
@pytest.mark.parametrize("script", [True, False])
def test_a_choice_wins_over_the_system_on_the_site_and_in_the_admin(transactional_db, visit, scheme, by_system, script):
    User.objects.create_superuser("admin", password="admin")
    watched = visit(color_scheme=scheme, java_script_enabled=script)
    page = watched.page
    watched.sign_in()
    pages = ("/", "/admin/", "/admin/documents/document/", "/no-such-page/")
    for address in pages:
        watched.open(address)
        assert page.evaluate(GROUND) == by_system, address
    for chosen, ground in (("dark", DARK), ("light", LIGHT)):
        watched.open("/?q=apples")
        page.click(f"button[name=theme][value={chosen}]")
        page.wait_for_selector(f"button[value={chosen}][aria-pressed=true]")
        assert page.url.endswith("/?q=apples"), "the question is kept"
        for address in pages:
            watched.open(address)
            assert page.evaluate(GROUND) == ground, f"{address}, {chosen}"
    watched.open("/admin/")
    page.click("button[name=theme][value='']")
    page.wait_for_selector("button[value=''][aria-pressed=true]")
    assert page.evaluate(GROUND) == by_system
