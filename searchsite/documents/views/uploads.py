"""The page of an upload: how far all of it is, its files, cancelling and trying again."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from searchsite.documents import uploads
from searchsite.documents.models import State, Upload, UploadItem
from searchsite.documents.views import allowed, upload_page
from searchsite.documents.views.asked import number


@require_safe
def page(request: HttpRequest, pk: int) -> HttpResponse:
    """`?state=failed&page=2`: the files in that state, a page of them."""
    upload = allowed.upload(request, pk)
    return render(request, "library/upload_page.html", {"upload": upload, **_shown(upload, request)})


@require_POST
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Stop what of the upload is not done."""
    upload = allowed.upload(request, pk)
    count = uploads.cancel(upload)
    messages.success(request, ngettext("%d file was cancelled.", "%d files were cancelled.", count) % count)
    return HttpResponseRedirect(_back(upload, request))


@require_POST
def again(request: HttpRequest, pk: int) -> HttpResponse:
    """Queue once more one file, the one named by `item`, or all that failed or were cancelled."""
    upload = allowed.upload(request, pk)
    chosen = request.POST.get("item", "")
    if chosen:
        items = UploadItem.objects.select_related("document", "upload").filter(upload=upload)
        uploads.try_item_again(get_object_or_404(items, pk=number(chosen)))
        count = 1
    else:
        count = uploads.try_again(upload)
    messages.success(request, ngettext("%d file is tried again.", "%d files are tried again.", count) % count)
    return HttpResponseRedirect(_back(upload, request))


def _shown(upload: Upload, request: HttpRequest) -> dict[str, Any]:
    """What the page says of the upload, in a fixed number of queries."""
    counts = upload_page.counts_of([upload.pk]).get(upload.pk, {})
    state = request.GET.get("state", "")
    state = state if state in upload_page.TABS else ""
    tabs = upload_page.tabs(counts, state)
    chosen = next(tab for tab in tabs if tab.chosen)
    pages = max(1, -(-chosen.count // upload_page.A_PAGE))
    page = min(max(1, number(request.GET.get("page", ""))), pages)
    waiting = counts.get(State.QUEUED, 0) + counts.get(State.RUNNING, 0)
    missing = upload_page.missing_of([upload]).get(upload.pk, 0)
    busy = upload_page.is_busy(upload, counts, missing)
    return {
        "summary": upload_page.summary(counts, missing),
        "segments": upload_page.segments(counts, missing),
        "missing": missing,
        "busy": busy,
        "time_left": upload_page.time_left(upload, waiting),
        "can_cancel": bool(waiting) or (missing > 0 and busy),
        "can_try_again": bool(counts.get(State.FAILED) or counts.get(State.CANCELLED)),
        "tabs": tabs,
        "state": state,
        "page": page,
        "pages": range(1, pages + 1),
        "rows": upload_page.rows(upload, state, page, request.user),
    }


def _back(upload: Upload, request: HttpRequest) -> str:
    """The page of the upload as it was looked at."""
    state, page = request.POST.get("state", ""), number(request.POST.get("page", ""))
    looked_at = {"state": state if state in upload_page.TABS else "", "page": page if page > 1 else 0}
    asked = urlencode({name: value for name, value in looked_at.items() if value})
    return f"{upload.get_absolute_url()}?{asked}" if asked else upload.get_absolute_url()
