"""What a file of reviews is like, with the settings that were typed and those that are guessed."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nsmc.config.composition import as_yaml, composed_values, literal, typed
from nsmc.config.overrides import as_overrides, readable
from nsmc.config.schema import DataConfig, check_section
from nsmc.data.files import labels_problem
from nsmc.data.guessing import Guess, guess
from nsmc.data.inspection import Inspection, inspect, overlap
from nsmc.reading.labels import LabelRules
from nsmc.reading.opening import is_pipe, name_of
from nsmc.runs.resolvers import register_resolvers
from nsmc.runtime.bundle import TOKENIZER_FILE
from nsmc.runtime.loading import read_tokenizer
from nsmc.runtime.locate import PRETRAINED
from nsmc.terminal import first_few, harmless

_SHOWN = 20  # labels, values and columns in the text


def inspected(file: str, overrides: Sequence[str]) -> dict[str, Any]:
    """All about a file that is not known yet; `overrides` are typed keys of `data`.

    Raises what reading the file raises, and ValueError for a wrong setting.
    """
    if is_pipe(file):
        raise ValueError(f"{name_of(file)}: it is read several times; write it to a file first")
    path = Path(file)
    given = {key.removeprefix("data."): value for key, value in typed(overrides).items()}
    guessed = guess(file, given) if "data" not in given else Guess()
    files = {"root": str(path.parent), "train_file": path.name}
    defaults = as_overrides(
        literal({f"data.{k}": v for k, v in {**files, **guessed.settings}.items()})
    )
    config = _composed([*defaults, *map(readable, overrides)])
    form = config.form
    tokenizer = None
    if (PRETRAINED / TOKENIZER_FILE).is_file():
        tokenizer = read_tokenizer(PRETRAINED / TOKENIZER_FILE)
    whole = inspect(path, form, tokenizer)
    _check_reviews(file, whole)
    order = form.labels.ordered(whole.labels) if whole.values else ()
    parts, values = {}, {*whole.values}
    for name in ("validation_file", "test_file"):
        if (other := getattr(config, name)) is not None:
            part_form = replace(form, labels=form.labels.for_others(order))
            part = inspect(Path(config.root, other), part_form, None)
            values |= {*part.values}
            parts[name] = {
                **{"rows": part.rows, "reviews": part.reviews, "damaged": part.damaged},
                **{"unknown_labels": part.unknown_labels, "errors": part.errors},
                "texts_of_the_training_file": overlap(part, whole),
            }
    return {
        "file": file,
        "columns": guessed.columns,
        "guessed": {key: value for key, value in guessed.settings.items() if value is not None},
        "unsure": guessed.unsure,
        "encoding": config.encoding,
        **whole.as_json(order),
        "unused_keys": form.labels.unused_keys(values),
        "problem": _problem(form.labels, order, whole),
        "parts": parts,
        "yaml": _yaml(path, config),
    }


def _problem(rules: LabelRules, order: Sequence[str], whole: Inspection) -> str:
    """Why training would refuse the file; "" where it would not, as where there are no labels."""
    return labels_problem(rules, {label: whole.labels[label] for label in order}) if order else ""


def _check_reviews(file: str, whole: Inspection) -> None:
    """Raises ValueError where the file has nothing to train on."""
    if not whole.rows:
        raise ValueError(f"{file}: no rows")
    if not whole.reviews:
        counts = whole.as_json(())
        left_out = [
            f"{counts[key]:,} {what}" for key, (what, _) in _LEFT_OUT.items() if counts[key]
        ]
        raise ValueError("; ".join([f"{file}: no reviews", *left_out, *whole.errors[:1]]))


def _composed(overrides: Sequence[str]) -> DataConfig:
    register_resolvers()
    is_choice = [override for override in overrides if override.startswith("data=")]
    others = [override for override in overrides if override not in is_choice]
    values = composed_values([*(is_choice or ["data=files"]), *others])
    return check_section(DataConfig, values["data"], "data")


def _yaml(path: Path, config: DataConfig) -> str:
    """The file for configs/data/ that has these settings."""
    usual = _composed(["data.train_file=x"]).model_dump()
    name = "".join(char if char.isalnum() else "_" for char in path.name.partition(".")[0])
    values: dict[str, Any] = {"name": name or "mine", "root": str(path.parent.absolute())}
    values |= {
        key: value
        for key, value in config.model_dump().items()
        if key not in ("name", "root") and value != usual[key]
    }
    choice = shlex.quote(f"data={values['name']}")
    return f"# python train.py {choice}\ndefaults:\n  - files\n  - _self_\n\n{as_yaml(values)}"


def as_text(report: Mapping[str, Any]) -> str:
    """The report for people."""
    lines = [report["file"], f"  format      {report['format']}, {report['encoding']}"]
    if report["columns"]:
        lines.append(f"  columns     {harmless(first_few(report['columns'], _SHOWN))}")
    if report["guessed"]:
        settings = " ".join(as_overrides({f"data.{k}": v for k, v in report["guessed"].items()}))
        lines.append(f"  guessed     {harmless(settings)}")
    lines += [f"  not sure    {doubt}" for doubt in _doubts(report["unsure"])]
    lines += ["", f"  rows        {report['rows']:,}", f"  reviews     {report['reviews']:,}"]
    for key, (what, advice) in _LEFT_OUT.items():
        if report[key]:
            lines.append(f"  left out    {report[key]:,} {what}{advice and f': {advice}'}")
    lines += [f"              {error}" for error in report["errors"]]
    for key, what in _NOTED.items():
        if report[key]:
            lines.append(f"  {what:<11} {report[key]:,}")
    for key in ("characters", "tokens"):
        if numbers := report[key]:
            lines.append(f"  {key:<11} {', '.join(f'{k} {v:,}' for k, v in numbers.items())}")
    lines += ["", *_labels(report)]
    if report["odd_characters"]:
        lines += ["", "  characters that are neither ASCII nor Hangul, most frequent first"]
        lines += [f"  {count:>11,} {name}" for name, count in report["odd_characters"].items()]
    for name, part in report["parts"].items():
        lines += ["", f"  {name}: {part['reviews']:,} reviews of {part['rows']:,} rows"]
        for key in ("damaged", "unknown_labels"):
            if part[key]:
                lines.append(_indented(f"{part[key]:,} {_LEFT_OUT[key][0]}"))
        lines += map(_indented, part["errors"])
        lines.append(
            f"              {part['texts_of_the_training_file']:,} different texts are in the "
            "training file, too"
        )
    return "\n".join([*lines, "", "configs/data/NAME.yaml:", "", report["yaml"].rstrip()])


def _doubts(unsure: Mapping[str, Any]) -> Iterator[str]:
    if "delimiter" in unsure:
        assumed, *others = map(repr, unsure["delimiter"])
        yield (
            f"what is between the fields: it is read as {assumed} "
            f"(else {' or '.join(f'delimiter={other}' for other in others)})"
        )
    if "header" in unsure:
        is_header = unsure["header"]
        yield (
            f"whether the first line is a header: it is read as "
            f"{'one' if is_header else 'a review'} (else header={str(not is_header).lower()})"
        )


# What rows that are left out are, and what to do about it.
_LEFT_OUT = {
    "empty": ("without a text", ""),
    "damaged": (
        "damaged",
        "training refuses them, or leaves them out with data.skip_damaged=true",
    ),
    "unknown_labels": (
        "with a label that is not expected",
        "training refuses them; data.label_map can join it to a label, or make it null",
    ),
    "left_out_by_label_map": ("by data.label_map", ""),
}
_NOTED = {
    "groups": "groups",
    "duplicates": "duplicates",
    "conflicting_texts": "conflicts",
}


def _labels(report: Mapping[str, Any]) -> list[str]:
    labels = report["labels"]
    if not report["values"]:
        return ["  no labels"]
    lines = [
        f"  {count:>11,} {count / max(report['reviews'], 1):>6.1%} {label}"
        for label, count in list(labels.items())[:_SHOWN]
    ]
    more = [f"              … and {len(labels) - _SHOWN:,} more"] if len(labels) > _SHOWN else []
    lines = [f"  {len(labels):,} labels", *lines, *more]
    if {*report["values"]} != {*labels}:
        order = LabelRules().ordered(report["values"])
        values = [f"{value} ({report['values'][value]:,})" for value in order]
        lines.append(f"  values      {first_few(values, _SHOWN)}")
    if unused := report["unused_keys"]:
        lines.append(f"  not used    of data.label_map: {first_few(unused, _SHOWN)}")
    if report["problem"]:
        lines.append(f"  training    is refused: {report['problem']}")
    return lines


def _indented(line: str) -> str:
    return f"              {line}"
