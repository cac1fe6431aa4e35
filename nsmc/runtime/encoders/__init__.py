"""The architectures that a bundle may have, each with its settings and its encoder in numpy."""

from collections.abc import Mapping
from typing import Any

from nsmc.runtime.encoders.recurrent import RecurrentSettings
from nsmc.runtime.encoders.settings import EncoderSettings, own_settings

ENCODERS: dict[str, type[EncoderSettings]] = {
    "gru": RecurrentSettings,
    "lstm": RecurrentSettings,
}


def encoder_settings(values: Mapping[str, Any]) -> EncoderSettings:
    """The settings of the `architecture` that is named; whatever else there is, is left out."""
    kind = ENCODERS[values["architecture"]]
    own = {name: values[name] for name in own_settings(kind)}
    plain = {name: tuple(v) if isinstance(v, list) else v for name, v in own.items()}
    return kind(values["architecture"], **plain)  # type: ignore[call-arg]
