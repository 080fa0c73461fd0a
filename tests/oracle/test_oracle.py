"""2,000 requests of 50 people to 40 collections, of every route and every way to stand to a collection; `make oracle`
asks 100,000."""

from __future__ import annotations

import copy
import random
from dataclasses import replace

import pytest
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Q
from django.test import override_settings

from searchsite.documents import access, audited
from searchsite.documents.models import Collection, Document, Membership
from searchsite.documents.views import library as libraries
from searchsite.index import backends, follow
from searchsite.index.stores import segment
from searchsite.search import retrieve, views
from searchsite.search import similar as more_like_this
from tests.oracle.asking import document, similar, similar_on_all_pages
from tests.oracle.asking_library import document_delete, library
from tests.oracle.asking_search import search
from tests.oracle.routes import MAKERS, known, routes
from tests.oracle.run import Oracle
from tests.oracle.world import Person, Shelf, World, build

pytestmark = pytest.mark.django_db
REQUESTS = 2000


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker, tmp_path_factory):
    """(the world, where its index lies); it is gone after the tests of this module."""
    folder = tmp_path_factory.mktemp("oracle")
    with django_db_blocker.unblock(), override_settings(INDEX_DIR=folder), transaction.atomic():
        follow.forget()
        backends.forget()
        yield build(), folder
        transaction.set_rollback(True)


@pytest.fixture
def oracle(world, settings) -> Oracle:
    made, settings.INDEX_DIR = world
    assert isinstance(made, World)
    return Oracle(copy.deepcopy(made))


def said(oracle: Oracle) -> str:
    return "\n".join(map(str, oracle.differences[:30]))


def test_everybody_gets_what_is_his_and_nothing_else(oracle):
    oracle.run(REQUESTS, seed=1)
    assert sum(oracle.asked.values()) == REQUESTS
    assert {route for route, _relation in oracle.asked} == MAKERS.keys()
    assert not oracle.differences, said(oracle)


def test_every_route_of_the_site_is_asked_and_none_that_is_not_there():
    assert routes() == known()


def test_the_same_request_of_everybody_in_any_order_gives_each_what_is_his(oracle):
    """What one is answered must not depend on who asked the same before: nothing that is kept crosses users."""
    dice = random.Random(3)
    routes = ["search", "search", "search", "document", "similar", "why", "original", "page_picture", "library"]
    for number, route in enumerate([*routes, "collection", "upload", "members", "admin:documents_document_changelist"]):
        shelf = dice.choice([one for one in oracle.world.shelves if one.visibility == "members"])
        for person in dice.sample(oracle.world.people, 30):
            oracle.ask(route, person, shelf, random.Random(number))
    assert not oracle.differences, said(oracle)


# --- it notices ---


def everything(_user) -> object:
    return Collection.objects.all()


def blind_to_groups(user, role) -> Q:
    able = Membership.objects.filter(role__in=type(role).from_rank(role.rank)).values("collection_id")
    return Q(pk__in=able.filter(user=user.pk))


def runs_of_whoever_asked_first(spans, collections, documents):
    return runs_of(spans, first_asked.setdefault("collections", collections), documents)


first_asked = {}
runs_of = segment.Spans.runs
MUTANTS = {
    "candidates that nobody checks": (search, retrieve, "visible_collections", everything),
    "groups that count for nothing": (search, access, "as_member", blind_to_groups),
    "copies of everything": (document, views, "visible_documents", lambda _user: Document.objects.all()),
    "similar among everything": (similar, more_like_this, "visible_collections", everything),
    "a library of everything": (library, libraries, "visible_collections", everything),
    "everybody an editor": (document_delete, access, "_with_role", lambda _user, _role: Collection.objects.all()),
    "looks that nobody writes down": (document, audited, "look", lambda *_args, **_more: None),
    "an index that forgets who asks": (similar_on_all_pages, segment.Spans, "runs", runs_of_whoever_asked_first),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_oracle_notices(oracle, monkeypatch, mutant):
    maker, place, name, instead = MUTANTS[mutant]
    oracle.makers = {"it": maker}
    members_only = [one for one in oracle.world.shelves if one.visibility == "members"]
    with monkeypatch.context() as patched:
        patched.setattr(place, name, instead)
        for number, shelf in enumerate(members_only[:8]):
            for person in random.Random(number).sample(oracle.world.people, 12):
                oracle.ask("it", person, shelf, random.Random(number))
    follow.forget()
    assert oracle.differences


# --- at once ---

ROUTES = ["search", "document", "similar", "original", "library", "collection", "document_edit", "upload", "members"]


def ask_all(oracle: Oracle, person: Person, shelf: Shelf) -> None:
    for number, route in enumerate(ROUTES * 2):
        oracle.ask(route, person, shelf, random.Random(number))
    assert not oracle.differences, said(oracle)


def test_a_change_of_membership_visibility_or_account_counts_from_the_next_request_on(oracle):
    world = oracle.world
    shelf = next(one for one in world.shelves if one.visibility == "members" and any(p.file for p in one.papers))
    place, person = next(
        (place, one)
        for place, one in enumerate(world.people)
        if not (one.anonymous or one.superuser or one.staff) and one.name not in shelf.people and not one.groups
    )
    row, group = Collection.objects.get(pk=shelf.pk), Group.objects.get(name="group-0")
    with transaction.atomic():
        shelf.groups.pop(group.name, None)
        Membership.objects.filter(collection=row, group=group).delete()
        ask_all(oracle, person, shelf)
        member = Membership(collection=row, user=person.user)
        for role in ("reader", "editor", "manager", "reader"):
            member.role = shelf.people[person.name] = role
            member.save()
            ask_all(oracle, person, shelf)
        member.delete()
        del shelf.people[person.name]
        ask_all(oracle, person, shelf)

        member = Membership(collection=row, group=group, role="editor")
        member.save()
        shelf.groups[group.name] = "editor"
        ask_all(oracle, person, shelf)
        person.user.groups.add(group)
        person = world.people[place] = replace(person, groups=frozenset([group.name]))
        ask_all(oracle, person, shelf)
        person.user.groups.clear()
        person = world.people[place] = replace(person, groups=frozenset())
        ask_all(oracle, person, shelf)

        for visibility in ("signed_in", "public", "members"):
            row.visibility = shelf.visibility = visibility
            row.save()
            for one in (person, world.people[0]):
                ask_all(oracle, one, shelf)
        row.visibility = shelf.visibility = "signed_in"
        row.save()
        person.user.is_active = False
        person.user.save()
        person = world.people[place] = replace(person, active=False)
        ask_all(oracle, person, shelf)
        transaction.set_rollback(True)
