"""Arguments that several subcommands take: a bundle, a file of reviews, the extra `train`."""

import argparse
import contextlib
import gc
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nsmc.cli.messages import print_message
from nsmc.extras import needs_extra

if TYPE_CHECKING:
    from nsmc.reading.file_format import FileFormat
    from nsmc.runtime.bundle import BundleConfig
    from nsmc.runtime.predictor import Predictor

OUTPUTS = Path("outputs")  # where bundles that were trained here are

_FILE_OPTIONS = {
    "text_column": "of the reviews (default: the bundle's, or document)",
    "label_column": "of labels, the bundle's or as in its corpus (default: as there)",
    "id_column": "of their names (default: id, if any)",
    "format": "of the file, where its extension does not say it",
    "encoding": "such as cp949 (default: utf-8)",
    "delimiter": "between fields (default: a tab in TSV, a comma in CSV)",
    "quoting": "what double quotes mean in TSV and CSV; see docs/data.md",
    "header": "--no-header: columns are positions, from 1",
}

_MMAP_THRESHOLD, _LARGE_BLOCK = -3, 4 << 20  # glibc's M_MMAP_THRESHOLD, and bytes


def add_bundle(parser: argparse.ArgumentParser) -> None:
    """Add the argument that `chosen_bundle` takes."""
    parser.add_argument(
        "bundle",
        nargs="?",
        type=Path,
        metavar="BUNDLE",
        help=(
            "a folder, or hf://OWNER/REPO; by default the newest under outputs/, of a sweep the "
            "best, else pretrained, which is in the package"
        ),
    )


def chosen_bundle(named: Path | None) -> Path:
    """The folder of the bundle that is named, or of the default, and then prints which one."""
    from nsmc.runtime.locate import bundle_folder, chosen_bundle

    if named is not None:
        return bundle_folder(named)
    folder, why = chosen_bundle(OUTPUTS)
    print_message(f"using {folder}{why and f' ({why})'}")
    return folder


def add_file_options(
    parser: argparse.ArgumentParser, *, labelled: bool, required: bool = False
) -> None:
    """Add `--input`, and what says how to read it."""
    parser.add_argument(
        "--input",
        required=required,
        metavar="FILE",
        help="TSV, CSV, JSON Lines, JSON, Parquet or text, also gzipped; - is a pipe",
    )
    for name in file_options(labelled=labelled):
        parser.add_argument(f"--{name.replace('_', '-')}", **_settings(name))
    if labelled:
        parser.add_argument(
            "--labels",
            choices=("names", "mapped"),
            help=(
                "whether the labels are the bundle's names or what its label_map has (default: "
                "what the file's labels themselves say)"
            ),
        )


def file_options(*, labelled: bool) -> list[str]:
    """The options that say how a file is read, as `FileFormat` calls them."""
    return [name for name in _FILE_OPTIONS if labelled or name != "label_column"]


def _settings(name: str) -> dict[str, Any]:
    """What argparse takes for such an option."""
    from nsmc.reading.file_format import FORMATS, QUOTINGS

    special: dict[str, dict[str, Any]] = {
        "format": {"choices": FORMATS},
        "quoting": {"choices": QUOTINGS},
        "delimiter": {"metavar": "CHARACTER"},
        "header": {"action": argparse.BooleanOptionalAction},
    }
    return {"help": _FILE_OPTIONS[name], **special.get(name, {"metavar": "NAME"})}


def file_format(
    options: argparse.Namespace, bundle: Path, config: "BundleConfig", *, labelled: bool
) -> "FileFormat":
    """How to read `--input`: as the options say, else as the bundle's corpus was read.

    Raises ValueError for options that make no sense together.
    """
    from nsmc.runtime import file_form

    typed = {name: getattr(options, name) for name in file_options(labelled=labelled)}
    given = {name: value for name, value in typed.items() if value is not None}
    return file_form.file_format(
        config.reading, options.input, given, labelled=labelled, bundle=str(bundle)
    )


def return_memory_early() -> None:
    """Let the C library give large blocks back at once; else every thread keeps some for itself."""
    import ctypes

    with contextlib.suppress(OSError, AttributeError, TypeError):  # not glibc
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _LARGE_BLOCK)


def load_predictor(bundle: Path) -> "Predictor":
    """The bundle's predictor, without a search for objects in cycles: what is loaded stays."""
    was_enabled = gc.isenabled()  # not by a program that calls the command with words of its own
    gc.disable()
    try:
        from nsmc.runtime.predictor import Predictor

        return Predictor.load(bundle)
    finally:
        if was_enabled:
            gc.enable()


@contextlib.contextmanager
def needs_training_libraries() -> Iterator[None]:
    """Around imports: raises ValueError that names the extra where a library is missing."""
    try:
        yield
    except ImportError as error:
        raise ValueError(f"{error}: {needs_extra('this command', 'train')}") from error
