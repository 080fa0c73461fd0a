"""What the search page accepts."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from searchsite.search.query import MAX_QUESTION
from searchsite.search.retrieve import MAX_PAGES


class SearchForm(forms.Form):
    """A question, a page number and an order. Whatever is wrong is put right, never refused, except for length."""

    q = forms.CharField(
        required=False,
        max_length=MAX_QUESTION,
        error_messages={
            "max_length": _(
                "The question is too long: at most %(limit_value)d characters, please. It has %(show_value)d."
            )
        },
    )
    page = forms.IntegerField(required=False)
    sort = forms.CharField(required=False)

    def clean_page(self) -> int:
        return min(MAX_PAGES, max(1, self.cleaned_data.get("page") or 1))

    def clean(self) -> dict[str, Any]:
        self.cleaned_data.setdefault("page", 1)
        self.cleaned_data["newest_first"] = self.cleaned_data.get("sort") == "date"
        for name in ("page", "sort"):
            self.errors.pop(name, None)
        return self.cleaned_data
