"""The card says what is known of this bundle and this corpus, and nothing of others."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard

from nsmc.runtime.card import with_license, without_metadata
from nsmc.runtime.loading import read_config
from nsmc.runtime.locate import PRETRAINED
from nsmc.training.model_card import model_card
from tests.bundles import config_of

METRICS = {"val/accuracy": 0.75, "val/f1": 0.5, "val/auroc": 0.8, "val/loss": 0.6}


@pytest.mark.parametrize(
    ("cell", "title"),
    [("gru", "# A GRU that"), ("lstm", "# An LSTM that"), ("cnn", "# A CNN that")],
)
def test_the_article_fits_the_cell(cell: str, title: str) -> None:
    card = model_card(config_of(architecture=cell), "nsmc")
    assert without_metadata(card).startswith(title)
    encoder = model_card(config_of(architecture=cell, labels=()), "nsmc")
    assert without_metadata(encoder).startswith(f"# A pretrained {cell.upper()} encoder")


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


KIWI = {"kiwipiepy": ["0.24.1"], "kiwipiepy_model": ["0.23.0", "0.24.0"]}


def teachers(count: int, knowing: int, morphemes: Any, unknown: int) -> dict[str, Any]:
    keys = ("count", "with_morphemes", "morphemes", "unknown")
    return dict(zip(keys, (count, knowing, morphemes, unknown), strict=True))


FROM_THREE = teachers(3, 2, KIWI, 1)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (teachers(3, 0, {}, 0), "It learnt from the soft labels of 3 teachers. "),
        (
            teachers(1, 0, {}, 1),
            "of 1 teacher (unknown). An unknown one is a file of soft labels, or does not say",
        ),
        (
            FROM_THREE,
            "of 3 teachers (2 with morphemes, 1 unknown). A teacher with morphemes is one",
        ),
        (FROM_THREE, "(kiwipiepy 0.24.1 and kiwipiepy_model 0.23.0, 0.24.0). The network itself"),
        (
            teachers(1, 1, {"kiwipiepy": []}, 0),
            "language model of its own (kiwipiepy (its version is not known)).",
        ),
        (
            {**teachers(1, 0, {}, 0), "inherited": {"morphemes": KIWI, "unknown": True}},
            "of 1 teacher. Its initial weights are of a network that had teachers (some with "
            "morphemes, some unknown). A teacher with morphemes",
        ),
        (
            {**teachers(0, 0, {}, 0), "inherited": {"morphemes": {}, "unknown": False}},
            "by COMMAND Its initial weights are of a network that had teachers. ",
        ),
    ],
)
def test_a_student_s_teachers_are_named(entry: dict[str, Any], said: str) -> None:
    for labels in (("negative", "positive"), ()):  # a language model starts from weights, too
        config = config_of(teachers=entry, labels=labels, command="COMMAND")
        card = " ".join(model_card(config, "mine").split())
        assert said in card
        needs_none = "The network itself reads the text, and needs none of it." in card
        assert needs_none == ("Kiwi" in card) == ("kiwipiepy" in str(entry))
    assert "teacher" not in model_card(config_of(), "mine")


# --- the metadata block ---


def loaded(card: str, folder: Path) -> Any:
    """What huggingface_hub reads from it, which raises ValueError for a bad block."""
    (folder / "README.md").write_text(card, encoding="utf-8")
    return ModelCard.load(folder / "README.md").data


def test_a_hub_reads_what_was_measured_and_nothing_else(tmp_path: Path) -> None:
    metrics = {"val/accuracy": 0.75, "val/loss": 0.6, "test/auroc": 0.8, "test/macro_f1": 0.7}
    data = loaded(model_card(config_of(metrics=metrics), "nsmc", "mit"), tmp_path)
    assert (data.language, data.license, data.library_name) == (["ko"], "mit", "nsmc")
    assert (data.pipeline_tag, data.datasets) == ("text-classification", ["e9t/nsmc"])
    assert data.tags == ["gru", "sentiment-analysis"]
    assert data.metrics == ["accuracy", "f1", "roc_auc"]
    assert data.model_name == "nsmc-gru"
    found = {
        (each.dataset_split, each.metric_type): each.metric_value for each in data.eval_results
    }
    assert found == {
        ("validation", "accuracy"): 0.75,
        ("validation", "loss"): 0.6,
        ("test", "roc_auc"): 0.8,
        ("test", "f1"): 0.7,
    }


def test_of_an_unknown_corpus_language_and_data_set_are_left_out(tmp_path: Path) -> None:
    name = "no: [x\n---\n#'\"한글"
    data = loaded(model_card(config_of(metrics=METRICS), name), tmp_path)
    assert (data.language, data.license, data.datasets) == (None, "unknown", None)
    assert {each.dataset_type for each in data.eval_results} == {name}
    unmeasured = loaded(model_card(config_of(), "mine"), tmp_path)
    assert (unmeasured.eval_results, unmeasured.metrics) == (None, None)
    assert unmeasured.pipeline_tag == "text-classification"
    encoder = loaded(model_card(config_of(labels=(), metrics={"val/loss": 2.0}), "nsmc"), tmp_path)
    assert (encoder.pipeline_tag, encoder.eval_results, encoder.language) == (None, None, ["ko"])


def test_the_package_s_card_is_the_one_that_would_be_written() -> None:
    config = read_config(PRETRAINED / "config.json")
    card = (PRETRAINED / "README.md").read_text(encoding="utf-8")
    assert card == model_card(config, "nsmc", "mit")


@pytest.mark.parametrize("card", ["# A card\n", "---\ntags:\n- gru\n---\n\n# A card\n"])
def test_a_license_can_be_chosen_later(card: str) -> None:
    assert without_metadata(card) == "# A card\n"
    licensed = with_license(card, "mit")
    assert without_metadata(licensed) == "# A card\n"
    again = with_license(licensed, "cc-by-4.0")
    values = yaml.safe_load(again.split("---\n")[1])
    assert values["license"] == "cc-by-4.0"
    assert ("tags" in values) == ("tags" in card)
    with pytest.raises(ValueError, match="expected an identifier, such as mit"):
        with_license(card, "my own\nx: y")
