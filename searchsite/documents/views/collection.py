"""A collection's page with its documents, and its settings."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from searchsite.documents.access import editable_collections, managed_collections, visible_collections
from searchsite.documents.forms_library import CollectionForm, meanings
from searchsite.documents.models import Collection, Document, Upload
from searchsite.documents.views import allowed, listing, upload_page
from searchsite.documents.views.asked import line
from searchsite.search.query import MAX_QUESTION

LATEST_UPLOADS = 5


@require_safe
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """`?state=failed&title=plan&page=2`: the documents, narrowed. `?q=...`: searches in this collection alone."""
    collection = allowed.collection(request, slug, visible_collections)
    if question := line(request.GET.get("q", ""), MAX_QUESTION):
        narrowed = urlencode({"q": f"collection:{collection.slug} {question}"})
        return HttpResponseRedirect(f"{reverse('search')}?{narrowed}")
    standing = allowed.standing(request, collection)
    editor = standing["editing"]
    asked = listing.Asked.of(request.GET, editor)
    documents = listing.documents_in(collection, asked, editor)
    shown = Paginator(documents, listing.A_PAGE).get_page(asked.page or 1)
    context = {
        **standing,
        "asked": asked,
        "shown": shown,
        "rows": listing.rows(shown.object_list, editor),  # type: ignore[arg-type]
        **(_for_editors(request, collection, asked) if editor else {}),
    }
    return render(request, "library/collection.html", context)


def _for_editors(request: HttpRequest, collection: Collection, asked: listing.Asked) -> dict[str, Any]:
    """The filters, where documents can be moved to, and the latest uploads with how far they are."""
    latest = list(Upload.objects.filter(collection=collection).select_related("added_by")[:LATEST_UPLOADS])
    counts = upload_page.counts_of(upload.pk for upload in latest)
    missing = upload_page.missing_of(latest)
    return {
        "tabs": listing.tabs(collection, asked),
        "fetched": Document.objects.filter(collection=collection).exclude(url="").exists(),
        "others": editable_collections(request.user).exclude(pk=collection.pk).order_by("name"),
        "uploads": [
            (upload, upload_page.summary(counts.get(upload.pk, {}), missing.get(upload.pk, 0))) for upload in latest
        ],
    }


@require_http_methods(["GET", "HEAD", "POST"])
def settings(request: HttpRequest, slug: str) -> HttpResponse:
    """Name, description, and who may read it."""
    collection = allowed.collection(request, slug, managed_collections)
    standing = allowed.standing(request, Collection.objects.get(pk=collection.pk))  # the form changes its own one
    form = CollectionForm(request.POST or None, instance=collection)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            allowed.held(request, collection, managed_collections)  # deleted meanwhile, saving would bring it back
            form.save()
        messages.success(request, _("The settings are saved."))
        return redirect("collection_settings", collection.slug)
    return render(request, "library/settings.html", {**standing, "form": form, "meanings": meanings()})
