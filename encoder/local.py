"""A checkpoint on this machine as an encoder. Imports torch: import it only to encode."""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Encoding
from torch import Tensor, nn

from encoder import pooling
from encoder.arranged import ArrangedLayers, Run, arrange, embedded, spans
from encoder.batching import Window, batches, widths, windows
from encoder.bert import ordinary_bert
from encoder.description import Description, EncoderError
from encoder.integer import IntegerLayers, computes_in_integers, possible
from encoder.precision import compute_in, computes_in_bfloat16
from encoder.samples import MET, TRIED
from encoder.sequence import Label, TokenStates, labels, labels_in_window
from encoder.streams import Streams
from encoder.tokenizing import clean, refuse_other_tokens, special_tokens, token_offsets, tokenizer

Dtype = Literal["auto", "float32", "bfloat16", "int8"]

# Called with the position of a text and the last hidden states of its tokens, (tokens, dim): see `encode_passages`.
TakeStates = Callable[[int, NDArray[np.float32]], None]

# Tokens in a batch. On a CPU the activations of more fall out of its cache: with 8,192 tokens GELU alone takes as
# long as the matrix products of 2,048; with 512, what is not the products takes longer. A GPU needs more to be busy.
BUDGET = {"cpu": 2_048, "cuda": 65_536}
JOINED = 512  # tokens of what is asked at the same moment, which go through the model together

# Batches are padded to multiples of this many tokens, and in bfloat16 each sequence. For each new shape oneDNN makes
# code and keeps it: a worker that had met every width held 1 GB more, and 0.1 GB with these.
STEP = 16

# bfloat16, and the arranged layers, are used only where these come out the same without them, to this cosine.
_LEAST_COSINE = 0.999
CHECKED = [
    "The quick brown fox jumps over the lazy dog.",
    "query: how do vaccines work",
    "语义搜索按意思而不是按字面查找文档。",
    "Die Vögel zogen im Herbst nach Süden; niemand wusste, wohin genau.",
    "In 1969, 3 astronauts travelled 384,400 km to the Moon and back in 8 days.",
]


