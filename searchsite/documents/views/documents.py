"""Adding, changing and deleting one document, and having it read again."""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from searchsite.documents import audited, changes
from searchsite.documents.access import editable_collections, editable_documents
from searchsite.documents.forms_library import EditForm, TextForm
from searchsite.documents.models import Collection, Document, State
from searchsite.documents.views import allowed
from searchsite.documents.views.asked import back


@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest, slug: str) -> HttpResponse:
    """A text that is typed in becomes a document."""
    collection = allowed.collection(request, slug, editable_collections)
    new = Document(collection=collection, added_by=request.user)  # type: ignore[misc]
    form = TextForm(request.POST or None, instance=new)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            document = form.save()
            audited.document_added(document)
        messages.success(request, _("The document is added, and found as soon as it has been read."))
        return redirect("document", document.pk)
    return render(request, "library/add.html", {**allowed.standing(request, collection), "form": form})


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Title, tags, collection, and the text or the file."""
    document = allowed.document(request, pk)
    collection, title = document.collection, document.shown_title
    form = EditForm(request.POST or None, request.FILES or None, instance=document, user=request.user)
    if request.method == "POST" and form.is_valid():
        form.instance.take_in_source()  # stored before the transaction, in which others would wait for it
        with transaction.atomic():
            changes.lock()  # before the row: everybody locks in this order
            # Deleted meanwhile it would come back, moved meanwhile it may be none of the user's any more.
            get_object_or_404(editable_documents(request.user).select_for_update(), pk=pk)
            get_object_or_404(editable_collections(request.user), pk=form.instance.collection_id)
            changed = form.save()
            moved = changed.collection_id != collection.pk
            audited.document_changed(changed, form.changed_data, moved_from=collection if moved else None)
        messages.success(request, _said(form.changed_data))
        return redirect("document", document.pk)
    standing = allowed.standing(request, Collection.objects.get(pk=collection.pk))
    return render(request, "library/edit.html", {**standing, "form": form, "document": document, "title": title})


def _said(changed: list[str]) -> str:
    if {"title", "text", "file"} & set(changed):
        return _("The changes are saved, and found as soon as they have been read.")
    return _("The changes are saved.")


@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Asks; posted, deletes."""
    document = allowed.document(request, pk)
    collection, title = document.collection, document.shown_title
    if request.method == "POST":
        with transaction.atomic():
            changes.lock()
            get_object_or_404(editable_documents(request.user), pk=pk)  # moved meanwhile, it may be others' to delete
            document.delete()
        messages.success(request, _("“%s” was deleted.") % title)
        return redirect("collection", collection.slug)
    standing = allowed.standing(request, collection)
    return render(request, "library/delete.html", {**standing, "document": document, "title": title})


@require_POST
def again(request: HttpRequest, pk: int) -> HttpResponse:
    """Have the document read again, or fetched where that was to be done; then to where `next` leads."""
    document = allowed.document(request, pk)
    if document.state not in (State.QUEUED, State.RUNNING):
        document.try_again()
    said = ngettext("%d document is being read again.", "%d documents are being read again.", 1) % 1
    messages.success(request, said)
    return HttpResponseRedirect(back(request, otherwise=document.get_absolute_url()))
