"""The lexical index follows the database: after changes, deletions, damage, and when the database is put back."""

from __future__ import annotations

import logging
import os
import threading
import time
from pathlib import Path

import pytest
from django.conf import settings
from django.db import transaction

from searchsite.documents.models import Change, ChangeCounter, Collection, Document, Job, Passage
from searchsite.index import build, lexical, lexical_build, lexical_errors, lexical_files, lexical_follow, verify
from searchsite.index.models import ActiveBuild, Vector

pytestmark = pytest.mark.django_db
ANIMALS = ["aardvark", "bonobo", "caracal", "dingo", "echidna"]


def found(word: str, scope: frozenset[int] | None = None) -> list[int]:
    """The ids of the documents that readers find by a word."""
    index = lexical_follow.current()
    assert index is not None
    passages = [pk for pk, _score in index.search(word, 100, scope)]
    return sorted(set(Passage.objects.filter(pk__in=passages).values_list("revision__document", flat=True)))


def folder() -> Path:
    serving = lexical_follow.serving()
    assert serving is not None
    return serving


def a_part(ending: str) -> Path:
    return max(folder().glob(f"*.{ending}"), key=lambda path: path.stat().st_size)


def unknown() -> None:
    """As in a process that has just started."""
    lexical_follow._kept = lexical_follow._view = lexical_follow._refused = None


@pytest.fixture
def zebra(public, add):
    return add(public, "About zebras and quaggas.")


def test_a_saved_document_is_found_by_a_word_and_a_deleted_one_is_not(
    zebra, public, add, django_capture_on_commit_callbacks
):
    other = add(public, "Of okapis this is told, and of zebras.")
    assert found("zebras") == [zebra.pk, other.pk]
    assert found("okapis") == [other.pk]
    with django_capture_on_commit_callbacks(execute=True):
        zebra.delete()
    assert len(lexical.opened(folder()).ids()) == 1
    assert found("zebras") == [other.pk]


