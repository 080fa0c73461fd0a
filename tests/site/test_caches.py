"""Nothing that is kept of an answer reaches somebody else: neither by caches on the way nor by what a process keeps."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.http import HttpResponse
from django.test import Client

from searchsite.documents.models import Collection, Document
from searchsite.index.lexical import LexicalIndex
from tests.documents.files import pdf

ROOT = Path(__file__).resolve().parent.parent.parent
SECRET = "heliotrope"


@pytest.fixture
def readers(db, public, add) -> tuple[User, User]:
    """(who may read the collection with the secret, who may not)."""
    member, outsider = User.objects.create_user("member"), User.objects.create_user("outsider")
    private = Collection.objects.create(name="Private", slug="private", visibility=Collection.Visibility.MEMBERS)
    private.users.add(member)
    add(private, f"the garden has a {SECRET}", title=f"{SECRET} hidden")
    add(private, "", title="drawing", file=ContentFile(pdf(f"a {SECRET}"), "drawing.pdf"))
    add(public, "the garden has a rose", title="open")
    return member, outsider


# --- on the way ---


class SharedCache:
    """Middleware that stands before all others as a proxy would, and keeps what `Vary` lets it, for everybody. It takes
    no notice of Cache-Control, so that `Vary` alone is what keeps people apart."""

    def __init__(self, leave_out: frozenset[str] = frozenset()) -> None:
        self.leave_out, self.hits = leave_out, 0
        self.varies: dict[str, tuple[str, ...]] = {}
        self.kept: dict[tuple[str, ...], tuple[int, bytes]] = {}

    def key(self, request, address: str) -> tuple[str, ...]:
        headers = (f"{name}={request.headers.get(name, '')}" for name in self.varies.get(address, ()))
        return (address, *headers)

    def around(self, get_response):
        def answer(request):
            address = request.get_full_path()
            if found := self.kept.get(self.key(request, address)):
                self.hits += 1
                return HttpResponse(found[1], status=found[0])
            response = get_response(request)
            names = {name.strip().lower() for name in response.get("Vary", "").split(",")} - {""} - self.leave_out
            self.varies[address] = tuple(sorted(names))
            body = b"".join(response) if response.streaming else response.content
            self.kept[self.key(request, address)] = response.status_code, body
            return response if not response.streaming else HttpResponse(body, status=response.status_code)

        return answer


def addresses() -> list[str]:
    found = ["/", f"/?q={SECRET}", "/?q=garden", "/library/", "/collections/private/", "/collections/public/"]
    for document in Document.objects.filter(collection__slug="private"):
        own = document.get_absolute_url()
        passage = document.live_revision.passages.first().pk
        found += [own, f"{own}similar/", f"{own}file", f"{own}why/?passage={passage}&q={SECRET}"]
        found += [f"{own}pages/1.webp", f"{own}pages/1/marks.svg?passage={passage}"]
    return found


def answers(people: list[User], cache: SharedCache | None = None) -> dict[tuple[str, str], tuple[int, bytes]]:
    """What each of these people gets of each address, asked one after the other, twice, through the cache if any."""
    got, clients = {}, {}
    for person in people:
        client = clients[person.username] = Client()
        client.force_login(person)
        client.handler.load_middleware()
        if cache:
            client.handler._middleware_chain = cache.around(client.handler._middleware_chain)
    for address in addresses():
        for _time in (1, 2):
            for person in people:
                response = clients[person.username].get(address)
                body = b"".join(response.streaming_content) if response.streaming else response.content
                got[person.username, address] = response.status_code, body
    return got


def crossed(got, expected) -> set[tuple[str, str]]:
    """What somebody got that he must not get, or did not get that is his: by status, and by the secret and its name."""

    def told(answer):
        status, body = answer
        return status, SECRET.encode() in body, b"Private" in body

    return {key for key in expected if told(got[key]) != told(expected[key])}


@pytest.mark.parametrize("first", [0, 1])
def test_a_cache_that_many_people_share_gives_each_his_own_pages(readers, first):
    people = [readers[first], readers[1 - first]]
    expected = answers(people)
    different = {address for address in addresses() if len({expected[one.username, address][0] for one in people}) > 1}
    assert len(different) >= 10, "what the one gets and the other does not"
    cache = SharedCache()
    assert not crossed(answers(people, cache), expected)
    assert cache.hits >= len(addresses()), "it keeps pages, else this shows nothing"
    # The same with the user left out of the key: what the one got, the other gets.
    forgetful = answers(people, SharedCache(frozenset({"cookie"})))
    assert {address for _who, address in crossed(forgetful, expected)} >= {"/library/", f"/?q={SECRET}", *different}


def test_pages_say_that_they_are_for_one_reader_alone_and_static_files_that_they_are_for_all(readers, client):
    client.force_login(readers[0])
    anonymous = Client()
    for asking in (client, anonymous):
        for address in [*addresses(), "/nowhere/", "/sign-in/", "/admin/", "/documents/999999/"]:
            headers = asking.get(address).headers
            assert {"private", "no-store"} & set(headers["Cache-Control"].split(", ")), address
            assert "public" not in headers["Cache-Control"]
            assert "cookie" in headers["Vary"].lower(), address
    for address in ("/healthz", "/readyz"):
        assert "cookie" not in anonymous.get(address).headers.get("Vary", "").lower()


def test_a_proxy_that_names_the_user_is_told_that_pages_depend_on_its_header(settings, public, client):
    settings.SEARCHSITE_USER_HEADER = "X-Remote-User"
    settings.SEARCHSITE_PROXIES = []
    assert "X-Remote-User" in Client().get("/").headers["Vary"]


# --- in a process ---

# What processes keep between requests, each looked at by a person: why nothing in it depends on who asks. What is kept
# of a question in its scope (FaissStore's masks, LexicalIndex's known terms) has the scope in its key: see the test
# below, and "an index that forgets who asks" in tests/oracle.
HARMLESS = {
    "encoder/hashing.py:_known": "checksums of files",
    "encoder/tokenizing.py:_load": "a tokenizer, by its folder",
    "searchsite/documents/extract/charsets.py:_weights": "letters of a language",
    "searchsite/documents/extract/markdown.py:_html_tags": "names of tags",
    "searchsite/documents/extract/markdown.py:_parser": "a parser without state",
    "searchsite/documents/extract/ocr.py:_engine": "models",
    "searchsite/documents/extract/rst.py:_keep": "a class",
    "searchsite/documents/language.py:_identifier": "a model",
    "searchsite/documents/language.py:_model": "a model",
    "searchsite/documents/pictures.py:_added": "how many bytes were written",
    "searchsite/documents/reading.py:_warm": "a process that reads one file after the other",
    "searchsite/encoder_sentences.py:_forms": "the sentences of the encoder, as patterns",
    "searchsite/environment.py:asked": "names of settings",
    "searchsite/index/backends.py:_cross_encoder": "a model",
    "searchsite/index/backends.py:_loaded": "a model",
    "searchsite/index/backends.py:description": "what the encoder is",
    "searchsite/index/backends.py:question": "the vector of a question, by its words, which are all that it depends on",
    "searchsite/index/backends.py:token_offsets": "a tokenizer",
    "searchsite/index/follow.py:current": "the index of all, which each search filters for who asks",
    "searchsite/index/follow.py:forget": "forgets it",
    "searchsite/index/lexical_follow.py:current": "the index of all, which each search filters for who asks",
    "searchsite/index/lexical_follow.py:keep_up": "how far the index has come",
    "searchsite/index/lexical_follow.py:replay": "how far the index has come",
    "searchsite/index/space.py:_space": "offsets of languages, by encoder and folder",
    "searchsite/index/stores/files.py:_read": "a build of the index, by its folder",
    "searchsite/index/terms.py:_simple_characters": "a table of characters",
    "searchsite/index/terms.py:_stemmer": "a stemmer, by language",
    "searchsite/index/terms.py:stem": "the stem of a word, by the word",
    "searchsite/people/oidc/protocol.py:django.core.cache": "what the provider publishes of itself",
    "searchsite/search/examples.py:django.core.cache": "titles, by the collections seen, and asked of these again",
    "searchsite/search/explain.py:django.core.cache": "shares of words, by the text's hash and the question's vector",
    "searchsite/search/candidates.py:_day": "a day, by the text of a time and the zone",
    "searchsite/search/conditions.py:ids": "documents that meet conditions, as long as one answer is being made",
    "searchsite/search/query.py:parse": "what a question asks for, by its text, which is all that it depends on",
    "searchsite/search/keywords.py:_terms": "terms of a word, by the word",
}


def kept() -> set[str]:
    """As "file:name": functions whose results are kept, functions that set a variable of their module, containers that
    a module fills, and uses of Django's cache."""
    found = set()
    for path in [*(ROOT / "searchsite").rglob("*.py"), *(ROOT / "encoder").rglob("*.py")]:
        tree = ast.parse(path.read_text())
        names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and keeps(node)}
        names |= {name for node in tree.body for name in empty_containers(node)}
        imported = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        names |= {str(module) for module in imported if module == "django.core.cache"}
        found |= {f"{path.relative_to(ROOT).as_posix()}:{name}" for name in names}
    return found


