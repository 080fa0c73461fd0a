"""A site full of people, collections and documents, in which every name and text is a word that is nowhere else.

All that is known of it is kept in plain lists here, so that judge.py needs no query to say who may see what.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.core.files.base import ContentFile
from django.db.models import QuerySet

from searchsite import tasks
from searchsite.documents import jobs, uploads
from searchsite.documents.models import Collection, Document, Job, Membership, Passage, State, Tag
from searchsite.index import lexical_follow
from searchsite.index.misspelt import distance
from searchsite.insight.models import Comparison
from tests.documents.files import pdf

PEOPLE, GROUPS, COLLECTIONS = 50, 12, 40
LETTERS = "bcdfghjklmnprstvwxz"
SHARED_WORD = "harbour"  # in every document
LIKE = 3  # letters: a word with a typing error is one away from what is meant, and two at most from what is proposed
STAFF_APPS = ("documents", "index", "search", "insight", "auth", "people")


@dataclass(frozen=True)
class Person:
    """Somebody who asks. user: None for whoever has not signed in."""

    name: str
    user: User | AnonymousUser
    active: bool = True
    superuser: bool = False
    staff: bool = False
    permissions: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()

    @property
    def anonymous(self) -> bool:
        return isinstance(self.user, AnonymousUser) or not self.active


@dataclass
class Paper:
    """A document. Title, text, tags and name are markers: shown only to those who see one of the documents with it."""

    pk: int
    title: str
    text: str
    file: bytes = b""
    tags: list[str] = field(default_factory=list)
    live: bool = True
    state: str = State.READY
    passage: int = 0
    name: str = ""  # of its file, without the ending


@dataclass
class Shelf:
    """A collection. people, groups: role by name."""

    pk: int
    name: str
    slug: str
    description: str
    visibility: str
    people: dict[str, str] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    papers: list[Paper] = field(default_factory=list)
    uploads: list[tuple[int, str, int]] = field(default_factory=list)  # id, who began it, id of a refused file
    handed_in: list[str] = field(default_factory=list)  # names of files that became no documents
    comparison: int = 0


@dataclass
class World:
    people: list[Person]
    shelves: list[Shelf]

    def papers(self) -> Iterator[tuple[Shelf, Paper]]:
        return ((shelf, paper) for shelf in self.shelves for paper in shelf.papers)

    def shown_by(self) -> dict[str, set[int]]:
        """{marker: the collections whose readers may see it}."""
        found: dict[str, set[int]] = {}
        for shelf in self.shelves:
            for word in (shelf.name, shelf.slug, shelf.description, *shelf.handed_in):
                found.setdefault(word, set()).add(shelf.pk)
            for paper in shelf.papers:
                for word in (paper.title, paper.text, paper.name, *paper.tags):
                    found.setdefault(word, set()).add(shelf.pk)
        return found


class Words:
    """Words of nine letters that are nowhere else, and so unlike each other that none is taken for another mistyped."""

    def __init__(self, dice: random.Random) -> None:
        self.dice, self.given = dice, dict[str, list[str]]()  # by pairs of letters that they have

    def __call__(self) -> str:
        while True:
            word = "".join(self.dice.choices(LETTERS, k=7))
            pairs = {word[n : n + 2] for n in range(6)}
            alike = {other for pair in pairs for other in self.given.get(pair, [])}
            if all(distance(word, other, LIKE) > LIKE for other in alike):
                for pair in pairs:
                    self.given.setdefault(pair, []).append(word)
                return f"zq{word}"


def build(seed: int = 8) -> World:
    """Make it all, in the caller's transaction, and have it read, encoded and indexed."""
    dice = random.Random(seed)
    words = Words(dice)
    groups = [Group.objects.create(name=f"group-{n}") for n in range(GROUPS)]
    people = [Person("anonymous", AnonymousUser()), *(_person(n, dice, groups) for n in range(PEOPLE))]
    tags = [words() for _ in range(25)]
    shared = [words() for _ in range(8)]  # texts that are in several collections
    shelves = [_shelf(n, dice, words, people, groups) for n in range(COLLECTIONS)]
    for shelf in shelves:
        for _ in range(dice.randint(3, 6)):
            shelf.papers.append(_paper(shelf, dice, words, tags, shared))
    while jobs.run_next(tasks.HANDLERS, "oracle") is not None:
        pass
    for shelf in shelves:
        shelf.papers += [_unread(shelf, words, state) for state in dice.sample([State.FAILED, State.QUEUED], k=2)]
    for shelf in dice.sample(shelves, 15):
        _upload(shelf, dice, words, people)
        made = Comparison.objects.create(encoder="tiny", source=Comparison.Source.TITLES, collection_id=shelf.pk)
        shelf.comparison = made.pk
    lexical_follow.keep_up()
    world = World(people, shelves)
    passages = dict(Passage.objects.order_by("-ordinal").values_list("revision__live_for", "pk"))
    for _of, paper in world.papers():
        if paper.live:
            paper.passage = passages[paper.pk]
    return world


