"""What a checkpoint holds besides weights: checked before use, as anybody may have written it.

A checkpoint is read without executing anything in it. What is left is that a value of another type
or shape than ours would end somewhere inside Lightning or torch, long after it was read.
"""

import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

_LARGEST = 2**53  # what is beyond it was not counted
_DEEPEST = 20  # levels; ours have 8
_SECTIONS: dict[str, type] = {
    **dict.fromkeys(("state_dict", "hyper_parameters", "callbacks", "loops"), dict),
    **dict.fromkeys(("optimizer_states", "lr_schedulers"), list),
}
_NETWORKS = ("classifier", "encoder")  # whose settings say how large a network is


def problem_of(checkpoint: Any) -> str:
    """Why this is no checkpoint of this program's; "" where it may be one."""
    if not isinstance(checkpoint, dict):
        return "no mapping"
    if missing := {"hyper_parameters", "state_dict"} - checkpoint.keys():
        return f"no {', '.join(sorted(missing))}"
    for name, kind in _SECTIONS.items():
        if not isinstance(checkpoint.get(name, kind()), kind):
            return f"{name} is no {kind.__name__}"
    if not _is_shallow(checkpoint):
        return "nested too deeply"
    for name in ("epoch", "global_step"):
        if not is_count(checkpoint.get(name, 0)):
            return f"{name} is no count"
    if not all(map(is_count, leaves(checkpoint.get("loops", {})))):
        return "loops has more than counts"
    if not all(isinstance(state, dict) for state in checkpoint.get("callbacks", {}).values()):
        return "callbacks has more than states"
    return _problem_of_weights(checkpoint["state_dict"], checkpoint["hyper_parameters"])


def _problem_of_weights(weights: Mapping[Any, Any], settings: Mapping[Any, Any]) -> str:
    tensors = list(weights.values())
    if not all(isinstance(each, torch.Tensor) for each in tensors):
        return "state_dict has more than tensors"
    for each in tensors:  # a view can say that it is larger than what it views
        if each.numel() * each.element_size() > each.untyped_storage().nbytes():
            return "state_dict has a tensor without its numbers"
    # A network of other sizes would be made, in whatever memory that takes, before it is compared.
    largest = max([size for each in tensors for size in each.shape], default=0)
    largest = max(largest, len(tensors))
    for section in (settings.get(network) for network in _NETWORKS):
        for name, value in section.items() if isinstance(section, Mapping) else ():
            sizes = [each for each in leaves(value) if each is not None]
            if not all(isinstance(size, str) or _is_size(size, largest) for size in sizes):
                return f"{name}={value!r:.40} does not fit its weights"
    return ""


def leaves(value: Any) -> Iterator[Any]:
    """What is in nested mappings and lists."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            yield from leaves(each)
    else:
        yield value


def _is_shallow(checkpoint: Mapping[Any, Any]) -> bool:
    level: list[Any] = [checkpoint]
    for _ in range(_DEEPEST):
        inner: list[Any] = []
        for value in level:
            if isinstance(value, Mapping):
                inner += value.values()
            elif isinstance(value, list | tuple):
                inner += value
        if not inner:
            return True
        level = inner
    return False


def is_count(value: object) -> bool:
    """Whether it is a whole number, or true or false, as counters and flags are."""
    return isinstance(value, int) and 0 <= value < _LARGEST


def is_number(value: object) -> bool:
    """Whether it is a finite number."""
    return type(value) in (int, float) and math.isfinite(value) and abs(value) < _LARGEST  # type: ignore[arg-type]


def _is_size(value: object, largest: int) -> bool:
    """Whether it is a size that weights can have, or a share."""
    return isinstance(value, bool) or (is_number(value) and 0 <= value <= largest)  # type: ignore[operator]


def is_score(value: object) -> bool:
    """Whether it is a tensor of one floating-point number, as a metric is."""
    return isinstance(value, torch.Tensor) and value.shape == () and value.is_floating_point()


def check_state(callback: str, state: Mapping[str, Any], **checks: Any) -> None:
    """Check some entries of a callback's state; raises ValueError for one that is wrong."""
    for name, is_right in checks.items():
        if name not in state or not is_right(state[name]):
            raise ValueError(f"the checkpoint is damaged: {name} of {callback}")


def is_history(value: object) -> bool:
    """Whether it is what `TrainingProgress` keeps of epochs."""
    if not isinstance(value, Sequence) or not all(isinstance(epoch, Mapping) for epoch in value):
        return False
    entries = [entry for epoch in value for entry in epoch.items()]
    return all(isinstance(name, str) and type(each) in (int, float) for name, each in entries)


def name_of(path: object) -> str:
    """The file's name in a path that a checkpoint has; "" where that is none."""
    name = Path(path).name if isinstance(path, str) and "\0" not in path else ""
    return name if name.endswith(".ckpt") else ""


def grows(path: Path) -> bool:
    """Whether a file holds more, once it is read, than it has bytes: a compressed archive does."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return sum(member.file_size for member in archive.infolist()) > path.stat().st_size
