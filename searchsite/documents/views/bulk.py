"""What is done with many documents of a collection at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from searchsite.documents import addresses, jobs, many
from searchsite.documents.access import editable_collections
from searchsite.documents.models import Collection, Document, DocumentQuerySet, Job, Tag
from searchsite.documents.uploads import TAG_BREAK, tags_named
from searchsite.documents.views import allowed, listing
from searchsite.documents.views.asked import number

MOST = 5000  # documents at once
TITLES_SHOWN = 20

Do = Callable[[HttpRequest, Collection, list[int]], None]


@require_POST
def change(request: HttpRequest, slug: str) -> HttpResponse:
    """Do with documents of the collection what `do` says: those of the ids `document`, or, with `all`, those that the
    list shows on all its pages."""
    collection = allowed.collection(request, slug, editable_collections)
    asked = listing.Asked.of(request.POST, editor=True)
    do = request.POST.get("do", "")
    chosen = _chosen(request, collection, asked)
    if not chosen:
        messages.warning(request, _("Tick the documents first."))
    elif len(chosen) > MOST:
        many = _("At most %d documents can be changed at once. Narrow the list by its state or by titles.")
        messages.warning(request, many % MOST)
    elif do == "delete" and "confirmed" not in request.POST:
        return _ask(request, collection, asked, chosen)
    elif do in ACTIONS:
        ACTIONS[do](request, collection, chosen)
    return HttpResponseRedirect(reverse("collection", args=[collection.slug]) + asked.query)


def _chosen(request: HttpRequest, collection: Collection, asked: listing.Asked) -> list[int]:
    """The ids of the chosen documents; more than MOST of them where too many were chosen."""
    if "all" in request.POST:
        documents = listing.documents_in(collection, asked, editor=True)
        return list(documents.order_by("pk").values_list("pk", flat=True)[: MOST + 1])
    ticked = request.POST.getlist("document") or request.POST.get("documents", "").split(",")
    ids = sorted({number(pk) for pk in ticked})[: MOST + 1]
    mine = Document.objects.filter(collection=collection).order_by("pk")
    return [pk for some in many.parts(ids, 500) for pk in mine.filter(pk__in=some).values_list("pk", flat=True)]


def _some(collection: Collection, ids: Sequence[int]) -> DocumentQuerySet:
    """These documents, as far as they are still in the collection."""
    return Document.objects.filter(collection=collection, pk__in=ids)


def _ask(request: HttpRequest, collection: Collection, asked: listing.Asked, chosen: list[int]) -> HttpResponse:
    context = {
        **allowed.standing(request, collection),
        "asked": asked,
        "count": len(chosen),
        "ids": ",".join(map(str, chosen)),
        "titles": listing.titles(chosen, TITLES_SHOWN),
        "more": max(0, len(chosen) - TITLES_SHOWN),
    }
    return render(request, "library/delete_many.html", context)


def _again(request: HttpRequest, collection: Collection, ids: list[int]) -> None:
    count = sum(_some(collection, some).try_again() for some in many.parts(ids, 500))
    said = ngettext("%d document is being read again.", "%d documents are being read again.", count)
    messages.success(request, said % count)


def _fetch(request: HttpRequest, collection: Collection, ids: list[int]) -> None:
    count = 0
    for some in many.parts(ids):
        for document in _some(collection, some).exclude(url="").defer("text"):
            addresses.fetch_again(document)
            count += 1
    said = ngettext("%d document is being fetched again.", "%d documents are being fetched again.", count) % count
    if others := len(ids) - count:
        alone = ngettext("%d has no address and was left alone.", "%d have no address and were left alone.", others)
        said = f"{said} {alone % others}"
    messages.add_message(request, messages.WARNING if others else messages.SUCCESS, said)


def _cancel(request: HttpRequest, collection: Collection, ids: list[int]) -> None:
    documents = (_some(collection, some) for some in many.parts(ids, 500))
    count = sum(jobs.cancel(Job.objects.filter(document__in=some)) for some in documents)
    messages.success(request, ngettext("%d job was cancelled.", "%d jobs were cancelled.", count) % count)


def _delete(request: HttpRequest, collection: Collection, ids: list[int]) -> None:
    """In short transactions: searching, uploading and the worker go on meanwhile."""
    count = 0
    for some in many.parts(ids):
        count += _some(collection, some).delete()[1].get("documents.Document", 0)
    messages.success(request, ngettext("%d document was deleted.", "%d documents were deleted.", count) % count)


def _move(request: HttpRequest, collection: Collection, ids: list[int]) -> None:
    """To another collection that the user may change. One whose source is there already stays where it is."""
    others = editable_collections(request.user).exclude(pk=collection.pk)
    target = others.filter(pk=number(request.POST.get("to", ""))).first()
    if target is None:
        messages.warning(request, _("Choose the collection that they are to be moved to."))
        return
    count = many.move(Document.objects.filter(collection=collection), ids, target)
    messages.add_message(request, *moved(count, len(ids), target))


def moved(count: int, asked: int, target: Collection) -> tuple[int, str]:
    """(how serious it is, the sentence that says what became of it)"""
    said = ngettext("%(count)d document was moved to %(name)s.", "%(count)d documents were moved to %(name)s.", count)
    said %= {"count": count, "name": target}
    if stayed := asked - count:
        alone = ngettext(
            "%d stays, since the other collection has a document from the same source.",
            "%d stay, since the other collection has documents from the same sources.",
            stayed,
        )
        said = f"{said} {alone % stayed}"
    return messages.WARNING if stayed else messages.SUCCESS, said


def _tag(request: HttpRequest, collection: Collection, ids: list[int]) -> None:
    _change_tags(request, collection, ids, adding=True)


def _untag(request: HttpRequest, collection: Collection, ids: list[int]) -> None:
    _change_tags(request, collection, ids, adding=False)


def _change_tags(request: HttpRequest, collection: Collection, ids: list[int], *, adding: bool) -> None:
    tags = named(request, adding=adding)
    if not tags:
        messages.warning(request, _("Type the tags first, separated by commas."))
        return
    count = many.change_tags(Document.objects.filter(collection=collection), ids, tags, adding=adding)
    said = ngettext("The tags of %d document were changed.", "The tags of %d documents were changed.", count)
    messages.success(request, said % count)


def named(request: HttpRequest, *, adding: bool) -> list[Tag]:
    """The tags that were typed; those to be put on are made where they are new."""
    typed = request.POST.get("tags", "").replace("\0", " ")[:2000]
    names = {" ".join(part.split()) for part in TAG_BREAK.split(typed)}
    return tags_named(typed) if adding else list(Tag.objects.filter(name__in=names))


ACTIONS: dict[str, Do] = {
    "again": _again,
    "fetch": _fetch,
    "cancel": _cancel,
    "delete": _delete,
    "move": _move,
    "tag": _tag,
    "untag": _untag,
}
