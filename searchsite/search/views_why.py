"""The page that says why a passage was found, and the same as a fragment that opens below it."""

from __future__ import annotations

import logging

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from encoder import EncoderError
from searchsite.documents import audited
from searchsite.documents.access import visible_documents
from searchsite.documents.models import Document, Passage
from searchsite.index import backends
from searchsite.index.follow import IndexUnavailable
from searchsite.search.query import MAX_QUESTION
from searchsite.search.why import why

log = logging.getLogger(__name__)


@require_safe
def why_page(request: HttpRequest, pk: int) -> HttpResponse:
    """`?passage=...&q=...`: why this passage of the document answers that question; `&fragment=1`: without the page
    around it."""
    documents = visible_documents(request.user).select_related("collection", "live_revision")
    document = get_object_or_404(documents, pk=pk)
    passage = _passage(request.GET.get("passage", ""), document)
    question = request.GET.get("q", "").replace("\x00", " ").strip()
    if passage is None or not 0 < len(question) <= MAX_QUESTION:
        raise Http404
    error, found = "", None
    try:
        found = why(request.user, question, passage)
    except IndexUnavailable as unavailable:
        error = str(unavailable)
    except EncoderError:
        log.exception("the encoder cannot be used")
        error = _("The encoder cannot be used, so nothing can be searched. The log of the server says why.")
    if not error and found is None:
        raise Http404
    audited.look(request.user, [document.collection_id], document)
    context = {"document": document, "passage": passage, "question": question, "why": found, "error": error}
    if found and not found.shares:
        context["pooling"] = backends.description().pooling
    template = "search/_why.html" if "fragment" in request.GET and found else "search/why.html"
    return render(request, template, context, status=503 if error else 200)


def _passage(asked: str, document: Document) -> Passage | None:
    if not (asked.isascii() and asked.isdecimal() and len(asked) < 19):
        return None
    return Passage.objects.select_related("revision").filter(pk=int(asked), revision=document.live_revision_id).first()
