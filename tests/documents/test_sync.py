"""`documents import --sync`: what is added, changed, renamed and gone; and that nothing is encoded that was before."""

from __future__ import annotations

import fcntl
import io
import json
import os
import zipfile

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command

from searchsite.documents import importing
from searchsite.documents.extract import ocr
from searchsite.documents.models import Collection, Document, Job, State
from searchsite.documents.sources import roots
from searchsite.index import backends, space
from searchsite.search.retrieve import search

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(django_capture_on_commit_callbacks):
    def _run(*arguments: object) -> tuple[str, str]:
        out, err = io.StringIO(), io.StringIO()
        with django_capture_on_commit_callbacks(execute=True):
            call_command("documents", "import", *map(str, arguments), stdout=out, stderr=err)
        return out.getvalue(), err.getvalue()

    return _run


@pytest.fixture
def encoded(monkeypatch) -> list[str]:
    """The texts that were given to the encoder."""
    texts: list[str] = []
    space.current()  # encodes the parallel texts, which are not to be counted
    encoder = backends.get_encoder()
    encode = encoder.encode_passages

    def counting(batch, *rest, **named):
        texts.extend(batch)
        return encode(batch, *rest, **named)

    monkeypatch.setattr(encoder, "encode_passages", counting)
    return texts


@pytest.fixture
def pages(tmp_path):
    folder = tmp_path / "pages"
    (folder / "fruit").mkdir(parents=True)
    (folder / "fruit" / "apples.md").write_text("# Apples\n\nApples keep for months in a cool cellar.")
    (folder / "fruit" / "pears.txt").write_text("pears ripen after they were picked, " * 20)
    (folder / "bread.md").write_text("# Bread\n\nBread is baked in the early morning.")
    return folder


def titles(user, question: str) -> list[str]:
    return [result.document.shown_title for result in search(user, question, 1).results]


def test_what_changed_is_updated_what_is_gone_is_removed_and_the_rest_is_left(pages, run, encoded, admin_user):
    out, _err = run(pages, "--collection", "Pages", "--sync")
    assert "3 added, 0 updated, 0 renamed, 0 removed, 0 unchanged, 0 refused" in out
    assert "Apples" in titles(admin_user, "apples in a cellar")
    (pages / "fruit" / "apples.md").unlink()
    (pages / "bread.md").write_text("# Bread\n\nBread is baked at noon.")
    (pages / "new.md").write_text("# Cheese\n\nCheese ripens in caves.")
    jobs, texts = Job.objects.count(), len(encoded)
    out, _err = run(pages, "--collection", "Pages", "--sync")
    assert "1 added, 1 updated, 0 renamed, 1 removed, 1 unchanged, 0 refused" in out
    assert Job.objects.count() - jobs == 2 - 1, "one removed with its document, two queued"
    assert sorted(encoded[texts:]) == sorted(text for text in encoded[texts:] if "noon" in text or "caves" in text)
    assert "Apples" not in titles(admin_user, "apples in a cellar")
    assert "Cheese" in titles(admin_user, "ripens in caves")


def test_a_second_run_encodes_nothing_and_queues_nothing(pages, run, encoded):
    run(pages, "--collection", "Pages", "--sync")
    jobs, texts = Job.objects.count(), len(encoded)
    assert texts
    out, _err = run(pages, "--collection", "Pages", "--sync")
    assert "0 added, 0 updated, 0 renamed, 0 removed, 3 unchanged" in out
    assert (Job.objects.count(), len(encoded)) == (jobs, texts)


