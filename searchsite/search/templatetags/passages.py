"""What templates would take long to say of each passage: some thirty stand on a page of results, which is made at every
pause in typing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django import template
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from searchsite.documents.models import Document
from searchsite.search import facets
from searchsite.search.marks import Piece
from searchsite.search.retrieve import Found
from searchsite.search.templatetags.places import language_name

register = template.Library()


@register.filter
def kind_name(kind: str) -> str:
    """What people call files of that kind, as the facet does: Word for each of Word's formats."""
    return facets.kind_name(facets.GROUP_OF.get(kind, kind))


@register.filter
def path_below(found: Found, document: Document) -> str:
    """The headings above a passage, without the title of its document where that is the first."""
    path = found.passage.heading_path
    return " › ".join(path[1:] if path[:1] == [document.shown_title] else path)


@register.filter
def facts(found: Found) -> SafeString:
    """In which language a passage is, of what kind its file, and of when."""
    revision = found.passage.revision
    day = revision.written or timezone.localdate(revision.live_for.updated)
    said = (language_name(found.passage.language), kind_name(revision.kind) if revision.kind else "")
    time = format_html('<time datetime="{}">{}</time>', day.isoformat(), date_format(day, "DATE_FORMAT"))
    spans = format_html_join("", "<span>{}</span>", ((one,) for one in (*said, time) if one))
    return format_html('<span class="facts">{}</span>', spans)


@register.filter
def passage_text(lines: Sequence[Iterable[Piece]]) -> SafeString:
    """The lines of a passage, with its sentence and its keywords marked."""
    joined = ((format_html_join("", "{}", ((_piece(one),) for one in line)),) for line in lines)
    return format_html_join("", "<span>{}</span>", joined)


def _piece(piece: Piece) -> str:
    text = format_html("<b>{}</b>", piece.text) if piece.keyword else piece.text
    return format_html("<mark>{}</mark>", text) if piece.meaning else text


@register.filter
def cosine(found: Found) -> str:
    """To two places, as the page that says why has it."""
    return str(number_format(f"{round(float(found.score), 2) + 0.0:.2f}"))  # -0.004 is 0.00


@register.filter
def said_of_likeness(found: Found, question: str) -> str:
    """What the bar and the number beside a passage are."""
    said = {"likeness": found.likeness, "cosine": cosine(found)}
    if question:
        return (
            gettext("Likeness to your question: %(likeness)s of 100, of its meaning (cosine %(cosine)s) and its words")
            % said
        )
    return gettext("Likeness in meaning: %(likeness)s of 100 (cosine %(cosine)s)") % said
