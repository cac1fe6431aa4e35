"""What to say where an optional dependency is not installed."""


def needs_extra(what: str, extra: str) -> str:
    """The line for what needs an extra of this package; it is installed from a clone."""
    return (
        f'{what} needs the extra "{extra}": run pip install ".[{extra}]" in the clone of nsmc '
        "(make install installs them all)"
    )
