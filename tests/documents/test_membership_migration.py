"""Members get roles: whoever could read a collection before is a reader of it afterwards."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

pytestmark = pytest.mark.django_db(transaction=True)
BEFORE, AFTER = ("documents", "0005_comparison_jobs"), ("documents", "0006_members_with_roles")


def migrate(*targets):
    """Bring the database to these migrations; the models as they were then."""
    executor = MigrationExecutor(connection)
    return executor.migrate(list(targets)).apps


@pytest.fixture
def before():
    """The models before there were roles; afterwards the database is as the other tests need it."""
    latest = MigrationExecutor(connection).loader.graph.leaf_nodes()
    yield migrate(BEFORE)
    migrate(*latest)


def test_those_who_could_read_are_readers(before):
    Collection, User, Group = (before.get_model(name) for name in ("documents.Collection", "auth.User", "auth.Group"))
    first, second = (Collection.objects.create(name=name, slug=name) for name in ("first", "second"))
    Collection.objects.create(name="nobody's", slug="nobodys")
    ann, bob = (User.objects.create(username=name) for name in ("ann", "bob"))
    law = Group.objects.create(name="law")
    first.users.add(ann, bob)
    first.groups.add(law)
    second.users.add(bob)

    now = migrate(AFTER)
    columns = ("collection__name", "user__username", "group__name", "role")
    found = now.get_model("documents.Membership").objects.values_list(*columns)
    assert sorted(found, key=str) == [
        ("first", "ann", None, "reader"),
        ("first", "bob", None, "reader"),
        ("first", None, "law", "reader"),
        ("second", "bob", None, "reader"),
    ]


def test_on_the_way_back_all_members_can_read(before):
    now = migrate(AFTER)
    Collection, Membership, User, Group = (
        now.get_model(name) for name in ("documents.Collection", "documents.Membership", "auth.User", "auth.Group")
    )
    collection = Collection.objects.create(name="first", slug="first")
    for role in ("reader", "editor", "manager"):
        user = User.objects.create(username=role)
        Membership.objects.create(collection=collection, user=user, role=role)
    Membership.objects.create(collection=collection, group=Group.objects.create(name="law"), role="manager")

    then = migrate(BEFORE).get_model("documents.Collection").objects.get()
    assert sorted(then.users.values_list("username", flat=True)) == ["editor", "manager", "reader"]
    assert [group.name for group in then.groups.all()] == ["law"]
