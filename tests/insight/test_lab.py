"""The encoder lab in the admin: who may use it, what it shows of an encoder, and what it makes of comparisons."""

from __future__ import annotations

import html
import json
import re
import subprocess
from dataclasses import asdict
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from encoder import inspection
from searchsite.documents.models import Collection, Document, Job, State
from searchsite.index import backends
from searchsite.insight import poolings
from searchsite.insight.models import Comparison
from tests.encoder.checkpoints import SPECIAL, VOCABULARY, write_bert

pytestmark = pytest.mark.django_db

LOOK = "/admin/insight/comparison/look/"
LIST = "/admin/insight/comparison/"
COMPARE = "/admin/insight/comparison/compare/"
TITLES, SENTENCES, FOLDER = Comparison.Source.TITLES, Comparison.Source.SENTENCES, Comparison.Source.FOLDER


@pytest.fixture(autouse=True)
def models(settings, tmp_path: Path) -> Path:
    """A folder of models with a small checkpoint, "plain"."""
    settings.SEARCHSITE_MODELS_DIR = tmp_path / "models"
    write_bert(tmp_path / "models" / "plain")
    return tmp_path / "models"


@pytest.fixture
def staff(django_user_model, client):
    """staff(permission...) -> a client signed in as one of the staff who has these alone."""

    def _staff(*permissions: str):
        user = django_user_model.objects.create_user("staff", password="x", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client.force_login(user)
        return client

    return _staff


@pytest.fixture
def in_process(monkeypatch):
    """Looks are made in this process, which has torch loaded, and not in one of their own."""

    def inspect(folder, text, how, frozen):
        found = inspection.inspect(folder, folder.parent, text, how, frozen)
        return json.loads(json.dumps(asdict(found)))

    monkeypatch.setattr(backends, "inspect", inspect)


class Forbidden(HTMLParser):
    """What the site's content security policy would not let through."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs) -> None:
        names = dict(attrs)
        inline = tag == "style" or (tag == "script" and "src" not in names)
        handlers = [name for name in names if name == "style" or name.startswith("on")]
        if inline or handlers:
            self.found.append(self.get_starttag_text() or tag)


def text_of(response) -> str:
    """The page's words, with single spaces; of a page that the policy lets through whole."""
    assert response.status_code == 200
    page = response.content.decode()
    assert Forbidden(page).found == []
    assert "unsafe-inline" not in response["Content-Security-Policy"]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def problem_of(response) -> str:
    page = response.content.decode()
    assert "Traceback" not in page
    found = re.search(r'class="errornote" role="alert">(.*?)</p>', page, re.DOTALL)
    assert found, text_of(response)
    return html.unescape(found[1])


def look(client, encoder: str = "plain", **asked):
    return client.get(LOOK, {"encoder": encoder, "text": "the cat sat", "how": "checkpoint", **asked})


# Who may


@pytest.mark.parametrize("address", [LOOK, LIST])
def test_strangers_are_asked_to_sign_in(client, address):
    response = client.get(address)
    assert response.status_code == 302
    assert response["Location"].startswith("/admin/login/")


def test_staff_without_the_permission_see_nothing_of_the_lab(staff, public):
    client = staff()
    comparison = poolings.queue("plain", TITLES, collection=public)
    assert client.get(LOOK).status_code == 403
    assert client.get(LIST).status_code == 403
    assert client.get(f"{LIST}{comparison.pk}/change/").status_code == 403
    assert client.post(COMPARE, {}).status_code == 403
    assert client.post(f"{LIST}{comparison.pk}/again/").status_code == 403
    assert LOOK not in client.get("/admin/").content.decode()
    assert Comparison.objects.count() == 1


def test_those_who_may_look_may_not_compare_or_delete(staff, public):
    client = staff("view_comparison")
    comparison = poolings.queue("plain", TITLES, collection=public)
    assert LOOK in client.get("/admin/").content.decode()
    assert client.get(LOOK).status_code == 200
    assert "compare-form" not in client.get(LIST).content.decode()
    page = client.get(f"{LIST}{comparison.pk}/change/").content.decode()
    assert "/again/" not in page
    assert "/delete/" not in page
    asked = {"encoder": "plain", "collection": public.pk, "source": "titles"}
    assert client.post(COMPARE, asked).status_code == 403
    assert client.post(f"{LIST}{comparison.pk}/again/").status_code == 403
    assert client.post(f"{LIST}{comparison.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Comparison.objects.count() == 1


def test_those_who_may_delete_do(staff, public):
    client = staff("view_comparison", "delete_comparison")
    comparison = poolings.queue("plain", TITLES, collection=public)
    address = f"{LIST}{comparison.pk}/delete/"
    assert address in client.get(f"{LIST}{comparison.pk}/change/").content.decode()
    client.post(address, {"post": "yes"})
    assert not Comparison.objects.exists()


# Looking inside


def test_the_form_alone_looks_into_nothing(admin_client, monkeypatch):
    monkeypatch.setattr(subprocess, "run", lambda *_args, **_options: pytest.fail("it looked"))
    page = text_of(admin_client.get(LOOK))
    assert "tiny (in use)" in page
    assert "plain" in page


def test_a_checkpoint_is_laid_open(admin_client, models):
    page = text_of(look(admin_client))
    hidden, vocabulary = 32, len(VOCABULARY)
    assert "BertModel" in page
    assert "The text is 5 tokens" in page  # with the two special ones
    assert f"Sequence output [1, 5, {hidden}] Pooled output [1, {hidden}]" in page
    assert "No: it is tanh(W · seq_out[:,0,:] + b)" in page
    assert f"embeddings.word_embeddings.weight [{vocabulary}, {hidden}] {vocabulary * hidden:,} float32 True" in page
    assert f"pooler.dense.weight [{hidden}, {hidden}], from model.safetensors, where its key is" in page
    assert "missing, newly made at random: 0" in page
    assert "layer 1" in page
    assert "in inference mode 0 (exactly equal) False" in page


def test_special_tokens_are_told_apart_in_words_too(admin_client, in_process):
    page = look(admin_client).content.decode()
    chips = re.findall(r'<li( class="special")?><span class="piece">(.*?)</span>(.*?) <span class="id">(\d+)', page)
    assert [(piece, int(number)) for _special, piece, _word, number in chips] == [
        (piece, VOCABULARY.index(piece)) for piece in ("[CLS]", "the", "cat", "sat", "[SEP]")
    ]
    for special, piece, word, _number in chips:
        assert bool(special) == ("(special)" in word) == (piece in SPECIAL)


def test_the_shares_of_the_layers_make_a_whole(admin_client, in_process):
    page = look(admin_client).content.decode()
    shares = [float(share) for share in re.findall(r'class="share">([\d.]+)&nbsp;%', page)]
    assert len(shares) == 4  # embeddings, two layers, pooler
    assert sum(shares) == pytest.approx(100, abs=0.3)


def test_what_is_frozen_requires_no_gradient(admin_client):
    page = text_of(look(admin_client, frozen="embeddings, 0"))
    assert re.search(r"word_embeddings\.weight \S+ \S+ [\d,]+ float32 False", page)
    assert re.search(r"layer\.0\.attention\.self\.query\.weight \S+ \S+ [\d,]+ float32 False", page)
    assert re.search(r"layer\.1\.attention\.self\.query\.weight \S+ \S+ [\d,]+ float32 True", page)


def test_a_configuration_alone_is_said_to_be_random(admin_client, in_process):
    page = text_of(look(admin_client, how="config"))
    assert "No weights were read" in page
    assert "As it was made here, it cannot serve" in page
    assert "newly made at random: nothing that was loaded has it" in page


def test_a_checkpoint_without_a_pooler_lists_what_was_made_up(admin_client, models, in_process):
    write_bert(models / "bare", pooler=False)
    page = text_of(look(admin_client, "bare"))
    assert "missing, newly made at random: 2 pooler.dense.bias pooler.dense.weight" in page
    assert "Here the pooler's weights are random" in page


def test_words_of_a_checkpoint_and_of_the_asker_are_no_markup(admin_client, models, in_process):
    (models / "<b>bold").mkdir()
    response = look(admin_client, "<b>bold", text="<script>alert(1)</script>")
    assert "<b>bold" not in response.content.decode()
    assert "<b>bold" in problem_of(response)
    assert "<script>alert" not in look(admin_client, text="<script>alert(1)</script>").content.decode()


def test_a_text_that_looks_like_an_option_is_a_text(admin_client):
    assert "The text is" in text_of(look(admin_client, text="--how config"))


def test_the_tiny_encoder_has_nothing_to_look_into(admin_client):
    assert "has no files" in problem_of(look(admin_client, "tiny"))


def test_files_that_are_not_here_are_not_fetched_for_a_look(admin_client, settings, models):
    settings.SEARCHSITE_ENCODER = "e5-small"
    assert "encoder prepare" in problem_of(look(admin_client, "e5-small"))
    assert {path.name for path in models.iterdir() if path.is_dir()} == {"plain"}


def test_a_broken_checkpoint_is_a_sentence(admin_client, models):
    weights = models / "plain" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    said = problem_of(look(admin_client))
    assert str(models / "plain") in said
    assert said.endswith(".")


def test_there_is_a_sentence_for_layers_that_are_not_there(admin_client, in_process):
    assert 'nothing called "7"' in problem_of(look(admin_client, frozen="7"))


@pytest.mark.parametrize("name", ["../../etc", "/etc", "..", "../models/plain", "", "hub:owner/name", "."])
def test_names_that_are_no_encoder_here_are_refused(admin_client, monkeypatch, name):
    monkeypatch.setattr(subprocess, "run", lambda *_args, **_options: pytest.fail("it looked"))
    response = look(admin_client, name)
    assert "errorlist" in response.content.decode()
    assert "Sequence output" not in text_of(response)


def test_options_cannot_be_put_in_by_what_is_frozen(admin_client, monkeypatch):
    monkeypatch.setattr(subprocess, "run", lambda *_args, **_options: pytest.fail("it looked"))
    assert "with spaces or commas between them" in text_of(look(admin_client, frozen="all --settings evil"))


def test_two_people_do_not_look_at_once(admin_client):
    with backends._looking:
        assert "Somebody else is looking" in problem_of(look(admin_client))


def test_a_look_that_takes_too_long_is_ended_and_keeps_nobody_waiting(admin_client, monkeypatch):
    monkeypatch.setattr(backends, "LOOK_SECONDS", 0.01)
    for _time in range(2):
        assert "took longer than 0.01 seconds" in problem_of(look(admin_client))


def test_a_look_that_dies_without_a_word_is_a_sentence_and_in_the_log(admin_client, monkeypatch, caplog):
    killed = subprocess.CompletedProcess([], -9, stdout="", stderr="Killed\n")
    monkeypatch.setattr(subprocess, "run", lambda *_args, **_options: killed)
    assert "may need more memory" in problem_of(look(admin_client))
    assert "ended with -9: Killed" in caplog.text


def test_the_encoders_at_hand_go_by_the_names_of_the_settings(settings, models):
    for name in ("multilingual-e5-small", "all-MiniLM-L6-v2", "owner--name", ".importing-x", "tiny"):
        (models / name).mkdir()
    settings.SEARCHSITE_ENCODER = "hub:owner/name"
    (models / "a file").write_text("")
    assert backends.at_hand() == {
        "hub:owner/name": models / "owner--name",
        "minilm": models / "all-MiniLM-L6-v2",
        "e5-small": models / "multilingual-e5-small",
        "plain": models / "plain",
    }


# Comparing


@pytest.fixture
def filled(public, add) -> Collection:
    texts = {"A cat": "the cat sat on the mat", "A dog": "the dog ran in the park", "Car": "a big red car"}
    for title, text in texts.items():
        add(public, text, title=title)
    return public


@pytest.fixture
def hidden(filled) -> Collection:
    """A collection that none but its members may read."""
    return Collection.objects.create(name="Secret plans", slug="secret", visibility=Collection.Visibility.MEMBERS)


def test_a_comparison_is_asked_for_done_and_drawn(staff, filled, django_capture_on_commit_callbacks):
    client = staff("view_comparison", "add_comparison")
    with django_capture_on_commit_callbacks(execute=True):
        response = client.post(COMPARE, {"encoder": "plain", "collection": filled.pk, "source": "titles"}, follow=True)
    comparison = Comparison.objects.get()
    assert (comparison.encoder, comparison.source, comparison.collection) == ("plain", TITLES, filled)
    assert comparison.made_by.username == "staff"
    assert f"{LIST}{comparison.pk}/change/" in response.content.decode()
    page = client.get(f"{LIST}{comparison.pk}/change/")
    said = text_of(page)
    figures = comparison.result["poolings"]
    assert set(figures) == {"mean", "cls", "tanh", "max", "last2"}
    for name, row in figures.items():
        assert f"{100 * row['ndcg']:.1f} {100 * row['low']:.1f} – {100 * row['high']:.1f}" in said, name
    assert comparison.conclusion in said
    assert f"{100 * figures['tanh']['saturation']:.1f}" in said
    assert "Each title asks for the passages of its documents" in said
    charts = re.findall(r"<svg[^>]+ class=\"chart (.*?)\"", page.content.decode())
    assert charts == ["chart-bars", "chart-histograms"]
    assert comparison.conclusion in text_of(client.get(LIST))


def test_what_was_left_out_is_said_with_the_reason(admin_client, filled, models, django_capture_on_commit_callbacks):
    write_bert(models / "bare", pooler=False)
    with django_capture_on_commit_callbacks(execute=True):
        comparison = poolings.queue("bare", TITLES, collection=filled)
    said = text_of(admin_client.get(f"{LIST}{comparison.pk}/change/"))
    assert "Left out: tanh pooler. The checkpoint has no pooler" in said


def test_one_that_failed_says_why_on_its_page_and_in_the_list(admin_client, filled, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        comparison = poolings.queue("tiny", TITLES, collection=filled)
    for address in (f"{LIST}{comparison.pk}/change/", LIST):
        page = admin_client.get(address)
        assert "has no tokens' states to be pooled" in text_of(page)
        assert "state-failed" in page.content.decode()


def test_how_far_one_is_is_shown_and_followed(admin_client, filled):
    first, _second = (poolings.queue("plain", source, collection=filled) for source in (TITLES, SENTENCES))
    Comparison.objects.filter(pk=first.pk).update(started=first.created)
    Job.objects.filter(kind=Job.Kind.COMPARE).update(state=State.RUNNING, step="comparing", done=30, total=120)
    response = admin_client.get(LIST)
    page = response.content.decode()
    assert page.count("state-running") == page.count("state-queued") == 1
    assert "25 %" in text_of(response)
    assert "searchsite/live.js" in page
    own = admin_client.get(f"{LIST}{first.pk}/change/").content.decode()
    live = own[own.index('id="comparison-result" data-live') :]
    assert '<progress max="100" value="25">' in live


def test_the_same_is_compared_again(staff, filled):
    client = staff("view_comparison", "add_comparison")
    before = poolings.queue("plain", SENTENCES, collection=filled, queries=7)
    Comparison.objects.filter(pk=before.pk).update(finished=before.created, problem={"code": "internal", "params": {}})
    response = client.post(f"{LIST}{before.pk}/again/")
    again = Comparison.objects.exclude(pk=before.pk).get()
    assert response["Location"] == f"{LIST}{again.pk}/change/"
    assert (again.encoder, again.source, again.collection, again.options) == (
        "plain", SENTENCES, filled, {"queries": 7},
    )  # fmt: skip
    assert again.finished is None
    assert Job.objects.open().filter(kind=Job.Kind.COMPARE).exists()


def test_collections_that_one_may_not_read_can_neither_be_chosen_nor_seen(staff, hidden):
    client = staff("view_comparison", "add_comparison", "delete_comparison")
    comparison = poolings.queue("plain", TITLES, collection=hidden)
    assert "Secret plans" not in text_of(client.get(LIST))
    page = text_of(client.post(COMPARE, {"encoder": "plain", "collection": hidden.pk, "source": "titles"}))
    assert "Nothing was compared" in page
    assert "Secret plans" not in page
    assert client.get(f"{LIST}{comparison.pk}/change/").status_code == 404
    assert client.post(f"{LIST}{comparison.pk}/again/").status_code == 404
    client.post(f"{LIST}{comparison.pk}/delete/", {"post": "yes"})
    assert Comparison.objects.get() == comparison


@pytest.mark.parametrize(
    "changes", [{"encoder": "../../etc"}, {"source": "folder"}, {"collection": ""}, {"folder": "/etc", "source": "x"}]
)
def test_what_cannot_be_chosen_is_not_compared(admin_client, filled, changes):
    asked = {"encoder": "plain", "collection": filled.pk, "source": "titles", **changes}
    assert "Nothing was compared" in text_of(admin_client.post(COMPARE, asked))
    assert not Comparison.objects.exists()


def test_a_folder_of_queries_is_shown_by_its_name(admin_client):
    comparison = poolings.queue("plain", FOLDER, folder="/somewhere/sets/scifact")
    said = text_of(admin_client.get(LIST))
    assert "scifact" in said
    assert "/somewhere" not in said
    assert "scifact" in text_of(admin_client.get(f"{LIST}{comparison.pk}/change/"))


def test_a_comparison_whose_collection_is_gone_is_still_shown(admin_client, filled):
    comparison = poolings.queue("plain", TITLES, collection=filled)
    Document.objects.all().delete()
    filled.delete()
    assert "a collection that was deleted" in text_of(admin_client.get(f"{LIST}{comparison.pk}/change/"))


@pytest.mark.parametrize("address", ["0/change/", "99999/change/", "x/change/", "99999999999999999999999/change/"])
def test_there_is_no_page_of_what_there_is_not(admin_client, address):
    assert admin_client.get(LIST + address).status_code == 404


@pytest.mark.parametrize("address", [LOOK, LIST])
def test_the_reason_for_the_mean_stands_where_poolings_are_compared(admin_client, address, in_process):
    response = look(admin_client) if address == LOOK else admin_client.get(address)
    said = text_of(response)
    assert "usually no good summary of a text; the mean over all tokens' vectors is better." in said
    assert reverse("admin:insight_comparison_changelist") in response.content.decode()
