"""`nsmc convert`: writes a bundle in another form, and says what that costs.

Every conversion is compared with the bundle it comes from, on reviews, before it appears.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import nsmc
from nsmc.atomic import write_file
from nsmc.conversion.page import page_of
from nsmc.extras import needs_extra
from nsmc.reading.file_format import FileFormat
from nsmc.reading.rows import open_rows
from nsmc.runtime.bundle import (
    CARD_FILE,
    ONNX_FILE,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    fill_bundle,
    whole_bundle,
)
from nsmc.runtime.golden import PROBES, write_vectors
from nsmc.runtime.loading import Bundle, read_bundle
from nsmc.runtime.predictor import Predictor
from nsmc.runtime.softmax import Probabilities, exact_softmax

SAMPLE = Path(nsmc.__file__).parent / "data" / "sample" / "ratings_test.txt"

# Float16 has 11 bits, int8 and a scale for each row 8: further apart, something else is wrong.
LARGEST_DIFFERENCE = {"float16": 0.02, "float32": 1e-4, "int8": 0.2, "onnx": 1e-4}


@dataclass(frozen=True)
class Conversion:
    """Where the other form is, its size, and how far its answers are from those of before."""

    folder: Path
    bytes_before: int
    bytes_after: int
    difference: float  # the largest one of a probability
    changed: int  # answers with another label
    texts: int  # that were compared

    def __str__(self) -> str:
        share = self.bytes_after / self.bytes_before
        return (
            f"{self.folder}: {self.bytes_after / 1e6:.2f} MB, {share:.0%} of before; probabilities "
            f"within {self.difference:.1g} on {self.texts} texts"
            + (f", {self.changed} of them with another label" if self.changed else "")
        )


def convert(folder: Path, form: str, output: Path | None = None) -> Conversion:
    """Write the bundle of `folder` as float16, float32, int8 or onnx, to `output` or beside it.

    The two are compared on the sample corpus's test reviews and some hard texts. Raises what
    `read_bundle` raises, ValueError where the answers would differ too much or a library is
    missing, and OSError where the output cannot be written.
    """
    folder = folder if folder.name else folder.resolve()  # "." has no name of its own
    output = output or folder.with_name(f"{folder.name}-{form}")
    bundle = read_bundle(folder)
    predictor = Predictor(bundle)
    texts = [*PROBES, *sample_texts()]
    ids = predictor.encode(texts)
    _refuse_own(folder, output)
    with whole_bundle(output) as scratch:
        if form == "onnx":
            answers = _write_onnx(bundle, folder, scratch, ids)
        else:
            answers = _write_as(form, bundle, folder, scratch, ids)
        difference, changed = _compared(answers, predictor, ids, form)
    before, after = folder / WEIGHTS_FILE, output / (ONNX_FILE if form == "onnx" else WEIGHTS_FILE)
    sizes = before.stat().st_size, after.stat().st_size
    return Conversion(output, *sizes, difference, changed, len(texts))


def convert_to_page(
    folder: Path, output: Path | None, *, weights: str, language: str
) -> Conversion:
    """Write the bundle of `folder` as one HTML page, to `output` or beside it.

    What the page will answer is compared as in `convert`, which also says what is raised.
    """
    folder = folder if folder.name else folder.resolve()
    output = output or folder.with_name(f"{folder.name}.html")
    if output.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"{output}: a page is a file; end its name in .html")
    bundle = read_bundle(folder)
    predictor = Predictor(bundle)
    texts = [*PROBES, *sample_texts()]
    ids = predictor.encode(texts)
    page, theirs = page_of(folder, bundle, weights=weights, language=language)
    answers = exact_softmax(theirs.scaled(theirs.logits(ids)))
    difference, changed = _compared(answers, predictor, ids, weights)
    write_file(output, page)
    sizes = (folder / WEIGHTS_FILE).stat().st_size, output.stat().st_size
    return Conversion(output, *sizes, difference, changed, len(texts))


def _refuse_own(folder: Path, output: Path) -> None:
    ours, theirs = folder.resolve(), output.resolve()
    if ours == theirs or ours in theirs.parents or theirs in ours.parents:
        raise ValueError(f"{output}: the bundle itself is there; choose another --output")


def _compared(
    answers: Probabilities, predictor: Predictor, token_ids: list[list[int]], form: str
) -> tuple[float, int]:
    """The largest difference of the new form's probabilities [N, C], and how many labels differ.

    Raises ValueError where that is more than the form explains.
    """
    expected = exact_softmax(predictor.scaled(predictor.logits(token_ids)))
    difference = float(np.abs(answers - expected).max())
    if not difference <= LARGEST_DIFFERENCE[form]:  # written so that NaN fails, too
        raise ValueError(f"not converted: probabilities would differ by {difference:.2g}")
    return difference, int((answers.argmax(axis=1) != expected.argmax(axis=1)).sum())


def sample_texts() -> list[str]:
    """The test reviews of the sample corpus, which comes with the package."""
    with open_rows(str(SAMPLE), FileFormat(quoting="nsmc")) as rows:
        return [row.text for row in rows if not row.error]


def _write_as(
    dtype: str, bundle: Bundle, folder: Path, scratch: Path, token_ids: list[list[int]]
) -> Probabilities:
    """Write the weights as another type; returns the probabilities of reviews [N, C] with them."""
    largest = max(float(np.abs(tensor).max()) for tensor in bundle.tensors.values())
    if dtype != "int8" and largest > float(np.finfo(dtype).max):
        raise ValueError(f"{folder}: weights up to {largest:.3g} do not fit into {dtype}")
    config = dataclasses.replace(bundle.config, dtype=dtype)
    card = (folder / CARD_FILE).read_text("utf-8") if (folder / CARD_FILE).is_file() else ""
    fill_bundle(scratch, config, bundle.tensors, folder / TOKENIZER_FILE, card)
    write_vectors(scratch)
    predictor = Predictor.load(scratch)
    return exact_softmax(predictor.scaled(predictor.logits(token_ids)))


def _write_onnx(
    bundle: Bundle, folder: Path, scratch: Path, token_ids: list[list[int]]
) -> Probabilities:
    """Write the network; returns the probabilities [N, C] that onnxruntime computes with it."""
    try:
        from nsmc.conversion.onnx import fill_onnx, probabilities
    except ImportError as error:
        raise ValueError(f"{error}: {needs_extra('--to onnx', 'onnx')}") from None
    fill_onnx(scratch, bundle, folder / TOKENIZER_FILE)
    return probabilities(scratch, token_ids).astype(np.float64)
