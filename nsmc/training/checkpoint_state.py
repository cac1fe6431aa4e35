"""What a checkpoint holds besides weights: checked before use, as anybody may have written it.

A checkpoint is read without executing anything in it. But a value of another type or shape than
ours would fail somewhere inside Lightning or torch, long after it was read.
"""

import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

_MAX_COUNT = 2**53  # nothing counts further
_MAX_DEPTH = 20  # levels of nesting; ours have 8
_SECTIONS: dict[str, type] = {
    **dict.fromkeys(("state_dict", "hyper_parameters", "callbacks", "loops"), dict),
    **dict.fromkeys(("optimizer_states", "lr_schedulers"), list),
}
_NETWORKS = ("classifier", "encoder")  # sections of settings that say how large a network is


def check_content(checkpoint: Any) -> None:
    """Raises ValueError, saying why, for what cannot be a checkpoint of this program's."""
    _check(isinstance(checkpoint, dict), "no mapping")
    for name in ("hyper_parameters", "state_dict"):
        _check(name in checkpoint, f"no {name}")
    for name, section_type in _SECTIONS.items():
        section = checkpoint.get(name, section_type())
        _check(isinstance(section, section_type), f"{name} is no {section_type.__name__}")
        are_texts = all(isinstance(key, str) for key in section) or section_type is list
        _check(are_texts, f"{name} has a name that is no text")
    for leaf in _leaves(checkpoint):  # raises for too deep a nesting
        is_huge = type(leaf) is int and abs(leaf) > sys.float_info.max
        _check(not is_huge, "a whole number that no float holds")
    for name in ("epoch", "global_step"):
        _check(is_count(checkpoint.get(name, 0)), f"{name} is no count")
    _check(all(map(is_count, _leaves(checkpoint.get("loops", {})))), "loops has more than counts")
    states = checkpoint.get("callbacks", {}).values()
    _check(all(isinstance(state, dict) for state in states), "callbacks has more than states")
    _check_weights(checkpoint["state_dict"], checkpoint["hyper_parameters"])


def _check_weights(weights: Mapping[Any, Any], settings: Mapping[Any, Any]) -> None:
    tensors = list(weights.values())
    is_tensors = all(isinstance(tensor, torch.Tensor) for tensor in tensors)
    _check(is_tensors, "state_dict has more than tensors")
    for tensor in tensors:  # a view can claim to be larger than what it views
        is_whole = tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()
        _check(is_whole, "state_dict has a tensor without its numbers")
    # A network of other sizes would be built, in whatever memory that takes, before it is compared.
    largest = max([len(tensors), *(size for tensor in tensors for size in tensor.shape)])
    for section in (settings.get(network) for network in _NETWORKS):
        for name, value in section.items() if isinstance(section, Mapping) else ():
            fits = all(
                size is None or isinstance(size, str) or _is_size(size, largest)
                for size in _leaves(value)
            )
            _check(fits, f"{name}={value!r:.40} does not fit its weights")


def _check(is_right: bool, problem: str) -> None:
    if not is_right:
        raise ValueError(problem)


def _leaves(value: Any) -> Iterator[Any]:
    """What is in nested mappings and lists; one that is there several times is read once."""
    level, seen = [value], set[int]()
    for _ in range(_MAX_DEPTH):
        inner: list[Any] = []
        for entry in level:
            if not isinstance(entry, Mapping | list | tuple):
                yield entry
            elif id(entry) not in seen:
                seen.add(id(entry))
                inner += entry.values() if isinstance(entry, Mapping) else entry
        level = inner
    _check(not level, "nested too deeply")


def is_count(value: object) -> bool:
    """Whether it is a whole number, or true or false, as counters and flags are."""
    return isinstance(value, int) and 0 <= value < _MAX_COUNT


def is_number(value: object) -> bool:
    """Whether it is a finite number."""
    return type(value) in (int, float) and abs(value) < _MAX_COUNT  # type: ignore[arg-type]


def _is_size(value: object, largest: int) -> bool:
    """Whether it is a flag, a share, or a size that weights can have."""
    return isinstance(value, bool) or (is_number(value) and 0 <= value <= largest)  # type: ignore[operator]


def is_score(value: object) -> bool:
    """Whether it is a tensor of one floating-point number, as a metric is."""
    return isinstance(value, torch.Tensor) and value.shape == () and value.is_floating_point()


def is_history(value: object) -> bool:
    """Whether it is what `TrainingProgress` keeps of epochs."""
    if not isinstance(value, Sequence) or not all(isinstance(epoch, Mapping) for epoch in value):
        return False
    entries = [entry for epoch in value for entry in epoch.items()]
    return all(isinstance(name, str) and type(number) in (int, float) for name, number in entries)


def check_state(callback: str, state: Mapping[str, Any], **checks: Any) -> None:
    """Check some entries of a callback's state; raises ValueError for one that is wrong."""
    for name, is_right in checks.items():
        if name not in state or not is_right(state[name]):
            raise ValueError(f"the checkpoint is damaged: {name} of {callback}")


def check_plain_states(states: Mapping[str, Any]) -> None:
    """Raises ValueError, naming the callback, for a state with more in it than plain values."""
    for callback, state in states.items():
        for value in _leaves(state):
            if not isinstance(value, torch.Tensor | str | int | float | bool | bytes | None):
                raise ValueError(
                    f"{callback}: its state_dict holds a {type(value).__name__}, but a checkpoint "
                    "keeps numbers, texts, tensors, and lists and mappings of them"
                )


def name_of(path: object) -> str:
    """The file's name in a path that a checkpoint has; "" where that is none."""
    name = Path(path).name if isinstance(path, str) and "\0" not in path else ""
    return name if name.endswith(".ckpt") else ""


def is_compressed(path: Path) -> bool:
    """Whether the file is an archive that takes more memory than it has bytes."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return sum(member.file_size for member in archive.infolist()) > path.stat().st_size
