"""What an architecture's settings offer: the contract between encoders and what uses them.

An architecture's settings are a frozen dataclass. Its fields have the names and ranges that
`config.json` and the configuration's section `model` have; its methods say what follows from them.

Legend: B reviews, T tokens of the longest one, N tokens of all of them, packed as `packing` has
them, E embedding, W width of a state.
"""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, ClassVar, NamedTuple, Protocol, get_args, get_type_hints

from nsmc.runtime.packing import Array, Packed
from nsmc.runtime.token_tables import TokenTables


class Range(NamedTuple):
    """In an annotation: what a number, or each of a tuple of ascending whole ones, may be."""

    low: float
    high: float


# What a range may be of.
_NUMBERS = {
    int: "a whole number",
    float: "a number",
    tuple[int, ...]: "a list of ascending whole numbers",
}


class Encoder(Protocol):
    """Token ids to states, in numpy."""

    tables: TokenTables  # what each token of the vocabulary contributes, computed once

    def states(self, packed: Packed) -> Array:
        """The state after each token [N, W]."""

    def last(self, packed: Packed) -> Array:
        """The state after each review's last token [B, W]; zeros for a review without a token."""


class OnnxGraph(Protocol):
    """An ONNX graph that is being built; strings are the names of values in it."""

    tensors: Mapping[str, Array]  # the bundle's

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Adds an operator; returns what it computes."""

    def constant(self, value: object) -> str: ...

    def tensor(self, name: str, value: Array | None = None) -> str:
        """A tensor under its name in the bundle, or another one under a name of its own."""

    def matrix(self, name: str, value: Array | None = None, axis: int = 0) -> str:
        """The same for one that int8 weights have as codes; its rows are along `axis`."""

    @property
    def lengths(self) -> str:
        """The lengths [B], of int64."""

    @property
    def int32_lengths(self) -> str:
        """The lengths [B] as recurrent operators take them."""

    def joined(self, parts: list[str]) -> str:
        """Side by side."""

    def at_last_token(self, states: str) -> str:
        """Of states [T, B, any] those after each review's last token; zeros without one."""


class EncoderSettings(Protocol):
    """The settings of an architecture, all of them fields of a dataclass."""

    # Settings that act in training alone: shares from 0 to below 1, in no bundle.
    training_shares: ClassVar[tuple[str, ...]]
    can_be_pretrained: ClassVar[bool]  # as a language model
    size_setting: ClassVar[str]  # which adds up where encoders stand side by side

    @property
    def architecture(self) -> str:
        """Its name in the registry."""

    @property
    def width(self) -> int:
        """W."""

    @property
    def table_width(self) -> int:
        """How many numbers the runtime keeps for each token of the vocabulary."""

    @property
    def backend(self) -> str:
        """What computes the states: numpy, or compiled code."""

    def shapes(self, embedding_dim: int) -> dict[str, tuple[int, ...]]:
        """Name and shape of each of the encoder's tensors in a bundle."""

    def blocks(self) -> dict[str, tuple[int, ...]]:
        """How many equal parts (gates, directions) each axis of each tensor has.

        Where encoders stand side by side, each part has room for that part of every one of them.
        0 is for an axis that they share. "states" is for the axis of a state.
        """

    def describe(self) -> str:
        """In words, such as "GRU 128, 1 layer(s), one direction"."""

    def may_differ(self, source: Any) -> set[str]:
        """Settings in which an encoder may differ from one that it takes its weights from."""

    def encoder(self, tensors: Mapping[str, Array]) -> Encoder:
        """The encoder of a bundle's tensors."""

    def onnx_states(self, graph: OnnxGraph, embedded: str) -> str:
        """States [T, B, W] from embeddings [T, B, E]; beyond a review's length any numbers."""

    def onnx_last(self, graph: OnnxGraph, embedded: str) -> str:
        """As `Encoder.last`."""


def own_settings(settings: type[EncoderSettings]) -> dict[str, Any]:
    """The annotation of each setting except the architecture's name.

    Raises TypeError for one that is not bool, a `Literal` of texts or a number with its `Range`.
    """
    hints = get_type_hints(settings, include_extras=True)
    names = [field.name for field in fields(settings)]  # type: ignore[arg-type]
    own = {name: hints[name] for name in names if name != "architecture"}
    for name, annotation in own.items():
        if not expected(annotation):
            kinds = "bool, a Literal of texts, or int, float or tuple[int, ...] with a Range"
            raise TypeError(f"{settings.__name__}.{name} is {annotation}; a setting is {kinds}")
    return own


def expected(annotation: Any) -> str:
    """What a setting must be, in words; "" for an annotation that a setting cannot have."""
    match get_args(annotation):
        case (number, Range(low, high)) if number in _NUMBERS:
            return f"{_NUMBERS[number]} from {low:,} to {high:,}"
        case (str(), *_) as choices:
            return " or ".join(choices)
    return "true or false" if annotation is bool else ""


def is_allowed(annotation: Any, value: Any) -> bool:
    """Whether a value, as JSON has it, is one that a setting may have."""
    if annotation is bool:
        return type(value) is bool
    first, *others = get_args(annotation)
    if isinstance(first, str):
        return value in (first, *others)
    low, high = others[0]
    numbers = [value] if first in (int, float) else value
    types = (int, float) if first is float else (int,)
    if not isinstance(numbers, list) or any(type(number) not in types for number in numbers):
        return False
    is_ascending = numbers == sorted(set(numbers))
    return bool(numbers) and is_ascending and low <= numbers[0] and numbers[-1] <= high


def needed_settings(ours: EncoderSettings, theirs: EncoderSettings) -> dict[str, Any]:
    """Which settings an encoder would need to take its weights from another one: none if it can."""
    free = ours.may_differ(theirs) if type(ours) is type(theirs) else set()
    needed = asdict(theirs)  # type: ignore[call-overload]
    return {
        name: value
        for name, value in needed.items()
        if name not in free and getattr(ours, name, None) != value
    }
