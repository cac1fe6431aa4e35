"""The model card: the page in a bundle that says what it is, how good, and how to use it."""

import math
import re
import textwrap
from pathlib import Path

from nsmc.runtime.bundle import BundleConfig, parameter_count
from nsmc.runtime.teachers import all_knowledge, counted, packages, uncounted
from nsmc.terminal import first_few
from nsmc.training.card_metadata import metadata_block

_MOST_LABELS = 20  # that the card names; config.json has all
_SPLITS = {"val/": "validation", "test/": "test"}

# About a corpus that is known by its name; for others the card says no more than their name.
_LEARNT = {"nsmc": "short movie reviews of one site and time"}
_EXAMPLES = {"nsmc": "와 진짜 재밌는 영화임미다!!"}


def model_card(config: BundleConfig, corpus: str, license_: str = "unknown") -> str:
    """The card in Markdown, behind a block of metadata for model hubs.

    `corpus` names what the network was trained on; `license_` is one of the hubs' identifiers.
    """
    return metadata_block(config, corpus, license_) + _card(config, corpus)


def _card(config: BundleConfig, corpus: str) -> str:
    parameters = parameter_count(config)
    values = {
        "config": config,
        "corpus": corpus,
        "parameters": f"{parameters:,}",
        "vocab_size": f"{config.vocab_size:,}",
        "morphemes": " and ".join(f"{name} {it}" for name, it in (config.morphemes or {}).items()),
        "taught": _taught(config),
    }
    metrics = config.metrics
    if not config.labels:
        loss = metrics.get("val/loss")
        perplexity = None if loss is None else math.exp(loss)
        return _render("encoder.md", **values, loss=loss, perplexity=perplexity)
    name = config.encoder.architecture.upper()
    article = "An" if name[0] in "AEFHILMNORSX" else "A"  # the letter is spoken with a vowel
    return _render(
        "classifier.md",
        **values,
        title=f"{article} {name}",
        apart=_apart(config.labels),
        labels=_listed(config.labels),
        metrics=metrics,
        confidence=config.confidence,
        metric_names=_metric_names(config),
        splits={s: title for s, title in _SPLITS.items() if any(m.startswith(s) for m in metrics)},
        learnt=_LEARNT.get(corpus, f"the reviews of the corpus `{corpus}`"),
        example=_EXAMPLES.get(corpus, "TEXT"),
    )


def _taught(config: BundleConfig) -> str:
    """Who taught the network, and what knowledge from elsewhere that brings; "" for nobody."""
    if (teachers := config.teachers) is None:
        return ""
    text = []
    if teachers["count"]:
        text += [f"It learnt from the soft labels of {counted(teachers)}."]
    if inherited := teachers.get("inherited"):
        text += [f"Its initial weights are of a network that had {uncounted(inherited)}."]
    behind = all_knowledge(teachers)
    if behind.morphemes:
        text += [
            "A teacher with morphemes is one that reads them, or that was taught by one that does.",
            "The morphemes are those of [Kiwi](https://github.com/bab2min/Kiwi), a morphological",
            f"analyser with a language model of its own ({packages(behind.morphemes)}).",
        ]
        if config.morphemes is None:
            text += ["The network itself reads the text, and needs none of it."]
    if behind.unknown:
        text += ["An unknown one is a file of soft labels, or does not say who taught it."]
    return textwrap.fill(" ".join(text), 100, break_long_words=False, break_on_hyphens=False)


def _apart(labels: tuple[str, ...]) -> str:
    """What the classifier tells apart, after "that tells"."""
    if len(labels) == 2:
        return f"{_in_line(labels[0])} from {_in_line(labels[1])} reviews"
    if len(labels) > 5:
        return f"reviews of {len(labels):,} labels apart"
    *first, last = map(_in_line, labels)
    return f"{', '.join(first)} and {last} reviews apart"


def _listed(labels: tuple[str, ...]) -> str:
    names = first_few([*map(_in_line, labels)], _MOST_LABELS)
    return names if len(labels) <= _MOST_LABELS else f"{names}, in `config.json`"


def _in_line(label: str) -> str:
    """A label with nothing that Markdown would interpret."""
    return re.sub(r"([\\`*_|<>\[\]#~])", r"\\\1", label)


def _metric_names(config: BundleConfig) -> dict[str, str]:
    """What the card calls the metrics of a classifier."""
    labels = config.labels
    names = {"accuracy": "accuracy", "macro_f1": "F1, the mean over the labels"}
    if len(labels) == 2:
        names["f1"] = f"F1 of the label {_in_line(labels[1])}"
    each = "" if len(labels) == 2 else ", the mean of each label against the rest"
    names |= {"auroc": f"area under the ROC curve{each}", "loss": "cross-entropy"}
    if any(metric.endswith("/calibration_error") for metric in config.metrics):
        names["calibration_error"] = "calibration error"  # which older bundles do not know
    return names


def _render(card: str, **values: object) -> str:
    import jinja2  # here, as a tenth of a second is long for a command that writes no card

    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("cards")),
        autoescape=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    return templates.get_template(card).render(values)
