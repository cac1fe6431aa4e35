"""The convolutions in numpy against torch's, for any widths, reviews and company."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nsmc.runtime.bundle import POOLINGS
from nsmc.runtime.loading import Bundle
from nsmc.runtime.predictor import Predictor
from nsmc.training.classifier import TextClassifier
from nsmc.training.padding import pad
from tests.bundles import TOKENIZER, VOCAB_SIZE, classifier_like, config_of

V = VOCAB_SIZE
TOLERANCE = 1e-5

widths_of_filters = st.sets(st.integers(1, 6), min_size=1, max_size=3).map(sorted)
reviews_of_ids = st.lists(st.lists(st.integers(0, V - 1), max_size=9), min_size=1, max_size=6)


def twins(**changes: object) -> tuple[Predictor, TextClassifier]:
    config = config_of(architecture="cnn", **changes)
    torch.manual_seed(0)
    classifier = classifier_like(config).eval()
    with torch.no_grad():
        for parameter in classifier.parameters():
            parameter.normal_(0, 0.6)
    return Predictor(Bundle(config, classifier.bundle_tensors(), TOKENIZER)), classifier


@settings(deadline=None, max_examples=60)
@given(widths=widths_of_filters, pooling=st.sampled_from(POOLINGS), reviews=reviews_of_ids)
def test_logits_equal_torch_s_alone_and_in_a_batch(
    widths: list[int], pooling: str, reviews: list[list[int]]
) -> None:
    predictor, classifier = twins(filter_widths=widths, pooling=pooling)
    with torch.inference_mode():
        expected = classifier(*pad(reviews)).numpy()
    np.testing.assert_allclose(predictor.logits(reviews), expected, rtol=0, atol=TOLERANCE)
    alone = np.concatenate([predictor.logits([review]) for review in reviews])
    np.testing.assert_allclose(alone, expected, rtol=0, atol=TOLERANCE)
