"""Who may see and change what, said once more, plainly: from the lists of the world alone, without a query."""

from __future__ import annotations

from tests.oracle.world import Paper, Person, Shelf, World

RANK = {"reader": 1, "editor": 2, "manager": 3}


def rank(person: Person, shelf: Shelf) -> int:
    """0: it is not there for him; 1: he reads; 2: he edits; 3: he manages."""
    if person.anonymous:
        return 1 if shelf.visibility == "public" else 0
    if person.superuser:
        return 3
    roles = [RANK[role] for name, role in shelf.people.items() if name == person.name]
    roles += [RANK[role] for name, role in shelf.groups.items() if name in person.groups]
    open_to_him = 1 if shelf.visibility in ("public", "signed_in") else 0
    return max([open_to_him, *roles])


def is_member(person: Person, shelf: Shelf) -> bool:
    return person.name in shelf.people or bool(person.groups & shelf.groups.keys())


def seen(world: World, person: Person) -> list[Shelf]:
    return [shelf for shelf in world.shelves if rank(person, shelf) >= 1]


def edited(world: World, person: Person) -> list[Shelf]:
    return [shelf for shelf in world.shelves if rank(person, shelf) >= 2]


def readable(world: World, person: Person) -> list[tuple[Shelf, Paper]]:
    """What he can find: the live documents of the collections that he sees."""
    return [(shelf, paper) for shelf in seen(world, person) for paper in shelf.papers if paper.live]


def may(person: Person, permission: str) -> bool:
    """One of Django's permissions."""
    return not person.anonymous and (person.superuser or permission in person.permissions)


def relation(person: Person, shelf: Shelf) -> str:
    """How somebody stands to a collection, for choosing some of each kind."""
    if person.superuser and person.active:
        return "superuser who is a member" if is_member(person, shelf) else "superuser"
    if person.anonymous:
        return "inactive" if person.name != "anonymous" else "anonymous"
    by_group = rank(person, shelf) > 1 and RANK.get(shelf.people.get(person.name, ""), 0) < rank(person, shelf)
    role = {0: "outsider", 1: "reader", 2: "editor", 3: "manager"}[rank(person, shelf)]
    return f"{'staff, ' if person.staff else ''}{role}{' through a group' if by_group else ''}"
