"""The model card: the page in a bundle that says what it is, how good, and how to use it."""

import math

from nsmc.runtime.bundle import BundleConfig, expected_shapes

_METRICS = {
    "accuracy": "accuracy",
    "f1": "F1 of the label {positive}",
    "auroc": "area under the ROC curve",
    "loss": "cross-entropy",
}

# What is known of a corpus by its name; of others the card says no more than their name.
_LEARNT = {"nsmc": "short movie reviews of one site and time"}
_EXAMPLES = {"nsmc": "와 진짜 재밌는 영화임미다!!"}


def model_card(config: BundleConfig, corpus: str) -> str:
    """The card in Markdown; `corpus` names what the network was trained on."""
    parameters = sum(math.prod(shape) for shape in expected_shapes(config).values())
    if not config.labels:
        return _encoder_card(config, corpus, parameters)
    (negative, positive), encoder = config.labels, config.encoder
    learnt = _LEARNT.get(corpus, f"the reviews of the corpus `{corpus}`")
    example = _EXAMPLES.get(corpus, "TEXT")
    name = _with_article(encoder.architecture.upper())
    return f"""# {name} that tells {negative} from {positive} reviews

Trained with `nsmc` on the corpus `{corpus}` by

    {config.command}

| | |
| --- | --- |
| network | embedding {config.embedding_dim}, {encoder.describe()}, {config.pooling} pooling |
| parameters | {parameters:,} |
| vocabulary | {config.vocab_size:,} byte-level BPE tokens |
| reads | the first {config.max_length} tokens of a review |
| answers | {", ".join(config.labels)} |
| configuration signature | `{config.signature}` |

## How well it does

{_metrics_table(config.metrics, positive)}

It has learnt {learnt}. Other texts, other topics and irony will
mislead it; its probabilities are not calibrated.

## How to use it

    nsmc predict FOLDER "{example}"

or from Python, which needs numpy, tokenizers and safetensors alone:

    from nsmc import Predictor
    predictor = Predictor.load("FOLDER")
    predictor(["{example}"])

`nsmc.safetensors` holds the weights under PyTorch's names, `tokenizer.json` is in the Hugging Face
tokenizers format, `config.json` has the sizes. Token ids go through the embedding, the encoder
and `ln1`, without padding and without special tokens.
"""


def _encoder_card(config: BundleConfig, corpus: str, parameters: int) -> str:
    loss = config.metrics.get("val/loss")
    measured = (
        "not measured yet" if loss is None else f"{loss:.4f}, perplexity {math.exp(loss):.1f}"
    )
    return f"""# A pretrained {config.encoder.architecture.upper()} encoder

A language model's weights, trained with `nsmc` on the corpus `{corpus}` by

    {config.command}

It classifies nothing yet: `nsmc train init_from=FOLDER` trains a classifier that starts from
it and uses its tokenizer.

| | |
| --- | --- |
| parameters | {parameters:,} |
| vocabulary | {config.vocab_size:,} byte-level BPE tokens |
| validation loss for each token | {measured} |
| configuration signature | `{config.signature}` |
"""


def _with_article(name: str) -> str:
    """Such as "A GRU" and "An LSTM", whose first letter is spoken with a vowel."""
    return f"{'An' if name[0] in 'AEFHILMNORSX' else 'A'} {name}"


def _metrics_table(metrics: dict[str, float], positive: str) -> str:
    if not metrics:
        return "Not measured yet."
    splits = [s for s in ("val", "test") if any(key.startswith(f"{s}/") for key in metrics)]
    titles = {"val": "validation", "test": "test"}
    lines = [
        "| | " + " | ".join(titles[split] for split in splits) + " |",
        "| --- |" + " --- |" * len(splits),
    ]
    for key, name in _METRICS.items():
        cells = [metrics.get(f"{split}/{key}") for split in splits]
        shown = ["undefined" if value is None else f"{value:.4f}" for value in cells]
        lines.append(f"| {name.format(positive=positive)} | " + " | ".join(shown) + " |")
    return "\n".join(lines)
