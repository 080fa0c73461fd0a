"""Asking, and comparing what came with what should have come."""

from __future__ import annotations

import copy
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.test import Client

from searchsite.documents.models import Collection, Document, Job, Membership, Tag, Upload, UploadItem
from searchsite.insight.models import Comparison
from searchsite.people.models import Action, Entry
from tests.oracle.asking import Asked, Case, Maker
from tests.oracle.judge import is_member, rank, relation
from tests.oracle.routes import MAKERS
from tests.oracle.world import Person, Shelf, World

FOR_PROBES = ("/healthz", "/readyz")
MARKER = re.compile(rb"zq[bcdfghjklmnprstvwxz]{7}")


@dataclass
class Difference:
    route: str
    person: str
    relation: str
    request: str
    said: str

    def __str__(self) -> str:
        return f"{self.route}: {self.person} ({self.relation}) {self.request}: {self.said}"


@dataclass
class Oracle:
    """Asks in the name of everybody, each with a session of his own, and undoes what a request changes."""

    world: World
    makers: dict[str, Maker] = field(default_factory=lambda: dict(MAKERS))
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clients: dict[str, Client] = {}
        self.shown_by = self.world.shown_by()
        self.content_of: dict[str, set[int]] = {}  # {marker: the collections of the documents that have it}
        for shelf, paper in self.world.papers():
            for word in (paper.title, paper.text):
                self.content_of.setdefault(word, set()).add(shelf.pk)

    def stratified(self, count: int, dice: random.Random) -> Iterator[tuple[str, Person, Shelf]]:
        """So many (route, person, collection): each route and each relation as often as any other."""
        groups: dict[str, list[tuple[Person, Shelf]]] = {}
        for person in self.world.people:
            for shelf in self.world.shelves:
                groups.setdefault(relation(person, shelf), []).append((person, shelf))
        routes, relations = sorted(self.makers), sorted(groups)
        turns = [(route, one) for one in relations for route in routes]
        for n in range(count):
            if n % len(turns) == 0:
                dice.shuffle(turns)
            route, chosen = turns[n % len(turns)]
            yield route, *dice.choice(groups[chosen])

    def run(self, count: int, seed: int, progress: Callable[[int], None] = lambda _n: None) -> None:
        dice = random.Random(seed)
        for n, (route, person, shelf) in enumerate(self.stratified(count, dice)):
            self.ask(route, person, shelf, dice)
            progress(n + 1)

    def ask(self, route: str, person: Person, shelf: Shelf, dice: random.Random) -> None:
        self.asked[route, relation(person, shelf)] += 1
        case = self.makers[route](Asked(self.world, person, shelf, dice))
        headers = dict(case.headers)
        client, superuser = self._client(person), self._superuser()  # before what is undone, or a new session were, too
        with transaction.atomic():
            if case.follow_etag_of:
                got = superuser.get(case.follow_etag_of)
                headers["If-None-Match"] = got.headers.get("ETag", "")
            before, entries = _rows() if case.post else (), Entry.objects.order_by("-pk").values_list("pk").first()
            cookies = copy.deepcopy(client.cookies)
            answer = client.post if case.post else client.get
            said = ""
            try:
                response = answer(case.path, case.data, headers=headers)
                said = self._compare(person, shelf, case, response, before, entries[0] if entries else 0)
            except Exception as error:  # noqa: BLE001 - a traceback is a difference, too
                said = f"{type(error).__name__}: {error}"
            finally:
                transaction.set_rollback(True)
                client.cookies = cookies  # whoever signed out is in again, as his session is
        if said:
            shown = f"{'POST' if case.post else 'GET'} {case.path} {case.data or ''}"
            self.differences.append(Difference(route, person.name, relation(person, shelf), shown, said))

    def _client(self, person: Person) -> Client:
        if person.name not in self.clients:
            self.clients[person.name] = _client(person)
        return self.clients[person.name]

    def _superuser(self) -> Client:
        return self._client(next(one for one in self.world.people if one.superuser and one.active))

    def _compare(
        self, person: Person, shelf: Shelf, case: Case, response: Any, before: tuple[Any, ...], latest: int
    ) -> str:
        expected = case.status if isinstance(case.status, tuple) else (case.status,)
        if response.status_code not in expected:
            return f"status {response.status_code}, not {case.status}"
        if case.same_as and (said := self._unlike(person, case, response)):
            return said
        if case.path not in FOR_PROBES and (said := not_private(response)):
            return said
        after = _rows() if case.post else ()
        if case.post and case.changes is not None and (before != after) != case.changes:
            return "changes nothing" if case.changes else "changes something"
        if case.check and (said := case.check(response)):
            return said
        body = b"" if response.streaming else response.content
        asked = f"{case.path} {case.data}".encode()
        shown = {word.decode() for word in MARKER.findall(body)} - {word.decode() for word in MARKER.findall(asked)}
        seen = {one.pk for one in self.world.shelves if rank(person, one) > 0}
        hidden = [word for word in shown if not self.shown_by.get(word, seen) & seen]
        if hidden:
            return f"shows {hidden[:5]}, which only others may see"
        return self._looks(person, shelf, case, response, shown, latest)

    def _unlike(self, person: Person, case: Case, response: Any) -> str:
        """What tells an answer from that about something that is nowhere; only the address may."""
        other = self._client(person).get(case.same_as, case.data)
        bodies = [re.sub(rb'[0-9]+|csrfmiddlewaretoken" value="[^"]*"', b"", one.content) for one in (response, other)]
        alike = (response.status_code, bodies[0]) == (other.status_code, bodies[1])
        return "" if alike else f"is told from what is nowhere (status {other.status_code})"

    def _looks(self, person: Person, shelf: Shelf, case: Case, response: Any, shown: set[str], latest: int) -> str:
        """A superuser's look into members' collections is written down, and nobody else's."""
        looks = Entry.objects.filter(pk__gt=latest, action=Action.LOOKED)
        noted = set(looks.values_list("collection_id", flat=True))
        if not (person.superuser and person.active):
            return "writes down a look of nobody who is a superuser" if noted else ""
        unasked = {one.pk for one in self.world.shelves if one.visibility == "members" and not is_member(person, one)}
        if (wrong := noted - unasked) and not case.post:  # he may have been a member before
            return f"writes down a look into {wrong}, which is none"
        due = [(word, self.content_of[word]) for word in sorted(shown & self.content_of.keys())]
        if response.streaming and response.status_code == 200 and case.is_look:
            due.append(("a file", {shelf.pk}))
        missing = [f"{word} of {own}" for word, own in due if own <= unasked and not own & noted]
        return f"does not write down a look: shows {missing[:3]}" if missing else ""


