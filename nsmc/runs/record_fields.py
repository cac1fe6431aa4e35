"""What a run's record may hold. Anybody may have written one, so everything is checked."""

from typing import Annotated, Any, Literal, TypedDict, get_type_hints

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, ValidationError

from nsmc.runtime.teachers import check_teachers

_LARGEST = 1e30  # what is beyond it was not measured
_DEEPEST = 20  # levels of a mapping; the configuration has 5


def _encodable(text: str) -> str:
    text.encode()  # raises UnicodeEncodeError, a ValueError, for half a surrogate pair
    return text


def _one_line(text: str) -> str:
    if any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in text):
        raise ValueError("control characters")
    return text


def _not_deep(value: Any) -> Any:
    _check_depth(value, _DEEPEST)
    return value


def _check_depth(value: Any, levels: int) -> None:
    if levels < 0:
        raise ValueError("nested too deeply")
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            _check_depth(item, levels - 1)


def _numbers_of(value: Any) -> Any:
    """A mapping without the entries that are no finite numbers."""
    if not isinstance(value, dict):
        return value
    return {name: number for name, number in value.items() if _is_finite(number)}


def _is_finite(value: Any) -> bool:
    return type(value) in (int, float) and -_LARGEST < value < _LARGEST  # NaN is not


def _checked_teachers(entry: dict[str, Any]) -> dict[str, Any]:
    check_teachers(entry)
    return entry


_Text = Annotated[str, AfterValidator(_encodable)]
_Line = Annotated[_Text, AfterValidator(_one_line)]
_Count = Annotated[int, Field(ge=0, lt=2**53)]
_Number = Annotated[float, Field(gt=-_LARGEST, lt=_LARGEST, allow_inf_nan=False)]
_Mapping = Annotated[dict[_Text, Any], AfterValidator(_not_deep)]


class _Fields(TypedDict, total=False):
    status: Literal["running", "interrupted", "failed", "pruned", "finished"]
    error: _Text | None
    refused: bool
    host: _Text
    pid: Annotated[int, Field(gt=0, lt=2**31)]
    slurm_job: _Line
    signature: _Line
    config: _Mapping
    final_step_config: _Mapping  # of a recipe: of its last step, or of what it merged
    recipe: _Mapping
    command: _Line
    flags: list[_Line]
    overrides: list[_Text]
    starting_checkpoint: _Line | None
    teachers: Annotated[dict[str, Any], AfterValidator(_checked_teachers)]
    corpus_fingerprint: _Line
    training_fingerprint: _Line | None
    tokenizer_fingerprint: _Line
    training_reviews: _Count
    versions: dict[_Line, _Line]
    git_commit: _Line | None
    started: _Line
    finished: _Line
    resumed_from: _Text | None
    resumed: _Count
    threads: Annotated[int, Field(gt=0, le=1024)] | None
    metrics: Annotated[dict[_Line, _Number], BeforeValidator(_numbers_of)]
    history: Annotated[list[dict[_Line, Any]], AfterValidator(_not_deep)]
    seconds: _Number
    train_seconds: _Number
    reviews_per_second: _Number
    epochs: _Count
    steps: _Count
    parameters: _Count
    bundle_bytes: _Count
    microseconds: _Number  # of one review, where a search has measured it


_CHECKS = {
    name: TypeAdapter[Any](hint)
    for name, hint in get_type_hints(_Fields, include_extras=True).items()
}
_INDISPENSABLE = ("status", "signature", "config")  # without these a record says nothing


def without_wrong_fields(record: Any) -> dict[str, Any]:
    """The record's entries that are known and of their type.

    Raises ValueError, which names it, where one that is indispensable is of another type.
    """
    if not isinstance(record, dict):
        raise ValueError("no mapping")
    right = {}
    for name in [name for name in record if name in _CHECKS]:
        try:
            right[name] = _CHECKS[name].validate_python(record[name], strict=True)
        except ValidationError:
            if name in _INDISPENSABLE:
                raise ValueError(name) from None
    return right
