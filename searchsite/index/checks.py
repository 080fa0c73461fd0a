"""System checks of what the index is made with."""

from __future__ import annotations

import sys
from typing import Any

from django.core import checks
from django.db import Error


def check_fitness(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """W001: the encoder does not know the letters of a language that the site holds. W002: it does not see that
    English and Chinese texts say the same, and the site holds both."""
    from searchsite.index import fitness

    # Only `manage.py check` measures: other commands run the checks on their way, some before there are any tables,
    # and `up` would keep the tokenizer's memory for as long as the site runs.
    if sys.argv[1:2] == ["check"]:
        try:
            fitness.keep_up()
        except Error:
            return []
    return [
        checks.Warning(finding.sentence, hint=finding.advice, id=f"index.{finding.id}")
        for finding in fitness.findings()
    ]
