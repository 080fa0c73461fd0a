"""Whether the encoder fits what the site holds, and who is told when it does not."""

from __future__ import annotations

import json
import sys
from itertools import pairwise

import huggingface_hub
import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from searchsite.documents.models import ChangeCounter, Collection, Document, Passage, Revision
from searchsite.index import backends, fitness, space
from tests.encoder.checkpoints import write_bert

HAN = "一二三四五六七八九十"
BANNER = "does not know"


@pytest.fixture
def holds(public):
    """holds(language, texts) -> a live document with these passages, as the change log tells of it."""

    def _holds(language: str, texts: list[str]) -> Document:
        document = Document.objects.bulk_create([Document(collection=public)])[0]
        revision = Revision.objects.create(document=document, title="T", text="", pipeline="")
        Passage.objects.bulk_create(
            Passage(revision=revision, ordinal=n, start=0, end=0, language=language, text=text)
            for n, text in enumerate(texts)
        )
        Document.objects.filter(pk=document.pk).update(live_revision=revision)
        changed(1)
        document.refresh_from_db()
        return document

    return _holds


@pytest.fixture
def english(monkeypatch) -> list[list[str]]:
    """An encoder that knows no letters but those of English. The list: what it was asked about, call by call."""
    asked: list[list[str]] = []

    def unknown_share(texts):
        asked.append(list(texts))
        letters = [letter for text in texts for letter in text if letter.isalpha()]
        return sum(not letter.isascii() for letter in letters) / len(letters) if letters else 0.0

    monkeypatch.setattr(backends, "unknown_share", unknown_share)
    return asked


def changed(times: int) -> None:
    counter, _made = ChangeCounter.objects.get_or_create(pk=1)
    ChangeCounter.objects.filter(pk=1).update(value=counter.value + times)


def found() -> list[str]:
    return [finding.id for finding in fitness.findings()]


def checked(*argv: str) -> list[str]:
    return [message.id for message in run_checks() if message.id.startswith("index.")]


def kept() -> dict:
    return json.loads(fitness._path(backends.fingerprint()).read_text())


def test_a_language_whose_letters_the_encoder_lacks_is_named_with_their_share(holds, english, settings):
    holds("en", ["all letters known"] * 8)
    holds("zh", [HAN + "abcdefghij"] * 8)
    assert found() == []  # nobody has looked yet
    fitness.keep_up()
    [finding] = fitness.findings()
    assert finding.id == fitness.DOES_NOT_FIT
    assert all(part in finding.sentence for part in ("tiny", "Chinese", "50 %"))
    assert "SEARCHSITE_ENCODER" in finding.advice
    assert "e5-small" in finding.advice


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [("zh", HAN, ["W001"]), ("ru", "кошки спят", ["W001"]), ("en", "a cat sleeps", []), ("zh", "a" * 19 + "一", [])],
)
def test_it_fits_where_nearly_all_letters_are_known(holds, english, language, text, expected):
    holds(language, [text] * 5)
    fitness.keep_up()
    assert found() == expected


@pytest.mark.parametrize(
    ("chinese", "others", "expected"), [(2, 0, []), (3, 0, ["W001"]), (3, 197, []), (4, 196, ["W001"])]
)
def test_a_few_passages_are_no_reason_to_warn(holds, english, chinese, others, expected):
    holds("zh", [HAN] * chinese)
    holds("en", ["plain words"] * others)
    fitness.keep_up()
    assert found() == expected