class Encoder:
    """Texts to vectors with one model, for any number of threads."""

    def __init__(self, description: Description, model: Any) -> None:
        self.description = description
        self.model = model
        self._tokenizer = tokenizer(description)
        self._lead, self._trail = special_tokens(self._tokenizer)
        self._lock = threading.Lock()
        self._streams: Streams | None = None
        if description.max_tokens <= len(self._lead) + len(self._trail):
            raise EncoderError(f"With max_tokens at {description.max_tokens} there is no room for any text.")

    def encode_queries(self, texts: Sequence[str], states: TakeStates | None = None) -> NDArray[np.float32]:
        """Return vectors (n, dim), float32, of length 1, in the order of the texts; (0, dim) for no texts."""
        return self._encode(self.description.query_prefix, texts, None, states)

    def encode_passages(
        self,
        texts: Sequence[str],
        progress: Callable[[int, int], None] | None = None,
        states: TakeStates | None = None,
    ) -> NDArray[np.float32]:
        """As `encode_queries`, with the prefix for passages.

        A text that is longer than the model's `max_tokens` goes through it in windows (the prefix stands in the
        first); their vectors are averaged, weighted by their tokens, which for mean pooling is the mean over all
        tokens of the text. Nothing is cut. The same text given twice is encoded once. `progress` is called after
        each batch with (texts done, texts in all). `states` is called with the sequence output of each distinct text:
        its position, and (tokens, dim) float32, not normalised, without prefix and special tokens; once for each
        window, in order. They are those of the same pass that makes the vector, and cost nothing more.
        """
        return self._encode(self.description.passage_prefix, texts, progress, states)

    def passage_sequences(self, texts: Sequence[str]) -> list[TokenStates]:
        """Return all token states of each passage with what each token is, and its vector, in the order of the texts.

        They come of the passes that `encode_passages` makes of the same texts, so `pooled` is what that returns. The
        same text given twice is computed once. Takes some 4 bytes * dim a token: meant for the passages of a page.
        """
        prefix = self.description.passage_prefix
        keys = [prefix + clean(text) for text in texts]
        rows = {key: row for row, key in enumerate(dict.fromkeys(keys))}
        encodings = self._tokenizer.encode_batch(list(rows), add_special_tokens=False)  # the fast one has no offsets
        of_texts = [
            labels(encoding.offsets, prefix, key[len(prefix) :]) for encoding, key in zip(encodings, rows, strict=True)
        ]
        states: list[list[NDArray[np.float32]]] = [[] for _ in rows]
        tokens: list[list[Label]] = [[] for _ in rows]

        def keep(windows: list[Window], given: list[Tensor]) -> None:
            for window, some in zip(windows, given, strict=True):
                states[window.text].append(_array(some))
                held = labels_in_window(of_texts[window.text], window, len(self._lead), len(self._trail))
                tokens[window.text].extend(held)

        vectors = self._pooled(self._cut(encodings), len(rows), keep)
        linear = self.description.pooling == "mean"
        found = [
            TokenStates.of(np.concatenate(parts), held, vector, linear)
            for parts, held, vector in zip(states, tokens, vectors, strict=True)
        ]
        return [found[rows[key]] for key in keys]

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        """Return (start, end) in characters of each token; see `encoder.tokenizing.token_offsets_function`."""
        return token_offsets(self._tokenizer, text)

    def _encode(
        self,
        prefix: str,
        texts: Sequence[str],
        progress: Callable[[int, int], None] | None,
        take: TakeStates | None,
    ) -> NDArray[np.float32]:
        rows: dict[str, int] = {}
        places = [rows.setdefault(prefix + clean(text), len(rows)) for text in texts]
        first = {row: position for position, row in reversed(list(enumerate(places)))}
        before = len(self._tokenizer.encode(prefix.rstrip(), add_special_tokens=False).ids)
        empty = rows.get(prefix)  # the space that ends the prefix can be a token where no text takes it up
        cut = self._windows(list(rows))
        waiting = np.bincount([window.text for window in cut], minlength=len(rows))

        def report(windows: list[Window], states: list[Tensor]) -> None:
            if take:
                for window, some in zip(windows, states, strict=True):
                    end = len(window.ids) - len(self._trail)
                    start = end if window.text == empty else len(self._lead) + (0 if window.start else before)
                    take(first[window.text], _array(some[start:end]))
            if progress:
                np.subtract.at(waiting, [window.text for window in windows], 1)
                progress(int((waiting[places] == 0).sum()), len(texts))

        return self._pooled(cut, len(rows), report)[places]

    def _pooled(
        self, cut: list[Window], texts: int, report: Callable[[list[Window], list[Tensor]], None]
    ) -> NDArray[np.float32]:
        """Return the vectors (texts, dim) of length 1. `report` is called after each batch with its windows and the
        states (tokens, dim) of each; the windows of a text come in order."""
        sums = torch.zeros(texts, self.description.dim)
        tokens = torch.zeros(texts, 1)
        budget = BUDGET[self.model.device.type]
        chosen = [[cut[place] for place in batch] for batch in batches([len(window.ids) for window in cut], budget)]
        made: Iterator[tuple[Tensor, list[Tensor]]]
        if not self._streams:
            made = map(self._in_turn, chosen)
        elif len(chosen) == 1:
            made = iter([self._together(self._streams, chosen[0])])
        else:
            made = self._streams.each(self._forward, chosen)
        for batch, (pooled, states) in zip(chosen, made, strict=True):
            owners = torch.tensor([window.text for window in batch])
            counts = torch.tensor([[float(len(window.ids))] for window in batch])
            sums.index_add_(0, owners, pooled * counts)
            tokens.index_add_(0, owners, counts)
            report(batch, states)
        vectors: NDArray[np.float32] = pooling.normalise(sums / tokens).numpy()
        return vectors

    def _together(self, streams: Streams, batch: list[Window]) -> tuple[Tensor, list[Tensor]]:
        """As `_forward`, of what is little beside whatever else is asked at the moment."""

        def forward(joined: list[Window]) -> list[tuple[Tensor, Tensor]]:
            # Those of one length stand together, and are one run.
            order = sorted(range(len(joined)), key=lambda place: -len(joined[place].ids))
            pooled, states = self._forward([joined[place] for place in order])
            made = dict(zip(order, zip(pooled, states, strict=True), strict=True))
            return [made[place] for place in range(len(joined))]

        made = streams.joined(forward, batch, sum(len(window.ids) for window in batch), JOINED)
        return torch.stack([pooled for pooled, _ in made]), [states for _, states in made]

    def _in_turn(self, batch: list[Window]) -> tuple[Tensor, list[Tensor]]:
        # The lock is held for one batch, so that a query waits for a batch of passages and not for all of them.
        with self._lock:
            return self._forward(batch)

    def _windows(self, texts: list[str]) -> list[Window]:
        return self._cut(self._tokenizer.encode_batch_fast(texts, add_special_tokens=False))

    def _cut(self, encodings: list[Encoding]) -> list[Window]:
        return [
            window
            for text, encoding in enumerate(encodings)
            for window in windows(text, encoding.ids, self._lead, self._trail, self.description.max_tokens)
        ]

    @torch.inference_mode()
    def _forward(self, batch: list[Window]) -> tuple[Tensor, list[Tensor]]:
        """Return the pooled vectors (windows, dim), in float32 on the CPU and not normalised, and the states that they
        are made of, (tokens, dim) for each."""
        layers = self._layers()
        ids, runs = self._packed(batch, apart=layers is not None)
        if layers is not None:
            states = layers.packed(embedded(self.model, ids, runs), runs)
        else:
            (run,) = runs
            given = {"input_ids": ids.view(run.sequences, run.width), "attention_mask": _mask(run, ids.device)}
            states = self.model(**given).last_hidden_state.flatten(0, 1)
        vectors: list[Tensor] = []
        each: list[Tensor] = []
        for run, rows in spans(runs):
            of_run = states[rows].view(run.sequences, run.width, -1)
            vectors.append(self._vectors(of_run, _mask(run, ids.device)))
            each += of_run.unbind()
        return torch.cat(vectors).cpu(), [some[: len(window.ids)] for some, window in zip(each, batch, strict=True)]

    def _layers(self) -> ArrangedLayers | IntegerLayers | None:
        layers = getattr(self.model, "encoder", None)
        return layers if isinstance(layers, ArrangedLayers | IntegerLayers) else None

    def _dtype(self) -> torch.dtype:
        """What the layers compute in; large embeddings can be of another type."""
        dtype: torch.dtype = next(self.model.get_submodule("encoder").parameters()).dtype
        return dtype

    def _packed(self, batch: list[Window], apart: bool) -> tuple[Tensor, list[Run]]:
        """The token ids (rows,) of a batch, sequence behind sequence, and its runs: where they are not `apart`, one."""
        lengths = [len(window.ids) for window in batch]
        device = self.model.device
        exact = apart and (device.type == "cuda" or self._dtype() != torch.bfloat16)
        step, most = 1 if exact else STEP, self.description.max_tokens
        pad = [self.model.config.pad_token_id or 0]
        ids: list[int] = []
        runs: list[Run] = []
        for count, width in widths(lengths if apart else [max(lengths)] * len(batch), step, most):
            place = sum(run.sequences for run in runs)
            held = lengths[place : place + count]
            for window in batch[place : place + count]:
                ids += window.ids + pad * (width - len(window.ids))
            seen = torch.arange(width) < torch.tensor(held)[:, None] if min(held) < width else None
            runs.append(Run(count, width, None if seen is None else seen.to(device)))
        if apart:
            ids += pad * (-len(ids) % STEP)
        return torch.tensor(ids).to(device), runs

    def _vectors(self, states: Tensor, mask: Tensor) -> Tensor:
        if self.description.pooling == "mean":
            return pooling.mean(states, mask)
        if self.description.pooling == "cls":
            return pooling.cls(states, mask)
        return pooling.tanh(states, mask, self.model.get_submodule("pooler"))