def not_private(response: Any) -> str:
    """Whether a cache that several people share might keep an answer, and give it to others."""
    control, varies = response.headers.get("Cache-Control", ""), response.headers.get("Vary", "").lower()
    if not {"private", "no-store"} & {one.strip() for one in control.split(",")}:
        return f"may be kept by anybody (Cache-Control: {control!r})"
    return "" if "cookie" in varies else f"does not say that it depends on who asks (Vary: {varies!r})"


def _client(person: Person) -> Client:
    client = Client(raise_request_exception=True)
    if not isinstance(person.user, AnonymousUser):
        client.force_login(person.user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def _rows() -> tuple[Any, ...]:
    """All that somebody could change who must not."""
    return (
        list(Collection.objects.order_by("pk").values_list("pk", "name", "slug", "description", "visibility")),
        list(Membership.objects.order_by("pk").values_list("pk", "collection", "user", "group", "role")),
        list(Document.objects.order_by("pk").values_list("pk", "collection", "title", "content_hash", "state")),
        list(Document.tags.through.objects.order_by("pk").values_list("document", "tag")),
        list(Upload.objects.order_by("pk").values_list("pk", "cancelled")),
        list(UploadItem.objects.order_by("pk").values_list("pk", "state")),
        list(Job.objects.order_by("pk").values_list("pk", "state")),
        list(Tag.objects.order_by("pk").values_list("pk", "name")),
        Comparison.objects.count(),
    )