@pytest.mark.parametrize(
    ("old", "new", "title"),
    [("fruit/apples.md", "orchard/old apples.md", "Apples"), ("fruit/pears.txt", "fruit/conference.txt", "conference")],
    ids=["titled within", "titled by its name"],
)
def test_a_rename_is_the_same_document_and_no_new_encoding(pages, run, encoded, old, new, title):
    run(pages, "--collection", "Pages", "--sync")
    document = Document.objects.get(source__endswith=old)
    texts = len(encoded)
    (pages / new).parent.mkdir(exist_ok=True)
    (pages / old).rename(pages / new)
    out, _err = run(pages, "--collection", "Pages", "--sync")
    assert "0 added, 0 updated, 1 renamed, 0 removed, 2 unchanged" in out
    assert len(encoded) == texts
    moved = Document.objects.get(source=str(pages / new))
    assert (moved.pk, moved.state, moved.shown_title) == (document.pk, State.READY, title)
    assert moved.live_revision_id == document.live_revision_id
    call_command("index", "rebuild", stdout=io.StringIO())
    of_the_pages = [text for text in encoded[texts:] if "cellar" in text or "ripen" in text or "baked" in text]
    assert of_the_pages == [], "nor does a rebuild, for which titles and pipeline must be as they were encoded"


def test_two_equal_files_swapped_for_two_others_keep_both_documents(pages, run):
    for name in ("a", "b"):
        (pages / f"{name}.md").write_text("# Same\n\nThe same in both.")
    run(pages, "--collection", "Pages", "--sync")
    before = set(Document.objects.filter(name__in=["a.md", "b.md"]).values_list("pk", flat=True))
    for name in ("a", "b"):
        (pages / f"{name}.md").rename(pages / f"{name}{name}.md")
    assert "2 renamed, 0 removed" in run(pages, "--collection", "Pages", "--sync")[0]
    assert set(Document.objects.filter(name__in=["aa.md", "bb.md"]).values_list("pk", flat=True)) == before


def test_an_empty_source_removes_nothing_unless_that_is_said(pages, run):
    run(pages, "--collection", "Pages", "--sync")
    for path in [*pages.rglob("*.md"), *pages.rglob("*.txt")]:
        path.unlink()
    with pytest.raises(CommandError, match=r"holds nothing to import, but 3 documents came from there.*--allow-empty"):
        run(pages, "--collection", "Pages", "--sync")
    assert Document.objects.count() == 3
    out, _err = run(pages, "--collection", "Pages", "--sync", "--allow-empty")
    assert "3 removed" in out
    assert not Document.objects.exists()


def test_a_path_that_is_not_there_removes_nothing(pages, run, tmp_path):
    run(pages, "--collection", "Pages", "--sync")
    pages.rename(tmp_path / "elsewhere")
    with pytest.raises(CommandError, match="There is no"):
        run(pages, "--collection", "Pages", "--sync")
    assert Document.objects.count() == 3


def test_what_cannot_be_looked_into_is_not_taken_for_gone(pages, run, monkeypatch):
    from searchsite.documents.sources import files

    run(pages, "--collection", "Pages", "--sync")
    (pages / "bread.md").unlink()
    listed = files._listed

    def refusing(folder):
        if folder.name == "fruit":
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    monkeypatch.setattr(files, "_listed", refusing)
    (pages / "new.md").write_text("# New\n\nNew.")
    out, err = run(pages, "--collection", "Pages", "--sync")
    assert "1 added, 0 updated, 0 renamed, 0 removed" in out
    assert "fruit (Permission denied): it cannot be looked into. Nothing that came from" in err
    assert Document.objects.count() == 4


def test_sync_touches_only_what_came_from_its_paths(pages, run, tmp_path, add):
    run(pages, "--collection", "Pages")
    collection = Collection.objects.get()
    add(collection, "Typed by hand.")
    table = pages / "table.csv"
    table.write_text("id,body\n1,one of the rows\n2,another of the rows\n")
    run(table, "--collection", "Pages", "--text-column", "body", "--id-column", "id", "--sync")
    other = tmp_path / "pages-2"
    other.mkdir()
    (other / "x.md").write_text("# X\n\nElsewhere.")
    run(other, "--collection", "Pages", "--sync")
    (pages / "bread.md").unlink()
    table.unlink()
    assert "1 removed, 2 unchanged" in run(pages, "--collection", "Pages", "--sync")[0]
    assert Document.objects.filter(collection=collection).count() == 2 + 1 + 2 + 1


