"""The initial weights of a network that starts from a bundle's."""

import logging

import torch

from nsmc.reading.labels import listed, positions
from nsmc.runtime.bundle import flat
from nsmc.runtime.loading import Bundle
from nsmc.training.classifier import TextClassifier
from nsmc.training.starting import check_shape
from nsmc.training.text_encoder import TextEncoder

log = logging.getLogger(__name__)


def start_from(
    network: TextClassifier | TextEncoder, bundle: Bundle, name: str, labels: tuple[str, ...]
) -> None:
    """Copy a bundle's weights into a network: the encoder's and, where it fits, the head's.

    `name` is what the user calls the bundle. A head that answers other labels than these, or in
    another order, does not fit. Raises ValueError where its shape is another one.
    """
    text_encoder = network.text_encoder if isinstance(network, TextClassifier) else network
    head = network.head_tensors() if isinstance(network, TextClassifier) else {}
    theirs = bundle.config.labels
    if head and theirs and positions(labels, theirs) != [*range(len(theirs))]:
        head = {}
        log.info(
            "init_from=%s answers %s and this run %s: it gives the encoder alone",
            *(name, listed(theirs), listed(labels)),
        )
    check_shape(text_encoder.shape(), flat(bundle.config), name)
    if text_encoder.embedding.num_embeddings != bundle.config.vocab_size:
        raise ValueError(f"init_from={name}: its tokens are others; leave out data.tokenizer")
    ours = {"embedding.weight": text_encoder.embedding.weight, **text_encoder.encoder.tensors()}
    for key, tensor in head.items():
        if key in bundle.tensors and tensor.shape == bundle.tensors[key].shape:
            ours[key] = tensor
    with torch.no_grad():
        for key, tensor in ours.items():
            tensor.copy_(torch.from_numpy(bundle.tensors[key]))
