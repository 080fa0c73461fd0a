"""What templates ask about problems."""

from __future__ import annotations

from typing import Any

from django import template

from searchsite.documents.problems import may_pass

register = template.Library()


@register.filter(name="may_pass")
def stored_may_pass(problem: dict[str, Any] | None) -> bool:
    """Whether trying again may help with a problem as it is stored."""
    return may_pass(problem["code"] if problem else "")
