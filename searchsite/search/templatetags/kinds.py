"""Words for what sort of file a document came from."""

from __future__ import annotations

from django import template

from searchsite.search import facets

register = template.Library()


@register.filter
def kind_name(kind: str) -> str:
    """What people call it, as the facet does: Word for each of Word's formats."""
    return facets.kind_name(facets.GROUP_OF.get(kind, kind))
