"""The page on which files, folders, archives and addresses are uploaded, and where its script sends them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from searchsite.documents import addresses, uploads
from searchsite.documents.access import editable_collections, visible_collections
from searchsite.documents.extract.kinds import readable
from searchsite.documents.forms import UploadForm
from searchsite.documents.models import Collection, Tag, Upload, UploadItem
from searchsite.documents.views import allowed

KNOWN_TAGS = 500  # as many are proposed
SIZE = re.compile(r"[0-9]{1,15}")


@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: HttpRequest) -> HttpResponse:
    """The form, for the collection `?collection=` if that is named; posted without a script it brings everything."""
    form = UploadForm(request.POST or None, request.FILES or None, user=request.user)
    collections = list(editable_collections(request.user)[:2])
    if not collections and not request.user.has_perm("documents.add_collection"):
        raise Http404
    chosen = _chosen(request)
    if chosen is None and len(collections) == 1:  # with several, a file put into the wrong one might be read by others
        chosen = collections[0]
    form.initial["collection"] = chosen
    if request.method == "POST" and form.is_valid():
        files = [*form.cleaned_data["files"], *form.cleaned_data["folder"]]
        begun = _begin(form, request, announced=len(files))
        for name, file in zip(unlike(file.name or "" for file in files), files, strict=True):
            uploads.add_file(begun, name, file)
        return HttpResponseRedirect(begun.get_absolute_url())
    tagged = Tag.objects.filter(documents__collection__in=visible_collections(request.user)).distinct()
    context = {
        "form": form,
        "collection": chosen,
        "possible": bool(collections),
        "known_tags": tagged.values_list("name", flat=True)[:KNOWN_TAGS],
        "limit_mb": settings.SEARCHSITE_MAX_FILE_MB,
        "archive_limit_mb": settings.SEARCHSITE_MAX_ARCHIVE_MB,
        "kinds": readable(),
    }
    return render(request, "library/upload.html", context)


def _chosen(request: HttpRequest) -> Collection | None:
    if slug := request.GET.get("collection", ""):
        return allowed.collection(request, slug.replace("\0", ""), editable_collections)
    return None


@require_POST
def begin(request: HttpRequest) -> HttpResponse:
    """Begin an upload whose files follow in requests of their own, and say where to send them, or what is wrong."""
    if not editable_collections(request.user).exists():
        raise Http404
    form = UploadForm(request.POST, user=request.user)
    if not form.is_valid():
        errors = [str(error) for listed in form.errors.values() for error in listed]
        return JsonResponse({"errors": errors})
    begun = _begin(form, request, announced=form.cleaned_data["announced"] or 0)
    return JsonResponse(
        {
            "page": begun.get_absolute_url(),
            "files": reverse("upload_files", args=[begun.pk]),
            "cancel": reverse("upload_cancel", args=[begun.pk]),
        }
    )


@require_POST
def take_files(request: HttpRequest, pk: int) -> HttpResponse:
    """Take some files of one's own upload in, and say of each why it was refused. Sent twice, they are there once.

    `files` and `paths` are alike in number and order; so are `paths_kept_back` and `sizes` (in bytes), of files over
    the limit, which browsers do not send. The answer names those last.
    """
    upload = allowed.upload(request, pk)
    if upload.added_by_id != request.user.pk:
        raise Http404
    files, paths = request.FILES.getlist("files"), request.POST.getlist("paths")
    kept_back, sizes = request.POST.getlist("paths_kept_back"), request.POST.getlist("sizes")
    if len(files) != len(paths) or len(kept_back) != len(sizes) or not all(map(SIZE.fullmatch, sizes)):
        raise BadRequest("each file needs its path, and one that was kept back its size")
    if upload.cancelled:
        return JsonResponse({"cancelled": True}, status=409)
    items = [uploads.add_file(upload, path, file) for path, file in zip(paths, files, strict=True)]
    items += [uploads.refuse(upload, path, int(size)) for path, size in zip(kept_back, sizes, strict=True)]
    if any(item.pk is None for item in items):
        raise BadRequest("a file that is not over the limit is to be sent")
    if Upload.objects.filter(pk=pk, cancelled=True).exists():  # while these came: whoever cancelled did not see them
        uploads.cancel(upload)
    return JsonResponse({"files": [{"refused": _refusal(item)} for item in items]})


def unlike(names: Iterable[str]) -> Iterator[str]:
    """The names, in which those that were there before are told apart: "a.txt", "a (2).txt"."""
    seen: set[str] = set()
    for name in names:
        stem, dot, ending = name.rpartition(".") if "." in name.lstrip(".") else (name, "", "")
        told_apart, count = name, 1
        while told_apart in seen:
            count += 1
            told_apart = f"{stem} ({count}){dot}{ending}"
        seen.add(told_apart)
        yield told_apart


def _begin(form: UploadForm, request: HttpRequest, announced: int) -> Upload:
    given = form.cleaned_data
    begun = uploads.begin(given["collection"], request.user, given["tags"], announced)
    for address in given["addresses"]:
        addresses.add_address(begun, address)
    return begun


def _refusal(item: UploadItem) -> str:
    """Why a file became neither a document nor an archive to unpack; empty where it did."""
    return "" if item.document_id or item.archive else item.reason
