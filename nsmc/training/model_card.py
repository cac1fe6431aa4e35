"""The model card: the page in a bundle that says what it is, how good, and how to use it."""

import math
from pathlib import Path

from nsmc.runtime.bundle import BundleConfig, expected_shapes

_METRICS = {
    "accuracy": "accuracy",
    "f1": "F1 of the label {positive}",
    "auroc": "area under the ROC curve",
    "loss": "cross-entropy",
}
_SPLITS = {"val/": "validation", "test/": "test"}

# About a corpus that is known by its name; for others the card says no more than their name.
_LEARNT = {"nsmc": "short movie reviews of one site and time"}
_EXAMPLES = {"nsmc": "와 진짜 재밌는 영화임미다!!"}


def model_card(config: BundleConfig, corpus: str) -> str:
    """The card in Markdown; `corpus` names what the network was trained on."""
    parameters = sum(math.prod(shape) for shape in expected_shapes(config).values())
    values = {
        "config": config,
        "corpus": corpus,
        "parameters": f"{parameters:,}",
        "vocab_size": f"{config.vocab_size:,}",
    }
    metrics = config.metrics
    if not config.labels:
        loss = metrics.get("val/loss")
        perplexity = None if loss is None else math.exp(loss)
        return _render("encoder.md", **values, loss=loss, perplexity=perplexity)
    negative, positive = config.labels
    name = config.encoder.architecture.upper()
    article = "An" if name[0] in "AEFHILMNORSX" else "A"  # the letter is spoken with a vowel
    return _render(
        "classifier.md",
        **values,
        title=f"{article} {name}",
        negative=negative,
        positive=positive,
        metrics=metrics,
        metric_names={key: text.format(positive=positive) for key, text in _METRICS.items()},
        splits={s: title for s, title in _SPLITS.items() if any(m.startswith(s) for m in metrics)},
        learnt=_LEARNT.get(corpus, f"the reviews of the corpus `{corpus}`"),
        example=_EXAMPLES.get(corpus, "TEXT"),
    )


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
