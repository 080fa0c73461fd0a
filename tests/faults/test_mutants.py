"""Damaged files of every kind through the whole way: no worker dies, and no document or job is left half done.

The long form is `python -m tests.faults.mutate`.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from searchsite.documents.extract import READERS, extract
from searchsite.documents.extract.extracted import Limits
from searchsite.documents.models import Document, Job, State
from searchsite.documents.problems import MESSAGES, Problem
from searchsite.documents.uploads import take_in
from tests.faults.mutate import mutants, seeds

COUNT = 150


def test_there_is_a_seed_of_every_kind_and_it_is_read():
    names = [name for name in seeds() if not name.endswith(".png")]  # a picture needs the OCR extra
    kinds = {extract(seeds()[name], name, Limits(10**6, 100, 10**6)).kind for name in names}
    assert kinds | {"image"} == set(READERS)


@pytest.mark.django_db
def test_every_damaged_file_is_read_or_refused(public, django_capture_on_commit_callbacks, caplog):
    caplog.set_level(logging.WARNING, "searchsite.documents.reading")
    taken = 0
    for name, data in mutants(seeds(), COUNT, seed=int(os.environ.get("SEARCHSITE_TEST_SEED", "1"))):
        with django_capture_on_commit_callbacks(execute=True), suppress(Problem):
            take_in(public, SimpleUploadedFile(name, data), None)
            taken += 1
    states = set(Document.objects.values_list("state", flat=True))
    assert states <= {State.READY, State.FAILED}
    assert not Job.objects.open().exists()
    problems = [document.problem["code"] for document in Document.objects.filter(state=State.FAILED)]
    assert set(problems) <= set(MESSAGES)
    assert "reader_died" not in problems, caplog.text
    assert Document.objects.filter(state=State.READY, live_revision__isnull=False).count() + len(problems) == taken
    assert len(problems) < taken  # some are still read
