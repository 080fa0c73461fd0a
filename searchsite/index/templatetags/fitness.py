"""The banner that tells administrators when the encoder does not fit what the site holds."""

from __future__ import annotations

from typing import Any

from django import template
from django.template.context import Context

from searchsite.index import fitness

register = template.Library()


@register.inclusion_tag("_encoder_warning.html", takes_context=True)
def encoder_warning(context: Context, *, only_unfit: bool = False) -> dict[str, Any]:
    """What is remembered against the encoder, for those who may look after the index; nothing for anybody else.

    only_unfit: languages that it does not know, and not that languages do not meet.
    """
    user = context.get("user")  # an error page may have none
    if user is None or not user.is_staff or not user.has_perm("index.view_build"):
        return {"findings": []}
    found = fitness.findings()
    return {"findings": [f for f in found if f.id == fitness.DOES_NOT_FIT] if only_unfit else found}
