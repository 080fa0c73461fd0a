"""The pages for people who look things up."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from encoder import EncoderError
from searchsite import htmx
from searchsite.documents import audited, pictures
from searchsite.documents.access import seen_as_superuser, visible_collections, visible_documents
from searchsite.documents.models import Document, Job, Passage, Revision, State
from searchsite.index.follow import IndexUnavailable
from searchsite.search import outline, reader
from searchsite.search.chips import chips
from searchsite.search.examples import examples
from searchsite.search.forms import SearchForm
from searchsite.search.matches import Matches, matches
from searchsite.search.originals import content_type
from searchsite.search.position import number, position, sheet
from searchsite.search.query import MAX_QUESTION
from searchsite.search.retrieve import MAX_PAGES, Answer, search
from searchsite.search.similar import similar
from searchsite.search.templatetags.places import place as place_name

log = logging.getLogger(__name__)

NO_MARKS = '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'


@require_safe
def search_page(request: HttpRequest) -> HttpResponse:
    """`/?q=...&page=...&sort=date`: the question, and the passages that answer it; for htmx, which puts them into the
    page as one types, without the page around them."""
    question = request.GET.get("q", "").replace("\x00", " ").strip()
    form = SearchForm({"q": question, "page": request.GET.get("page", ""), "sort": request.GET.get("sort", "")})
    error, answer, status = "", None, 200
    if not form.is_valid():
        error, status = " ".join(str(message) for errors in form.errors.values() for message in errors), 400
    elif question:
        asked = form.cleaned_data
        answer, error = _answer(lambda: search(request.user, question, asked["page"], asked["newest_first"]))
        _look(request, answer)
        status = 503 if error else 200
    collections = visible_collections(request.user)
    waiting = Document.objects.filter(collection__in=collections, state__in=[State.QUEUED, State.RUNNING])
    typing = htmx.asks_for_part(request)
    context: dict[str, Any] = {
        "layout": "search/_part.html" if typing else "base.html",
        "typing": typing,
        "question": question,
        "answer": answer,
        "newest_first": form.cleaned_data.get("newest_first", False),
        "error": error,
        "collections": collections,
        "has_documents": Document.objects.filter(collection__in=collections, live_revision__isnull=False).exists(),
        "waiting": waiting.count(),
    }
    if answer and answer.query.conditions:
        context["chips"] = chips(question, answer.query, dict(collections.values_list("slug", "name")))
    elif not question:
        # Of what a superuser may see for being one nothing is shown unasked: each look into it is written down.
        context["examples"] = examples(collections.exclude(pk__in=seen_as_superuser(request.user)))
    return htmx.varies(render(request, "search/search.html", context, status=status))


def _answer(ask: Callable[[], Answer]) -> tuple[Answer | None, str]:
    try:
        return ask(), ""
    except IndexUnavailable as unavailable:
        return None, str(unavailable)
    except EncoderError:
        log.exception("the encoder cannot be used")
        return None, _("The encoder cannot be used, so nothing can be searched. The log of the server says why.")


def _look(request: HttpRequest, answer: Answer | None) -> None:
    shown = {result.document.collection_id for result in answer.results} if answer else set()
    audited.look(request.user, shown, about="search results")


@require_safe
def similar_page(request: HttpRequest, pk: int) -> HttpResponse:
    """`/documents/5/similar/?passage=...`: what is like a document, or like one of its passages."""
    documents = visible_documents(request.user).filter(live_revision__isnull=False)
    document = get_object_or_404(documents.select_related("collection", "live_revision"), pk=pk)
    passage = _passage(request.GET.get("passage", ""), document)
    if passage is None and "passage" in request.GET:
        raise Http404
    page = number(request.GET.get("page", ""), MAX_PAGES) or 1
    answer, error = _answer(lambda: similar(request.user, document, passage, page))
    audited.look(request.user, [document.collection_id], document)
    _look(request, answer)
    context = {"document": document, "passage": passage, "answer": answer, "error": error, "question": ""}
    return render(request, "search/similar.html", context, status=503 if error else 200)


@require_safe
def document_page(request: HttpRequest, pk: int) -> HttpResponse:
    """A document's text, with the passage `?passage=` marked, its outline, and what else in it answers `?q=`; part
    `?part=` of a long one, and page `?page_shown=` of a PDF as a picture."""
    documents = visible_documents(request.user).select_related("collection", "live_revision")
    document = get_object_or_404(documents, pk=pk)
    audited.look(request.user, [document.collection_id], document)
    question = request.GET.get("q", "").replace("\x00", " ").strip()
    context: dict[str, Any] = {"document": document, "question": question}
    if document.live_revision is None:
        context["job"] = Job.objects.filter(document=document).first()
        return render(request, "search/document.html", context)
    twins = list(document.twins().filter(pk__in=visible_documents(request.user))[:6])
    audited.look(request.user, {twin.collection_id for twin in twins[:5]}, about="copies")
    passage = _passage(request.GET.get("passage", ""), document)
    context |= {
        "twins": twins[:5],
        "more_twins": len(twins) > 5,
        "address": document.url if document.url.startswith(("https://", "http://")) else "",
        "passage": passage,
        "matches": _matches(document.live_revision, question, passage),
        "kept": urlencode({name: request.GET[name] for name in ("q", "page") if name in request.GET}),
        **_text(request, document, document.live_revision, passage),
    }
    return render(request, "search/document.html", context)


def _text(request: HttpRequest, document: Document, revision: Revision, passage: Passage | None) -> dict[str, Any]:
    """The part of the text that is shown, and the outline of the whole."""
    cuts = reader.parts(revision.text)
    mark = (passage.start, passage.end) if passage else None
    sheets = (revision.pages or []) if pictures.has_pictures(revision) else []
    shown = position(request.GET, cuts, sheets, mark[0] if mark else None)
    places = outline.headings(revision.headings, document.shown_title) or outline.pages(
        revision.pages, lambda number: capfirst(place_name(number, revision.kind))
    )
    shown_blocks = reader.blocks(
        revision.text, cuts[shown.part - 1], revision.headings, revision.pages, revision.preformatted, mark
    )
    return {
        "sheet": sheet(shown, "page_shown" in request.GET),
        "part": shown.part,
        "parts": len(cuts),
        "outline": outline.nested(places, shown.address, mark[0] if mark else None),
        "blocks": reader.without_gaps(shown_blocks, document.shown_title),
    }


def _matches(revision: Revision, question: str, passage: Passage | None) -> Matches | None:
    """What else in the document answers; None without a question, and when it cannot be compared just now."""
    if not question or len(question) > MAX_QUESTION:
        return None
    try:
        return matches(revision, question, passage)
    except IndexUnavailable:
        return None
    except EncoderError:
        log.exception("the encoder cannot be used")
        return None


def _passage(asked: str, document: Document) -> Passage | None:
    """The passage asked for, if it is (still) one of this document's live revision; an old link opens unmarked."""
    if not (asked.isascii() and asked.isdecimal() and len(asked) < 19):
        return None
    return Passage.objects.filter(pk=int(asked), revision=document.live_revision_id).first()


