"""Keys that hold `{_target_: package.module.Class, …}`, or one of a few names."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator

from nsmc.training.targets import TARGET

_FORM = f"a mapping, {{{TARGET}: package.module.Class, ARGUMENT: VALUE}}"
_WRITTEN = f"a mapping whose {TARGET} is written package.module.Class"
_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")


def _has_target(value: dict[str, Any]) -> dict[str, Any]:
    if not _NAME.fullmatch(str(value.get(TARGET))):
        raise ValueError(_WRITTEN if TARGET in value else _FORM)
    return value


# Something to be built of a class that the user names.
Target = Annotated[dict[str, Any], AfterValidator(_has_target)]


def named_or_target(*names: str) -> Any:
    """The type of a key that takes one of the names, or a target."""

    def check(value: Any) -> Any:
        if isinstance(value, Mapping):
            return _has_target(dict(value))
        if value not in names:
            raise ValueError(f"{', '.join(names)} or {_FORM}")
        return value

    return Annotated[Literal[names] | dict[str, Any], BeforeValidator(check)]