def _person(n: int, dice: random.Random, groups: list[Group]) -> Person:
    user = User.objects.create_user(
        f"person-{n}", is_active=n % 17 != 3, is_superuser=n % 25 == 1, is_staff=n % 25 == 1 or n % 7 == 2
    )
    own = dice.sample(groups, dice.randint(0, 3))
    user.groups.set(own)
    permissions: set[str] = set()
    if user.is_staff and not user.is_superuser:
        every = Permission.objects.filter(content_type__app_label__in=STAFF_APPS).select_related("content_type")
        chosen = [one for one in every if n % 14 == 2 or dice.random() < 0.5]
        user.user_permissions.set(chosen)
        permissions = {f"{one.content_type.app_label}.{one.codename}" for one in chosen}
    elif n % 11 == 5:
        user.user_permissions.add(Permission.objects.get(codename="add_collection"))
        permissions = {"documents.add_collection"}
    return Person(
        user.username,
        user,
        user.is_active,
        user.is_superuser,
        user.is_staff,
        frozenset(permissions),
        frozenset(group.name for group in own),
    )


def _shelf(n: int, dice: random.Random, words: Words, people: list[Person], groups: list[Group]) -> Shelf:
    visibility = ["public", "signed_in", "members", "members"][n % 4]
    slug = words()
    row = Collection.objects.create(name=words(), slug=slug, description=words(), visibility=visibility)
    shelf = Shelf(row.pk, row.name, slug, row.description, visibility)
    for person in dice.sample(people[1:], dice.randint(0, 6)):
        shelf.people[person.name] = dice.choice(["reader", "editor", "manager"])
        Membership(collection=row, user=person.user, role=shelf.people[person.name]).save()
    for group in dice.sample(groups, dice.randint(0, 2)):
        shelf.groups[group.name] = dice.choice(["reader", "editor", "manager"])
        Membership(collection=row, group=group, role=shelf.groups[group.name]).save()
    return shelf


def _paper(shelf: Shelf, dice: random.Random, words: Words, tags: list[str], shared: list[str]) -> Paper:
    title, text = words(), dice.choice(shared) if dice.random() < 0.15 else words()
    document = Document(collection_id=shelf.pk, title=title)
    file, name = b"", ""
    if dice.random() < 0.25:
        text, name = words(), words()
        file = pdf(f"The {SHARED_WORD} and {text}", "Another page")
        document.file = ContentFile(file, f"{name}.pdf")
    else:
        document.text = f"Of the {SHARED_WORD} and {text}."
    document.save()
    own = dice.sample(tags, dice.choice([0, 0, 1, 2]))
    document.tags.set([Tag.objects.get_or_create(name=name)[0] for name in own])
    return Paper(document.pk, title, text, file, own, name=name)


def _unread(shelf: Shelf, words: Words, state: State) -> Paper:
    """A document that cannot be found: it failed, or still waits."""
    title, text = words(), words()
    row = Document(collection_id=shelf.pk, title=title, text=f"{SHARED_WORD} {text}", state=state)
    if state == State.FAILED:
        row.problem = {"code": "no_text", "params": {"name": title}}
    row.take_in_source()
    [made] = QuerySet(Document).bulk_create([row])  # past the manager, which would have it read
    if state == State.FAILED:
        Job.objects.create(kind=Job.Kind.INGEST, document=made, state=state, problem=row.problem)
    return Paper(made.pk, title, text, live=False, state=state)


def _upload(shelf: Shelf, dice: random.Random, words: Words, people: list[Person]) -> None:
    by = dice.choice([person for person in people if not person.anonymous])
    upload = uploads.begin(Collection.objects.get(pk=shelf.pk), by.user, announced=1)
    refused, archive = words(), words()
    item = uploads.add_file(upload, f"{refused}.txt", ContentFile(b"", f"{refused}.txt"))
    assert item.state == State.FAILED
    uploads.add_file(upload, f"{archive}.zip", ContentFile(b"nobody unpacks it", f"{archive}.zip"))
    shelf.uploads.append((upload.pk, by.name, item.pk))
    shelf.handed_in += [refused, archive]
