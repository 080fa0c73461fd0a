"""By what the rows of a list in Django's admin may be chosen."""

from __future__ import annotations

from django.contrib import admin
from django.core.exceptions import FieldDoesNotExist
from django.http import HttpRequest


class ByTheirOwn(admin.ModelAdmin):  # type: ignore[type-arg]
    """Rows are chosen by what they are, not by other rows that may be hidden: those of the filters alone.

    Django's admin finds a user by the collection that he is a member of, or the document that he has added.
    """

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        try:
            field = self.opts.get_field(first := lookup.partition("__")[0])
        except FieldDoesNotExist:
            return super().lookup_allowed(lookup, value, request)
        filters = {one[0] if isinstance(one, tuple) else one for one in self.list_filter}
        return (not field.is_relation or first in filters) and super().lookup_allowed(lookup, value, request)
