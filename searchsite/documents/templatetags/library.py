"""What templates ask about the library: what the user may do there."""

from __future__ import annotations

from typing import Any

from django import template
from django.template.context import Context

from searchsite.documents.access import editable_collections, editable_documents, visible_collections
from searchsite.documents.models import Document
from searchsite.documents.shown import grouped, spent

register = template.Library()
register.filter("spent", spent)


@register.simple_tag(takes_context=True)
def library_links(context: Context) -> dict[str, bool]:
    """Which links to the library lead somewhere for the user: `library`, `upload`."""
    user: Any = context.get("user")  # an error page may have none
    if user is None:
        return {"library": False, "upload": False}
    uploads = editable_collections(user).exists()
    sees = uploads or user.has_perm("documents.add_collection") or visible_collections(user).exists()
    return {"library": sees, "upload": uploads}


@register.simple_tag(takes_context=True)
def may_edit(context: Context, document: Document) -> bool:
    """Whether the user may change this document."""
    user: Any = context.get("user")
    return user is not None and editable_documents(user).filter(pk=document.pk).exists()


@register.filter
def counted(number: int) -> str:
    """A number as people write it: 2,000."""
    return grouped(number)