def test_a_refused_new_version_keeps_the_one_before(pages, run):
    run(pages, "--collection", "Pages", "--sync")
    (pages / "bread.md").write_text("")
    out, err = run(pages, "--collection", "Pages", "--sync")
    assert "0 removed, 2 unchanged, 1 refused" in out
    assert "bread.md: The file is empty" in err
    assert "baked" in Document.objects.get(name="bread.md").live_revision.text


def test_rows_are_documents_that_follow_their_table(tmp_path, run, encoded):
    table = tmp_path / "faq.csv"
    table.write_text(
        "no,question,answer,by\n7,如何报销?,把发票交给财务。,李\n8,Lost key,# Ask the porter,Ann\n", encoding="gb18030"
    )
    columns = ("--text-column", "answer", "--title-column", "question", "--id-column", "no")
    assert "2 added" in run(table, "--collection", "FAQ", "--sync", *columns)[0]
    chinese, english = Document.objects.order_by("source")
    assert (chinese.shown_title, chinese.live_revision.text.strip()) == ("如何报销?", "把发票交给财务。")
    assert english.live_revision.text.strip() == "# Ask the porter", "a row is plain text, not Markdown"
    texts = len(encoded)
    table.write_text("no,question,answer,by\n8,Lost key,# Ask the porter,Bob\n9,Lost badge,Ask security.,Ann\n")
    out, _err = run(table, "--collection", "FAQ", "--sync", *columns)
    assert "1 added, 0 updated, 0 renamed, 1 removed, 1 unchanged" in out
    assert len(encoded) - texts == 1
    with pytest.raises(CommandError, match="question"):
        run(table, "--collection", "FAQ", "--text-column", "body")


def test_a_row_with_another_id_is_the_same_document(tmp_path, run, encoded):
    table = tmp_path / "x.csv"
    columns = ("--text-column", "body", "--title-column", "title", "--id-column", "id")
    table.write_text("id,title,body\n1,One,first\n2,Two,second\n")
    run(table, "--collection", "X", "--sync", *columns)
    before, texts = set(Document.objects.values_list("pk", flat=True)), len(encoded)
    table.write_text("id,title,body\n11,One,first\n2,Two,second\n")
    assert "1 renamed, 0 removed" in run(table, "--collection", "X", "--sync", *columns)[0]
    assert set(Document.objects.values_list("pk", flat=True)) == before
    assert len(encoded) == texts


def test_a_broken_row_removes_no_document(tmp_path, run):
    lines = ['{"id": 1, "body": "one"}', '{"id": 2, "body": "two"}']
    (tmp_path / "x.jsonl").write_text("\n".join(lines))
    columns = ("--text-column", "body", "--id-column", "id")
    run(tmp_path / "x.jsonl", "--collection", "X", "--sync", *columns)
    (tmp_path / "x.jsonl").write_text(lines[0] + '\n{"id": 2, "bo')
    out, err = run(tmp_path / "x.jsonl", "--collection", "X", "--sync", *columns)
    assert "0 removed, 1 unchanged, 1 refused" in out
    assert "line 2" in err
    assert "--sync removes nothing that came from it" in err
    assert Document.objects.count() == 2