def test_what_a_document_said_before_is_not_found(zebra, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        zebra.text = "About okapis."
        zebra.save()
    assert (found("quaggas"), found("okapis")) == ([], [zebra.pk])


def test_a_moved_document_is_found_in_its_new_collection(zebra, public, django_capture_on_commit_callbacks):
    other = Collection.objects.create(name="Other", slug="other")
    with django_capture_on_commit_callbacks(execute=True):
        Document.objects.filter(pk=zebra.pk).update(collection=other)
    assert found("zebras", frozenset([public.pk])) == []
    assert found("zebras", frozenset([other.pk])) == [zebra.pk]


def test_a_passage_without_a_vector_is_found(zebra):
    Vector.objects.all().delete()
    lexical_build.make_anew("a test")
    assert found("quaggas") == [zebra.pk]


def test_titles_and_headings_are_found(public, add):
    document = add(public, "# Equids\n\n## Striped ones\n\nThey live in herds.", title="Savannah")
    assert [found(word) for word in ("savannah", "striped", "herds")] == [[document.pk]] * 3


def test_many_changes_are_replayed_in_steps(zebra, public, add, monkeypatch, django_capture_on_commit_callbacks):
    monkeypatch.setattr(lexical_follow, "NUMBERS", 2)
    monkeypatch.setattr(lexical_follow, "CHUNK", 1)
    monkeypatch.setattr(lexical_build, "PASSAGES", 1)
    before = folder()
    with monkeypatch.context() as patched:
        patched.setattr(lexical_follow, "keep_up", lambda **_options: None)
        documents = [add(public, f"# One\n\nOf the {name} it is told.\n\n# More\n\nOf {name}food.") for name in ANIMALS]
    assert found("caracal") == []
    lexical_follow.keep_up()
    assert [found(name) for name in ANIMALS] == [[document.pk] for document in documents]
    assert [found(f"{name}food") for name in ANIMALS] == [[document.pk] for document in documents]
    assert folder() == before
    assert lexical.opened(before).number == lexical_follow.change_number() == 6


def test_an_empty_site_has_an_empty_index(db):
    assert lexical_follow.current() is None
    lexical_follow.keep_up()
    assert found("zebras") == []


def test_a_turn_without_changes_writes_nothing_and_asks_little(zebra, django_assert_num_queries):
    before = [(path.name, path.stat().st_mtime_ns) for path in sorted(folder().iterdir())]
    with django_assert_num_queries(2):
        lexical_follow.keep_up()
    assert [(path.name, path.stat().st_mtime_ns) for path in sorted(folder().iterdir())] == before


# --- damage ------------------------------------------------------------------------------------------------


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def change(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 0xFF
    path.write_bytes(content)


DAMAGES = [
    *(("unlink", part) for part in (*lexical_files.PARTS, "json")),
    *(("cut", part) for part in (*lexical_files.PARTS, "json")),
    *(("empty", part) for part in ("term", "json")),
    *(("grow", part) for part in ("idx",)),
    *(("change", part) for part in lexical_files.PARTS),
]


@pytest.mark.parametrize(("what", "part"), DAMAGES)
def test_damage_is_found_out_and_mended(zebra, what, part):
    before = folder()
    path = before / lexical_files.META if part == "json" else a_part(part)
    {"unlink": Path.unlink, "cut": cut, "empty": empty, "grow": grow, "change": change}[what](path)
    unknown()
    if what != "change":  # which takes reading all of it: whoever keeps the index does that
        assert lexical_follow.current() is None
    assert verify.verify() != []
    unknown()
    lexical_follow.keep_up()
    assert folder() != before
    assert found("quaggas") == [zebra.pk]
    assert verify.verify() == []


def test_a_missing_file_of_deletions_is_damage(public, add, django_capture_on_commit_callbacks):
    document = add(public, "\n\n".join(f"# Part {n}\n\nOf animal{n} this is told." for n in range(20)))
    other = add(public, "\n\n".join(f"# Part {n}\n\nOf plant{n} this is told." for n in range(20)))
    lexical_build.make_anew("one segment")
    with django_capture_on_commit_callbacks(execute=True):
        document.delete()
    a_part("del").unlink()
    with pytest.raises(lexical_errors.LexicalError, match=r"\.del"):
        lexical_files.check(folder())
    unknown()
    lexical_follow.keep_up()
    assert found("told") == [other.pk]


def test_readers_of_a_cut_index_leave_it_before_they_read_beyond_its_end(zebra, monkeypatch, caplog):
    monkeypatch.setattr(lexical_follow, "CHECK_SECONDS", 0.0)
    assert found("zebras") == [zebra.pk]
    cut(a_part("store"))
    with caplog.at_level(logging.WARNING):
        assert lexical_follow.current() is None
        assert lexical_follow.current() is None
    assert len([record for record in caplog.records if record.name == lexical_follow.__name__]) == 1
    lexical_follow.keep_up()
    assert found("zebras") == [zebra.pk]


def test_readers_do_without_an_index_at_which_tantivy_panics(zebra, monkeypatch):
    def panicking(_folder):
        raise PanicException("assertion failed: start <= end")

    monkeypatch.setattr(lexical, "opened", panicking)
    unknown()
    assert lexical_follow.current() is None


def test_other_errors_are_not_hidden(zebra, monkeypatch):
    def ended(_folder):
        raise KeyboardInterrupt

    monkeypatch.setattr(lexical, "opened", ended)
    unknown()
    for look in (lexical_follow.current, lexical_follow.keep_up):
        with pytest.raises(KeyboardInterrupt):
            look()


def test_a_folder_of_another_format_is_made_anew(zebra, monkeypatch):
    before = folder()
    monkeypatch.setattr(lexical, "FORMAT", lexical.FORMAT + 1)
    unknown()
    assert lexical_follow.current() is None
    lexical_follow.keep_up()
    assert folder() != before
    assert found("zebras") == [zebra.pk]


@pytest.mark.parametrize("name", ["lexical-nowhere", ""])
def test_a_row_that_names_no_folder_there_is(zebra, name):
    ActiveBuild.objects.update(lexical=name)
    assert lexical_follow.current() is None
    assert verify.verify() != []
    lexical_follow.keep_up()
    assert found("zebras") == [zebra.pk]


def test_a_making_that_fails_leaves_nothing_and_what_serves_goes_on(zebra, public, add, monkeypatch):
    before = folder()
    with monkeypatch.context() as patched:
        patched.setattr(lexical.Writer, "commit", fails_at(1))
        with pytest.raises(OSError, match="full"):
            lexical_build.make_anew("a test")
    assert [path for path in before.parent.glob("lexical-*") if path.is_dir()] == [before]
    assert found("zebras") == [zebra.pk]


class PanicException(BaseException):
    """As tantivy's, which cannot be imported."""


def fails_at(number: int, error: type[BaseException] = OSError):
    commit = lexical.Writer.commit

    def failing(writer, upto):
        if upto >= number:
            raise error("the disk is full")
        commit(writer, upto)

    return failing


@pytest.mark.parametrize("error", [OSError, ValueError, PanicException])
def test_a_write_that_fails_is_not_tried_again_at_once_but_later(zebra, public, add, monkeypatch, caplog, error):
    with monkeypatch.context() as patched:
        patched.setattr(lexical.Writer, "commit", fails_at(2, error))
        okapi = add(public, "Of okapis this is told.")
    assert "disk is full" in caplog.text
    lexical_follow.keep_up()
    assert found("okapis") == []
    monkeypatch.setattr(lexical_follow, "PAUSE_SECONDS", 0.0)
    lexical_follow.keep_up()
    assert found("okapis") == [okapi.pk]


# --- the database's and the index's past --------------------------------------------------------------------


def test_a_commit_that_the_row_announced_but_that_never_came_is_made_good(zebra, public, add, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(lexical.Writer, "commit", fails_at(2))
        okapi = add(public, "Of okapis this is told.")
    assert ActiveBuild.objects.get().lexical_number > lexical.opened(folder()).number
    monkeypatch.setattr(lexical_follow, "PAUSE_SECONDS", 0.0)
    before = folder()
    lexical_follow.keep_up()
    assert (folder(), found("okapis")) == (before, [okapi.pk])


@pytest.mark.parametrize("changes_since", [0, 1, 3])
def test_a_database_put_back_to_an_earlier_state(zebra, public, add, changes_since, monkeypatch):
    """Also where by now it has had as many changes as the index knows, but others."""
    earlier = transaction.savepoint()
    add(public, "Of okapis this is told.")
    assert len(found("okapis")) == 1
    transaction.savepoint_rollback(earlier)
    with monkeypatch.context() as patched:
        patched.setattr(lexical_follow, "keep_up", lambda **_options: None)
        added = [add(public, f"Of the {name} this is told.") for name in ANIMALS[:changes_since]]
    unknown()
    lexical_follow.keep_up()
    assert found("zebras") == [zebra.pk]
    assert found("okapis") == []
    assert [found(name) for name in ANIMALS[:changes_since]] == [[document.pk] for document in added]
    assert len(lexical.opened(folder()).ids()) == Passage.objects.count()
    assert verify.verify() == []


@pytest.mark.parametrize("behind", [False, True])
def test_changes_are_deleted_from_the_log_and_an_index_that_lacks_them_is_made_anew(
    zebra, public, add, monkeypatch, behind
):
    before = folder()
    with monkeypatch.context() as patched:
        if behind:
            patched.setattr(lexical_follow, "keep_up", lambda **_options: None)
        okapi = add(public, "Of okapis this is told.")
    for _ in range(2):
        build.rebuild(Job(), lambda *_progress: None)
    assert not Change.objects.exists()
    assert ActiveBuild.objects.get().changes_deleted == ChangeCounter.objects.get().value
    unknown()
    lexical_follow.keep_up()
    assert (folder() != before) == behind
    assert found("okapis") == [okapi.pk]


def test_an_index_one_change_ahead_of_what_was_deleted_is_not_made_anew(zebra, public, add, monkeypatch):
    before = folder()
    for _ in range(2):
        build.rebuild(Job(), lambda *_progress: None)
    okapi = add(public, "Of okapis this is told.")
    assert Change.objects.count() == 1
    assert (folder(), found("okapis")) == (before, [okapi.pk])


def test_changes_that_are_deleted_while_they_are_replayed_are_missed_by_nobody(zebra, public, add, monkeypatch):
    """The log is emptied between the look at the row and the reading of the log."""
    with monkeypatch.context() as patched:
        patched.setattr(lexical_follow, "keep_up", lambda **_options: None)
        okapi = add(public, "Of okapis this is told.")
    since = lexical_follow.changes.since

    def emptied(number, upto):
        build._delete_changes(upto)
        return since(number, upto)

    monkeypatch.setattr(lexical_follow.changes, "since", emptied)
    unknown()
    lexical_follow.keep_up()
    assert found("okapis") == [okapi.pk]


# --- several at once ----------------------------------------------------------------------------------------


def test_where_another_writes_it_is_left_to_him(zebra, public, add, monkeypatch):
    monkeypatch.setattr("searchsite.tasks.WAIT_SECONDS", 0.0)
    before = folder()
    with lexical.writing(before):
        okapi = add(public, "Of okapis this is told.")
    assert found("okapis") == []
    lexical_follow.keep_up()
    assert (folder(), found("okapis")) == (before, [okapi.pk])


def test_who_replays_into_a_folder_that_serves_no_more_commits_nothing(zebra, public, add, monkeypatch):
    before = folder()
    with monkeypatch.context() as patched:
        patched.setattr(lexical_follow, "keep_up", lambda **_options: None)
        okapi = add(public, "Of okapis this is told.")
    lexical_build.make_anew("by another process")
    with pytest.raises(lexical_errors.LexicalBusy):
        lexical_follow.replay(before)
    assert lexical.opened(before).number == 1
    assert found("okapis") == [okapi.pk]


def test_one_makes_it_anew_at_a_time(zebra):
    before = folder()
    with lexical_build._alone() as note:
        lexical_build._note(note, "3 of 5 documents")
        with pytest.raises(lexical_errors.LexicalBusy):
            lexical_build.make_anew("a test")
        assert "made anew: 3 of 5 documents" in lexical_follow.described()
    assert "made anew" not in lexical_follow.described()
    assert lexical_build.make_anew("too late", instead_of="lexical-another")
    assert folder() == before


def test_a_making_can_be_stopped(zebra):
    before = folder()
    assert not lexical_build.make_anew("a test", stopped=lambda: True)
    assert [path for path in before.parent.glob("lexical-*") if path.is_dir()] == [before]


def test_left_folders_are_swept_but_not_what_is_being_written(zebra):
    left, written = folder().parent / "lexical-leftover", folder().parent / "lexical-atwork"
    for path in (left, written):
        path.mkdir()
    long_ago = time.time() - lexical_build.ASIDE_SECONDS - 60
    for path in (left, folder()):
        os.utime(path, (long_ago, long_ago))
    lexical_build.sweep()
    assert not left.exists()
    assert written.exists()
    assert found("zebras") == [zebra.pk]


def test_readers_in_several_threads_while_it_is_written_and_made_anew(zebra, public, add, monkeypatch):
    monkeypatch.setattr(lexical_follow, "CHECK_SECONDS", 0.0)
    row = [folder()]  # the threads do not see the test's transaction
    passage = Passage.objects.get().pk
    stop, failures, seen = threading.Event(), [], set()

    def read() -> None:
        try:
            while not stop.is_set():
                index = lexical_follow.current()
                assert index is not None
                assert [pk for pk, _score in index.search("quaggas", 5)] == [passage]
                seen.add((index.folder, index.number))
        except BaseException as failure:
            failures.append(failure)
            raise

    threads = [threading.Thread(target=read) for _ in range(4)]
    with monkeypatch.context() as patched:
        patched.setattr(lexical_follow, "serving", lambda: row[0])
        for thread in threads:
            thread.start()
        for name in ANIMALS:
            add(public, f"Of the {name} this is told.")
            lexical_build.make_anew("a test")
            row[0] = settings.INDEX_DIR / ActiveBuild.objects.get().lexical
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures
    assert len(seen) > len(ANIMALS)
