"""Arguments that several subcommands take: a bundle, a file of reviews, the extra `train`."""

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nsmc.cli.messages import print_message
from nsmc.extras import needs_extra

if TYPE_CHECKING:
    from nsmc.reading.file_format import FileFormat
    from nsmc.runtime.bundle import BundleConfig

OUTPUTS = Path("outputs")  # where bundles that were trained here are

# How a file is read, as `FileFormat` calls it.
FILE_OPTIONS = (
    *("text_column", "label_column", "id_column"),
    *("format", "encoding", "quoting", "header"),
)

_MMAP_THRESHOLD, _LARGE_BLOCK = -3, 4 << 20  # glibc's M_MMAP_THRESHOLD, and bytes


def add_bundle(parser: argparse.ArgumentParser) -> None:
    """Add the argument that `chosen_bundle` takes."""
    parser.add_argument(
        "bundle",
        nargs="?",
        type=Path,
        metavar="BUNDLE",
        help=(
            "by default the newest under outputs/, of a sweep the best, else pretrained, which is "
            "in the package"
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


def add_file_options(parser: argparse.ArgumentParser, required: bool) -> None:
    """Add `--input` and what says how to read it."""
    parser.add_argument(
        "--input",
        required=required,
        metavar="FILE",
        help="TSV, CSV, JSON Lines, JSON, Parquet or text, also gzipped; - is a pipe",
    )
    parser.add_argument(
        "--text-column", metavar="NAME", help="of the reviews (default: the bundle's, or document)"
    )
    parser.add_argument("--id-column", metavar="NAME", help="of their names (default: id, if any)")
    parser.add_argument(
        "--format",
        choices=("tsv", "csv", "jsonl", "json", "parquet", "text"),
        help="of the file, where its extension does not say it",
    )
    parser.add_argument("--encoding", metavar="NAME", help="such as cp949 (default: utf-8)")
    parser.add_argument(
        "--quoting",
        choices=("csv", "field", "nsmc", "none"),
        help="what double quotes mean in TSV and CSV; see docs/data.md",
    )
    parser.add_argument(
        "--header",
        action=argparse.BooleanOptionalAction,
        help="--no-header: columns are positions, from 1",
    )


def file_format(
    options: argparse.Namespace, config: "BundleConfig", *, labelled: bool
) -> "FileFormat":
    """How to read `--input`: as the options say, else as the bundle's corpus was read.

    Raises ValueError for options that make no sense together.
    """
    from nsmc.runtime import file_form

    named = {name: getattr(options, name, None) for name in FILE_OPTIONS}
    chosen = {name: value for name, value in named.items() if value is not None}
    return file_form.file_format(config.reading, options.input, chosen, labelled=labelled)


def return_memory_early() -> None:
    """Let the C library give large blocks back at once; else every thread keeps some for itself."""
    import ctypes

    with contextlib.suppress(OSError, AttributeError, TypeError):  # not glibc
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _LARGE_BLOCK)


@contextlib.contextmanager
def needs_training_libraries() -> Iterator[None]:
    """Around imports: raises ValueError that names the extra where a library is missing."""
    try:
        yield
    except ImportError as error:
        raise ValueError(f"{error}: {needs_extra('this command', 'train')}") from error
