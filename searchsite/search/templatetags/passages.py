"""What templates would take long to say of each passage: some thirty stand on a page of results, which is made at every
pause in typing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from django import template
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext

from searchsite.search import facets
from searchsite.search.marks import Piece
from searchsite.search.retrieve import Found
from searchsite.search.templatetags.places import language_name, place

register = template.Library()


@register.filter
def kind_name(kind: str) -> str:
    """What people call files of that kind, as the facet does: Word for each of Word's formats."""
    return facets.kind_name(facets.GROUP_OF.get(kind, kind))


WHERE = """<div class="where">
  <span>{}{}</span>{}
</div>"""
HOW_NEAR = (
    '<span class="likeness" title="{}"><svg viewBox="0 0 100 10" width="50" height="5" aria-hidden="true">'
    '<rect class="all" width="100" height="10" rx="5"/><rect class="part" width="{}" height="10" rx="5"/></svg> '
    '<span class="unseen">{}</span> {}</span>'
)
TEXT = """
<blockquote class="passage" lang="{}">{}</blockquote>
"""
MORE = """<div class="more">{}
  {}
  <a href="{}similar/?passage={}">{}</a>
  <button type="button" class="copy" data-link="{}?passage={}#passage" data-copied="{}">{}</button></div>"""


@register.simple_tag(takes_context=True)
def passage(context: template.Context, found: Found) -> SafeString:
    """One passage that was found: where it stands, how near it is, what it says. In the context stand what
    search/_results.html has: the `result` that it belongs to, `address`, `question`, `asked`, `page`, and `answer`."""
    own, address, best = found.passage, context["address"], found is context["result"].best
    why = ""
    if context["question"] and context["answer"].query.text:
        href = format_html("{}why/?passage={}&amp;q={}", address, own.pk, context["asked"])
        why = format_html('<a class="why" href="{}">{}</a>', href, gettext("Why this result?"))
    return (
        format_html(WHERE, *_where(context, found, best), _how_near(found, context["question"]))
        + format_html(TEXT, own.language if own.language != "other" else "", passage_text(found.lines))
        + format_html(
            *(MORE, _facts(found) if best else "", why, address, own.pk, gettext("More like this")),
            *(address, own.pk, gettext("Copied"), gettext("Copy link")),
        )
    )


def _where(context: template.Context, found: Found, best: bool) -> tuple[SafeString, SafeString | str]:
    """The collection or, of a further passage, a link to it; with the headings above it, but for its document's title
    where that is the first; and its page."""
    own, document = found.passage, context["result"].document
    path = own.heading_path
    below = " › ".join(path[1:] if path[:1] == [document.shown_title] else path)
    if best:
        headings = format_html(' <span lang="">› {}</span>', below) if below else ""
        where = format_html("{}{}", document.collection.name, headings)
    else:
        asked = format_html("&amp;q={}", context["asked"]) if context["question"] else ""
        page = format_html("&amp;page={}", context["page"]) if context["page"] > 1 else ""
        href = format_html("{}?passage={}{}{}#passage", context["address"], own.pk, asked, page)
        where = format_html('<a href="{}" lang="">{}</a>', href, below or document.shown_title)
    return where, format_html(" · {}", place(own.page, own.revision.kind)) if own.page else ""


def _how_near(found: Found, question: str) -> SafeString | str:
    if not (found.score or found.likeness):
        return ""
    said = said_of_likeness(found, question)
    return format_html(HOW_NEAR, said, found.likeness, gettext("likeness"), cosine(found))


def _facts(found: Found) -> SafeString:
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
    # Joined here: some hundred pieces stand on a page, and format_html takes some microseconds for each.
    return mark_safe("".join(f"<span>{''.join(map(_piece, line))}</span>" for line in lines))  # noqa: S308


def _piece(piece: Piece) -> str:
    text = escape(piece.text)
    text = f"<b>{text}</b>" if piece.keyword else text
    return f"<mark>{text}</mark>" if piece.meaning else text


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
