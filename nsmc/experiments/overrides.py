"""What is on the command line, read as Hydra reads it."""

from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser


def with_sweep_name(arguments: Sequence[str]) -> list[str]:
    """The arguments with `sweep=NAME`, which is shorter to type, as `sweep.name=NAME`.

    `sweep` is a section of the configuration, with other keys in it.
    """
    return [
        f"sweep.name={argument.removeprefix('sweep=')}"
        if argument.startswith("sweep=")
        else argument
        for argument in arguments
    ]


def overridden_keys(overrides: Sequence[str]) -> list[str]:
    """The keys that the overrides name, groups among them, such as `model` and `model.lr`."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    return [override.key_or_group for override in parsed]
