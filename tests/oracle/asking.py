"""What the pages for readers are asked, and what they must answer: for each route something that makes requests."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.urls import reverse

from tests.oracle.judge import rank, readable
from tests.oracle.world import SHARED_WORD, Paper, Person, Shelf, World

A_PAGE = 10
NOWHERE = 999_999_999
Check = Callable[[Any], str]


@dataclass
class Case:
    """A request, the status it must be answered with, and what is to be said against the answer ("": nothing).

    changes: whether rows must be other ones afterwards; None for reading, after which they must not.
    """

    path: str
    status: int | tuple[int, ...]
    data: dict[str, Any] = field(default_factory=dict)
    post: bool = False
    changes: bool | None = None
    headers: dict[str, str] = field(default_factory=dict)
    check: Check | None = None
    follow_etag_of: str = ""  # ask with the ETag that a superuser gets there
    is_look: bool = True  # whether a file that comes is of this collection
    same_as: str = ""  # an address where nothing is, which must be answered alike


@dataclass
class Asked:
    """Who asks, and of what: a collection, and a document in it where the route is about one."""

    world: World
    person: Person
    shelf: Shelf
    dice: random.Random

    @property
    def rank(self) -> int:
        return rank(self.person, self.shelf)

    def paper(self, live: bool = True, file: bool = False) -> Paper:
        fit = [one for one in self.shelf.papers if one.live == live and (one.file or not file)]
        return self.dice.choice(fit or [one for one in self.shelf.papers if one.live])

    def word(self) -> str:
        """A word of some document, seen or not."""
        paper = self.paper()
        return self.dice.choice([paper.title, paper.text, *paper.tags])


Maker = Callable[[Asked], Case]


def there(yes: bool, status: int = 200) -> int:
    return status if yes else 404


# --- reading ---


def document(asked: Asked) -> Case:
    live = asked.dice.random() < 0.8
    paper, other = asked.paper(live=live), asked.dice.choice(list(asked.world.papers()))[1]
    query = asked.dice.choice(
        [
            {},
            {"q": SHARED_WORD, "passage": str(paper.passage)},
            {"q": other.text, "passage": str(other.passage)},  # of another document
            {"part": "2", "page_shown": "1"},
        ]
    )
    twins = twins_of(asked, paper) if paper.live else set()

    def check(response: Any) -> str:
        if response.status_code != 200 or not paper.live:
            return ""
        linked = {twin.pk for twin in response.context["twins"]}
        if not linked <= twins or len(linked) != min(5, len(twins)):
            return f"links {linked} as the same content, not {twins}"
        offered = b"/edit/" in response.content
        if offered != (asked.rank > 1):
            return "offers to edit it" if offered else "does not offer to edit it"
        return "" if paper.title.encode() in response.content else "does not show its own title"

    return Case(reverse("document", args=[paper.pk]), there(asked.rank > 0), query, check=check)


def twins_of(asked: Asked, paper: Paper) -> set[int]:
    """The documents with the same content that this person may see: only typed texts are in several collections."""
    found = readable(asked.world, asked.person)
    return {one.pk for _, one in found if one.text == paper.text and one is not paper and not one.file}


def similar(asked: Asked) -> Case:
    paper, page = asked.paper(), asked.dice.choice([1, 1, 2, 3])
    foreign = asked.dice.random() < 0.2  # a passage of another document
    other = asked.dice.choice([one for _, one in asked.world.papers() if one.live and one.pk != paper.pk])
    query = {"passage": str(other.passage if foreign else paper.passage)} if asked.dice.random() < 0.6 else {}
    visible = asked.rank > 0 and not (foreign and query)
    others = {one.pk for _, one in readable(asked.world, asked.person)} - {paper.pk} - twins_of(asked, paper)

    def check(response: Any) -> str:
        if response.status_code != 200:
            return ""
        return page_differs(response.context["answer"], others, page)

    return Case(reverse("similar", args=[paper.pk]), there(visible), query | {"page": str(page)}, check=check)


def similar_on_all_pages(asked: Asked) -> Case:
    """All others that he may see, each once."""
    paper = asked.paper()
    others = {one.pk for _, one in readable(asked.world, asked.person)} - {paper.pk} - twins_of(asked, paper)
    path = reverse("similar", args=[paper.pk])

    def check(response: Any) -> str:
        if response.status_code != 200:
            return ""
        shown = [result.document.pk for result in response.context["answer"].results]
        for page in range(2, len(others) // A_PAGE + 2):
            answer = response.client.get(path, {"page": str(page)}).context["answer"]
            shown += [result.document.pk for result in answer.results]
        return "" if sorted(shown) == sorted(others) else f"shows {len(shown)} on all pages, not {len(others)}"

    return Case(path, there(asked.rank > 0), check=check)


def page_differs(answer: Any, expected: set[int], page: int) -> str:
    """Whether a page of results is as full as it can be with these documents, shows no other, and leads on."""
    shown = [result.document.pk for result in answer.results]
    count = max(0, min(A_PAGE, len(expected) - A_PAGE * (page - 1)))
    if len(shown) != count or len(set(shown)) != count or not set(shown) <= expected:
        return f"shows {len(shown)} documents, {len(set(shown) - expected)} of them others; expected {count}"
    if answer.has_next != (len(expected) > A_PAGE * page):
        return f"leads to another page: {answer.has_next}; there are {len(expected)} documents"
    return ""


def why(asked: Asked) -> Case:
    paper = asked.paper()
    query = {"passage": str(paper.passage), "q": asked.dice.choice([SHARED_WORD, paper.text, asked.word()])}
    if asked.dice.random() < 0.3:
        query["fragment"] = "1"
    return Case(reverse("why", args=[paper.pk]), there(asked.rank > 0), query)


def original(asked: Asked) -> Case:
    paper = asked.paper(file=True)

    def check(response: Any) -> str:
        if response.status_code != 200:
            return ""
        return "" if b"".join(response.streaming_content) == paper.file else "is another file"

    headers = {"Range": "bytes=0-9"} if asked.dice.random() < 0.3 else {}
    address = reverse("original", args=[paper.pk])
    return Case(address, there(asked.rank > 0 and bool(paper.file)), headers=headers, check=check)


def page_picture(asked: Asked) -> Case:
    paper, number = asked.paper(file=True), asked.dice.choice([1, 1, 2, 3])
    address = reverse("page_picture", args=[paper.pk, number])
    yes = asked.rank > 0 and bool(paper.file) and number <= 2
    known = address if asked.dice.random() < 0.4 and paper.file and number <= 2 else ""
    return Case(address, there(yes, 304 if known else 200), follow_etag_of=known)


def page_marks(asked: Asked) -> Case:
    paper, number = asked.paper(file=True), asked.dice.choice([1, 1, 2])
    address = reverse("page_marks", args=[paper.pk, number])
    yes = asked.rank > 0 and bool(paper.file) and number == 1  # where its first passage is
    return Case(address, there(yes), {"passage": str(paper.passage)})


# --- oneself, and the site ---


def signed_in(path: str, status: int = 200) -> Maker:
    return lambda asked: Case(path, 302 if asked.person.anonymous else status)


def always(path: str, status: int | tuple[int, ...] = 200, post: bool = False) -> Maker:
    return lambda _asked: Case(path, status, post=post, changes=None)


def password(asked: Asked) -> Case:
    usable = not asked.person.anonymous and asked.person.user.has_usable_password()
    return Case("/account/password/", 302 if asked.person.anonymous else there(usable))


READERS: dict[str, Maker] = {
    "document": document,
    "similar": similar,
    "similar, all pages": similar_on_all_pages,
    "why": why,
    "original": original,
    "page_picture": page_picture,
    "page_marks": page_marks,
    "account": signed_in("/account/"),
    "password": password,
    "password_forgotten": always("/account/password/forgotten/"),
    "password_new": always("/account/password/new/MQ/some-token/"),
    "sign_in": always("/sign-in/"),
    "sign_out": always("/sign-out/", (302,), post=True),
    "set_language": always("/i18n/setlang/", (302,), post=True),
    "set_theme": always("/theme/", (302,), post=True),
    "healthz": always("/healthz"),
    "readyz": always("/readyz", (200, 503)),
}