def keeps(function: ast.FunctionDef) -> bool:
    decorators = [one.func if isinstance(one, ast.Call) else one for one in function.decorator_list]
    named = {one.attr if isinstance(one, ast.Attribute) else getattr(one, "id", "") for one in decorators}
    sets_global = any(isinstance(node, ast.Global) for node in function.body)
    return sets_global or bool(named & {"cache", "lru_cache", "cached_property", "cache_page", "cache_control"})


def empty_containers(node: ast.stmt) -> list[str]:
    """The names of a module that are bound to an empty list, dictionary or set, or a kind of them that fills itself."""
    if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
        return []
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    value = node.value
    makers = {"dict", "list", "set", "defaultdict", "OrderedDict", "deque", "Counter", "WeakKeyDictionary", "local"}
    called = isinstance(value, ast.Call) and (getattr(value.func, "id", "") or getattr(value.func, "attr", ""))
    empty = (isinstance(value, ast.Dict) and not value.keys) or (isinstance(value, ast.List) and not value.elts)
    return [one.id for one in targets if isinstance(one, ast.Name)] if empty or called in makers else []


def test_what_a_process_keeps_was_looked_at_by_somebody():
    assert kept() == HARMLESS.keys()


def test_whether_a_word_is_known_is_kept_for_each_scope_apart(readers, public, add, monkeypatch):
    """ "Did you mean" must not depend on who asked the same before: a word that is known tells that it is there."""
    add(public, "heliotropes grow in the garden", title="open, too")
    private = Collection.objects.get(slug="private")
    add(private, "a cornflower", title="flower")
    add(public, "a cornflowar", title="misspelt")
    member, outsider = readers

    def proposed(person: User) -> str:
        client = Client()
        client.force_login(person)
        return client.get("/", {"q": "cornflower"}).context["answer"].suggestion

    for _time in (1, 2):
        assert [proposed(one) for one in (member, outsider, member)] == ["", "cornflowar", ""]

    plain = LexicalIndex._known

    def known_to_whoever_asked_first(index, question, collections):
        return plain(index, question, index._seen[3].setdefault(("first", question), collections))

    monkeypatch.setattr(LexicalIndex, "_known", known_to_whoever_asked_first)
    assert [proposed(one) for one in (member, outsider)] != ["", "cornflowar"]
