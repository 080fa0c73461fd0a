"""That what words give adds up to what ranks, with real encoders; and what marking a page of results takes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from searchsite.demo import stdlib
from searchsite.documents.language import family
from searchsite.index import backends, space, tokens
from searchsite.index.vectors import as_bytes, as_matrix, encoded_text
from searchsite.search import explain, ranking, sentences
from searchsite.search.query import parse

pytestmark = pytest.mark.meaning
HANDBOOK = Path(stdlib.__file__).parent / "handbook"
QUESTIONS = ["What do I do when my laptop is lost?", "笔记本电脑丢了怎么办"]


@pytest.fixture(params=["e5-small", "minilm"])
def encoder(request, settings):
    settings.SEARCHSITE_ENCODER = request.param
    settings.SEARCHSITE_MODELS_DIR = Path(os.environ["SEARCHSITE_TEST_MODELS_DIR"])
    backends.forget()
    return backends.get_encoder()


def pages() -> list[tuple[str, str, str, str]]:
    """(title, encoded text, language, text) of short passages and of one of several windows, in both languages."""
    found = []
    for language in ("en", "zh"):
        texts = [page.read_text(encoding="utf-8") for page in sorted(HANDBOOK.glob(f"{language}-*.md"))[:4]]
        for text in [*(text[:400] for text in texts), "\n\n".join(texts)]:
            found.append((text[:12], encoded_text(text[:12], ["Above"], text), family(text), text))
    return found


def test_shares_add_up_to_the_cosine_of_their_pass_and_to_that_of_the_stored_vector(encoder):
    where = space.current()
    assert any(len(encoder.token_offsets(encoded)) > 2 * encoder.description.max_tokens for _, encoded, *_ in pages())
    for title, encoded, language, text in pages():
        [sequence] = encoder.passage_sequences([encoded])
        stored = as_matrix([as_bytes(encoder.encode_passages([encoded])[0])], encoder.description.dim)
        for question in QUESTIONS:
            asked = ranking.understood(parse(question), where)
            found = explain.shares((len(title), len(encoded) - len(text)), encoded, language, asked.vector, where)
            same_pass = where.place_passages(sequence.pooled[None], [language])[0]
            assert found.total == pytest.approx(float(same_pass[:-1] @ asked.vector[:-1]), abs=1e-5)
            assert sum(found.sums.values()) == pytest.approx(found.total, abs=1e-5)
            kept = where.place_passages(stored, [language])[0]
            assert found.total == pytest.approx(float(kept[:-1] @ asked.vector[:-1]), abs=0.005)
            assert {"special", "title", "heading", "text"} <= found.sums.keys()
            assert ("prefix" in found.sums) == bool(encoder.description.passage_prefix)
            words = sum(word.share for word in found.words) + found.sums["special"] + found.sums.get("prefix", 0.0)
            assert words == pytest.approx(found.total, abs=1e-5)


def test_words_are_shown_whole_and_chinese_in_tokens(encoder):
    encoded = "Notes\nUnbelievably sophisticated.\n语义搜索很好用。"
    asked = ranking.understood(parse("sophisticated"), space.current())
    found = explain.shares((5, 6), encoded, "en", asked.vector, space.current())
    shown = [encoded[word.start : word.end] for word in found.words]
    assert shown[:3] == ["Notes", "Unbelievably", "sophisticated."]
    assert "".join(shown[3:]) == "语义搜索很好用。"
    assert len(shown) > 6


def test_the_sentence_that_answers_is_marked(settings):
    settings.SEARCHSITE_ENCODER = "e5-small"
    settings.SEARCHSITE_MODELS_DIR = Path(os.environ["SEARCHSITE_TEST_MODELS_DIR"])
    backends.forget()
    where = space.current()
    text = (
        "The office is on the third floor. Lunch is served from noon to two. If your notebook is stolen, call the "
        "security desk at once, so that it can be locked. Plants are watered on Fridays. 每周五下午打扫会议室。"
        "发票请在月底之前交给财务。"
    )
    encoded = encoded_text("Office", [], text)
    seen: list[np.ndarray] = []
    backends.get_encoder().encode_passages([encoded], states=lambda _n, states: seen.append(states))
    codes = tokens.codes(np.concatenate(seen), "en", where)
    for question, start in [
        ("笔记本电脑丢了怎么办", "If your"),
        ("my laptop is gone", "If your"),
        ("when do we eat", "Lunch"),
        ("when is the meeting room cleaned", "每周五"),
        ("报销截止到什么时候", "发票"),
    ]:
        asked = ranking.understood(parse(question), where).tokens
        marked = sentences.marks(asked, {1: (encoded, len(encoded) - len(text))}, {1: codes})
        assert text[slice(*marked[1])].startswith(start), (question, marked)
