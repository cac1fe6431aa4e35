"""What the metadata block of a model card says, in the form that model hubs read.

https://github.com/huggingface/hub-docs/blob/main/modelcard.md. Only what is known is there: the
figures that were measured, and language and data set of corpora whose names say them.
"""

from typing import Any

import yaml

from nsmc.runtime.bundle import BundleConfig

# Corpora that are known by their names: the language, and where a hub has the data set.
_KOREAN = ("nsmc", "sample", "ratings", "shopping", "steam")
_DATASETS = {"nsmc": "e9t/nsmc"}

# Our names of metrics, the hub's, and what the card calls them.
_METRICS = {
    "accuracy": ("accuracy", "accuracy"),
    "macro_f1": ("f1", "F1, the mean over the labels"),
    "f1": ("f1", "F1 of the second label"),
    "auroc": ("roc_auc", "area under the ROC curve"),
    "loss": ("loss", "cross-entropy"),
    "calibration_error": ("calibration_error", "calibration error"),
}
_ON_THE_HUB = ("accuracy", "f1", "roc_auc")  # that are metrics of their own there
_SPLITS = {"val/": "validation", "test/": "test"}

_TASK = {"type": "text-classification", "name": "Text Classification"}


def metadata_block(config: BundleConfig, corpus: str, license_: str) -> str:
    """The block, with its two lines of dashes."""
    values = _metadata(config, corpus, license_)
    text = yaml.safe_dump(values, allow_unicode=True, sort_keys=False, width=1_000)
    return f"---\n{text}---\n\n"


def _metadata(config: BundleConfig, corpus: str, license_: str) -> dict[str, Any]:
    values: dict[str, Any] = {"language": ["ko"]} if corpus in _KOREAN else {}
    values |= {"license": license_, "library_name": "nsmc"}
    if config.labels:
        values["pipeline_tag"] = "text-classification"
    architecture = config.encoder.architecture
    values["tags"] = [architecture, *(["sentiment-analysis"] if corpus in _KOREAN else [])]
    if corpus in _DATASETS:
        values["datasets"] = [_DATASETS[corpus]]
    results = _results(config, corpus) if config.labels else []
    if results:
        measured = {metric["type"] for result in results for metric in result["metrics"]}
        values["metrics"] = [name for name in _ON_THE_HUB if name in measured]
        values["model-index"] = [{"name": f"nsmc-{architecture}", "results": results}]
    return values


def _results(config: BundleConfig, corpus: str) -> list[dict[str, Any]]:
    """A result for each part of the corpus that was measured."""
    results = []
    for start, split in _SPLITS.items():
        metrics = [
            {"type": type_, "value": config.metrics[start + ours], "name": name}
            for ours, (type_, name) in _METRICS.items()
            if start + ours in config.metrics
        ]
        if metrics:
            source = {"type": _DATASETS.get(corpus, corpus), "name": corpus, "split": split}
            results.append({"task": dict(_TASK), "dataset": source, "metrics": metrics})
    return results
