"""How fast are texts encoded, beside sentence-transformers and beside the model's bare matrix products?

    python benchmarks/encode.py [--checkpoint e5-small|minilm|both] [--texts 256] [--rounds 5] [--threads 2] [--json]

Texts are passages of the Python documentation that comes with every Python, about as long as the site's. Rounds of all
that is compared alternate, and medians are taken, since a shared machine is not as fast at one minute as at the next.

- sentence-transformers: at its defaults (float32, 32 texts a batch), the same checkpoint, texts and threads. It is no
  dependency of the site: where it is missing it is installed, alone, into a folder below the temporary ones.
- the limit: the time that the four matrix products of each layer take with as many tokens, and nothing else, in the
  type in which the encoder computes. The share of it is what the program is answerable for; the ratio to a peer that
  computes in float32 has the processor's own ratio of the two types as its limit, which is printed.

With --json the last line is a JSON object for the (last) checkpoint.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from pydoc_data import topics
from statistics import median
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import encoder
from encoder.batching import Window, batches
from encoder.integer import _Product as Product
from encoder.local import BUDGET, Encoder

PEER = "sentence-transformers==6.2.0"
CHARACTERS = 800  # of a passage
QUESTIONS = 60

Products = list[tuple[Callable[[], object], int]]


@dataclass(frozen=True)
class Figures:
    checkpoint: str
    tokens_per_second: float
    ratio_sentence_transformers: float
    share_of_peak: float
    min_cosine: float
    ratio_of_types: float
    """How much faster the same products are in the encoder's type than in float32."""
    query_milliseconds: float
    ratio_query: float
    computed_in: str
    """The type of the products, and of the limit."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", choices=["e5-small", "minilm", "both"], default="both")
    parser.add_argument("--texts", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--models", type=Path, default=Path("var/models"), help="where checkpoints are made ready")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    names = ["minilm", "e5-small"] if asked.checkpoint == "both" else [asked.checkpoint]
    found = [measure(name, asked) for name in names]
    if asked.json:
        print(json.dumps(asdict(found[-1])))
        return
    print("| checkpoint | tokens/s | x sentence-transformers | share of the limit | least cosine | type's ratio |"
          " query, ms | x sentence-transformers | type |\n" + "| --- " * 9 + "|")  # fmt: skip
    for one in found:
        print(
            f"| {one.checkpoint} | {one.tokens_per_second:,.0f} | {one.ratio_sentence_transformers:.2f} |"
            f" {one.share_of_peak:.0%} | {one.min_cosine:.5f} | {one.ratio_of_types:.2f} |"
            f" {one.query_milliseconds:.1f} | {one.ratio_query:.2f} | {one.computed_in} |"
        )


def measure(name: str, asked: argparse.Namespace) -> Figures:
    loaded = encoder.load(name, asked.models, threads=asked.threads)
    assert isinstance(loaded, Encoder)
    peer = sentence_transformers(loaded)
    texts = passages(loaded, asked.texts)
    lengths = [len(window.ids) for window in windows(loaded, texts)]
    prefix, question_prefix = loaded.description.passage_prefix, loaded.description.query_prefix
    own, other = loaded.encode_passages(texts[:32]), peer.encode([prefix + text for text in texts[:32]])
    kind = kind_of(loaded)
    of_type, of_float32 = products(loaded, lengths, kind), products(loaded, lengths, "float32")
    runs: dict[str, Callable[[], object]] = {
        "own": lambda: loaded.encode_passages(texts),
        "peer": lambda: peer.encode([prefix + text for text in texts]),
        "limit": lambda: multiply(of_type, loaded),
        "limit in float32": lambda: multiply(of_float32, loaded),
    }
    seconds = alternately(runs, asked.rounds)
    questions = [f"How does {topic} work, number {n}?" for n, topic in enumerate(sorted(topics.topics)[:QUESTIONS])]
    short = alternately(
        {
            "own": lambda: [loaded.encode_queries([question]) for question in questions],
            "peer": lambda: [peer.encode([question_prefix + question]) for question in questions],
        },
        asked.rounds,
    )
    lengths_of = np.linalg.norm(other, axis=1, keepdims=True)
    return Figures(
        name,
        round(sum(lengths) / seconds["own"]),
        round(seconds["peer"] / seconds["own"], 2),
        round(seconds["limit"] / seconds["own"], 3),
        round(float((own * other / lengths_of).sum(axis=1).min()), 5),
        round(seconds["limit in float32"] / seconds["limit"], 2),
        round(1000 * short["own"] / len(questions), 2),
        round(short["peer"] / short["own"], 2),
        kind,
    )


def alternately(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each, of rounds in which all take turns, after one that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for round_number in range(rounds + 1):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            if round_number:
                seconds[name].append(time.perf_counter() - began)
    return {name: median(taken) for name, taken in seconds.items()}


def passages(loaded: Encoder, count: int) -> list[str]:
    """So many different passages, each of which goes through the model whole."""
    prose = "\n".join(topics.topics.values())
    step = max(CHARACTERS, len(prose) // (2 * count))
    cut = [prose[start : start + CHARACTERS].strip() for start in range(0, len(prose) - CHARACTERS, step)]
    limit = min(256, loaded.description.max_tokens)
    fitting = [text for text in dict.fromkeys(cut) if sum(len(one.ids) for one in windows(loaded, [text])) <= limit]
    return fitting[:count]


def windows(loaded: Encoder, texts: list[str]) -> list[Window]:
    return loaded._windows([loaded.description.passage_prefix + text for text in texts])


def products(loaded: Encoder, lengths: list[int], kind: str) -> Products:
    """(a product of a layer, times) for all batches, in numbers of this kind, as `kind_of` names it."""
    import torch

    config = loaded.model.config
    hidden, inner = config.hidden_size, config.intermediate_size
    sizes = [sum(lengths[position] for position in batch) for batch in batches(lengths, BUDGET["cpu"])]
    made: Products = []
    for out, of in ((3 * hidden, hidden), (hidden, hidden), (inner, hidden), (hidden, inner)):
        dtype = torch.bfloat16 if kind == "bfloat16" else torch.float32
        weight = torch.randn(out, of, dtype=dtype)
        product = Product(weight.float(), torch.zeros(out), torch.zeros(of)) if kind == "int8" else None
        for size in sizes:
            given = torch.randn(size, of, dtype=dtype)
            if product:
                made.append((partial(product.of, given.clamp(0, 255).to(torch.uint8)), config.num_hidden_layers))
            else:
                made.append((partial(torch.nn.functional.linear, given, weight), config.num_hidden_layers))
    return made


def kind_of(loaded: Encoder) -> str:
    if type(loaded.model.encoder).__name__ == "IntegerLayers":
        return "int8"
    return str(next(loaded.model.get_submodule("encoder").parameters()).dtype).removeprefix("torch.")


def multiply(made: Products, loaded: Encoder) -> None:
    import torch

    def work(one: tuple[Callable[[], object], int]) -> None:
        with torch.inference_mode():
            for _ in range(one[1]):
                one[0]()

    for _ in loaded._streams.each(work, made) if loaded._streams else map(work, made):
        pass


def sentence_transformers(loaded: Encoder) -> Any:
    if importlib.util.find_spec("sentence_transformers") is None:
        folder = Path(tempfile.gettempdir()) / "searchsite-benchmark-peers"
        if not (folder / "sentence_transformers").is_dir():
            print(f"installing {PEER} into {folder}", file=sys.stderr)
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), PEER]
            subprocess.run(pip, check=True)
        sys.path.append(str(folder))
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(loaded.description.folder), device="cpu")


if __name__ == "__main__":
    main()
