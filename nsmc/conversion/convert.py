"""`nsmc convert`: writes a bundle in another form, and says what that costs.

Every conversion is compared with the bundle it comes from, on reviews, before it appears.
"""

import contextlib
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import nsmc
from nsmc.atomic import write_file
from nsmc.conversion.card import weights_card
from nsmc.conversion.page import page_of
from nsmc.conversion.vocabulary import fill_pruned
from nsmc.extras import needs_extra
from nsmc.reading.file_format import FileFormat
from nsmc.reading.rows import open_rows
from nsmc.runtime.bundle import (
    CARD_FILE,
    ONNX_FILE,
    TOKENIZER_FILE,
    WEIGHTS_FILE,
    fill_bundle,
    refuse_morphemes,
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


def convert(
    folder: Path,
    form: str | None,
    output: Path | None = None,
    *,
    weights: str = "float32",
    vocab_size: int | None = None,
) -> Conversion:
    """Write the bundle of `folder` as float16, float32, int8 or onnx, to `output` or beside it.

    ONNX's form has float32 or int8 `weights`. With a `vocab_size` only so many tokens stay; without
    a `form` the weights' type does. The two are compared on the sample corpus's test reviews and
    some hard texts. Raises what `read_bundle` raises, ValueError where the answers would differ too
    much, the vocabulary cannot have that size or a library is missing, and OSError where the output
    cannot be written.
    """
    folder = folder if folder.name else folder.resolve()  # "." has no name of its own
    original, texts = read_bundle(folder), [*PROBES, *sample_texts()]
    expected = Predictor(original).probabilities(texts)
    output = output or folder.with_name(converted_name(folder.name, form, weights, vocab_size))
    _refuse_own(folder, output)
    dtype = form or original.config.dtype
    with _source(folder, original, vocab_size) as (source, bundle), whole_bundle(output) as scratch:
        ids = Predictor(bundle).encode(texts)
        if form == "onnx":
            answers = _write_onnx(weights, bundle, source, scratch, ids)
        else:
            answers = _write_as(dtype, bundle, source, scratch, ids)
        _refuse_far(answers, bundle, ids, "int8" if weights == "int8" else dtype)
    file = output / (ONNX_FILE if form == "onnx" else WEIGHTS_FILE)
    return _compared(output, folder / WEIGHTS_FILE, file, answers, expected)


def convert_to_page(
    folder: Path,
    output: Path | None,
    *,
    weights: str,
    language: str,
    vocab_size: int | None = None,
) -> Conversion:
    """Write the bundle of `folder` as one HTML page, to `output` or beside it.

    What the page will answer is compared as in `convert`, which also says what is raised.
    """
    folder = folder if folder.name else folder.resolve()
    output = output or folder.with_name(converted_name(folder.name, "html", weights, vocab_size))
    if output.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"{output}: a page is a file; end its name in .html")
    original, texts = read_bundle(folder), [*PROBES, *sample_texts()]
    expected = Predictor(original).probabilities(texts)
    with _source(folder, original, vocab_size) as (source, bundle):
        page, theirs = page_of(source, bundle, weights=weights, language=language)
        answers = theirs.probabilities(texts)
        _refuse_far(answers, bundle, theirs.encode(texts), weights)
    write_file(output, page)
    return _compared(output, folder / WEIGHTS_FILE, output, answers, expected)


def converted_name(name: str, form: str | None, weights: str, vocab_size: int | None) -> str:
    """What a bundle of that name is called in another form."""
    parts = [name] if vocab_size is None else [name, f"vocab{vocab_size}"]
    if form == "html":
        return f"{'-'.join(parts)}.html"
    parts += [form] if form else []
    return "-".join([*parts, "int8"] if form == "onnx" and weights == "int8" else parts)


def _refuse_own(folder: Path, output: Path) -> None:
    ours, theirs = folder.resolve(), output.resolve()
    if ours == theirs or ours in theirs.parents or theirs in ours.parents:
        raise ValueError(f"{output}: the bundle itself is there; choose another --output")


@contextlib.contextmanager
def _source(folder: Path, bundle: Bundle, vocab_size: int | None) -> Iterator[tuple[Path, Bundle]]:
    """What to convert and its folder: the bundle of `folder`, or the same with fewer tokens."""
    if vocab_size is None:
        yield folder, bundle
        return
    with TemporaryDirectory() as scratch:
        fill_pruned(Path(scratch), folder, bundle, vocab_size)
        yield Path(scratch), read_bundle(Path(scratch))


def _refuse_far(
    answers: Probabilities, bundle: Bundle, token_ids: list[list[int]], form: str
) -> None:
    """Raises ValueError where the new form's answers are further off than the form explains."""
    predictor = Predictor(bundle)
    difference = float(np.abs(answers - _probabilities(predictor, token_ids)).max())
    if not difference <= LARGEST_DIFFERENCE[form]:  # written so that NaN fails, too
        raise ValueError(f"not converted: probabilities would differ by {difference:.2g}")


def _compared(
    output: Path, before: Path, after: Path, answers: Probabilities, expected: Probabilities
) -> Conversion:
    """What the new form's probabilities [N, C] and its file are, beside those of before."""
    return Conversion(
        output,
        before.stat().st_size,
        after.stat().st_size,
        difference=float(np.abs(answers - expected).max()),
        changed=int((answers.argmax(axis=1) != expected.argmax(axis=1)).sum()),
        texts=len(expected),
    )


def _probabilities(predictor: Predictor, token_ids: list[list[int]]) -> Probabilities:
    return exact_softmax(predictor.scaled(predictor.logits(token_ids)))


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
    card = weights_card(_card(folder), bundle.config.dtype, dtype)
    fill_bundle(scratch, config, bundle.tensors, folder / TOKENIZER_FILE, card)
    write_vectors(scratch)
    return _probabilities(Predictor.load(scratch), token_ids)


def _write_onnx(
    weights: str, bundle: Bundle, folder: Path, scratch: Path, token_ids: list[list[int]]
) -> Probabilities:
    """Write the network; returns the probabilities [N, C] that onnxruntime computes with it."""
    refuse_morphemes(bundle.config, "ONNX")
    try:
        from nsmc.conversion.onnx_folder import fill_onnx, probabilities
    except ImportError as error:
        raise ValueError(f"{error}: {needs_extra('--to onnx', 'onnx')}") from None
    fill_onnx(scratch, bundle, folder / TOKENIZER_FILE, _card(folder), weights)
    return probabilities(scratch, token_ids).astype(np.float64)


def _card(folder: Path) -> str:
    path = folder / CARD_FILE
    return path.read_text("utf-8") if path.is_file() else ""