@require_safe
def page_picture(request: HttpRequest, pk: int, number: int) -> HttpResponseBase:
    """Page `number` of a PDF as a picture."""
    document = get_object_or_404(visible_documents(request.user), pk=pk)
    return _drawn(request, document, number, "", lambda: (pictures.picture(document, number).content, "image/webp"))


@require_safe
def page_marks(request: HttpRequest, pk: int, number: int) -> HttpResponseBase:
    """What is laid over that picture: the lines of the passage `?passage=`, on nothing."""
    document = get_object_or_404(visible_documents(request.user), pk=pk)
    passage = _passage(request.GET.get("passage", ""), document)
    if passage is None or passage.page != number:
        raise Http404
    return _drawn(request, document, number, f"-{passage.pk}", lambda: (pictures.marks(passage), "image/svg+xml"))


def _drawn(
    request: HttpRequest, document: Document, number: int, of: str, draw: Callable[[], tuple[bytes | str, str]]
) -> HttpResponseBase:
    """A picture that browsers keep, but ask about each time: who may see it can change."""
    audited.look(request.user, [document.collection_id], document)
    try:
        etag = quote_etag(pictures.key(document, number) + of)
        response = get_conditional_response(request, etag=etag)
        if response is None:
            content, its_type = draw()
            response = HttpResponse(content, content_type=its_type)
    except pictures.Unavailable as unavailable:
        # A picture that says so: browsers show it whatever the status is, and no broken image.
        busy = unavailable.why == pictures.Why.BUSY
        said = _("The picture is not ready yet") if busy else _("There is no picture of this page")
        drawing = NO_MARKS if of else render_to_string("search/no_picture.svg", {"said": said})
        response = HttpResponse(drawing, content_type="image/svg+xml", status=404)
        response["Cache-Control"] = "private, no-store"
        if busy:
            response.status_code, response["Retry-After"] = 503, "5"
        return response
    response["ETag"], response["Cache-Control"] = etag, "private, no-cache"
    return response


@require_safe
def original_file(request: HttpRequest, pk: int) -> FileResponse:
    """The uploaded file as it came, always as an attachment: the browser must not run or render what was uploaded."""
    document = get_object_or_404(visible_documents(request.user).select_related("live_revision"), pk=pk)
    if not document.file:
        raise Http404
    audited.look(request.user, [document.collection_id], document)
    try:
        content = document.file.open("rb")
    except FileNotFoundError:
        log.exception("the original of document %s is missing", pk)
        raise Http404 from None
    # A file that replaced the one that is live has not been read yet, so of what kind it is, nobody knows.
    revision = document.live_revision
    kind = revision.kind if revision and revision.content_hash == document.content_hash else ""
    response = FileResponse(content, content_type=content_type(document.name, kind))
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(document.name or 'document', safe='')}"
    response["Cache-Control"] = "private, no-store"
    return response
