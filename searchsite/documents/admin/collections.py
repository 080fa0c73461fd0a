"""Collections and tags in Django's admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Count, ForeignKey, Q, QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from searchsite.documents.access import User, managed_collections, visible_collections, visible_documents
from searchsite.documents.admin.within import WithinRoles
from searchsite.documents.models import Collection, Document, Job, Membership, Role, Tag
from searchsite.documents.shown import grouped, labelled


class DeletingWhole(WithinRoles):
    """Deletes a thing with all that belongs to it. Django would list every passage, vector and job on the page that
    asks, and want a permission for each of their models, which nobody has to have."""

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        chosen = list(objs)
        counts = {str(self.opts.verbose_name_plural): len(chosen)}
        lacking: set[str] = set()
        manager = self.model._default_manager
        rows = objs if isinstance(objs, QuerySet) else manager.filter(pk__in=[one.pk for one in chosen])
        changeable = manager.filter(self.changeable(request.user)).values("pk")
        if rows.exclude(pk__in=changeable).exists():  # not the condition itself: excluding an empty one excludes none
            lacking.add(str(self.opts.verbose_name))
        if self.model is Collection:
            documents = Document.objects.filter(collection__in=chosen)
            counts[str(Document._meta.verbose_name_plural)] = documents.count()
            if not request.user.has_perm("documents.delete_document"):
                lacking.add(str(Document._meta.verbose_name))
        return [str(one) for one in chosen], counts, lacking, []


class MembersFormSet(BaseInlineFormSet):  # type: ignore[type-arg]
    needs_manager = False

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        for field in form.fields.values():  # a table's headings label nothing for who does not see them
            widget: Any = getattr(field.widget, "widget", field.widget)  # where links to other pages are beside it
            widget.attrs.setdefault("aria-label", str(field.label))

    def clean(self) -> None:
        super().clean()
        if not self.needs_manager or any(self.errors):
            return
        given = [form.cleaned_data for form in self.forms if form.cleaned_data and not form.cleaned_data.get("DELETE")]
        if not any(one.get("role") == Role.MANAGER and _can_sign_in(one) for one in given):
            raise forms.ValidationError(_("A collection needs a manager. Make somebody else its manager first."))


def _can_sign_in(member: dict[str, Any]) -> bool:
    """Whether the person, or anybody of the group, can sign in: of a group without people nobody manages anything."""
    person, group = member.get("user"), member.get("group")
    return bool(person.is_active if person else group and group.user_set.filter(is_active=True).exists())


class Members(admin.TabularInline):  # type: ignore[type-arg]
    """Who may read a collection beyond those to whom it is open, and who may change it: for its managers."""

    model = Membership
    formset = MembersFormSet
    extra = 1
    raw_id_fields = ("user",)

    def _manages(self, request: HttpRequest, obj: Any = None) -> bool:
        may_add, may_change = (request.user.has_perm(f"documents.{verb}_collection") for verb in ("add", "change"))
        if obj is None or obj.pk is None:  # one that is being made, or Django asks whether there may be any
            return may_add or may_change
        return may_change and managed_collections(request.user).filter(pk=obj.pk).exists()

    has_view_permission = has_add_permission = has_change_permission = has_delete_permission = _manages

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        formset: Any = super().get_formset(request, obj, **kwargs)
        formset.needs_manager = obj is not None and not getattr(request.user, "is_superuser", False)
        return formset

    def formfield_for_foreignkey(self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any) -> Any:
        """Whoever may not look at all accounts or groups chooses among those of the collections he manages."""
        model = db_field.related_model
        if db_field.name in ("user", "group") and not self._sees_all(request, model):
            kwargs |= {"queryset": _known(request.user, db_field.name), "widget": forms.Select()}
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def _sees_all(self, request: HttpRequest, model: Any) -> bool:
        return self.admin_site.get_model_admin(model).has_view_permission(request)


def _known(user: User, name: str) -> QuerySet[Any]:
    """The people ("user") or groups ("group") of the collections that `user` manages, and his own."""
    members = Membership.objects.filter(collection__in=managed_collections(user), **{f"{name}__isnull": False})
    chosen = Q(pk__in=members.values(name))
    if name == "group":
        return Group.objects.filter(chosen | Q(pk__in=Group.objects.filter(user=user.pk).values("pk"))).order_by("name")
    people = get_user_model()._default_manager
    return people.filter(chosen | Q(pk=user.pk)).order_by("username")


@admin.register(Collection)
class CollectionAdmin(DeletingWhole):
    list_tells = False  # names, and how many documents; nothing of what is in them
    list_display = ("name", "visibility", "document_count", "created")
    list_filter = ("visibility",)
    search_fields = ("name", "description")
    prepopulated_fields = {"slug": ("name",)}
    inlines = (Members,)
    actions = ("rebuild_index",)

    def seen(self, user: User) -> Q:
        return Q(pk__in=visible_collections(user))

    def changeable(self, user: User) -> Q:
        return Q(pk__in=managed_collections(user))

    def looked_at(self, row: Any) -> tuple[int | None, Document | None]:
        return row.pk, None

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        found = super().get_object(request, object_id, from_field)
        if found is not None and request.method == "POST":
            with transaction.atomic():  # within Django's own: two managers who remove each other wait for one another
                list(Collection.objects.filter(pk=found.pk).select_for_update().values_list("pk"))
            found = self.get_queryset(request).filter(pk=found.pk).first()  # it may be gone meanwhile
        return found

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Whoever makes a collection is its manager, or it would be closed to him; a superuser has no need to be."""
        super().save_related(request, form, formsets, change)
        if not change and not getattr(request.user, "is_superuser", False):
            of_maker = {"collection": form.instance, "user": request.user}
            Membership.objects.update_or_create(**of_maker, defaults={"role": Role.MANAGER})

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        # The history is for all who may see the collection, and its members are not: the audit log has them.
        return super().construct_change_message(request, form, [], add)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Collection]) -> None:
        with transaction.atomic():
            for collection in queryset:
                collection.delete()  # which keeps workers from adding to it meanwhile

    @admin.display(description=_("documents"))
    def document_count(self, collection: Collection) -> SafeString:
        address = reverse("admin:documents_document_changelist")
        count = labelled(grouped(Document.objects.filter(collection=collection).count()), gettext("documents"))
        return format_html('<a href="{}?collection__id__exact={}">{}</a>', address, collection.pk, count)

    def has_rebuild_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("index.add_build")

    @admin.action(description=_("Rebuild the search index"), permissions=["rebuild"])
    def rebuild_index(self, request: HttpRequest, _collections: QuerySet[Collection]) -> None:
        Job.queue(Job.Kind.REBUILD)
        self.message_user(request, _("The search index is being rebuilt; the old one serves until then."))


