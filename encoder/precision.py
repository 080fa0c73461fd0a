"""In which type a model computes."""

from typing import Any

import torch
from torch import nn

_LARGE_EMBEDDING = 10_000_000  # weights


def compute_in(model: nn.Module, dtype: torch.dtype) -> None:
    """Have a model compute in float32 or bfloat16, without another copy of large embeddings.

    A vocabulary of 250,000 takes 384 MB in float32, of which a text looks up some hundred rows. So such an embedding
    stays as it is stored (in the file's own pages, which processes share), and what is looked up is converted.
    """
    large = [m for m in model.modules() if isinstance(m, nn.Embedding) and m.weight.numel() >= _LARGE_EMBEDDING]
    others = [module for module in model.modules() if module not in large]
    for module in others:
        for values in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
            if values.is_floating_point():
                values.data = values.data.to(dtype)

    def as_the_rest(_module: nn.Module, _inputs: Any, rows: torch.Tensor) -> torch.Tensor:
        return rows.to(dtype)

    for module in large:
        module._forward_hooks.clear()  # of the type before
        module.register_forward_hook(as_the_rest)


def computes_in_bfloat16(device: str) -> bool:
    """Whether bfloat16 is in the hardware; emulated, it is slower than float32."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16") or able.get("bf16"))  # x86, x86, ARM
