"""The pages for people who look things up."""

from __future__ import annotations

import logging
from urllib.parse import quote

from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from encoder import EncoderError
from searchsite.documents.access import visible_collections, visible_documents
from searchsite.documents.models import Document, Job, Passage, State
from searchsite.index.follow import IndexUnavailable
from searchsite.search import reader
from searchsite.search.forms import SearchForm
from searchsite.search.retrieve import Answer, search

log = logging.getLogger(__name__)


@require_safe
def search_page(request: HttpRequest) -> HttpResponse:
    """`/?q=...&page=...`: the question, and the passages that answer it."""
    question = request.GET.get("q", "").replace("\x00", " ").strip()
    form = SearchForm({"q": question, "page": request.GET.get("page", "")})
    error, answer, status = "", None, 200
    if not form.is_valid():
        error, status = " ".join(str(message) for errors in form.errors.values() for message in errors), 400
    elif question:
        answer, error = _answer(request, question, form.cleaned_data["page"])
        status = 503 if error else 200
    collections = visible_collections(request.user)
    waiting = Document.objects.filter(collection__in=collections, state__in=[State.QUEUED, State.RUNNING])
    context = {
        "question": question,
        "answer": answer,
        "error": error,
        "collections": collections,
        "has_documents": Document.objects.filter(collection__in=collections, live_revision__isnull=False).exists(),
        "waiting": waiting.count(),
    }
    return render(request, "search/search.html", context, status=status)


def _answer(request: HttpRequest, question: str, page: int) -> tuple[Answer | None, str]:
    try:
        return search(request.user, question, page), ""
    except IndexUnavailable as unavailable:
        return None, str(unavailable)
    except EncoderError:
        log.exception("the encoder cannot be used")
        return None, _("The encoder cannot be used, so nothing can be searched. The log of the server says why.")


@require_safe
def document_page(request: HttpRequest, pk: int) -> HttpResponse:
    """A document's text, with the passage `?passage=` marked; part `?part=` of a long one."""
    documents = visible_documents(request.user).select_related("collection", "live_revision")
    document = get_object_or_404(documents, pk=pk)
    revision = document.live_revision
    context = {"document": document, "question": request.GET.get("q", "").strip()}
    if revision is None:
        context["job"] = Job.objects.filter(document=document).first()
        return render(request, "search/document.html", context)
    passage = _passage(request, document)
    cuts = reader.parts(revision.text)
    number = _part_number(request, cuts, passage)
    twins = list(document.twins().filter(pk__in=visible_documents(request.user))[:6])
    context |= {
        "twins": twins[:5],
        "more_twins": len(twins) > 5,
        "passage": passage,
        "part": number,
        "parts": len(cuts),
        "blocks": reader.blocks(
            revision.text,
            cuts[number - 1],
            revision.headings,
            revision.pages,
            revision.preformatted,
            (passage.start, passage.end) if passage else None,
        ),
    }
    return render(request, "search/document.html", context)


def _passage(request: HttpRequest, document: Document) -> Passage | None:
    """The passage asked for, if it is (still) one of this document's live revision; an old link opens unmarked."""
    asked = request.GET.get("passage", "")
    if not (asked.isascii() and asked.isdecimal() and len(asked) < 19):
        return None
    return Passage.objects.filter(pk=int(asked), revision=document.live_revision_id).first()


def _part_number(request: HttpRequest, cuts: list[tuple[int, int]], passage: Passage | None) -> int:
    asked = request.GET.get("part", "")
    if asked.isascii() and asked.isdecimal() and 1 <= int(asked[:9]) <= len(cuts):
        return int(asked[:9])
    where = passage.start if passage else 0
    return next((n for n, (start, end) in enumerate(cuts, 1) if start <= where < end), 1)


@require_safe
def original_file(request: HttpRequest, pk: int) -> FileResponse:
    """The uploaded file as it came, always as an attachment: the browser must not run or render what was uploaded."""
    document = get_object_or_404(visible_documents(request.user), pk=pk)
    if not document.file:
        raise Http404
    try:
        content = document.file.open("rb")
    except FileNotFoundError:
        log.exception("the original of document %s is missing", pk)
        raise Http404 from None
    response = FileResponse(content, content_type="application/octet-stream")
    response["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(document.name or 'document', safe='')}"
    response["Cache-Control"] = "private, no-store"
    return response
