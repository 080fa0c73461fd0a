"""What each way of pooling makes of the same texts, in one forward pass, and how well each tells these texts apart.

Vectors are compared by their plain cosine: nothing is taken out for languages, and no keywords are looked at, since
this is about the encoder and not about a site's ranking. Imports torch and transformers: import it only to compare.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from encoder import pooling
from encoder.batching import Window, batches
from encoder.description import Description, EncoderError
from encoder.loading import checkpoint
from encoder.local import BUDGET, CHECKED, STEP, Dtype, Encoder
from encoder.precision import compute_in, computes_in_bfloat16
from encoder.tokenizing import clean

Matrix = NDArray[np.float32]
Floats = NDArray[np.float64]
Ids = NDArray[np.int64]
Vectors = dict[str, Matrix]  # by pooling
Progress = Callable[[int, int], None]  # (tokens done, tokens in all)

POOLINGS = ("mean", "cls", "tanh", "max", "last2")
_FROM_FIRST = ("cls", "tanh")  # poolings of the first token, and so of a text's first window

# Five poolings of so many passages, in float32 and with 384 dimensions, are 154 MB: beside the model and a site, more
# would not fit into a small machine's memory.
MOST_PASSAGES, AT_DIM = 20_000, 384

# bfloat16 is used only where every pooling comes out the same as in float32, to this cosine.
_LEAST_COSINE = 0.999

DEPTH = 10  # documents that are looked at for a query
PAIRS = 5_000
SEED = 7  # of random pairs: the same texts give the same figures
SATURATED = 0.9
BINS = 20
TOGETHER = 64  # queries: their cosines with 20,000 passages are 5 MB


@dataclass(frozen=True, eq=False)
class Pooled:
    """Vectors (n, dim) float32 of length 1 by pooling, in the order of POOLINGS and of the texts; why a pooling was
    left out; the share of the numbers x of all passages' tanh, before scaling, with |x| > 0.9, or None; and the type
    of numbers that the model computed in, "float32" or "bfloat16"."""

    passages: Vectors
    queries: Vectors
    left_out: dict[str, str]
    saturation: float | None
    dtype: str


@dataclass(frozen=True, eq=False)
class Figures:
    """How well one pooling tells texts apart.

    `ndcg`, `rr` and `recall` (queries,), 0 to 1, are nDCG@10, RR@10 and R@10 of each query. `cosine` and `deviation`
    are the mean and the standard deviation of random pairs of passages; a high mean is called anisotropy (Ethayarajh,
    "How Contextual are Contextualized Word Representations?", EMNLP 2019, https://arxiv.org/abs/1909.00512).
    `histogram` counts these cosines in 20 bins of equal width, from `lowest`, which is the same for all poolings, to 1.
    `first_component` is the share of the passages' variance along its greatest principal component, 0 to 1 (the same
    work's maximum explainable variance): the higher, the less they spread. `saturation` is as in `Pooled`; None but
    for tanh.
    """

    ndcg: Floats
    rr: Floats
    recall: Floats
    cosine: float
    deviation: float
    lowest: float
    histogram: list[int]
    first_component: float
    saturation: float | None


def most_passages(dim: int) -> int:
    """How many passages `compare` takes: 20,000, and fewer of more than 384 dimensions, so that memory is bounded."""
    return min(MOST_PASSAGES, MOST_PASSAGES * AT_DIM // dim)


def compare(
    description: Description, passages: Sequence[str], queries: Sequence[str], progress: Progress, dtype: Dtype = "auto"
) -> Pooled:
    """Encode passages and queries, with their prefixes, once for all poolings; that of the description is not used.

    Texts longer than `max_tokens` go through in windows, as `Encoder` does it: "mean" and "last2" are the mean over
    all tokens, "max" the greatest over all; "cls" and "tanh" are those of the first window alone, since the later ones
    begin in the middle of a sentence. So for such texts, and for these two, `Encoder` gives something else: the mean
    of all windows. `dtype` "auto" is bfloat16 where the processor computes in it and no pooling moves by more than
    0.001 of cosine. Raises EncoderError, also for more than `most_passages`.
    """
    if description.folder is None:
        raise EncoderError(f'The encoder "{description.name}" has no tokens\' states to be pooled: name another.')
    if len(passages) > most_passages(description.dim):
        raise EncoderError(
            f"{len(passages):,} passages are more than the {most_passages(description.dim):,} whose vectors by all "
            "poolings fit into memory: compare with a sample of them."
        )
    encoder, kind, left_out = _loaded(description, dtype)
    prefixed = (description.passage_prefix, passages), (description.query_prefix, queries)
    texts = [encoder.windows_of(*one) for one in prefixed]
    done, total = 0, sum(len(window.ids) for cut, _places in texts for window in cut)

    def report(tokens: int) -> None:
        nonlocal done
        done += tokens
        progress(done, total)

    of_passages, of_queries = (encoder.pooled(cut, places, report) for cut, places in texts)
    tanh = of_passages.get("tanh")
    saturation = float((tanh.abs() > SATURATED).to(torch.float32).mean()) if tanh is not None and len(tanh) else None
    return Pooled(_scaled(of_passages), _scaled(of_queries), left_out, saturation, kind)


class _AllPoolings(Encoder):
    """An encoder that pools each forward pass in every way that its checkpoint has weights for."""

    def windows_of(self, prefix: str, texts: Sequence[str]) -> tuple[list[Window], list[int]]:
        """The windows of the distinct texts, and for each text the number that it has among these."""
        rows: dict[str, int] = {}
        places = [rows.setdefault(prefix + clean(text), len(rows)) for text in texts]
        return self._windows(list(rows)), places

    def pooled(self, cut: list[Window], places: list[int], report: Callable[[int], None]) -> dict[str, Tensor]:
        """Vectors (texts, dim) float32, not scaled, by pooling. `report` is called after each batch with its tokens."""
        texts = max(places, default=-1) + 1
        names = [name for name in POOLINGS if name != "tanh" or self.description.pooling == "tanh"]
        made = {name: torch.zeros(texts, self.description.dim) for name in names}
        made["max"].fill_(-torch.inf)
        tokens = torch.zeros(texts, 1)
        for batch in batches([len(window.ids) for window in cut], BUDGET[self.model.device.type]):
            chosen = [cut[position] for position in batch]
            counts = torch.tensor([[float(len(window.ids))] for window in chosen])
            owners = torch.tensor([window.text for window in chosen])
            tokens.index_add_(0, owners, counts)
            first = torch.tensor([window.start == 0 for window in chosen])
            for name, vectors in self._each(chosen).items():
                if name in _FROM_FIRST:
                    made[name][owners[first]] = vectors[first]
                elif name == "max":
                    made[name].scatter_reduce_(0, owners.unsqueeze(1).expand_as(vectors), vectors, "amax")
                else:
                    made[name].index_add_(0, owners, vectors * counts)
            report(int(counts.sum()))
        for name in ("mean", "last2"):
            made[name] /= tokens
        return {
            name: made.pop(name)[places] for name in names
        }  # one at a time, since there is not memory for all twice

    def _each(self, batch: list[Window]) -> dict[str, Tensor]:
        """The vectors (windows, dim) of a batch by pooling, float32 on the CPU, of one forward pass."""
        width = max(len(window.ids) for window in batch)
        width = min(-(-width // STEP) * STEP, self.description.max_tokens)
        pad = self.model.config.pad_token_id or 0
        ids = torch.tensor([window.ids + [pad] * (width - len(window.ids)) for window in batch])
        lengths = torch.tensor([[len(window.ids)] for window in batch])
        mask = (torch.arange(width) < lengths).to(torch.int64)
        ids, mask = ids.to(self.model.device), mask.to(self.model.device)
        with torch.inference_mode():
            out = self.model(input_ids=ids, attention_mask=mask, output_hidden_states=True)
            states = out.last_hidden_state
            made = {
                "mean": pooling.mean(states, mask),
                "cls": pooling.cls(states, mask),
                "max": pooling.maximum(states, mask),
                "last2": pooling.mean_of_two(states, out.hidden_states[-2], mask),
            }
            if self.description.pooling == "tanh":
                made["tanh"] = pooling.tanh(states, mask, self.model.get_submodule("pooler"))
            return {name: vectors.cpu() for name, vectors in made.items()}


def _loaded(description: Description, dtype: Dtype) -> tuple[_AllPoolings, str, dict[str, str]]:
    """The encoder, with the pooler where the checkpoint has a whole one; what it computes in; why it has no pooler."""
    left_out: dict[str, str] = {}
    try:
        encoder = _in_float32(replace(description, pooling="tanh"))
    except EncoderError as error:
        encoder = _in_float32(replace(description, pooling="mean"))  # raises where it was not the pooler
        left_out["tanh"] = str(error)
    if dtype == "bfloat16":
        compute_in(encoder.model, torch.bfloat16)
        return encoder, dtype, left_out
    if dtype == "auto" and computes_in_bfloat16(encoder.model.device.type):
        exact = _of_checked(encoder)
        compute_in(encoder.model, torch.bfloat16)
        try:
            rounded = _of_checked(encoder)
        except RuntimeError:  # an operation of this model that torch does not do in bfloat16
            rounded = {}
        if rounded and all((exact[name] * rounded[name]).sum(axis=1).min() >= _LEAST_COSINE for name in exact):
            return encoder, "bfloat16", left_out
        encoder = _in_float32(encoder.description)
    return encoder, "float32", left_out


def _in_float32(description: Description) -> _AllPoolings:
    model = checkpoint(description)
    nn.Module.to(model, "cuda" if torch.cuda.is_available() else "cpu")
    return _AllPoolings(description, model)


def _of_checked(encoder: _AllPoolings) -> Vectors:
    return _scaled(encoder.pooled(*encoder.windows_of("", CHECKED), lambda _tokens: None))


def _scaled(made: dict[str, Tensor]) -> Vectors:
    return {name: pooling.normalise(made.pop(name)).numpy() for name in POOLINGS if name in made}


def figures(pooled: Pooled, owners: Sequence[int], judged: Sequence[Mapping[int, int]]) -> dict[str, Figures]:
    """The figures of each pooling, in the order of POOLINGS.

    `owners`: the number of the document that each passage is of, ascending; a document is as near as its best passage.
    `judged`: for each query grades above 0 by document, at least one; documents that no passage is of are never found.
    There must be two passages and one query.
    """
    pairs = random_pairs(len(owners))
    cosines = {name: pair_cosines(vectors, pairs) for name, vectors in pooled.passages.items()}
    lowest = math.floor(10 * min(float(found.min()) for found in cosines.values())) / 10
    return {
        name: Figures(
            *measures(ranked(pooled.queries[name], vectors, owners), judged),
            cosine=float(cosines[name].mean()),
            deviation=float(cosines[name].std()),
            lowest=lowest,
            histogram=np.histogram(cosines[name], bins=BINS, range=(lowest, 1.0))[0].tolist(),
            first_component=first_component(vectors),
            saturation=pooled.saturation if name == "tanh" else None,
        )
        for name, vectors in pooled.passages.items()
    }


def ranked(queries: Matrix, passages: Matrix, owners: Sequence[int]) -> Ids:
    """(queries, at most 10) numbers of the nearest documents, the nearest first; of equally near ones the lowest."""
    documents, starts = np.unique(np.asarray(owners, np.int64), return_index=True)
    found = [np.zeros((0, min(DEPTH, len(documents))), np.int64)]
    for first in range(0, len(queries), TOGETHER):
        cosines = queries[first : first + TOGETHER] @ passages.T
        nearest = np.maximum.reduceat(cosines, starts, axis=1)
        found.append(documents[np.argsort(-nearest, axis=1, kind="stable")[:, :DEPTH]])
    return np.concatenate(found)


def measures(found: Ids, judged: Sequence[Mapping[int, int]]) -> tuple[Floats, Floats, Floats]:
    """nDCG@10, RR@10 and R@10 (queries,) of each query, from the documents found and the grades of `figures`.

    As trec_eval has them: a grade is its gain, divided by the binary logarithm of the place plus one.
    """
    discounts = 1 / np.log2(np.arange(2, DEPTH + 2))
    rows = []
    for documents, grades in zip(found.tolist(), judged, strict=True):
        gains = np.array([grades.get(document, 0) for document in documents], np.float64)
        best = np.array(sorted(grades.values(), reverse=True)[:DEPTH], np.float64)
        ndcg = (gains @ discounts[: len(gains)]) / (best @ discounts[: len(best)])
        hits = np.flatnonzero(gains)
        rows.append((ndcg, 1 / (hits[0] + 1) if len(hits) else 0.0, len(hits) / len(grades)))
    ndcgs, rrs, recalls = np.array(rows, np.float64).reshape(-1, 3).T
    return ndcgs, rrs, recalls


def random_pairs(passages: int) -> tuple[Ids, Ids]:
    """5,000 pairs of different ones of so many passages (two at least), each pair as likely; always the same ones."""
    random = np.random.default_rng(SEED)
    one = random.integers(passages, size=PAIRS)
    return one, (one + random.integers(1, passages, size=PAIRS)) % passages


def pair_cosines(vectors: Matrix, pairs: tuple[Ids, Ids]) -> Floats:
    """(pairs,) within -1 and 1, where rounding would take them beyond."""
    one, other = pairs
    cosines = np.einsum("ij,ij->i", vectors[one].astype(np.float64), vectors[other].astype(np.float64))
    clipped: Floats = np.clip(cosines, -1, 1)
    return clipped


def first_component(vectors: Matrix) -> float:
    """The share of the variance of vectors (n, dim) along their greatest principal component; 0 where all are equal."""
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    variances = np.linalg.eigvalsh(centred.T @ centred)
    return float(variances[-1] / variances.sum()) if variances[-1] > 1e-9 else 0.0
