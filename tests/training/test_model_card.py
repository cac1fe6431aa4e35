"""The card says what is known of this bundle and this corpus, and nothing of others."""

import pytest

from nsmc.training.model_card import model_card
from tests.bundles import config_of

METRICS = {"val/accuracy": 0.75, "val/f1": 0.5, "val/auroc": 0.8, "val/loss": 0.6}


@pytest.mark.parametrize(
    ("cell", "title"),
    [("gru", "# A GRU that"), ("lstm", "# An LSTM that"), ("cnn", "# A CNN that")],
)
def test_the_article_fits_the_cell(cell: str, title: str) -> None:
    assert model_card(config_of(architecture=cell), "nsmc").startswith(title)
    encoder = model_card(config_of(architecture=cell, labels=()), "nsmc")
    assert encoder.startswith(f"# A pretrained {cell.upper()} encoder")


def test_of_a_corpus_of_ones_own_it_knows_the_name_and_the_labels() -> None:
    config = config_of(labels=("부정", "긍정"), metrics=METRICS)
    card = model_card(config, "mine")
    for fact in (
        "tells 부정 from 긍정 reviews",
        "It has learnt the reviews of the corpus `mine`.",
        "| F1 of the label 긍정 | 0.5000 |",
        "| answers | 부정, 긍정 |",
        'nsmc predict FOLDER "TEXT"',
    ):
        assert fact in card
    everywhere = card + model_card(config_of(labels=()), "mine")
    assert not [word for word in ("movie", "영화", "Korean", "positive") if word in everywhere]


def test_of_nsmc_it_knows_what_kind_of_reviews_these_are() -> None:
    card = model_card(config_of(metrics=METRICS), "nsmc")
    assert "tells negative from positive reviews" in card
    assert "It has learnt short movie reviews of one site and time." in card
    assert "| F1 of the label positive | 0.5000 |" in card
    assert "calibration error" not in card  # which an older bundle does not know
    measured = {**METRICS, "val/calibration_error": 0.0123}
    card = model_card(config_of(metrics=measured), "nsmc")
    assert "| calibration error | 0.0123 |" in card


def test_of_more_labels_it_names_those_that_fit_and_no_f1_of_one() -> None:
    card = model_card(config_of(labels=("부정", "보통", "긍정"), metrics=METRICS), "mine")
    assert "tells 부정, 보통 and 긍정 reviews apart" in card
    assert "| answers | 부정, 보통, 긍정 |" in card
    assert "F1 of the label" not in card
    assert "| F1, the mean over the labels | undefined |" in card
    many = model_card(config_of(labels=tuple(map(str, range(1000))), metrics=METRICS), "mine")
    assert "tells reviews of 1,000 labels apart" in many
    assert " 18, 19 and 980 more, in `config.json` |" in many


def test_a_label_with_markup_in_it_stays_in_its_cell() -> None:
    card = model_card(config_of(labels=("a|b", "*c*")), "mine")
    assert "| answers | a\\|b, \\*c\\* |" in card
