"""What a provider says of somebody: groups, names and subjects, also such as were chosen to do harm."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
from django.contrib.auth.models import Group

from searchsite.documents.models import Collection, Membership
from searchsite.people.models import Action, Entry
from tests.people.single_sign_on import come_back, who

pytestmark = [pytest.mark.django_db, pytest.mark.processes]


def test_groups_are_those_of_the_claim_and_open_collections_on_the_next_request(client, provider, add):
    staff_only = Collection.objects.create(name="Staff", slug="staff", visibility=Collection.Visibility.MEMBERS)
    page = add(staff_only, "apples").get_absolute_url()
    provider.says(sub="u-1", preferred_username="ada", groups=["staff", "书友会", "staff"])
    answer = come_back(client, provider, page)
    assert answer["Location"] == page
    assert {group.name for group in who(client).groups.all()} == {"staff", "书友会"}
    assert client.get(page).status_code == 404
    Membership.objects.create(collection=staff_only, group=Group.objects.get(name="staff"))
    assert client.get(page).status_code == 200
    provider.says(sub="u-1", preferred_username="ada", groups=["书友会"])
    come_back(client, provider)
    assert client.get(page).status_code == 404
    provider.says(sub="u-1", preferred_username="ada")
    come_back(client, provider)
    assert not who(client).groups.exists(), "no claim, no groups"
    changes = Entry.objects.filter(action=Action.GROUPS_CHANGED, about="ada").order_by("pk")
    assert [sorted(c.details.items()) for c in changes] == [
        [("added", ["staff", "书友会"])],
        [("removed", ["staff"])],
        [("removed", ["书友会"])],
    ]


def test_without_the_setting_groups_are_left_alone(client, provider, settings):
    settings.SEARCHSITE_OIDC = replace(settings.SEARCHSITE_OIDC, groups_claim="")
    come_back(client, provider)
    who(client).groups.add(Group.objects.create(name="kept"))
    provider.says(sub="u-1", groups=["superusers"])
    come_back(client, provider)
    assert [group.name for group in who(client).groups.all()] == ["kept"]


def test_thousands_of_groups_are_bounded_and_the_log_says_so(client, provider, caplog):
    provider.says(sub="u-1", groups=[f"group {n}" for n in range(3000)])
    come_back(client, provider)
    assert who(client).groups.count() == Group.objects.count() == 1000
    assert "2000 groups of" in caplog.text


@pytest.mark.parametrize(
    ("claims", "username"),
    [
        ({"preferred_username": "ACME\\ada"}, "ACME-ada"),
        ({"preferred_username": "a" * 500}, "a" * 140),
        ({"preferred_username": "\u202eroot\x00\n "}, "root"),
        ({"preferred_username": ["x"], "email": "ada@example.com"}, "ada"),
        ({"preferred_username": "<script>", "email": 5, "name": {"a": 1}}, "script"),
        ({"preferred_username": "//", "name": "阿达"}, "阿达"),
        ({}, "user"),
    ],
)
def test_hostile_claims_become_harmless_names(client, provider, claims, username):
    provider.says(sub="u-9", groups={"admin": True}, given_name="x" * 1000, family_name="\x07\u2066y", **claims)
    come_back(client, provider)
    account = who(client)
    account.full_clean(exclude=["password"])
    assert account.username == username
    assert (account.first_name, account.last_name) == ("x" * 150, "y")
    assert account.email in ("", "ada@example.com")
    assert not account.groups.exists()


def test_a_group_is_taken_as_it_is_named_or_not_at_all(client, provider, caplog):
    names = ["staff", " staff", "staff\u200b", "st\x00aff", "s" * 151, "", 7, None, ["boss"], "s" * 150]
    provider.says(sub="u-1", groups=names)
    come_back(client, provider)
    assert {group.name for group in who(client).groups.all()} == {"staff", "s" * 150}
    assert "8 groups of" in caplog.text


def test_each_subject_is_somebody_else_and_known_again(client, provider):
    long = "s" * 255
    subjects = [long, long[:-1] + "t", f"sha256:{sha256(long.encode()).hexdigest()}", long[:191], "阿达|7", "S", "s"]
    accounts_of = []
    for sub in subjects * 2:
        provider.says(sub=sub)
        come_back(client, provider)
        accounts_of.append(who(client).pk)
    assert len(set(accounts_of)) == len(subjects)
    assert accounts_of[: len(subjects)] == accounts_of[len(subjects) :]


@pytest.mark.parametrize(("verified", "taken"), [(False, ""), ("false", ""), (True, "ada@example.com")])
def test_an_address_that_the_provider_has_not_verified_is_nobodys(client, provider, verified, taken):
    """Managers add people by their address."""
    provider.says(sub="u-1", preferred_username="ada", email="ada@example.com", email_verified=verified)
    come_back(client, provider)
    assert who(client).email == taken
