"""Verification finds each kind of difference, and --repair mends it."""

from __future__ import annotations

import io
import os

import numpy as np
import pytest
from django.core.management import call_command

from searchsite.documents.models import Change, Document, Job, Passage, State
from searchsite.index import build, follow, lexical, lexical_build, lexical_follow, verify
from searchsite.index.models import ActiveBuild, Vector
from searchsite.index.vectors import as_bytes

pytestmark = pytest.mark.django_db


@pytest.fixture
def site(public, add):
    documents = [add(public, f"text number {n}") for n in range(4)]
    build.rebuild(Job(), lambda *_progress: None)
    return documents


def sentences() -> str:
    return " ".join(finding.sentence for finding in verify.verify())


def mend() -> None:
    list(verify.repair(verify.verify()))


def test_a_true_index_has_no_findings(site, public, add):
    add(public, "one more, only in the delta")
    site[0].delete()
    assert verify.verify() == []


def test_a_vector_changed_in_the_database(site):
    vector = Vector.objects.first()
    vector.data = as_bytes(np.eye(1, 64, 5, dtype=np.float32)[0])
    vector.save()
    assert "1 of 4 sampled vectors differ" in sentences()
    mend()
    assert verify.verify() == []


def test_a_row_deleted_behind_the_sites_back(site):
    pk = site[0].pk
    site[0].delete()
    Change.objects.filter(document_id=pk).delete()  # as if the change had never been recorded
    follow.forget()
    assert "1 passages in the index are not findable" in sentences()
    mend()
    assert verify.verify() == []


def test_a_document_lost_from_the_index(site, public, add):
    document = add(public, "not recorded")
    Change.objects.filter(document_id=document.pk).delete()
    assert "1 passages are missing from the index" in sentences()
    mend()
    assert verify.verify() == []


def test_lost_vectors(site, django_capture_on_commit_callbacks):
    Vector.objects.filter(passage__revision__document=site[1]).delete()
    findings = verify.verify()
    assert [finding.documents for finding in findings if finding.documents] == [[site[1].pk]]
    with django_capture_on_commit_callbacks(execute=True):
        mend()
    assert Document.objects.get(pk=site[1].pk).state == State.READY
    assert verify.verify() == []


def test_a_damaged_build(site, settings):
    path = settings.INDEX_DIR / ActiveBuild.objects.get().build.folder / "vectors.f16"
    path.write_bytes(os.urandom(100))
    os.utime(path.parent / "build.json")
    assert "cannot be read" in sentences()
    mend()
    assert verify.verify() == []


def test_the_command(site):
    out = io.StringIO()
    call_command("index", "verify", stdout=out)
    assert "agrees" in out.getvalue()
    Change.objects.all().delete()
    Vector.objects.all().delete()
    with pytest.raises(SystemExit):
        call_command("index", "verify", stdout=out)
    assert "lack vectors" in out.getvalue()


def test_status(site):
    out = io.StringIO()
    call_command("index", "status", stdout=out)
    assert "4 passages" in out.getvalue()
    assert "tiny" in out.getvalue()


def test_a_document_that_waits_for_no_job(site, django_capture_on_commit_callbacks):
    Document.objects.filter(pk=site[2].pk).update(state=State.QUEUED)
    assert [finding.documents for finding in verify.verify()] == [[site[2].pk]]
    with django_capture_on_commit_callbacks(execute=True):
        mend()
    assert verify.verify() == []


# --- the lexical index ---------------------------------------------------------------------------------------


def spoil(documents: list[int], rows: list[lexical.Row]) -> None:
    """Write to the lexical index what the database does not say."""
    folder = lexical_follow.serving()
    with lexical.writing(folder) as writer:
        writer.replace(documents, rows)
        writer.commit(lexical.opened(folder).number)


def test_keywords_of_a_passage_that_is_lost(site):
    spoil([site[0].pk], [])
    assert "1 passages are missing from the lexical index" in sentences()
    mend()
    assert verify.verify() == []


def test_keywords_of_a_passage_that_is_not_live(site):
    spoil([], [lexical.Row(999, 999, 1, "Title", "text", "en")])
    assert "1 passages of the lexical index are not live" in sentences()
    mend()
    assert verify.verify() == []


def test_keywords_of_another_text(site):
    passage = site[2].live_revision.passages.get()
    spoil([site[2].pk], [lexical.Row(passage.pk, site[2].pk, site[2].collection_id, "Title", "else", "en")])
    assert "1 of 4 sampled passages are not found by a word of theirs" in sentences()
    mend()
    assert verify.verify() == []


def test_mending_keywords_makes_no_new_build(site):
    spoil([site[0].pk], [])
    before = ActiveBuild.objects.get().build_id, lexical_follow.serving()
    mend()
    after = ActiveBuild.objects.get().build_id, lexical_follow.serving()
    assert (after[0] == before[0], after[1] == before[1]) == (True, False)


def test_changes_that_the_lexical_index_has_not_been_told_yet_are_no_finding(site, public, add, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(lexical_follow, "keep_up", lambda **_options: None)
        add(public, "one more")
        site[0].delete()
    assert lexical.opened(lexical_follow.serving()).number < lexical_follow.change_number()
    assert verify.verify() == []


@pytest.mark.parametrize("language", ["en", "zh", "de", "vi"])
def test_passages_in_all_sorts_of_scripts_are_found_by_a_word_of_theirs(public, add, language):
    texts = [
        *("Running horses 42", "Những con ngựa đang chạy", "Žluťoučký kůň", "Straße GROẞ", "e\u0301te\u0301"),
        *("数据库的备份", "資料庫", "データベース", "데이터베이스를", "ไทยภาษา", "ﬁne ＦＵＬＬ width"),
        *("v1.29", "os.path.join", "ERR_4012", "…!?"),
    ]
    for text in texts:
        add(public, f"About this: {text}")
        add(public, text)
    Passage.objects.update(language=language)
    lexical_build.make_anew("their language was changed")
    assert not [finding for finding in verify.verify() if finding.keywords]
