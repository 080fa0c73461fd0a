"""Who may see what, and who may change it: the one definition, used for every result, count, page, file and form."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import BigIntegerField, F, Q, QuerySet
from django.db.models.functions import Coalesce
from django.db.models.lookups import In

from searchsite.documents.models import Collection, Document, Membership, Role, UploadItem

User = AbstractBaseUser | AnonymousUser


def visible_collections(user: User) -> QuerySet[Collection]:
    """The collections that `user` may read. Superusers read all; nobody else sees a members' collection unasked."""
    collections = Collection.objects.all()
    if not _is_somebody(user):
        closed = settings.SEARCHSITE_REQUIRE_LOGIN
        return collections.none() if closed else collections.filter(visibility=Collection.Visibility.PUBLIC)
    if getattr(user, "is_superuser", False):
        return collections
    open_to_all = Q(visibility__in=[Collection.Visibility.PUBLIC, Collection.Visibility.SIGNED_IN])
    return collections.filter(open_to_all | as_member(user, Role.READER))


def editable_collections(user: User) -> QuerySet[Collection]:
    """Those whose documents `user` may add, change and delete: editors, managers, superusers."""
    return _with_role(user, Role.EDITOR)


def managed_collections(user: User) -> QuerySet[Collection]:
    """Those whose settings and members `user` may change: managers, superusers."""
    return _with_role(user, Role.MANAGER)


def as_member(user: User, role: Role) -> Q:
    """The collections in which `user` has this role or one that may do more, as a person or through a group."""
    # Subqueries, not joins: a join would list a collection once for each of the user's groups.
    able = Membership.objects.filter(role__in=Role.from_rank(role.rank)).values("collection_id")
    return Q(pk__in=able.filter(user=user.pk)) | Q(pk__in=able.filter(group__user=user.pk))


def _is_somebody(user: User) -> bool:
    """Whether it is an account that may sign in. One that is not saved has no id, and "no id" would be looked for: it
    is what a membership of the other kind has."""
    return bool(user.is_authenticated and user.is_active and user.pk is not None)


def _with_role(user: User, role: Role) -> QuerySet[Collection]:
    if not _is_somebody(user):
        return Collection.objects.none()
    if getattr(user, "is_superuser", False):
        return Collection.objects.all()
    return Collection.objects.filter(as_member(user, role))


def visible_documents(user: User) -> QuerySet[Document]:
    """The documents in the visible collections, in whatever state they are."""
    return Document.objects.filter(collection__in=visible_collections(user))


def editable_documents(user: User) -> QuerySet[Document]:
    """The documents that `user` may change and delete."""
    return Document.objects.filter(collection__in=editable_collections(user))


OF_SITE = Q(document=None, item=None)
"""The jobs that are about no document and no archive, such as a rebuild of the index."""


def seen_jobs(user: User) -> Q:
    """The jobs about what is in the visible collections, and those of the whole site."""
    if _is_somebody(user) and getattr(user, "is_superuser", False):
        return Q()
    return OF_SITE | _jobs_about(visible_collections(user))


def steered_jobs(user: Any) -> Q:
    """The jobs that `user` may try again and cancel."""
    about = _jobs_about(editable_collections(user)) if user.has_perm("documents.change_document") else Q(pk__in=[])
    return about | OF_SITE if user.has_perm("index.add_build") else about


def _jobs_about(collections: QuerySet[Collection]) -> Q:
    # Subqueries, which are answered from an index of the collections' documents: a join would read each job's document.
    # In them expressions are looked for, which have no index: SQLite would gather and sort all the jobs of all these
    # documents to show the latest.
    documents = Document.objects.filter(collection__in=collections).order_by().values("pk")
    items = UploadItem.objects.filter(upload__collection__in=collections).order_by().values("pk")
    about, archive = (Coalesce(F(name), 0, output_field=BigIntegerField()) for name in ("document_id", "item_id"))
    return Q(In(about, documents)) | Q(In(archive, items))


def role_in(user: User, collection: Collection) -> Role | None:
    """The highest role that `user` has in a collection: everybody who may see it is a reader at least."""
    if managed_collections(user).filter(pk=collection.pk).exists():
        return Role.MANAGER
    if editable_collections(user).filter(pk=collection.pk).exists():
        return Role.EDITOR
    return Role.READER if visible_collections(user).filter(pk=collection.pk).exists() else None


def seen_as_superuser(user: User) -> QuerySet[Collection]:
    """The members' collections that `user` sees for being a superuser alone: a look into one is written down."""
    if not (_is_somebody(user) and getattr(user, "is_superuser", False)):
        return Collection.objects.none()
    restricted = Collection.objects.filter(visibility=Collection.Visibility.MEMBERS)
    return restricted.exclude(as_member(user, Role.READER))
