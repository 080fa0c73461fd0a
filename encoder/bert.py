"""An ordinary BERT out of its files, with torch and safetensors alone.

Importing transformers takes longer than reading the weights, and its 140 MB are held for as long as the process lives.
So what nearly all checkpoints for sentences are, a BERT in one model.safetensors, is read here. Its modules have the
names that transformers gives them (transformers/models/bert/modeling_bert.py), so that each weight's key is its place.
Whatever is not quite ordinary is left to `encoder.loading`, which also says in words what is wrong with a folder.
"""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from encoder.description import Description, EncoderError
from encoder.folder import read_config

# What config.json may leave out, as transformers fills it in.
_DEFAULTS = {"type_vocab_size": 2, "layer_norm_eps": 1e-12, "hidden_act": "gelu", "pad_token_id": 0}
_SIZES = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
          "max_position_embeddings", "type_vocab_size")  # fmt: skip
_ACTIVATIONS: dict[str, Any] = {"gelu": nn.GELU, "relu": nn.ReLU}
_PREFIX = "bert."  # of the keys where a head was saved beside the encoder
_FLOATS = (torch.float16, torch.bfloat16, torch.float32)

Take = Callable[..., nn.Parameter]
"""(key, *shape) -> that weight of the file. Raises _NotOrdinary."""


class _NotOrdinary(Exception):
    """The file does not hold what an ordinary BERT has."""


class BertModel(nn.Module):
    """Token ids (sequences, tokens) -> states of the last layer (sequences, tokens, hidden)."""

    def __init__(self, config: SimpleNamespace, take: Take, pooler: bool) -> None:
        super().__init__()
        self.config = config
        self.embeddings = _Embeddings(config, take)
        self.encoder: nn.Module = _Layers(config, take)
        if pooler:
            self.pooler = _Pooler(config, take)

    @property
    def device(self) -> torch.device:
        return self.embeddings.word_embeddings.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """In which it computes; large embeddings may be stored in another (`encoder.precision`)."""
        return self.embeddings.LayerNorm.weight.dtype

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> SimpleNamespace:
        """`attention_mask`: (sequences, tokens), 1 for a token and 0 for padding; None where there is none."""
        looked_at = None
        if attention_mask is not None and not bool(attention_mask.all()):
            looked_at = attention_mask.bool()[:, None, None, :].expand(-1, 1, attention_mask.shape[1], -1)
        found: SimpleNamespace = self.encoder(self.embeddings(input_ids), attention_mask=looked_at)
        return found


# The three kinds of modules that have weights. They do not call what they inherit from: that would make up random
# weights first, and with torch's "meta" device, which would not, come 800 more modules of Python.


class _Linear(nn.Linear):
    def __init__(self, take: Take, key: str, out: int, of: int) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = of, out
        self.weight, self.bias = take(f"{key}.weight", out, of), take(f"{key}.bias", out)


class _LayerNorm(nn.LayerNorm):
    def __init__(self, take: Take, key: str, config: SimpleNamespace) -> None:
        nn.Module.__init__(self)
        self.normalized_shape, self.eps = (config.hidden_size,), config.layer_norm_eps
        self.elementwise_affine = True
        self.weight, self.bias = (take(f"{key}.{name}", config.hidden_size) for name in ("weight", "bias"))


class _Embedding(nn.Embedding):
    def __init__(self, take: Take, key: str, rows: int, dim: int) -> None:
        nn.Module.__init__(self)
        self.num_embeddings, self.embedding_dim = rows, dim
        self.padding_idx = self.max_norm = None
        self.norm_type, self.scale_grad_by_freq, self.sparse = 2.0, False, False
        self.weight = take(f"{key}.weight", rows, dim)


class _Embeddings(nn.Module):
    def __init__(self, config: SimpleNamespace, take: Take) -> None:
        super().__init__()

        def table(kind: str, rows: int) -> _Embedding:
            return _Embedding(take, f"embeddings.{kind}_embeddings", rows, config.hidden_size)

        self.word_embeddings = table("word", config.vocab_size)
        self.position_embeddings = table("position", config.max_position_embeddings)
        self.token_type_embeddings = table("token_type", config.type_vocab_size)
        self.LayerNorm = _LayerNorm(take, "embeddings.LayerNorm", config)

    def forward(self, ids: Tensor) -> Tensor:
        # Every token is of the first type: there is one text.
        beside = self.position_embeddings.weight[: ids.shape[1]] + self.token_type_embeddings.weight[0]
        normed: Tensor = self.LayerNorm(self.word_embeddings(ids) + beside)
        return normed


class _Layers(nn.Module):
    def __init__(self, config: SimpleNamespace, take: Take) -> None:
        super().__init__()
        numbers = range(config.num_hidden_layers)
        self.layer = nn.ModuleList(_Layer(config, take, f"encoder.layer.{number}") for number in numbers)

    def forward(self, hidden_states: Tensor, attention_mask: Tensor | None = None) -> SimpleNamespace:
        """`attention_mask`: (sequences, 1, tokens, tokens), True for what may be looked at; None for all."""
        states = hidden_states
        for layer in self.layer:
            states = layer(states, attention_mask)
        return SimpleNamespace(last_hidden_state=states)