def test_of_many_passages_some_are_looked_at_from_all_parts_and_the_same_ones_again(holds, english):
    holds("en", ["plain words"] * 900)
    for text in ("deleted", "kept"):
        document = holds("en", [text] * 900)
        if text == "deleted":
            Revision.objects.filter(document=document).delete()
    holds("zh", [HAN] * 600)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        span, seen = fitness._sample()
    assert span == 3300
    assert len(queries) <= 4 * fitness.SEEN + 4
    assert sum(len(ids) for ids in seen.values()) > fitness.SEEN * 0.9
    assert len(seen["zh"]) / sum(len(ids) for ids in seen.values()) == pytest.approx(0.25, abs=0.03)
    held = sorted(Passage.objects.values_list("pk", flat=True))
    ids = sorted(seen["en"] + seen["zh"])
    ranks = [held.index(pk) for pk in ids]
    assert max(after - before for before, after in pairwise(ranks)) <= 4 * len(held) / len(ids)
    assert fitness._sample() == (span, seen)
    fitness.keep_up()
    assert sorted(len(texts) for texts in english) == sorted(-(-len(i) // -(-len(i) // 60)) for i in seen.values())
    assert max(len(texts) for texts in english) <= fitness.MEASURED


def test_a_gap_of_deleted_passages_does_not_hide_a_small_part(holds, english):
    """Ids as an import that was repeated many times leaves them: 300 old passages, a wide gap, 300 new ones."""
    holds("zh", [HAN] * 300)
    first = Passage.objects.latest("pk").pk + 1_000
    revision = holds("en", []).live_revision_id
    Passage.objects.bulk_create(
        Passage(pk=first + n, revision_id=revision, ordinal=n, start=0, end=0, text="new") for n in range(300)
    )
    _span, seen = fitness._sample()
    assert min(len(seen["zh"]), len(seen["en"])) > 80


def test_what_is_not_live_is_not_looked_at(holds, english):
    document = holds("zh", [HAN] * 5)
    holds("en", ["plain"] * 5)
    Document.objects.filter(pk=document.pk).update(live_revision=None)
    fitness.keep_up()
    assert kept()["passages"] == {"en": 5}
    assert english == [["plain"] * 5]


def test_where_nothing_changed_one_query_is_all_it_costs(holds, english, django_assert_num_queries):
    holds("en", ["plain"] * 5)
    fitness.keep_up()
    english.clear()
    with django_assert_num_queries(1):
        fitness.keep_up()
    assert english == []


def test_it_is_measured_again_after_a_tenth_has_changed_or_after_an_hour(holds, english):
    holds("en", ["plain"] * 50)
    fitness.keep_up()
    document = holds("zh", [HAN] * 20)  # one change, of a document with many passages
    changed(3)
    fitness.keep_up()
    assert found() == []
    changed(1)
    fitness.keep_up()
    assert found() == ["W001"]
    document.delete()
    fitness.keep_up()
    assert found() == ["W001"]
    path = fitness._path(backends.fingerprint())
    path.write_text(json.dumps(kept() | {"measured": kept()["measured"] - fitness.CHANGED_SECONDS - 1}))
    fitness.keep_up()
    assert found() == []


def test_when_the_passages_are_gone_so_is_the_warning(holds, english):
    documents = [holds("zh", [HAN]) for _n in range(6)]
    fitness.keep_up()
    assert found() == ["W001"]
    for document in documents:
        document.delete()
    fitness.keep_up()
    assert found() == []
    assert kept()["passages"] == {}


def test_a_database_that_was_put_back_is_measured_anew(holds, english):
    holds("zh", [HAN] * 100)
    changed(500)
    fitness.keep_up()
    Collection.objects.all().delete()
    ChangeCounter.objects.update(value=2)
    fitness.keep_up()
    assert found() == []


@pytest.mark.parametrize(
    "damaged",
    [
        *(b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"number": 1}'),
        b'{"number": 1, "measured": 1, "span": 1, "passages": [], "unknown": {}}',
    ],
)
def test_a_damaged_file_is_as_good_as_none(holds, english, damaged):
    holds("zh", [HAN] * 5)
    fitness.keep_up()
    fitness._path(backends.fingerprint()).write_bytes(damaged)
    assert found() == []
    fitness.keep_up()
    assert found() == ["W001"]


def test_a_folder_that_cannot_be_written_stops_nobody(holds, english, settings, tmp_path):
    holds("zh", [HAN] * 5)
    (tmp_path / "file").write_text("")
    settings.INDEX_DIR = tmp_path / "file" / "index"
    fitness.keep_up()
    assert found() == []
    assert english  # it was measured, and could not be kept


def test_what_was_found_of_another_encoder_is_not_shown(holds, settings, tmp_path):
    """Here the tokenizer is a real one: a vocabulary of two dozen English words and six Chinese characters."""
    write_bert(tmp_path / "models" / "small")
    settings.SEARCHSITE_MODELS_DIR = tmp_path / "models"
    holds("zh", ["你好世界！"] * 3 + ["高血压患者" * 4] * 3)
    settings.SEARCHSITE_ENCODER = "small"
    backends.forget()
    fitness.keep_up()
    [finding] = fitness.findings()
    assert "small" in finding.sentence
    assert f"{round(100 * 20 * 3 / (20 * 3 + 4 * 3))} %" in finding.sentence
    settings.SEARCHSITE_ENCODER = "tiny"
    backends.forget()
    assert found() == []
    fitness.keep_up()
    assert found() == []
    settings.SEARCHSITE_ENCODER = "small"
    backends.forget()
    assert found() == ["W001"]


@pytest.mark.parametrize("name", ["e5-small", "minilm", "owner/name", "hub:owner/name", "not-there"])
def test_no_encoder_is_fetched_or_unpacked_to_find_out(holds, settings, tmp_path, monkeypatch, name):
    fetched = []
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *a, **k: fetched.append(a))
    holds("zh", [HAN] * 5)
    settings.SEARCHSITE_ENCODER = name
    settings.SEARCHSITE_MODELS_DIR = tmp_path / "models"
    backends.forget()
    fitness.keep_up()
    assert found() == []
    assert not fetched
    assert not (tmp_path / "models").exists()


def test_languages_that_do_not_meet_are_told_when_the_encoder_was_asked(holds, settings, monkeypatch):
    monkeypatch.setattr(backends, "unknown_share", lambda texts: 0.0)
    holds("en", ["plain"] * 5)
    holds("zh", [HAN] * 5)
    fitness.keep_up()
    assert found() == []
    assert not backends.is_loaded()
    assert space.current().bonus == 0
    assert found() == ["W002"]
    [path] = settings.INDEX_DIR.glob("space-*")
    path.write_bytes(b"damaged")
    assert found() == []


@pytest.mark.parametrize(("english_passages", "chinese_passages"), [(40, 4), (4, 40), (0, 40), (40, 0)])
def test_one_language_and_a_little_of_the_other_need_not_meet(holds, english_passages, chinese_passages):
    holds("en", ["plain"] * english_passages)
    holds("zh", [HAN] * chinese_passages)
    space.current()
    fitness.keep_up()
    assert kept()["unknown"]
    assert found() == []


def test_a_language_that_it_does_not_know_is_told_once(holds, english):
    holds("en", ["plain"] * 5)
    holds("zh", [HAN] * 5)
    space.current()
    fitness.keep_up()
    assert found() == ["W001"]


def test_the_check_measures_when_it_is_asked_for_and_at_no_other_time(holds, english, monkeypatch):
    holds("zh", [HAN] * 5)
    monkeypatch.setattr(sys, "argv", ["manage.py", "migrate"])
    with CaptureQueriesContext(connection) as queries:
        assert checked() == []
    assert not [query for query in queries if "passage" in query["sql"]]
    monkeypatch.setattr(sys, "argv", ["manage.py", "check"])
    assert checked() == ["index.W001"]
    monkeypatch.setattr(sys, "argv", ["manage.py", "up"])
    assert checked() == ["index.W001"]


def test_the_check_says_what_is_wrong_and_what_to_do(holds, english, monkeypatch, capsys):
    holds("zh", [HAN] * 5)
    monkeypatch.setattr(sys, "argv", ["manage.py", "check"])
    call_command("check")
    said = capsys.readouterr().err
    assert all(part in said for part in ("index.W001", "Chinese", "100 %", "Set SEARCHSITE_ENCODER"))


def test_without_documents_the_check_has_nothing_to_say(db, english, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["manage.py", "check"])
    assert checked() == []
    assert english == []


def test_the_check_passes_where_the_database_does_not_answer(holds, english, monkeypatch):
    holds("zh", [HAN] * 5)
    asked = []

    def broken(*_args):
        asked.append(1)
        raise OperationalError("no such table")

    monkeypatch.setattr(sys, "argv", ["manage.py", "check"])
    with connection.execute_wrapper(broken):
        assert checked() == []
    assert asked


def people() -> dict[str, object]:
    users = get_user_model().objects
    made = {
        "reader": users.create_user("reader"),
        "staff": users.create_user("staff", is_staff=True),
        "keeper": users.create_user("keeper", is_staff=True),
        "administrator": users.create_superuser("administrator"),
    }
    made["keeper"].user_permissions.add(Permission.objects.get(codename="view_build"))
    return made


@pytest.mark.parametrize(
    ("who", "told"), [(None, False), ("reader", False), ("staff", False), ("keeper", True), ("administrator", True)]
)
def test_only_those_who_look_after_the_index_are_told(client, holds, english, who, told):
    document = holds("zh", [HAN] * 5)
    fitness.keep_up()
    if who:
        client.force_login(people()[who])
    for address in ("/", document.get_absolute_url(), "/admin/", "/admin/index/build/", "/not-there"):
        page = client.get(address).content.decode()
        shown = told and not (address == "/admin/index/build/" and who == "staff")
        assert (BANNER in page) == shown, address
        assert page.count('class="encoder-warning" role="status"') == shown, address


def test_that_languages_do_not_meet_is_told_in_the_admin_alone(admin_client, holds, settings):
    holds("en", ["plain"] * 5)
    holds("zh", [HAN] * 5)
    space.current()
    fitness.keep_up()
    assert "will not find answers in the other" in admin_client.get("/admin/").content.decode()
    assert "encoder-warning" not in admin_client.get("/").content.decode()


def test_the_banner_asks_the_database_nothing_but_what_staff_may_do(client, holds, english):
    holds("zh", [HAN] * 5)
    made = people()

    def queries(who: str | None) -> int:
        client.logout()
        if who:
            client.force_login(made[who])
        client.get("/")
        with CaptureQueriesContext(connection) as asked:
            client.get("/")
        return len(asked)

    everybody = [None, "reader", "staff", "keeper", "administrator"]
    before = [queries(who) for who in everybody]
    fitness.keep_up()
    english.clear()
    assert [queries(who) for who in everybody] == before
    _anonymous, reader, staff, keeper, administrator = before
    assert administrator <= reader + 1  # it may see all collections
    assert max(staff, keeper) <= reader + 2
    assert english == []


def test_a_page_measures_nothing(admin_client, holds, english):
    holds("zh", [HAN] * 5)
    assert BANNER not in admin_client.get("/").content.decode()
    assert BANNER not in admin_client.get("/admin/").content.decode()
    assert english == []
