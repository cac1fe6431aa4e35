"""`nsmc convert`: writes a bundle in another form, and says what that costs.

Every conversion is compared with the bundle it comes from, on reviews, before it appears.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import nsmc
from nsmc.conversion.onnx import write_onnx
from nsmc.runtime.bundle import (
    CARD_FILE,
    ONNX_FILE,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    check_replaceable,
    write_bundle,
)
from nsmc.runtime.golden import PROBES, write_vectors
from nsmc.runtime.loading import Bundle, read_bundle
from nsmc.runtime.packing import Array
from nsmc.runtime.predictor import Predictor, softmax
from nsmc.runtime.readers import Columns, read_rows

_LARGEST_FLOAT16 = float(np.finfo(np.float16).max)

SAMPLE = Path(nsmc.__file__).parent / "data" / "sample" / "ratings_test.txt"

# Float16 has 11 bits: further apart than this, something else is wrong.
LARGEST_DIFFERENCE = {"float16": 0.02, "float32": 1e-4, "onnx": 1e-4}


@dataclass(frozen=True)
class Conversion:
    """What a conversion has made: where, of what size, and how far its answers are from before.

    `difference` is the largest one of a probability, on so many `texts`.
    """

    place: Path
    bytes_before: int
    bytes_after: int
    difference: float
    texts: int

    def __str__(self) -> str:
        share = self.bytes_after / self.bytes_before
        return (
            f"{self.place}: {self.bytes_after / 1e6:.2f} MB, {share:.0%} of before; probabilities "
            f"within {self.difference:.1g} on {self.texts} texts"
        )


def convert(folder: Path, form: str, output: Path | None = None) -> Conversion:
    """Write the bundle of `folder` as float16, float32 or onnx, to `output` or beside it.

    The two are compared on the sample corpus's test reviews and some hard texts. Raises what
    `read_bundle` raises, ValueError where the answers would differ too much or a library is
    missing, and OSError where the output cannot be written.
    """
    folder = folder if folder.name else folder.resolve()  # "." has no name of its own
    bundle = read_bundle(folder)
    before = Predictor(bundle)
    texts = [*PROBES, *sample_texts()]
    ids = before.encode(texts)
    expected = softmax(before.logits(ids))
    output = output or folder.with_name(f"{folder.name}-{form}")
    _check_place(output.resolve(), folder.resolve())
    largest = max(float(np.abs(tensor).max()) for tensor in bundle.tensors.values())
    if form == "float16" and largest > _LARGEST_FLOAT16:
        raise ValueError(f"{folder}: weights up to {largest:.3g} do not fit into float16")

    def compared(answers: Array) -> float:
        difference = float(np.abs(answers - expected).max())
        if not difference <= LARGEST_DIFFERENCE[form]:  # written so that NaN fails, too
            raise ValueError(f"not converted: probabilities would differ by {difference:.2g}")
        return difference

    if form == "onnx":
        difference = write_onnx(bundle, folder / TOKENIZER_FILE, output, ids, compared)
    else:
        difference = _rewrite(bundle, folder, form, output, ids, compared)
    before_bytes = (folder / WEIGHTS_FILE).stat().st_size
    after = next(output / name for name in (WEIGHTS_FILE, ONNX_FILE) if (output / name).is_file())
    return Conversion(output, before_bytes, after.stat().st_size, difference, len(texts))


def _check_place(output: Path, folder: Path) -> None:
    """Raises ValueError where writing to `output` would remove what is no other bundle."""
    if output == folder or output in folder.parents or folder in output.parents:
        raise ValueError(f"{output}: the bundle itself is there; choose another --output")
    check_replaceable(output)


def sample_texts() -> list[str]:
    """The test reviews of the sample corpus, which comes with the package."""
    with SAMPLE.open("rb") as stream:
        rows = list(read_rows(stream, "tsv", Columns("document"), str(SAMPLE)))
    return [row.text for row in rows if not row.error]


def _rewrite(
    bundle: Bundle,
    folder: Path,
    dtype: str,
    output: Path,
    ids: list[list[int]],
    compared: Callable[[Array], float],
) -> float:
    config = dataclasses.replace(bundle.config, dtype=dtype)
    card = (folder / CARD_FILE).read_text("utf-8") if (folder / CARD_FILE).is_file() else ""
    found: list[float] = []

    def check(scratch: Path) -> None:
        found.append(compared(softmax(Predictor.load(scratch).logits(ids))))
        write_vectors(scratch)

    write_bundle(output, config, bundle.tensors, folder / TOKENIZER_FILE, card, check)
    return found[0]
