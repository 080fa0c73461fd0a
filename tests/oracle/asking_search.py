"""What the search page is asked, and what it must answer: conditions, words, phrases and typing errors, all pages."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.oracle.asking import A_PAGE, Asked, Case, page_differs
from tests.oracle.judge import readable, seen
from tests.oracle.world import LETTERS, SHARED_WORD, Paper, Shelf

Found = list[tuple[Shelf, Paper]]
MOST_VALUES = 8  # of a facet that are shown
LAST_PAGE = 20
PAGES = {"": 1, "1": 1, "2": 2, "3": 3, "0": 1, "-2": 1, "x": 1, "20": LAST_PAGE, "99999999999": LAST_PAGE}


def search(asked: Asked) -> Case:
    """A word that all documents have, narrowed by what may or may not be seen; or the word of one alone. Half of them
    as they are asked while somebody types."""
    makers = [narrowed, narrowed, narrowed, every_page, quoted, mistyped, home]
    case = asked.dice.choice(makers)(asked)
    case.headers = asked.dice.choice([{}, {"HX-Request": "true"}])
    return case


def question(asked: Asked) -> tuple[str, Found]:
    """A question with conditions, and the documents that meet them."""
    found, shelf, paper = readable(asked.world, asked.person), asked.shelf, asked.paper()
    tag = asked.dice.choice([tag for _, one in asked.world.papers() for tag in one.tags])
    questions: list[tuple[str, Found]] = [
        (SHARED_WORD, found),
        (f"collection:{shelf.slug} {SHARED_WORD}", [one for one in found if one[0] is shelf]),
        (f"collection:{shelf.name} {SHARED_WORD}", [one for one in found if one[0] is shelf]),
        (f"-collection:{shelf.slug} {SHARED_WORD}", [one for one in found if one[0] is not shelf]),
        (f"tag:{tag} {SHARED_WORD}", [one for one in found if tag in one[1].tags]),
        (f"-tag:{tag} {SHARED_WORD}", [one for one in found if tag not in one[1].tags]),
        (f"title:{paper.title} {SHARED_WORD}", [one for one in found if one[1].title == paper.title]),
        (f"type:pdf {SHARED_WORD}", [one for one in found if one[1].file]),
        (f"after:2000 {SHARED_WORD}", found),
        (f"before:2000 {SHARED_WORD}", []),
        # Of a file the second page has not the word, and is left.
        (f"{SHARED_WORD} -{paper.text}", [one for one in found if one[1].text != paper.text or one[1].file]),
        (f"collection:{shelf.slug}", [one for one in found if one[0] is shelf]),
        (f"tag:{tag} -{paper.text}", [one for one in found if tag in one[1].tags and one[1].text != paper.text]),
    ]
    return asked.dice.choice(questions)


def narrowed(asked: Asked) -> Case:
    text, expected = question(asked)
    page = asked.dice.choice(list(PAGES))
    ids = {one.pk for _, one in expected}

    def check(response: Any) -> str:
        answer = response.context["answer"]
        counted = counts_differ(answer, expected) if answer.results else ""
        return around_differs(asked, response) or page_differs(answer, ids, PAGES[page]) or counted

    return Case("/", 200, {"q": text, "page": page, "sort": asked.dice.choice(["", "date"])}, check=check)


def every_page(asked: Asked) -> Case:
    """All pages together show each document once."""
    text, expected = question(asked)
    query = {"q": text, "sort": asked.dice.choice(["", "date"])}

    def check(response: Any) -> str:
        shown = [result.document.pk for result in response.context["answer"].results]
        for page in range(2, len(expected) // A_PAGE + 2):
            answer = response.client.get("/", query | {"page": str(page)}).context["answer"]
            shown += [result.document.pk for result in answer.results]
        ids = {one.pk for _, one in expected}
        return "" if sorted(shown) == sorted(ids) else f"shows {len(shown)} documents on all pages, not {len(ids)}"

    return Case("/", 200, query, check=check)


def counts_differ(answer: Any, expected: Found) -> str:
    """The numbers beside the results: the most frequent values of each facet, where there are two."""
    counts = answer.counts
    if (counts.documents, counts.more) != (len(expected), False):
        return f"counts {counts.documents} documents, not {len(expected)}"
    plain = {
        "Collection": Counter(shelf.name for shelf, _ in expected),
        "Tag": Counter(tag for _, paper in expected for tag in paper.tags),
        "Type": Counter("PDF" if paper.file else "Markdown" for _, paper in expected),
    }
    shown = {facet.label: {value.label: value.count for value in facet.values} for facet in counts.facets}
    for label, counter in plain.items():
        first = sorted(counter.items(), key=lambda one: (-one[1], one[0]))[:MOST_VALUES]
        wanted = dict(first) if len(first) > 1 else {}
        if shown.get(label, {}) != wanted:
            return f"{label}: counts {shown.get(label, {})}, not {wanted}"
    return ""


def around_differs(asked: Asked, response: Any) -> str:
    """What the page says beside the results: what can be searched, and how much still waits."""
    shelves = seen(asked.world, asked.person)
    if {one.pk for one in response.context["collections"]} != {one.pk for one in shelves}:
        return "names other collections than may be seen"
    waiting = sum(paper.state == "queued" for shelf in shelves for paper in shelf.papers)
    if response.context["waiting"] != waiting:
        return f"{response.context['waiting']} documents wait, not {waiting}"
    return ""


def quoted(asked: Asked) -> Case:
    """A word in quotes that some documents have. Where nobody has it that may be seen, it counts as words."""
    word, found = asked.paper().text, readable(asked.world, asked.person)
    ids = {one.pk for _, one in found if one.text == word} or {one.pk for _, one in found}
    return Case("/", 200, {"q": f'"{word}"'}, check=lambda response: page_differs(response.context["answer"], ids, 1))


def mistyped(asked: Asked) -> Case:
    """A word is proposed to those alone who may see a document that has it."""
    word = asked.paper().text
    wrong = word[:-1] + asked.dice.choice([letter for letter in LETTERS if letter != word[-1]])
    known = any(one.text == word for _, one in readable(asked.world, asked.person))

    def check(response: Any) -> str:
        proposed, wanted = response.context["answer"].suggestion, word if known else ""
        return "" if proposed == wanted else f"proposes {proposed!r}, not {wanted!r}"

    return Case("/", 200, {"q": wrong}, check=check)


def home(asked: Asked) -> Case:
    def check(response: Any) -> str:
        shelves = seen(asked.world, asked.person)
        missing = [one.name for one in shelves if one.name.encode() not in response.content]
        allowed = {one.pk for _, one in readable(asked.world, asked.person)}
        hidden = {one.document for one in response.context["examples"]} - allowed
        shown = f"shows examples of documents {hidden}" if hidden else ""
        return around_differs(asked, response) or shown or (f"does not name {missing}" if missing else "")

    return Case("/", 200, check=check)
