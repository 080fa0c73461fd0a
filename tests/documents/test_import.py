"""`manage.py documents import`."""

from __future__ import annotations

import io
import os

import pytest
from django.core.management import CommandError, call_command

from searchsite.documents.extract import ocr
from searchsite.documents.models import Collection, Document, State

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path):
    papers = tmp_path / "papers"
    (papers / "deep").mkdir(parents=True)
    (papers / "a.md").write_text("# A\n\nApples.")
    (papers / "deep" / "b.txt").write_text("Pears.")
    (papers / "c.exe").write_bytes(b"MZ\x00")
    (papers / ".hidden.md").write_text("secret")
    (papers / "link.md").symlink_to("/etc/hostname")
    return papers


@pytest.fixture
def run(django_capture_on_commit_callbacks):
    def _run(*arguments: str) -> tuple[str, str]:
        out, err = io.StringIO(), io.StringIO()
        with django_capture_on_commit_callbacks(execute=True):
            call_command("documents", "import", *arguments, stdout=out, stderr=err)
        return out.getvalue(), err.getvalue()

    return _run


def test_a_folder_is_imported_once_and_updated_by_content(folder, run):
    out, _err = run(str(folder), "--collection", "Papers")
    assert "2 added, 0 updated, 0 unchanged, 0 refused" in out
    assert set(Document.objects.values_list("source", "state")) == {
        (str(folder / "a.md"), State.READY),
        (str(folder / "deep" / "b.txt"), State.READY),
    }
    assert Collection.objects.get().visibility == Collection.Visibility.MEMBERS, "nobody is shown it unasked"
    (folder / "a.md").write_text("# A\n\nMore apples.")
    out, _err = run(str(folder), "--collection", "papers")
    assert "0 added, 1 updated, 1 unchanged, 0 refused" in out
    assert "More apples" in Document.objects.get(name="a.md").live_revision.text


def test_what_is_refused_gets_its_sentence_and_the_rest_goes_on(folder, run):
    (folder / "empty.md").write_text("")
    out, err = run(str(folder), "--collection", "Papers")
    assert "2 added, 0 updated, 0 unchanged, 1 refused" in out
    assert "empty.md: The file is empty" in err


@pytest.mark.parametrize("what", ["missing", "nothing"])
def test_nothing_to_import_is_said(tmp_path, run, what):
    (tmp_path / "nothing").mkdir()
    with pytest.raises(CommandError, match=r"There is no|Nothing to import"):
        run(str(tmp_path / what), "--collection", "Papers")
    assert not Collection.objects.exists()


def test_files_of_the_same_name_from_different_places_are_different_documents(tmp_path, run):
    for year in ("2023", "2024"):
        (tmp_path / year).mkdir()
        (tmp_path / year / "report.md").write_text(f"Report of {year}.")
    given = [str(tmp_path / year / "report.md") for year in ("2023", "2024")]
    assert "2 added" in run(*given, "--collection", "Reports")[0]
    assert "2 unchanged" in run(*given, "--collection", "Reports")[0]


def test_odd_file_names_are_imported(tmp_path, run):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / os.fsdecode(b"caf\xe9.md")).write_text("Latin-1 in the name.")
    assert "1 added" in run(str(tmp_path / "x"), "--collection", "Odd")[0]
    assert "1 unchanged" in run(str(tmp_path / "x"), "--collection", "Odd")[0]


def test_pictures_in_a_folder_are_left_out_without_the_ocr_extra(folder, run, monkeypatch):
    monkeypatch.setattr(ocr, "available", lambda: False)
    picture = folder / "logo.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    out, _err = run(str(folder), "--collection", "Papers")
    assert "1 picture left out" in out
    assert not Document.objects.filter(name="logo.png").exists()
    run(str(picture), "--collection", "Papers")
    assert Document.objects.get(name="logo.png").state == State.FAILED


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--collection", " "], "Give the collection a name"),
        (["--collection", "x" * 201], "of 1 to 200 characters"),
        (["--collection", "X", "--allow-empty"], "--allow-empty says what --sync may do"),
        (["--collection", "X", "--title-column", "t"], "--text-column"),
        (["--collection", "X", "--text-column", "t"], "none is named"),
    ],
)
def test_what_makes_no_sense_is_said_and_makes_nothing(folder, run, arguments, says):
    with pytest.raises(CommandError, match=says):
        run(str(folder), *arguments)
    assert not Collection.objects.exists()


def test_what_is_left_out_and_made_is_said(folder, run):
    out, _err = run(str(folder), "--collection", "Papers")
    assert "1 file left out, of kinds that are not read." in out
    assert "Made the collection “Papers”: only its members may read it." in out
    assert "done in" not in out, "cron mails whatever is written"


def test_it_fails_when_all_is_refused(tmp_path, run):
    (tmp_path / "empty.md").write_text("")
    with pytest.raises(CommandError, match="all there is was refused"):
        run(str(tmp_path / "empty.md"), "--collection", "Papers")


def test_a_password_in_an_address_is_shown_nowhere(run, folder):
    _out, err = run(str(folder), "http://user:hunter2@example.com/x", "--collection", "Papers")
    assert "http://…@example.com/x: This is no address" in err
    assert "hunter2" not in err
