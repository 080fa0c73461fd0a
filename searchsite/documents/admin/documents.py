"""The documents in Django's admin, with their state, tags and addresses."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import ForeignKey, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from searchsite.documents import addresses, audited, jobs
from searchsite.documents.access import User, editable_collections, visible_collections
from searchsite.documents.admin.collections import DeletingWhole
from searchsite.documents.admin.many import ManyAtOnce
from searchsite.documents.admin.within import StateTabs, VisibleCollections, VisibleTags
from searchsite.documents.forms import DocumentForm, Original
from searchsite.documents.models import Collection, Document, Job
from searchsite.documents.shown import percent_of, state_badge, with_reason

DELETED_AT_ONCE = 500
TWINS = 20  # documents of the same content that are named


@admin.register(Document)
class DocumentAdmin(StateTabs, ManyAtOnce, DeletingWhole):
    form = DocumentForm
    list_display = ("shown_title", "collection", "state_and_reason", "tags_shown", "size_shown", "updated")
    list_filter = (("collection", VisibleCollections), ("tags", VisibleTags))
    list_select_related = ("collection", "live_revision")
    search_fields = ("title", "name", "source", "url", "live_revision__title")
    readonly_fields = (
        "name", "source", "address", "state_shown", "reason_shown", "found_in_it", "same_content",
        "created", "updated", "added_by",
    )  # fmt: skip
    show_full_result_count = False  # the tabs say it
    actions = ("try_again", "move", "tag", "fetch_again", "cancel")
    list_per_page = 50

    def seen(self, user: User) -> Q:
        if getattr(user, "is_superuser", False):
            return Q()  # all; the latest of them are read from an index then
        return Q(collection__in=visible_collections(user))

    def changeable(self, user: User) -> Q:
        return Q(collection__in=editable_collections(user))

    def looked_at(self, row: Any) -> tuple[int | None, Document | None]:
        return row.collection_id, row

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and editable_collections(request.user).exists()

    def formfield_for_foreignkey(self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "collection":
            kwargs["queryset"] = editable_collections(request.user).order_by("name")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Document | None:
        found: Document | None = super().get_object(request, object_id, from_field)
        if found is not None:
            twins = list(found.twins().filter(self.seen(request.user))[:TWINS])
            found.twins_shown = twins  # type: ignore[attr-defined]
            audited.look(request.user, {twin.collection_id for twin in twins}, about="admin: same content")
        return found

    def get_queryset(self, request: HttpRequest) -> QuerySet[Document]:
        latest = Job.objects.filter(document=OuterRef("pk")).order_by("-pk")
        documents: QuerySet[Document] = super().get_queryset(request)
        progress = {f"job_{name}": Subquery(latest.values(name)[:1]) for name in ("done", "total", "step")}
        unneeded = ("text", "live_revision__text", "live_revision__headings", "live_revision__preformatted")
        return documents.defer(*unneeded).annotate(**progress).prefetch_related("tags")

    def get_fields(self, request: HttpRequest, obj: Document | None = None) -> Any:
        fields = super().get_fields(request, obj)
        if obj and not self.has_change_permission(request, obj):  # who only looks sees the file by its name, too
            return ["file_shown" if name == "file" else name for name in fields]
        return fields

    @admin.display(description=_("file"))
    def file_shown(self, document: Document) -> SafeString | str:
        if not document.file:
            return ""
        original = Original(document)
        return format_html('<a href="{}">{}</a>', original.url, original)

    @admin.display(description=_("title"), ordering="title")
    def shown_title(self, document: Document) -> str:
        return document.shown_title

    @admin.display(description=_("state"), ordering="state")
    def state_shown(self, document: Document) -> SafeString:
        done, total, step = (getattr(document, f"job_{name}", None) for name in ("done", "total", "step"))
        return state_badge(document.state, document.get_state_display(), percent_of(done, total), step or "")

    @admin.display(description=_("why it failed"))
    def reason_shown(self, document: Document) -> str:
        return document.reason

    @admin.display(description=_("state"), ordering="state")
    def state_and_reason(self, document: Document) -> SafeString:
        return with_reason(self.state_shown(document), document.reason or self.unread(document))

    @admin.display(description=_("tags"), empty_value="")
    def tags_shown(self, document: Document) -> str:
        return ", ".join(tag.name for tag in document.tags.all())

    @admin.display(description=_("address"))
    def address(self, document: Document) -> str | SafeString:
        """Where it was fetched from, as a link that does not tell the host where it was followed."""
        if not document.url.startswith(("http://", "https://")):
            return document.url
        return format_html('<a href="{}" rel="noopener noreferrer" class="address">{}</a>', document.url, document.url)

    def unread(self, document: Document) -> str:
        """Which pages could not be read; empty when all were."""
        revision = document.live_revision
        if revision is None or not revision.unread:
            return ""
        return gettext("Pages without a text layer, not read: %(pages)s. The OCR extra reads them.") % {
            "pages": revision.unread_pages
        }

    @admin.display(description=_("found in it"))
    def found_in_it(self, document: Document) -> str:
        """Kind, language, author and date, as far as they are known."""
        revision = document.live_revision
        if revision is None:
            return ""
        written = date_format(revision.written) if revision.written else ""
        facts = [revision.kind, revision.language, revision.author, written, self.unread(document)]
        return " · ".join(filter(None, facts))

    @admin.display(description=_("same content"))
    def same_content(self, document: Document) -> SafeString:
        """Links to the other documents with exactly this content that the user sees."""
        links = (
            (reverse("admin:documents_document_change", args=[twin.pk]), twin.name or twin.shown_title, twin.collection)
            for twin in getattr(document, "twins_shown", [])
        )
        return format_html_join(", ", '<a href="{}">{}</a> ({})', links)

    @admin.display(description=_("size"), ordering="size")
    def size_shown(self, document: Document) -> str:
        from django.template.defaultfilters import filesizeformat

        return filesizeformat(document.size)

    @admin.action(description=_("Try again"), permissions=["change"])
    def try_again(self, request: HttpRequest, documents: QuerySet[Document]) -> None:
        chosen = self.changeable_of(request, documents).values("pk")
        count = Document.objects.filter(pk__in=chosen).try_again()
        self.message_user(
            request,
            ngettext("%d document is being read again.", "%d documents are being read again.", count) % count,
        )

    @admin.action(description=_("Fetch again"), permissions=["change"])
    def fetch_again(self, request: HttpRequest, documents: QuerySet[Document]) -> None:
        chosen = list(self.changeable_of(request, documents))
        fetched = [document for document in chosen if document.url]
        for document in fetched:
            addresses.fetch_again(document)
        count, others = len(fetched), len(chosen) - len(fetched)
        said = [ngettext("%d document is being fetched again.", "%d documents are being fetched again.", count) % count]
        if others:
            alone = ngettext("%d has no address and was left alone.", "%d have no address and were left alone.", others)
            said.append(alone % others)
        self.message_user(request, " ".join(said), messages.WARNING if others else messages.SUCCESS)

    @admin.action(description=_("Cancel"), permissions=["change"])
    def cancel(self, request: HttpRequest, documents: QuerySet[Document]) -> None:
        chosen = self.changeable_of(request, documents)
        count = jobs.cancel(Job.objects.filter(document__in=chosen.values("pk")))
        self.message_user(request, ngettext("%d job was cancelled.", "%d jobs were cancelled.", count) % count)

    def save_model(self, request: HttpRequest, obj: Document, form: Any, change: bool) -> None:
        if not change:
            obj.added_by = request.user  # type: ignore[assignment]
        if "file" in form.changed_data:
            obj.name = ""  # the new file's own
        super().save_model(request, obj, form, change)
        if change:
            moved = "collection" in form.changed_data
            before = Collection.objects.filter(pk=form.initial.get("collection")).first() if moved else None
            audited.document_changed(obj, form.changed_data, before)
        else:
            audited.document_added(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Document]) -> None:
        # By their ids: what a search has joined cannot be locked, and thousands at once fill the memory.
        ids = sorted(queryset.order_by().values_list("pk", flat=True))
        with transaction.atomic():
            for first in range(0, len(ids), DELETED_AT_ONCE):
                Document.objects.filter(pk__in=ids[first : first + DELETED_AT_ONCE]).delete()

    class Media:
        js = ("searchsite/live.js",)
