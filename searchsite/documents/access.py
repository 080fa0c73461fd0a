"""Who may see what: the one definition, used for every result, count, page and file."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Q, QuerySet

from searchsite.documents.models import Collection, Document


def visible_collections(user: AbstractBaseUser | AnonymousUser) -> QuerySet[Collection]:
    """The collections that `user` may read. Superusers read all; nobody else sees a members' collection unasked."""
    collections = Collection.objects.all()
    if not user.is_authenticated or not user.is_active:
        return collections.filter(visibility=Collection.Visibility.PUBLIC)
    if getattr(user, "is_superuser", False):
        return collections
    open_to_all = Q(visibility__in=[Collection.Visibility.PUBLIC, Collection.Visibility.SIGNED_IN])
    # Subqueries, not joins: a join would list a collection once for each of the user's groups.
    as_member = Q(pk__in=Collection.users.through.objects.filter(user_id=user.pk).values("collection_id"))
    in_group = Q(pk__in=Collection.groups.through.objects.filter(group__user=user.pk).values("collection_id"))
    return collections.filter(open_to_all | as_member | in_group)


def visible_documents(user: AbstractBaseUser | AnonymousUser) -> QuerySet[Document]:
    """The documents in those collections, in whatever state they are."""
    return Document.objects.filter(collection__in=visible_collections(user))
