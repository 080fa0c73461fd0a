"""Collections and tags in Django's admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from searchsite.documents.models import Collection, Document, Job, Membership, Tag


class DeletingWhole(admin.ModelAdmin):  # type: ignore[type-arg]
    """Deletes a thing with all that belongs to it. Django would list every passage, vector and job on the page that
    asks, and want a permission for each of their models, which nobody has to have."""

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        chosen = list(objs)
        counts = {str(self.opts.verbose_name_plural): len(chosen)}
        lacking: set[str] = set()
        if self.model is Collection:
            documents = Document.objects.filter(collection__in=chosen)
            counts[str(Document._meta.verbose_name_plural)] = documents.count()
            if not request.user.has_perm("documents.delete_document"):
                lacking.add(str(Document._meta.verbose_name))
        return [str(one) for one in chosen], counts, lacking, []


class Members(admin.TabularInline):  # type: ignore[type-arg]
    """Who may read a collection beyond those to whom it is open, and who may change it."""

    model = Membership
    extra = 1
    raw_id_fields = ("user",)


@admin.register(Collection)
class CollectionAdmin(DeletingWhole):
    list_display = ("name", "visibility", "document_count", "created")
    list_filter = ("visibility",)
    search_fields = ("name", "description")
    prepopulated_fields = {"slug": ("name",)}
    inlines = (Members,)
    actions = ("rebuild_index",)

    @admin.display(description=_("documents"))
    def document_count(self, collection: Collection) -> SafeString:
        address = reverse("admin:documents_document_changelist")
        count = Document.objects.filter(collection=collection).count()
        return format_html('<a href="{}?collection__id__exact={}">{}</a>', address, collection.pk, count)

    @admin.action(description=_("Rebuild the search index"), permissions=["change"])
    def rebuild_index(self, request: HttpRequest, _collections: QuerySet[Collection]) -> None:
        Job.queue(Job.Kind.REBUILD)
        self.message_user(request, _("The search index is being rebuilt; the old one serves until then."))


@admin.register(Tag)
class TagAdmin(DeletingWhole):
    """To rename or delete tags; they are made by putting them on documents."""

    list_display = ("name", "document_count")
    search_fields = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tag]:
        tags: QuerySet[Tag] = super().get_queryset(request)
        return tags.annotate(documents_with_it=Count("documents"))

    @admin.display(description=_("documents"), ordering="documents_with_it")
    def document_count(self, tag: Tag) -> SafeString:
        address = reverse("admin:documents_document_changelist")
        count = getattr(tag, "documents_with_it", 0)
        return format_html('<a href="{}?tags__id__exact={}">{}</a>', address, tag.pk, count)
