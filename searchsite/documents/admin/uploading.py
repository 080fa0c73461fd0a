"""The page on which files, folders, archives and addresses are uploaded, and where its script sends them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from django.conf import settings
from django.contrib.admin import ModelAdmin
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from searchsite.documents import addresses, uploads
from searchsite.documents.extract import ocr
from searchsite.documents.extract.kinds import KINDS
from searchsite.documents.forms import UploadForm
from searchsite.documents.models import Collection, Document, Tag, Upload, UploadItem

KNOWN_TAGS = 500  # as many are proposed
SIZE = re.compile(r"[0-9]{1,15}")
PICTURES = frozenset(["PNG", "JPEG", "TIFF", "WebP"])


def urls(model_admin: ModelAdmin[Document]) -> list[URLPattern]:
    """The addresses of these views, for the admin of the documents."""

    def view(function: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        return model_admin.admin_site.admin_view(partial(function, model_admin))

    return [
        path("upload/", view(upload_page), name="documents_document_upload"),
        path("upload/begin/", require_POST(view(begin)), name="documents_document_upload_begin"),
        path("upload/<int:pk>/files/", require_POST(view(take_files)), name="documents_document_upload_files"),
    ]


def upload_page(model_admin: ModelAdmin[Document], request: HttpRequest) -> HttpResponse:
    """The form; posted without a script it brings everything at once."""
    if not model_admin.has_add_permission(request):
        raise PermissionDenied
    form = UploadForm(request.POST or None, request.FILES or None)
    collections = list(Collection.objects.all()[:2])
    if len(collections) == 1:  # with several, a file put into the wrong one might be read by the wrong people
        form.initial["collection"] = collections[0]
    if request.method == "POST" and form.is_valid():
        files = [*form.cleaned_data["files"], *form.cleaned_data["folder"]]
        upload = _begin(form, request, announced=len(files))
        for name, file in zip(unlike(file.name or "" for file in files), files, strict=True):
            uploads.add_file(upload, name, file)
        return HttpResponseRedirect(upload.get_absolute_url())
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": _("Upload files"),
        "form": form,
        "known_tags": Tag.objects.values_list("name", flat=True)[:KNOWN_TAGS],
        "limit_mb": settings.SEARCHSITE_MAX_FILE_MB,
        "archive_limit_mb": settings.SEARCHSITE_MAX_ARCHIVE_MB,
        "kinds": _kinds(),
    }
    return render(request, "admin/documents/document/upload.html", context)


def begin(model_admin: ModelAdmin[Document], request: HttpRequest) -> HttpResponse:
    """Begin an upload whose files follow in requests of their own, and say where to send them, or what is wrong."""
    if not model_admin.has_add_permission(request):
        raise PermissionDenied
    form = UploadForm(request.POST)
    if not form.is_valid():
        errors = [str(error) for listed in form.errors.values() for error in listed]
        return JsonResponse({"errors": errors})
    upload = _begin(form, request, announced=form.cleaned_data["announced"] or 0)
    return JsonResponse(
        {
            "page": upload.get_absolute_url(),
            "files": reverse("admin:documents_document_upload_files", args=[upload.pk]),
            "cancel": reverse("admin:documents_upload_cancel", args=[upload.pk]),
        }
    )


def take_files(model_admin: ModelAdmin[Document], request: HttpRequest, pk: int) -> HttpResponse:
    """Take some files of an upload in, and say of each why it was refused. Sent twice, they are there once.

    `files` and `paths` are alike in number and order; so are `paths_kept_back` and `sizes` (in bytes), of files over
    the limit, which browsers do not send. The answer names those last.
    """
    upload = get_object_or_404(Upload.objects.select_related("collection", "added_by"), pk=pk)
    if not model_admin.has_add_permission(request) or upload.added_by_id != request.user.pk:
        raise PermissionDenied
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


def _kinds() -> str:
    """What can be read here, as a list: pictures only with the OCR extra."""
    kinds = KINDS.removesuffix(" …").split(", ")
    return ", ".join(kind for kind in kinds if kind not in PICTURES or ocr.available())


def _begin(form: UploadForm, request: HttpRequest, announced: int) -> Upload:
    given = form.cleaned_data
    upload = uploads.begin(given["collection"], request.user, given["tags"], announced)
    for address in given["addresses"]:
        addresses.add_address(upload, address)
    return upload


def _refusal(item: UploadItem) -> str:
    """Why a file became neither a document nor an archive to unpack; empty where it did."""
    return "" if item.document_id or item.archive else item.reason