@admin.register(Tag)
class TagAdmin(DeletingWhole):
    """To rename or delete tags, which is for superusers: a tag belongs to no collection. They are made by putting them
    on documents; others see those of the documents that they see."""

    list_display = ("name", "document_count")
    search_fields = ("name",)

    def seen(self, user: User) -> Q:
        if getattr(user, "is_superuser", False):
            return Q()
        return Q(pk__in=Tag.objects.filter(documents__in=visible_documents(user)).values("pk"))

    def changeable(self, user: User) -> Q:
        return Q() if getattr(user, "is_superuser", False) else Q(pk__in=[])

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and getattr(request.user, "is_superuser", False)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and getattr(request.user, "is_superuser", False)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and getattr(request.user, "is_superuser", False)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tag]:
        tags: QuerySet[Tag] = super().get_queryset(request)
        visible = Q(documents__collection__in=visible_collections(request.user))
        return tags.annotate(documents_with_it=Count("documents", filter=visible))

    @admin.display(description=_("documents"), ordering="documents_with_it")
    def document_count(self, tag: Tag) -> SafeString:
        address = reverse("admin:documents_document_changelist")
        count = labelled(grouped(getattr(tag, "documents_with_it", 0)), gettext("documents"))
        return format_html('<a href="{}?tags__id__exact={}">{}</a>', address, tag.pk, count)
