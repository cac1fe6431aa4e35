"""The initial weights of a network that starts from a bundle's."""

from dataclasses import asdict
from itertools import chain
from typing import Any

import torch

from nsmc.runtime.loading import Bundle
from nsmc.training.classifier import RECURRENT_WEIGHTS, RecurrentEncoder
from nsmc.training.starting import check_shape

_HEAD = ("attention.weight", "ln1.weight", "ln1.bias")


def start_from(network: RecurrentEncoder, bundle: Bundle, name: str) -> None:
    """Copy a bundle's weights into a network: the encoder's and, where both have one, the head.

    A network of one direction may start from a bundle of both. `name` is what the user calls the
    bundle. Raises ValueError where its shape is another one.
    """
    check_shape(_settings(network), asdict(bundle.config), name)
    if network.embedding.num_embeddings != bundle.config.vocab_size:
        raise ValueError(f"init_from={name}: its tokens are others; leave out data.tokenizer")
    tensors = {key: torch.from_numpy(tensor) for key, tensor in bundle.tensors.items()}
    with torch.no_grad():
        network.embedding.weight.copy_(tensors["embedding.weight"])
        for suffix in chain.from_iterable(network.suffixes):
            for weight in RECURRENT_WEIGHTS:
                place = network.recurrence[suffix].get_parameter(f"{weight}_l0")
                place.copy_(tensors[f"{network.cell}.{weight}{suffix}"])
        parameters = dict(network.named_parameters())
        heads = [(parameters.get(key), tensors.get(key)) for key in _HEAD]
        for ours, theirs in heads:
            if ours is not None and theirs is not None and ours.shape == theirs.shape:
                ours.copy_(theirs)


def _settings(network: RecurrentEncoder) -> dict[str, Any]:
    """What a network is made of, as `check_shape` wants it."""
    return {
        "cell": network.cell,
        "embedding_dim": network.embedding.embedding_dim,
        "embedding_rank": network.embedding_factor,
        "hidden_size": network.hidden_size,
        "num_layers": len(network.suffixes),
        "bidirectional": len(network.suffixes[0]) == 2,
    }