class _Layer(nn.Module):
    def __init__(self, config: SimpleNamespace, take: Take, key: str) -> None:
        super().__init__()
        self.attention = _Attention(config, take, f"{key}.attention")
        self.intermediate = _Intermediate(config, take, f"{key}.intermediate")
        self.output = _Output(config, take, f"{key}.output", config.intermediate_size)

    def forward(self, states: Tensor, mask: Tensor | None) -> Tensor:
        attended = self.attention(states, mask)
        narrowed: Tensor = self.output(self.intermediate(attended), attended)
        return narrowed


class _Attention(nn.Module):
    def __init__(self, config: SimpleNamespace, take: Take, key: str) -> None:
        super().__init__()
        self.self = _SelfAttention(config, take, f"{key}.self")
        self.output = _Output(config, take, f"{key}.output", config.hidden_size)

    def forward(self, states: Tensor, mask: Tensor | None) -> Tensor:
        attended: Tensor = self.output(self.self(states, mask), states)
        return attended


class _SelfAttention(nn.Module):
    def __init__(self, config: SimpleNamespace, take: Take, key: str) -> None:
        super().__init__()
        hidden = config.hidden_size
        self.num_attention_heads = config.num_attention_heads
        self.scaling = (hidden // config.num_attention_heads) ** -0.5
        self.query, self.key, self.value = (
            _Linear(take, f"{key}.{part}", hidden, hidden) for part in ("query", "key", "value")
        )

    def forward(self, states: Tensor, mask: Tensor | None) -> Tensor:
        sequences, tokens, hidden = states.shape
        of_heads = (sequences, tokens, self.num_attention_heads, -1)
        looking, keys, values = (
            part(states).view(of_heads).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        mixed = nn.functional.scaled_dot_product_attention(looking, keys, values, attn_mask=mask)
        return mixed.transpose(1, 2).reshape(sequences, tokens, hidden)


class _Intermediate(nn.Module):
    def __init__(self, config: SimpleNamespace, take: Take, key: str) -> None:
        super().__init__()
        self.dense = _Linear(take, f"{key}.dense", config.intermediate_size, config.hidden_size)
        self.intermediate_act_fn = _ACTIVATIONS[config.hidden_act]()

    def forward(self, states: Tensor) -> Tensor:
        widened: Tensor = self.intermediate_act_fn(self.dense(states))
        return widened


class _Output(nn.Module):
    def __init__(self, config: SimpleNamespace, take: Take, key: str, width: int) -> None:
        super().__init__()
        self.dense = _Linear(take, f"{key}.dense", config.hidden_size, width)
        self.LayerNorm = _LayerNorm(take, f"{key}.LayerNorm", config)

    def forward(self, states: Tensor, before: Tensor) -> Tensor:
        normed: Tensor = self.LayerNorm(self.dense(states) + before)
        return normed


class _Pooler(nn.Module):
    def __init__(self, config: SimpleNamespace, take: Take) -> None:
        super().__init__()
        self.dense = _Linear(take, "pooler.dense", config.hidden_size, config.hidden_size)

    def forward(self, states: Tensor) -> Tensor:
        return torch.tanh(self.dense(states[:, 0]))


def ordinary_bert(description: Description) -> BertModel | None:
    """Return the encoder of a checkpoint on the CPU, in evaluation mode, its weights as stored and in the file's own
    pages; None where the folder holds anything but a whole and ordinary BERT."""
    assert description.folder is not None, "an encoder without files is no checkpoint"
    config = _config(description.folder)
    if config is None:
        return None
    try:
        with safe_open(description.folder / "model.safetensors", "pt") as file:
            model = BertModel(config, _taker(file), pooler=description.pooling == "tanh")
    except (OSError, ValueError, RuntimeError, SafetensorError, _NotOrdinary):
        return None
    nn.Module.eval(model)
    return model


def _taker(file: Any) -> Take:
    stored = set(file.keys())
    prefix = _PREFIX if f"{_PREFIX}embeddings.word_embeddings.weight" in stored else ""

    def take(key: str, *shape: int) -> nn.Parameter:
        weight = file.get_tensor(prefix + key) if prefix + key in stored else None
        if weight is None or weight.shape != shape or weight.dtype not in _FLOATS:
            raise _NotOrdinary(key)
        return nn.Parameter(weight, requires_grad=False)

    return take


def _config(folder: Path) -> SimpleNamespace | None:
    """What config.json says, where it says it of a BERT as it was published first."""
    if not (folder / "config.json").is_file():
        return None
    try:
        values = {**_DEFAULTS, **read_config(folder)}
    except EncoderError:
        return None
    if values["model_type"] != "bert" or values.get("position_embedding_type", "absolute") != "absolute":
        return None
    if values.get("is_decoder") or values.get("add_cross_attention") or values.get("pruned_heads"):
        return None
    sizes = [values.get(name) for name in _SIZES]
    if not all(type(size) is int and size > 0 for size in sizes) or values["hidden_act"] not in _ACTIVATIONS:
        return None
    if values["hidden_size"] % values["num_attention_heads"] or type(values["layer_norm_eps"]) is not float:
        return None
    names = (*_SIZES, *_DEFAULTS)
    return SimpleNamespace(**{name: values[name] for name in names}, is_decoder=False, add_cross_attention=False)
