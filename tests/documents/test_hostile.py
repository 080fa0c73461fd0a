"""Files made to harm are read or refused, each in words, within the child's memory and time."""

from __future__ import annotations

import pytest

from searchsite.documents import reading
from searchsite.documents.problems import Problem
from searchsite.documents.revisions import limits
from tests.documents.hostile import FILES

SECONDS = 5  # less than the site allows, so that those that would go on to the limit cost the suite little


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_read_or_refused_in_words(name, settings):
    settings.SEARCHSITE_READ_SECONDS = SECONDS
    make, right = FILES[name]
    try:
        reading.read(make(), name, limits())
        code = said = ""
    except Problem as problem:
        code, said = problem.code, str(problem)
    assert "%(" not in said
    takes_long = {"too_slow"} if right & {"", "too_much_text"} else set()
    assert code in right | takes_long
    assert reading.read(b"a pear", "a.txt", limits()).text == "a pear"
