"""Words for where something stands in a document, and in which language it is."""

from __future__ import annotations

from django import template
from django.conf.locale import LANG_INFO
from django.utils.translation import get_language, gettext

register = template.Library()


@register.filter
def place(number: int, kind: str) -> str:
    """ "page 3", or what pages are in a document of that kind: slides, sheets."""
    if kind == "pptx":
        return gettext("slide %(number)s") % {"number": number}
    if kind == "sheet":
        return gettext("sheet %(number)s") % {"number": number}
    return gettext("page %(number)s") % {"number": number}


@register.filter
def language_name(code: str) -> str:
    """The name of a language in the reader's language; for a language that Django does not know, nothing."""
    if code == "zh":
        return gettext("Chinese")
    known = LANG_INFO.get({"no": "nb"}.get(code, code), {})
    if "name" not in known:
        return ""
    return gettext(known["name"]) if get_language() else known["name"]
