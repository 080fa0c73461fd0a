"""What the library is asked, and what it must answer: collections, documents, members, uploads."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from searchsite.documents.models import Document, Membership
from tests.oracle.asking import NOWHERE, Asked, Case, Maker, there
from tests.oracle.judge import edited, may, rank, seen

# --- the library ---


def library(asked: Asked) -> Case:
    shelves = {shelf.name: shelf for shelf in seen(asked.world, asked.person)}

    def check(response: Any) -> str:
        rows = {row.collection.name: row for row in response.context["shelves"]}
        if rows.keys() != shelves.keys():
            return f"lists {len(rows)} collections, not {len(shelves)}"
        for name, row in rows.items():
            own = rank(asked.person, shelves[name])
            papers = shelves[name].papers
            waiting = sum(paper.state == "queued" for paper in papers) if own > 1 else 0
            failed = sum(paper.state == "failed" for paper in papers) if own > 1 else 0
            role = ["reader", "editor", "manager"][own - 1]
            expected = (role, sum(paper.live for paper in papers), waiting, failed)
            if (row.role, row.documents, row.waiting, row.failed) != expected:
                return f"{name}: {(row.role, row.documents, row.waiting, row.failed)}, not {expected}"
        return ""

    return Case("/library/", 200, check=check)


def collection(asked: Asked) -> Case:
    paper = asked.paper()
    query = asked.dice.choice([{}, {"title": paper.title}, {"state": "failed"}, {"page": "2"}, {"q": paper.text}])
    editor = asked.rank > 1
    shown = [one for one in asked.shelf.papers if editor or one.live]
    if "title" in query:
        shown = [one for one in shown if one.title == paper.title]
    if "state" in query and editor:
        shown = [one for one in shown if one.state == "failed"]

    def check(response: Any) -> str:
        if response.status_code != 200:
            return ""
        rows = {row.document.pk for row in response.context["rows"]}
        return "" if rows == {one.pk for one in shown} else f"lists {len(rows)} documents, not {len(shown)}"

    status = there(asked.rank > 0, 302 if "q" in query else 200)
    return Case(reverse("collection", args=[asked.shelf.slug]), status, query, check=check)


def collection_new(asked: Asked) -> Case:
    allowed = may(asked.person, "documents.add_collection")
    if asked.dice.random() < 0.5:
        return Case("/library/new/", there(allowed))
    data = {"name": "A new one", "slug": "", "description": "", "visibility": "members"}
    return Case("/library/new/", there(allowed, 302), data, post=True, changes=allowed)


def collection_settings(asked: Asked) -> Case:
    address, allowed = reverse("collection_settings", args=[asked.shelf.slug]), asked.rank > 2
    if asked.dice.random() < 0.5:
        return Case(address, there(allowed))
    data = {"name": "Another name", "description": "", "visibility": "public"}
    return Case(address, there(allowed, 302), data, post=True, changes=allowed)


def members(asked: Asked) -> Case:
    address, allowed = reverse("members", args=[asked.shelf.slug]), asked.rank > 2
    if asked.dice.random() < 0.5:
        return Case(address, there(allowed))
    outsiders = [one.name for one in asked.world.people[1:] if one.active and one.name not in asked.shelf.people]
    data = {"kind": "person", "person-name": asked.dice.choice(outsiders), "person-role": "manager"}
    return Case(address, there(allowed, 302), data, post=True, changes=allowed)


def _membership(asked: Asked, elsewhere: bool) -> int:
    rows = Membership.objects.order_by("pk")
    rows = rows.exclude(collection=asked.shelf.pk) if elsewhere else rows.filter(collection=asked.shelf.pk)
    found = [row for row in rows if row.role != "manager" or asked.person.superuser]
    return asked.dice.choice(found).pk if found else NOWHERE


def member_change(asked: Asked) -> Case:
    return _on_member(asked, "member_change", {"role": "editor"})


def member_remove(asked: Asked) -> Case:
    return _on_member(asked, "member_remove", {})


def _on_member(asked: Asked, route: str, data: dict[str, str]) -> Case:
    """A member of this collection, or one of another, whose id does not belong to this address."""
    elsewhere = asked.dice.random() < 0.3
    pk = _membership(asked, elsewhere)
    allowed = asked.rank > 2 and not elsewhere and pk != NOWHERE
    address = reverse(route, args=[asked.shelf.slug, pk])
    return Case(address, there(allowed, 302), data, post=True, changes=None if allowed else False)


def document_add(asked: Asked) -> Case:
    address, allowed = reverse("document_add", args=[asked.shelf.slug]), asked.rank > 1
    if asked.dice.random() < 0.5:
        return Case(address, there(allowed))
    return Case(address, there(allowed, 302), {"title": "New", "text": "New", "tags": ""}, post=True, changes=allowed)


def documents_change(asked: Asked) -> Case:
    """Some documents of this collection, and always one of another, that must stay as it is."""
    address, allowed = reverse("documents_change", args=[asked.shelf.slug]), asked.rank > 1
    own = asked.paper()
    others = [one for shelf, one in asked.world.papers() if shelf is not asked.shelf and one.live]
    stranger = asked.dice.choice(others)
    do = asked.dice.choice(["again", "delete", "move", "tag", "cancel"])
    targets = [shelf for shelf in asked.world.shelves if shelf is not asked.shelf]
    target = asked.dice.choice(targets)
    data: dict[str, Any] = {"do": do, "document": [own.pk, stranger.pk], "confirmed": "1", "tags": "a new tag"}
    data |= {"to": str(target.pk)}
    changes = allowed and do != "cancel" and (do != "move" or rank(asked.person, target) > 1)

    def check(_response: Any) -> str:
        rows = Document.objects.filter(pk=stranger.pk).values_list("collection_id", "state", "tags__name")
        papers = [shelf for shelf, one in asked.world.papers() if one is stranger]
        found = {(collection, state) for collection, state, _tag in rows}
        tagged = {tag for _collection, _state, tag in rows if tag}
        expected = {(papers[0].pk, stranger.state)}
        return "" if found == expected and tagged == set(stranger.tags) else "a document of another collection changed"

    return Case(address, there(allowed, 302), data, post=True, changes=changes, check=check)


def document_edit(asked: Asked) -> Case:
    paper, allowed = asked.paper(), asked.rank > 1
    address = reverse("document_edit", args=[paper.pk])
    if asked.dice.random() < 0.5 or paper.file:

        def offered(response: Any) -> str:
            if response.status_code != 200:
                return ""
            every = {shelf.name for shelf in asked.world.shelves} - {asked.shelf.name}
            names = {name for name in every if f">{name}<".encode() in response.content}
            wanted = {shelf.name for shelf in edited(asked.world, asked.person)} & every
            return "" if names == wanted else f"offers {len(names)} collections, not {len(wanted)}"

        return Case(address, there(allowed), check=offered)
    target = asked.dice.choice(asked.world.shelves)
    moves = rank(asked.person, target) > 1
    data = {"title": "Edited", "text": "Edited", "tags": "", "collection": str(target.pk)}
    status = (302 if moves else 200) if allowed else 404
    return Case(address, status, data, post=True, changes=allowed and moves)


def document_delete(asked: Asked) -> Case:
    address, allowed = reverse("document_delete", args=[asked.paper().pk]), asked.rank > 1
    if asked.dice.random() < 0.5:
        return Case(address, there(allowed))
    return Case(address, there(allowed, 302), post=True, changes=allowed)


def document_again(asked: Asked) -> Case:
    address, allowed = reverse("document_again", args=[asked.paper().pk]), asked.rank > 1
    following = asked.dice.choice(["", "https://elsewhere.example/", "/library/"])

    def check(response: Any) -> str:
        return "leads to another site" if "elsewhere" in response.headers.get("Location", "") else ""

    return Case(address, there(allowed, 302), {"next": following}, post=True, changes=allowed, check=check)


# --- uploads ---


def upload(asked: Asked) -> Case:
    editable = edited(asked.world, asked.person)
    shown = bool(editable) or may(asked.person, "documents.add_collection")  # who is told to make a collection first
    if asked.dice.random() < 0.4:
        file = SimpleUploadedFile("new.txt", b"something new")
        data = {"collection": str(asked.shelf.pk), "files": [file], "tags": ""}
        status = 302 if asked.rank > 1 else 200 if shown else 404
        return Case("/library/upload/", status, data, post=True, changes=asked.rank > 1)

    def check(response: Any) -> str:
        if response.status_code != 200:
            return ""
        offered = {row.pk for row in response.context["form"].fields["collection"].queryset}
        return "" if offered == {shelf.pk for shelf in editable} else f"offers {len(offered)} collections"

    if asked.dice.random() < 0.5:
        return Case("/library/upload/", there(shown), check=check)
    return Case("/library/upload/", there(asked.rank > 1), {"collection": asked.shelf.slug}, check=check)


def upload_begin(asked: Asked) -> Case:
    data = {"collection": str(asked.shelf.pk), "tags": "", "addresses": "", "announced": "1"}
    status = 200 if edited(asked.world, asked.person) else 404

    def check(response: Any) -> str:
        if response.status_code != 200:
            return ""
        begun = "files" in response.json()
        return "" if begun == (asked.rank > 1) else "begins an upload" if begun else "refuses an upload"

    return Case("/library/upload/begin/", status, data, post=True, changes=asked.rank > 1, check=check)


def _upload(asked: Asked, of_others: bool = False) -> tuple[int, str, int, bool]:
    """(id, who began it, id of its file, whether this person is an editor of its collection)."""
    shelves = [asked.shelf] if asked.shelf.uploads and not of_others else asked.world.shelves
    shelf = asked.dice.choice([one for one in shelves if one.uploads])
    return *shelf.uploads[0], rank(asked.person, shelf) > 1


def upload_page(asked: Asked) -> Case:
    pk, _by, _item, allowed = _upload(asked)
    return Case(reverse("upload_page", args=[pk]), there(allowed), {"state": asked.dice.choice(["", "failed"])})


def upload_files(asked: Asked) -> Case:
    pk, by, _item, allowed = _upload(asked)
    own = allowed and by == asked.person.name
    data = {"files": [SimpleUploadedFile("more.txt", b"more")], "paths": ["more.txt"]}
    return Case(reverse("upload_files", args=[pk]), there(own), data, post=True, changes=own)


def upload_cancel(asked: Asked) -> Case:
    pk, _by, _item, allowed = _upload(asked)
    return Case(reverse("upload_cancel", args=[pk]), there(allowed, 302), post=True, changes=allowed)


def upload_again(asked: Asked) -> Case:
    """All of an upload, or one file; or a file of another upload, which is not of this one."""
    pk, _by, item, allowed = _upload(asked)
    other = _upload(asked, of_others=True)[2]
    chosen = asked.dice.choice(["", str(item), str(other)])
    allowed = allowed and (chosen in ("", str(item)))
    return Case(
        reverse("upload_again", args=[pk]),
        there(allowed, 302),
        {"item": chosen},
        post=True,
        changes=None if allowed else False,
    )


LIBRARY: dict[str, Maker] = {
    "library": library,
    "collection": collection,
    "collection_new": collection_new,
    "collection_settings": collection_settings,
    "members": members,
    "member_change": member_change,
    "member_remove": member_remove,
    "document_add": document_add,
    "documents_change": documents_change,
    "document_edit": document_edit,
    "document_delete": document_delete,
    "document_again": document_again,
    "upload": upload,
    "upload_begin": upload_begin,
    "upload_page": upload_page,
    "upload_files": upload_files,
    "upload_cancel": upload_cancel,
    "upload_again": upload_again,
}