def test_a_beir_folder_is_its_corpus(tmp_path, run):
    rows = [{"_id": f"d{n}", "title": f"Title {n}", "text": f"Text of document {n}."} for n in range(3)]
    (tmp_path / "corpus.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "which?"}')
    assert "3 added" in run(tmp_path, "--collection", "Beir")[0]
    assert set(Document.objects.values_list("title", "text", "state")) == {
        (row["title"], row["text"], State.READY) for row in rows
    }


def test_an_archive_is_synced_like_a_folder(tmp_path, run, encoded):
    pack = tmp_path / "pack.zip"

    def packed(**files: str) -> None:
        with zipfile.ZipFile(pack, "w") as archive:
            for name, text in files.items():
                archive.writestr(f"docs/{name}.md", text)

    packed(a="# A\n\nAlpha.", b="# B\n\nBeta.")
    assert "2 added" in run(pack, "--collection", "Pack", "--sync")[0]
    texts = len(encoded)
    packed(c="# A\n\nAlpha.", d="# D\n\nDelta.")
    out, _err = run(pack, "--collection", "Pack", "--sync")
    assert "1 added, 0 updated, 1 renamed, 1 removed" in out
    assert [text for text in encoded[texts:] if "Alpha" in text] == []
    pack.write_bytes(pack.read_bytes()[:100])
    (tmp_path / "beside.md").write_text("# Beside\n\nBeside it.")
    out, err = run(pack, tmp_path / "beside.md", "--collection", "Pack", "--sync")
    assert "1 added, 0 updated, 0 renamed, 0 removed, 0 unchanged, 1 refused" in out
    assert "The archive is damaged" in err
    assert Document.objects.count() == 3


def test_tags_go_on_what_is_imported(pages, run):
    run(pages, "--collection", "Pages", "--tag", "food, 食品", "--tag", "house")
    assert {tag.name for tag in Document.objects.get(name="bread.md").tags.all()} == {"food", "食品", "house"}


def test_an_import_into_the_same_collection_waits_for_the_one_before(pages, run):
    run(pages, "--collection", "Pages")
    lock = settings.DATA_DIR / "locks" / f"import-{Collection.objects.get().pk}"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(CommandError, match="Another import into Pages is going on"):
            run(pages, "--collection", "Pages", "--sync")


def test_an_import_that_was_killed_is_gone_on_with(pages, run, monkeypatch):
    monkeypatch.setattr(importing, "BATCH", 1)
    stored = []

    def dying(one):
        if len(stored) == 2:
            raise KeyboardInterrupt
        stored.append(one)
        return store(one)

    store = importing._store
    monkeypatch.setattr(importing, "_store", dying)
    with pytest.raises(KeyboardInterrupt):
        run(pages, "--collection", "Pages", "--sync")
    assert Document.objects.count() == 2
    monkeypatch.setattr(importing, "_store", store)
    assert "1 added, 0 updated, 0 renamed, 0 removed, 2 unchanged" in run(pages, "--collection", "Pages", "--sync")[0]


@pytest.mark.parametrize("second", [".", "fruit"], ids=["the same path twice", "a folder within the other"])
def test_what_was_renamed_is_not_removed_by_a_root_that_overlaps(pages, run, second):
    roots = (pages, pages / second)
    run(*roots, "--collection", "Pages", "--sync")
    before = set(Document.objects.values_list("pk", flat=True))
    (pages / "fruit" / "apples.md").rename(pages / "fruit" / "old apples.md")
    assert "1 renamed, 0 removed" in run(*roots, "--collection", "Pages", "--sync")[0]
    assert set(Document.objects.values_list("pk", flat=True)) == before


def test_what_a_folder_leaves_out_and_was_imported_by_name_is_not_gone(pages, run):
    (pages / ".notes").mkdir()
    (pages / ".notes" / "n.md").write_text("# Notes\n\nHidden notes.")
    (pages / "Makefile").write_text("all:\n")
    run(pages / ".notes", pages / "Makefile", "--collection", "Pages", "--sync")
    for _time in range(2):
        assert ", 0 removed" in run(pages, "--collection", "Pages", "--sync")[0]
    assert Document.objects.count() == 5
    (pages / ".notes" / "n.md").unlink()
    assert "1 removed" in run(pages, "--collection", "Pages", "--sync")[0]


def test_pictures_are_not_gone_because_the_ocr_extra_is(pages, run, monkeypatch):
    (pages / "scan.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 100)
    monkeypatch.setattr(ocr, "available", lambda: True)
    assert "4 added" in run(pages, "--collection", "Pages", "--sync")[0]
    monkeypatch.setattr(ocr, "available", lambda: False)
    out, _err = run(pages, "--collection", "Pages", "--sync")
    assert "1 picture left out" in out
    assert "0 removed, 3 unchanged" in out


def test_a_link_that_is_switched_to_another_release_is_the_same_place(tmp_path, run):
    for release in ("r1", "r2"):
        (tmp_path / release).mkdir()
        (tmp_path / release / "a.md").write_text(f"# A\n\nOf {release}.")
        (tmp_path / release / "b.md").write_text("# B\n\nThe same in both.")
    (tmp_path / "r1" / "old.md").write_text("# Old\n\nNot in r2.")
    current = tmp_path / "current"
    current.symlink_to("r1")
    run(current, "--collection", "X", "--sync")
    current.unlink()
    current.symlink_to("r2")
    assert "0 added, 1 updated, 0 renamed, 1 removed, 1 unchanged" in run(current, "--collection", "X", "--sync")[0]


def test_a_file_at_a_long_path_or_below_odd_bytes_is_removed_like_others(tmp_path, run):
    deep = tmp_path / "p" / "/".join(["x" * 120] * 5)
    odd = tmp_path / "p" / os.fsdecode(b"caf\xe9")
    for folder in (deep, odd):
        folder.mkdir(parents=True)
        (folder / "a.md").write_text(f"# A\n\nIn {len(str(folder))}.")
    (tmp_path / "p" / "b.md").write_text("# B\n\nStays.")
    assert "3 added" in run(tmp_path / "p", "--collection", "X", "--sync")[0]
    assert "3 unchanged" in run(tmp_path / "p", "--collection", "X", "--sync")[0]
    for folder in (deep, odd):
        (folder / "a.md").unlink()
    assert "2 removed, 1 unchanged" in run(tmp_path / "p", "--collection", "X", "--sync")[0]


def test_a_row_that_was_replaced_by_a_file_by_hand_is_brought_back_once(tmp_path, run):
    table = tmp_path / "x.csv"
    table.write_text("id,body\n1,hello world\n")
    columns = ("--text-column", "body", "--id-column", "id")
    run(table, "--collection", "X", *columns)
    document = Document.objects.get()
    document.text, document.file = "", ContentFile(b"# Other", name="other.md")
    document.save()
    assert "1 updated" in run(table, "--collection", "X", *columns)[0]
    assert "1 unchanged" in run(table, "--collection", "X", *columns)[0]
    document.refresh_from_db()
    assert (document.text, document.file.name) == ("hello world", "")


def test_an_emptied_archive_is_an_empty_source(tmp_path, run):
    pack = tmp_path / "pack.zip"
    with zipfile.ZipFile(pack, "w") as archive:
        archive.writestr("a.md", "# A\n\nAlpha.")
    run(pack, "--collection", "X", "--sync")
    with zipfile.ZipFile(pack, "w"):
        pass
    with pytest.raises(CommandError, match="--allow-empty"):
        run(pack, "--collection", "X", "--sync")
    assert "1 removed" in run(pack, "--collection", "X", "--sync", "--allow-empty")[0]


@pytest.mark.parametrize("opened_well", [0, 1], ids=["before", "in between"])
def test_a_place_that_cannot_be_opened_any_more_removes_nothing(pages, tmp_path, run, monkeypatch, opened_well):
    pack = tmp_path / "pack.zip"
    with zipfile.ZipFile(pack, "w") as archive:
        archive.writestr("a.md", "# A\n\nAlpha.")
    run(pages, pack, "--collection", "X", "--sync")
    (pages / "bread.md").unlink()
    (pages / "new.md").write_text("# New\n\nNew.")
    opens = []
    opening = roots._entries

    def failing(path, base):
        opens.append(path)
        if len(opens) > opened_well:
            raise PermissionError(13, "Permission denied")
        return opening(path, base)

    monkeypatch.setattr(roots, "_entries", failing)
    out, err = run(pages, pack, "--collection", "X", "--sync")
    assert "pack.zip: it cannot be opened (Permission denied)." in err
    assert "1 added" in out, "the rest goes on"
    assert Document.objects.filter(name="a.md").exists()


def test_a_rename_and_its_title_are_one_change(pages, run, monkeypatch):
    run(pages, "--collection", "Pages", "--sync")
    (pages / "fruit" / "pears.txt").rename(pages / "fruit" / "plums.txt")

    def dying(_document):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(importing, "renamed", dying)
        with pytest.raises(KeyboardInterrupt):
            run(pages, "--collection", "Pages", "--sync")
    assert "1 renamed" in run(pages, "--collection", "Pages", "--sync")[0]
    assert Document.objects.get(name="plums.txt").shown_title == "plums"
