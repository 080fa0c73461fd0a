"""Passwords are tried a few times, and then not for a while: by name and address, and by address alone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.core.management import call_command

from searchsite.people.models import Action, Entry

pytestmark = pytest.mark.django_db
PASSWORD = "a good password"


@pytest.fixture(autouse=True)
def anna(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return User.objects.create_user("anna", password=PASSWORD)


def sign_in(client, name="anna", password="wrong", address="192.0.2.7", **headers):
    return client.post("/sign-in/", {"username": name, "password": password}, REMOTE_ADDR=address, headers=headers)


def fail(client, times=5, **how):
    return [sign_in(client, **how).status_code for _ in range(times)]


def an_hour_passes():
    for attempt in AccessAttempt.objects.all():
        AccessAttempt.objects.filter(pk=attempt.pk).update(attempt_time=attempt.attempt_time - timedelta(hours=1))


def test_after_five_wrong_passwords_even_the_right_one_waits(client):
    assert fail(client) == [200, 200, 200, 200, 429]
    refused = sign_in(client, password=PASSWORD)
    assert refused.status_code == 429
    assert refused["Retry-After"] == str(15 * 60)
    assert "For the next 15 minutes no password is tried" in refused.content.decode()
    assert "_auth_user_id" not in client.session
    an_hour_passes()
    assert sign_in(client, password=PASSWORD).status_code == 302


def test_both_numbers_are_settings(client, settings):
    settings.SEARCHSITE_SIGN_IN_FAILURES = settings.AXES_FAILURE_LIMIT = 2
    settings.AXES_COOLOFF_TIME = timedelta(minutes=1)
    assert fail(client, 3) == [200, 429, 429]
    assert "For the next minute no password is tried" in sign_in(client).content.decode()


def test_trying_on_does_not_make_the_wait_longer(client):
    fail(client)
    AccessAttempt.objects.update(attempt_time=AccessAttempt.objects.get().attempt_time - timedelta(minutes=10))
    assert fail(client) == [429] * 5
    assert "For the next 5 minutes" in sign_in(client).content.decode()


def test_others_are_not_locked_out_with_them(client):
    User.objects.create_user("bert", password=PASSWORD)
    fail(client)
    assert sign_in(client, "bert", PASSWORD).status_code == 302, "another name from there"
    assert sign_in(client, "anna", PASSWORD, address="192.0.2.8").status_code == 302, "the owner, from elsewhere"


@pytest.mark.parametrize(
    "variants",
    [
        ["anna", "ANNA", "Anna", "aNNa", "annA"],
        ["anna", " anna", "anna ", "\tanna", "anna\u3000"],
        ["anna", "ａｎｎａ", "𝐚nna", "ⓐnna", "Ａnna"],
    ],
    ids=["case", "spaces", "compatible characters"],
)
def test_ways_of_writing_a_name_are_counted_together(client, variants):
    assert [sign_in(client, name).status_code for name in variants] == [200, 200, 200, 200, 429]
    assert sign_in(client, "anna", PASSWORD).status_code == 429


def test_another_browser_or_a_made_up_forwarding_header_is_no_way_around(client):
    for number in range(5):
        sign_in(client, **{"User-Agent": f"browser {number}", "X-Forwarded-For": f"198.51.100.{number}"})
    answer = sign_in(client, password=PASSWORD, **{"User-Agent": "new", "X-Forwarded-For": "198.51.100.99"})
    assert answer.status_code == 429


def test_behind_a_proxy_of_ours_its_word_counts(client, settings):
    from ipaddress import ip_network

    settings.SEARCHSITE_PROXIES = [ip_network("10.0.0.5/32")]
    for _ in range(5):
        sign_in(client, address="10.0.0.5", **{"X-Forwarded-For": "198.51.100.1"})
    there = sign_in(client, password=PASSWORD, address="10.0.0.5", **{"X-Forwarded-For": "198.51.100.1"})
    assert there.status_code == 429
    elsewhere = sign_in(client, password=PASSWORD, address="10.0.0.5", **{"X-Forwarded-For": "198.51.100.2"})
    assert elsewhere.status_code == 302


def test_one_address_with_many_names_is_slowed_too(client):
    statuses = [sign_in(client, f"name{number}").status_code for number in range(50)]
    assert statuses == [200] * 49 + [429]
    assert sign_in(client, "anna", PASSWORD).status_code == 429
    assert sign_in(client, "anna", PASSWORD, address="192.0.2.8").status_code == 302


def test_signing_in_oneself_does_not_buy_more_tries_at_others(client):
    for number in range(48):
        sign_in(client, f"name{number}")
        if number % 4 == 0:
            assert sign_in(client, "anna", PASSWORD).status_code == 302
    assert fail(client, 3, name="boss") == [200, 429, 429]


def test_signing_in_forgets_ones_own_failures(client):
    fail(client, 4)
    assert sign_in(client, password=PASSWORD).status_code == 302
    assert fail(client, 4) == [200] * 4


def test_a_network_of_ipv6_is_one_address(client):
    for number in range(5):
        sign_in(client, address=f"2001:db8:1:2::{number:x}")
    assert sign_in(client, password=PASSWORD, address="2001:db8:1:2:ffff::1").status_code == 429
    assert sign_in(client, password=PASSWORD, address="2001:db8:1:3::1").status_code == 302


def test_an_account_that_does_not_exist_is_locked_out_alike(client):
    User.objects.create_user("gone", password=PASSWORD, is_active=False)
    pages = {name: [sign_in(client, name) for _ in range(6)] for name in ("anna", "gone", "nobody")}
    for name, answers in pages.items():
        assert [answer.status_code for answer in answers] == [200] * 4 + [429] * 2
        texts = [answer.content.decode().replace(f'value="{name}"', "") for answer in answers]
        same = [answer.content.decode().replace('value="nobody"', "") for answer in pages["nobody"]]
        assert [without_tokens(text) for text in texts] == [without_tokens(text) for text in same]


def without_tokens(page: str) -> str:
    return "".join(line for line in page.splitlines() if "csrfmiddlewaretoken" not in line)


def test_a_name_longer_than_the_table_of_failures_can_hold_is_counted(client):
    names = ["\ufdfa" * 150] * 5  # each character becomes eighteen
    assert [sign_in(client, name).status_code for name in names] == [200, 200, 200, 200, 429]


def test_passwords_that_are_tried_at_the_same_time_are_counted_before_they_are(client, monkeypatch):
    """Each is looked at while all the later ones are asked for: no more are looked at than one after the other."""
    looked_at = []

    def slowly(_backend, _request, username=None, password=None, **_more):
        looked_at.append(password)
        sign_in(client, password=f"guess {len(looked_at)}")

    monkeypatch.setattr("django.contrib.auth.backends.ModelBackend.authenticate", slowly)
    sign_in(client)
    assert looked_at == ["wrong", "guess 1", "guess 2", "guess 3", "guess 4"]
    assert Entry.objects.filter(action=Action.LOCKED_OUT).count() == 1


def test_changing_ones_password_is_no_failure(client):
    client.force_login(User.objects.get())
    for _ in range(8):
        fields = {"old_password": PASSWORD, "new_password1": "one", "new_password2": "another"}
        assert client.post("/account/password/", fields).status_code == 200
    assert sign_in(client, password=PASSWORD).status_code == 302


def test_a_lock_out_is_written_down_once_and_tries_during_it_are_not(client):
    fail(client, 12)
    entries = Entry.objects.exclude(action=Action.ACCOUNT_ADDED)
    actions = list(entries.values_list("action", "username", "address"))
    failure, locked = ((action, "anna", "192.0.2.7") for action in (Action.SIGN_IN_FAILED, Action.LOCKED_OUT))
    assert sorted(actions) == sorted([failure] * 5 + [locked])
    assert Entry.objects.get(action=Action.LOCKED_OUT).details == {"minutes": 15}


def test_the_old_password_cannot_be_guessed_where_it_is_changed(client):
    client.force_login(User.objects.get())
    fields = {"old_password": "wrong", "new_password1": "quite another one", "new_password2": "quite another one"}
    assert [client.post("/account/password/", fields).status_code for _ in range(5)] == [200, 200, 200, 200, 429]
    refused = client.post("/account/password/", {**fields, "old_password": PASSWORD})
    assert refused.status_code == 429
    assert "For the next 15 minutes" in refused.content.decode()
    assert User.objects.get().check_password(PASSWORD)


def test_the_counters_keep_no_password(client):
    sign_in(client, password="mistyped secret")
    client.force_login(User.objects.get())
    fields = {"old_password": "old secret", "new_password1": "new secret", "new_password2": "another secret"}
    client.post("/account/password/", fields)
    assert AccessAttempt.objects.count() == 2
    assert "secret" not in str(list(AccessAttempt.objects.values()))


def test_a_command_unlocks_an_account_however_its_name_is_written(client):
    fail(client)
    call_command("axes_reset_username", "Anna")
    assert sign_in(client, password=PASSWORD).status_code == 302


def test_a_command_unlocks_an_address(client):
    fail(client, address="2001:db8:1:2::1")
    call_command("axes_reset_ip", "2001:db8:1:2::2")
    assert sign_in(client, password=PASSWORD, address="2001:db8:1:2::1").status_code == 302


def test_the_admin_has_no_way_in_of_its_own(client):
    boss = User.objects.create_superuser("boss", password=PASSWORD)
    answer = client.post("/admin/login/?next=/admin/auth/user/", {"username": "boss", "password": PASSWORD})
    assert answer["Location"] == "/sign-in/?next=/admin/auth/user/"
    assert "_auth_user_id" not in client.session
    client.force_login(boss)
    changed = client.post("/admin/password_change/", {"old_password": "x", "new_password1": "y", "new_password2": "y"})
    assert changed["Location"] == "/account/password/"
