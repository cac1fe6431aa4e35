"""The initial weights of a network that starts from a bundle's."""

from itertools import chain

import torch

from nsmc.runtime.bundle import BundleConfig
from nsmc.runtime.loading import Bundle
from nsmc.training.classifier import RECURRENT_WEIGHTS, RecurrentEncoder

_HEAD = ("attention.weight", "ln1.weight", "ln1.bias")


def start_from(network: RecurrentEncoder, bundle: Bundle, name: str) -> None:
    """Copy a bundle's weights into a network: the encoder's and, where both have one, the head.

    A network of one direction may start from a bundle of both. `name` is what the user calls the
    bundle. Raises ValueError where its shape is another one.
    """
    _check_shape(network, bundle.config, name)
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


def _check_shape(network: RecurrentEncoder, theirs: BundleConfig, name: str) -> None:
    if network.embedding_factor is not None:
        raise ValueError(f"init_from={name}: needs model.embedding_rank=null")
    ours = {
        "cell": network.cell,
        "embedding_dim": network.embedding.embedding_dim,
        "hidden_size": network.hidden_size,
        "num_layers": len(network.suffixes),
    }
    wanted = {key: getattr(theirs, key) for key in ours}
    if len(network.suffixes[0]) == 2 or theirs.num_layers > 1:  # the first layer can lose one
        ours["bidirectional"] = len(network.suffixes[0]) == 2
        wanted["bidirectional"] = theirs.bidirectional
    if ours != wanted:
        needed = [
            f"model.{key}={str(wanted[key]).lower()}" for key in ours if ours[key] != wanted[key]
        ]
        raise ValueError(f"init_from={name}: that bundle needs {' '.join(needed)}")
    if network.embedding.num_embeddings != theirs.vocab_size:
        raise ValueError(f"init_from={name}: its tokens are others; leave out data.tokenizer")