def load(description: Description, dtype: Dtype = "auto", threads: int | None = None) -> Encoder:
    """Return the encoder of a description whose files are in place.

    `dtype` "auto" is bfloat16 where the processor computes in it, else products of 8-bit integers where it computes
    these, each only where the vectors stay within a cosine of 0.999 of float32; and float32 elsewhere. The layers of a
    BERT are computed as `encoder.arranged` and `encoder.integer` do. `threads` is the number of CPU threads torch uses,
    for the whole process. A CUDA device is used when there is one. Raises EncoderError.
    """
    if threads:
        torch.set_num_threads(threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    encoder = _in_float32(description, device)
    if dtype == "bfloat16":
        compute_in(encoder.model, torch.bfloat16)
    elif dtype == "auto" and computes_in_bfloat16(device):
        exact = encoder.encode_passages(CHECKED)
        compute_in(encoder.model, torch.bfloat16)
        if not _agrees(encoder, exact):
            encoder = _in_float32(description, device)
    _arranged(encoder)
    if device == "cpu" and encoder._layers() is not None and encoder._dtype() == torch.float32:
        if dtype == "int8" or (dtype == "auto" and computes_in_integers()):
            _in_integers(encoder, least=_LEAST_COSINE if dtype == "auto" else -1.0)
        encoder._streams = Streams(torch.get_num_threads())
    return encoder


def _arranged(encoder: Encoder) -> None:
    """Have the encoder compute as `encoder.arranged` does, where that comes to the same."""
    exact = encoder.encode_passages(CHECKED)
    layers = arrange(encoder.model)
    if layers is not None and not _agrees(encoder, exact):
        encoder.model.encoder = layers


def _in_integers(encoder: Encoder, least: float) -> None:
    """Have arranged layers compute as `encoder.integer` does, where all that are tried come within this cosine."""
    layers = encoder._layers()
    if not isinstance(layers, ArrangedLayers) or not possible(layers):
        return
    exact = encoder.encode_passages(TRIED)
    with torch.inference_mode():
        met = []
        for window in encoder._windows([encoder.description.passage_prefix + text for text in MET]):
            ids, runs = encoder._packed([window], apart=True)
            met.append((embedded(encoder.model, ids, runs), runs))
        encoder.model.encoder = IntegerLayers(layers, met)
    if not (encoder.encode_passages(TRIED) * exact).sum(axis=1).min() >= least:  # "not", for NaN
        encoder.model.encoder = layers


def _agrees(encoder: Encoder, exact: NDArray[np.float32]) -> bool:
    """Whether the encoder's vectors of CHECKED are these."""
    try:
        cosines = (encoder.encode_passages(CHECKED) * exact).sum(axis=1)
    except RuntimeError:  # an operation of this model that torch does not do in its type
        return False
    return bool(cosines.min() >= _LEAST_COSINE)  # False for NaN, too


def _in_float32(description: Description, device: str) -> Encoder:
    model = _model(description)
    nn.Module.to(model, device)
    return Encoder(description, model)


def _model(description: Description) -> Any:
    """A BertModel of `encoder.bert`, or a PreTrainedModel of transformers, whose modules have the same names; it
    computes in float32 (see `compute_in`). Raises EncoderError."""
    ordinary = ordinary_bert(description)
    if ordinary is None:
        from encoder.loading import checkpoint  # only here, since it takes a second and 140 MB

        return checkpoint(description)
    refuse_other_tokens(description, ordinary.config.vocab_size)
    compute_in(ordinary, torch.float32)
    return ordinary


def _mask(run: Run, device: torch.device) -> Tensor:
    seen = torch.ones(run.sequences, run.width, device=device) if run.seen is None else run.seen
    return seen.to(torch.int64)


def _array(states: Tensor) -> NDArray[np.float32]:
    found: NDArray[np.float32] = states.to(torch.float32).cpu().numpy()
    return found
