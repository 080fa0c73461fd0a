"""What a look into an encoder finds, as plain values (as text: `encoder.report_text`). Needs no torch."""

from dataclasses import dataclass
from typing import Literal, get_args

How = Literal["checkpoint", "config", "state-dict"]
HOWS: tuple[How, ...] = get_args(How)


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """The class that was built and the sizes in its configuration; None where the architecture has no such thing."""

    name: str
    named: tuple[str, ...]  # the classes that the folder names itself
    model_type: str
    layers: int | None
    heads: int | None
    hidden_size: int | None
    intermediate_size: int | None
    vocabulary: int | None
    positions: int | None
    token_types: int | None
    activation: str | None
    hidden_dropout: float | None
    attention_dropout: float | None
    layer_norm_epsilon: float | None
    initializer_range: float | None


@dataclass(frozen=True, kw_only=True)
class Serving:
    """How the folder says that texts are put to the encoder, and whether the site would take it.

    Just one of `fingerprint` (see `encoder.description`) and `refusal`, a sentence, is not None.
    """

    pooling: str
    query_prefix: str
    passage_prefix: str
    max_tokens: int
    fingerprint: str | None
    refusal: str | None


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """`group` is "embeddings", "layer 0" ..., "pooler", "head" or "other". `file`, `key` and `stored` say where its
    values came from (file, name and number type there); None: newly made, or put together from several keys."""

    name: str
    group: str
    shape: tuple[int, ...]
    numbers: int
    dtype: str
    bytes: int
    requires_grad: bool
    new: bool
    file: str | None
    key: str | None
    stored: str | None


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Sums over the parameters of one group, or of all; `bytes` as they lie in memory."""

    group: str
    parameters: int
    numbers: int
    bytes: int
    trainable: int  # numbers


@dataclass(frozen=True, kw_only=True)
class Renamed:
    """A key of the file and the name that the architecture has for it."""

    key: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Mismatched:
    """A key of the architecture, newly made since its shape in the file is another."""

    name: str
    in_file: tuple[int, ...]
    in_model: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Loading:
    """What became of each key.

    `missing` are keys of the architecture that the files lack and that were newly made, `unexpected` keys of the
    files that were ignored, `not_renamed` those among them that "checkpoint" would have renamed and used.
    """

    how: How
    files: tuple[str, ...]
    loaded: int  # keys of the architecture that were filled from the files
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: tuple[Mismatched, ...]
    renamed: tuple[Renamed, ...]
    not_renamed: tuple[Renamed, ...]


@dataclass(frozen=True, kw_only=True)
class Token:
    """One token of the text: `start` and `end` are its characters', 0 and 0 for special tokens."""

    id: int
    piece: str
    start: int
    end: int
    special: bool


@dataclass(frozen=True, kw_only=True)
class Pooled:
    """BERT's pooled output against tanh(W x + b), x being the first token's vector in the sequence output.

    `formula_difference` is the greatest difference from the formula over all numbers. `distance` (Euclidean) and
    `cosine` compare it with x itself. `above_90` and `above_99` are the shares of its numbers beyond 0.9 and 0.99 on
    either side, `mean_absolute` the mean of their absolute values.
    """

    formula_difference: float
    distance: float
    cosine: float
    cosine_with_mean: float
    above_90: float
    above_99: float
    mean_absolute: float
    weight: Parameter
    bias: Parameter | None


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """Sizes of the outputs for a batch of this one text, and what can be said of them.

    `pooled` is None when the architecture has no pooler or a pooler that is no linear layer.
    """

    training: bool
    sequence: tuple[int, ...]  # (1, tokens, hidden)
    pooled_output: tuple[int, ...] | None  # (1, hidden)
    head: tuple[int, ...] | None  # (1, labels)
    cosine_first_mean: float
    pooled: Pooled | None


@dataclass(frozen=True, kw_only=True)
class Modes:
    """Training against inference: the greatest differences are those of two passes over the same text."""

    dropout: tuple[float, ...]  # the distinct probabilities above 0 of the dropout layers
    training_difference: float
    inference_difference: float
    requires_grad_with_gradients: bool
    requires_grad_in_inference_mode: bool


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything about one encoder and one text. `seed` made what is random, so the same look gives the same report."""

    folder: str
    seed: int
    architecture: Architecture
    serving: Serving
    loading: Loading
    parameters: tuple[Parameter, ...]
    groups: tuple[Totals, ...]
    total: Totals
    frozen: tuple[str, ...]  # groups
    text: str
    tokens: tuple[Token, ...]
    left_out: int  # tokens of the text beyond the longest sequence
    outputs: Outputs
    modes: Modes
