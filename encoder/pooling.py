"""From the vectors of a sequence's tokens to one vector for the sequence.

Each function takes the encoder's last hidden states (batch, tokens, dim) and the attention mask (batch, tokens), 1
for a token and 0 for padding on either side, and returns (batch, dim) in float32.
"""

import torch
from torch import Tensor, nn


def mean(states: Tensor, mask: Tensor) -> Tensor:
    """The average over all tokens that are not padding, special tokens included.

    As in Sentence-BERT (https://arxiv.org/abs/1908.10084). The sum is made in float32: in bfloat16 it would lose
    the last tokens of a long sequence. A row without any token gives zeros.
    """
    weights = mask.to(torch.float32).unsqueeze(1)
    counts = mask.sum(dim=1, keepdim=True).clamp(min=1)
    return torch.bmm(weights, states.to(torch.float32)).squeeze(1) / counts


def cls(states: Tensor, mask: Tensor) -> Tensor:
    """The first token that is not padding: [CLS] or <s>."""
    first = mask.to(torch.int32).argmax(dim=1)
    return states[torch.arange(len(states), device=states.device), first].to(torch.float32)


def tanh(states: Tensor, mask: Tensor, pooler: nn.Module) -> Tensor:
    """BERT's pooled output: tanh(W x + b) of the first token, W and b being the checkpoint's (`model.pooler`).

    Trained to tell whether two sentences follow each other, it is "usually not a good summary of the semantic
    content of the input" (Hugging Face's documentation of BertModel); averaging the sequence is better.
    """
    first = cls(states, mask).to(states.dtype).unsqueeze(1)  # the pooler looks at place 0, be there padding or not
    pooled: Tensor = pooler(first)
    return pooled.to(torch.float32)


def maximum(states: Tensor, mask: Tensor) -> Tensor:
    """The greatest number of each dimension over all tokens that are not padding, special tokens included.

    As MAX in Sentence-BERT (https://arxiv.org/abs/1908.10084). A row without any token gives zeros.
    """
    tokens = mask.to(torch.bool)
    greatest = states.to(torch.float32).masked_fill(~tokens.unsqueeze(2), -torch.inf).amax(dim=1)
    return greatest.masked_fill(~tokens.any(dim=1, keepdim=True), 0.0)


def mean_of_two(states: Tensor, before: Tensor, mask: Tensor) -> Tensor:
    """The average over tokens, as `mean`, of the average of the last layer's states and those of the layer before.

    As "last2avg" in BERT-flow (https://arxiv.org/abs/2011.05864). Averages may be taken in any order, so it is that of
    two means. With one layer, the one before it is the embeddings.
    """
    return (mean(states, mask) + mean(before, mask)) / 2


def normalise(vectors: Tensor) -> Tensor:
    """Scale each row to length 1; a row of zeros stays one."""
    return nn.functional.normalize(vectors, dim=1)
