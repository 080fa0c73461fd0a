"""Who sees which collection, against a plain definition in Python over random memberships."""

from __future__ import annotations

import random

import pytest
from django.contrib.auth.models import AnonymousUser, Group, User

from searchsite.documents.access import visible_collections
from searchsite.documents.models import Collection

pytestmark = pytest.mark.django_db


def plainly(user, collection) -> bool:
    """The definition once more, as one would say it."""
    if user.is_anonymous or not user.is_active:
        return collection.visibility == "public"
    if user.is_superuser or collection.visibility in ("public", "signed_in"):
        return True
    return user in collection.users.all() or bool(set(user.groups.all()) & set(collection.groups.all()))


def test_visible_collections():
    dice = random.Random(7)
    groups = [Group.objects.create(name=f"g{n}") for n in range(4)]
    users = [User.objects.create(username=f"u{n}", is_active=n != 3, is_superuser=n == 4) for n in range(10)]
    for user in users:
        user.groups.set(dice.sample(groups, dice.randint(0, 3)))
    for n in range(20):
        visibility = dice.choice(Collection.Visibility.values)
        collection = Collection.objects.create(name=f"c{n}", slug=f"c{n}", visibility=visibility)
        collection.groups.set(dice.sample(groups, dice.randint(0, 2)))
        collection.users.set(dice.sample(users, dice.randint(0, 3)))
    seen = 0
    for user in [*users, AnonymousUser()]:
        expected = sorted(c.pk for c in Collection.objects.all() if plainly(user, c))
        assert sorted(visible_collections(user).values_list("pk", flat=True)) == expected
        seen += len(expected)
    assert 0 < seen < 20 * 11
