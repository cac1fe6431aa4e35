"""Model cards of bundles in other forms: the bundle's own, with what has become of it.

Sections of the card begin with "## "; its metadata, which model hubs read, stand before all else
between two lines "---".
"""

import re

from nsmc.runtime.bundle import BundleConfig, parameter_count
from nsmc.runtime.teachers import all_knowledge, packages

_USE = "How to use it"  # a section's heading, as of those that follow
_QUALITY = "How well it does"
_CONFIDENCE = "How far to trust its probabilities"
_WEIGHTS = "The weights"

_INT8 = """\
The weights are int8: each row of a matrix has a scale of its own. What figures this card has were
measured before they were made int8; `nsmc evaluate` measures anew. `nsmc`, its page and its program
in Rust read such weights. candle does not: it would take a matrix's codes for its numbers.
"""
_WERE_INT8 = """\
The weights were int8 once, and no conversion brings back what that lost. What figures this card has
were measured before; `nsmc evaluate` measures anew.
"""

_ONNX = """\
`nsmc.onnx` takes `token_ids` int64 [reviews, tokens], with rows padded by anything, and `lengths`
int32 [reviews], and gives `probabilities` float32 [reviews, labels]. `tokenizer.json` makes the
ids, without special tokens. Ids are from 0 to {last_id:,}, lengths from 0 to that of the row;
onnxruntime refuses others, OpenVINO gives answers that mean nothing. There may be any number of
reviews, 0 included. The weights are {weights}, and all is computed in float32.

    import json, pathlib
    import numpy as np, onnxruntime, tokenizers

    tokenizer = tokenizers.Tokenizer.from_file("FOLDER/tokenizer.json")
    session = onnxruntime.InferenceSession("FOLDER/nsmc.onnx")
    ids = tokenizer.encode("TEXT", add_special_tokens=False).ids
    feed = {{"token_ids": np.array([ids], np.int64), "lengths": np.array([len(ids)], np.int32)}}
    (probabilities,) = session.run(None, feed)
    labels = json.loads(pathlib.Path("FOLDER/config.json").read_text("utf-8"))["labels"]

OpenVINO needs `INFERENCE_PRECISION_HINT` `f32` where the processor has bfloat16.
`test_vectors.json` has texts with their ids and probabilities, which differ by 1e-5 at most.
"""
_ONNX_INT8 = """\
The weights are int8: each row of a matrix has a scale of its own. What figures this card has were
measured before they were made int8.
"""

_PRUNED = """\
`nsmc convert --vocab-size {size}` has kept {size:,} of {before:,} tokens; the weights are as they
were trained. What was measured with all of them does not hold.
"""
_NOT_MEASURED = """\
Not measured {so}: `nsmc evaluate` does it. Texts unlike those that it has learnt,
other topics and irony will mislead it.
"""
_NOT_CALIBRATED = "Not measured {so}: its probabilities are not calibrated.\n"

_MERGED = """\
It is {count} networks side by side, each in blocks of its own with zeros between them. The logits
are the mean of theirs, each divided by its temperature.
{teachers}"""
_OF_THE_FIRST = "What follows, up to the table, is of the first one.\n"


def weights_card(card: str, before: str, after: str) -> str:
    """Of a bundle whose weights were of one type and are of another one."""
    return _with(card, _about_int8(before, after, _INT8))


def onnx_card(card: str, config: BundleConfig, weights: str) -> str:
    """Of a bundle with this configuration in ONNX, with float32 or int8 `weights`."""
    use = _ONNX.format(last_id=config.vocab_size - 1, weights=weights)
    return _with(card, {**_about_int8(config.dtype, weights, _ONNX_INT8), _USE: use})


def _about_int8(before: str, after: str, text: str) -> dict[str, str]:
    if after == "int8":
        return {_WEIGHTS: text}
    return {_WEIGHTS: _WERE_INT8} if before == "int8" else {}


def pruned_card(card: str, config: BundleConfig, before: int) -> str:
    """Of the bundle with this configuration, which had that many tokens before."""
    vocabulary = {"vocabulary": f"{config.vocab_size:,} byte-level BPE tokens"}
    text = _PRUNED.format(size=config.vocab_size, before=before)
    card = _with_rows(card, {**_parameters(config), **vocabulary})
    return _with(_unmeasured(card, "with this vocabulary"), {"A smaller vocabulary": text})


def merged_card(card: str, config: BundleConfig, count: int) -> str:
    """Of the bundle with this configuration, which is `count` bundles; the first one had `card`."""
    card = with_merged(card, config, count, more=_OF_THE_FIRST)
    network = f"embedding {config.embedding_dim}, {config.encoder.describe()}"
    rows = {"network": f"{network}, {config.pooling} pooling", **_parameters(config)}
    card = re.sub(r"^\| configuration signature \|.*\n", "", card, flags=re.MULTILINE)
    return _unmeasured(_with_rows(card, rows), "since they were merged")


def with_merged(card: str, config: BundleConfig, count: int, more: str = "") -> str:
    """The card, which says below its title of how many networks the bundle is, and `more`."""
    text = _MERGED.format(count=count, teachers=_their_teachers(config)) + more
    title = re.search(r"^# .*\n", card, flags=re.MULTILINE)
    end = title.end() if title else 0
    return f"{card[:end]}\n{text}{card[end:]}".lstrip()


def _their_teachers(config: BundleConfig) -> str:
    """What is known of the teachers of the networks; "" where they had none."""
    if config.teachers is None:
        return ""
    behind, text = all_knowledge(config.teachers), "Some or all of them had teachers.\n"
    if behind.morphemes:
        text += f"Some of these read morphemes, by {packages(behind.morphemes)}.\n"
    if behind.unknown:
        text += "Some are files of soft labels, or do not say who taught them.\n"
    return text


def _parameters(config: BundleConfig) -> dict[str, str]:
    count = parameter_count(config)
    return {"parameters": f"{count:,}"}


def _with_rows(card: str, rows: dict[str, str]) -> str:
    """The card with these values in the rows of these names, where it has them."""
    for name, value in rows.items():
        card = re.sub(rf"^\| {name} \|.*$", f"| {name} | {value} |", card, flags=re.MULTILINE)
    return card


def _unmeasured(card: str, so: str) -> str:
    """The card without results of networks that answered otherwise than this one."""
    sections = {_QUALITY: _NOT_MEASURED, _CONFIDENCE: _NOT_CALIBRATED}
    texts = {heading: text.format(so=so) for heading, text in sections.items()}
    return _with(_without_results(card), texts)


def _with(card: str, sections: dict[str, str]) -> str:
    """The card with these texts under these headings, where they stand or else at its end."""
    for heading, text in sections.items():
        section = f"## {heading}\n\n{text}\n"
        there = re.compile(rf"^## {re.escape(heading)}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
        old = there.search(card)
        before, after = (card[: old.start()], card[old.end() :]) if old else (card, "")
        card = f"{before.rstrip()}\n\n{section}{after}".lstrip()
    return f"{card.rstrip()}\n" if sections else card


def _without_results(card: str) -> str:
    """The card without `model-index` in its metadata, which model hubs show as its results."""
    metadata = re.match(r"---\n.*?^---\n", card, re.MULTILINE | re.DOTALL)
    if not metadata:
        return card
    kept = re.sub(r"^model-index:.*\n(?:[ -](?!--).*\n)*", "", metadata.group(), flags=re.MULTILINE)
    return kept + card[metadata.end() :]
