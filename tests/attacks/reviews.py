"""Hostile files of reviews: no traceback, nothing lost silently, by `predict` and by training.

What is random begins as a sound file in one of the formats, each text with a mark of its own, and
is then damaged a few times. A mark that is still in the file must come out in an answer, or its
line be reported. Those made by hand have an outcome that is known.
"""

import contextlib
import gzip
import io
import json
import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from nsmc.cli import main
from nsmc.data.corpus import CorpusForm, read_reviews
from nsmc.reading.file_format import FileFormat
from tests.attacks.common import NSMC, Tally, ended
from tests.bundles import random_bundle

RANDOM_FILES = 3_000
_MARK = re.compile(r"m\d+m")
_LARGEST_PEAK = 300  # megabytes
_PATIENCE = 600.0  # seconds
_LARGE = 200 * 10**6  # bytes

TEXTS = (
    *("정말 재밌다", '그는 "최고"라고 했다', "별로, 정말", "=SUM(A1:A9)", "2024-01-05", "1.0E+10"),
    *("'인용'", '"', '""', "tab\\t", "  빈칸  ", "한\u2028줄", "\ufeffBOM", "👍🏽", "café", "1/2"),
)
LABELS = ("0", "1", "5", "1.0", "부정", "2024-01-05 00:00:00", "true", "")


def attack(tally: Tally, scratch: Path) -> None:
    bundle = random_bundle(scratch / "bundle", hidden_size=4)
    by_hand(tally, bundle, scratch)
    large(tally, bundle, scratch)
    random_files(tally, bundle, scratch)


@dataclass(frozen=True)
class Outcome:
    """What `predict` made of a file: its rows, or why it was refused, and what it printed."""

    code: int
    rows: list[dict[str, Any]] | None
    message: str

    @property
    def damaged(self) -> int:
        return sum("error" in row for row in self.rows or ())


def predicted(bundle: Path, path: Path, *options: str) -> Outcome:
    """Raises what no user may see."""
    output = path.with_name("answers.jsonl")
    output.unlink(missing_ok=True)
    out, err = io.StringIO(), io.StringIO()
    words = ["predict", str(bundle), "--input", str(path), "--output", str(output), *options]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    rows = None
    if output.exists():
        rows = [json.loads(line) for line in output.read_text("utf-8").split("\n")[:-1]]
    return Outcome(code, rows, err.getvalue())


def trained_on(path: Path, skip_damaged: bool, **form: Any) -> tuple[int, int] | str:
    """How many reviews the training's reader makes of a file, and leaves out; or its refusal."""
    settings = CorpusForm(FileFormat(**form), skip_damaged=skip_damaged)
    try:
        reviews = read_reviews(path, settings)
    except (ValueError, OSError) as error:
        return str(error)
    return len(reviews), sum(reviews.left_out.values())


# --- random files ---


def random_files(tally: Tally, bundle: Path, scratch: Path) -> None:
    outcomes = Counter[str]()
    for seed in range(RANDOM_FILES):
        chance = random.Random(seed)
        name, content, options = random_file(chance)
        path = scratch / f"random-{seed % 8}{name}"
        path.write_bytes(content)
        try:
            problem, outcome = judged(bundle, path, content, options)
        except Exception as error:
            problem, outcome = f"{type(error).__name__}: {error}", "a traceback"
        outcomes[outcome] += 1
        tally.case(f"random file {seed} ({name})", not problem, problem)
        path.unlink()
    tally.figure(f"{RANDOM_FILES:,} random files: {dict(outcomes.most_common())}")


def judged(bundle: Path, path: Path, content: bytes, options: list[str]) -> tuple[str, str]:
    """What is wrong with what was made of a file ("" for nothing), and what that was."""
    found = predicted(bundle, path, *options)
    form = {
        word[2:].replace("-", "_").partition("=")[0]: word.partition("=")[2] for word in options
    }
    strict, lenient = (trained_on(path, skip, **form) for skip in (False, True))
    for refusal in (strict, lenient):
        if isinstance(refusal, str) and ("\n" in refusal or str(path) not in refusal):
            return f"not in one line with the file's name: {refusal!r}", "refused"
    if found.rows is None:
        errors = [line for line in found.message.splitlines() if "error:" in line]
        is_good = found.code == 1 and len(errors) == 1 and str(path) in errors[0]
        same = isinstance(lenient, str) or not sum(lenient)  # that there are no rows
        problem = "" if is_good and same else f"{found.message}; training: {lenient!r}"
        return problem, "refused as a whole"
    total, damaged = len(found.rows), found.damaged
    if found.code != int(10 * damaged > total):
        return f"exit code {found.code} with {damaged} of {total} damaged", "answered"
    if not isinstance(lenient, str) and sum(lenient) != total:
        return f"predict has {total} rows, training {lenient}", "answered"
    if damaged and not found.message:
        return "damage is not reported", "answered"
    lost = lost_marks(path, content, found, options)
    outcome = "answered, with damage reported" if damaged else "answered"
    return (f"lost: {lost[:5]}" if lost else ""), outcome


def lost_marks(
    path: Path, content: bytes, found: Outcome, options: list[str]
) -> list[tuple[int, str]]:
    """Marks with their lines that are in a file of lines, and neither answered nor reported."""
    if content.startswith(b"\x1f\x8b"):
        content = gzip.decompress(content)
    if path.name.endswith((".parquet", ".json")):
        return []  # without lines; what is damaged there is refused as a whole
    encoding = next((word[11:] for word in options if word.startswith("--encoding=")), "utf-8")
    text = content.decode(encoding, "replace")
    separator = "\n" if "\n" in text[: 1 << 16] else "\r"
    lines = [row["line"] for row in found.rows or ()]
    reported = {row["line"] for row in found.rows or () if "error" in row}
    answered = json.dumps(found.rows, ensure_ascii=False)
    kind = path.name.split(".")[1]
    # A header may span lines of CSV.
    first = 1 if kind == "jsonl" else min([2, *lines]) if kind == "tsv" else min(lines, default=2)
    return [
        (number, mark)
        for number, line in enumerate(text.split(separator), start=1)
        for mark in _MARK.findall(line)
        if number >= first and number not in reported and mark not in answered
    ]


def random_file(chance: random.Random) -> tuple[str, bytes, list[str]]:
    """An extension, the content of a damaged file, and options to read it with."""
    rows = [
        {"id": number, "document": f"{chance.choice(TEXTS)} m{number}m", "label": label_of(chance)}
        for number in range(chance.randint(1, 40))
    ]
    kind = chance.choice(("tsv", "csv", "jsonl", "json", "parquet", "tsv", "csv", "jsonl"))
    content = written(rows, kind, chance)
    options = []
    if kind != "parquet" and chance.random() < 0.2:
        encoding = chance.choice(("cp949", "utf-16", "utf-8-sig", "latin-1", "utf-32"))
        content = content.decode("utf-8").encode(encoding, "replace")
        if chance.random() < 0.5:
            options.append(f"--encoding={encoding}")
    if kind in ("tsv", "csv") and chance.random() < 0.3:
        options.append(f"--quoting={chance.choice(('csv', 'field', 'nsmc', 'none'))}")
    for _ in range(chance.choice((0, 1, 1, 2, 5))):
        content = chance.choice(DAMAGES)(content, chance)
    if chance.random() < 0.15:
        content = gzip.compress(content)
        for _ in range(chance.choice((0, 0, 1))):
            content = chance.choice(DAMAGES)(content, chance)
        return f".{kind}.gz", content, options
    return f".{kind}", content, options


def label_of(chance: random.Random) -> str:
    return chance.choice(LABELS) if chance.random() < 0.1 else chance.choice("01")


def written(rows: list[dict[str, Any]], kind: str, chance: random.Random) -> bytes:
    if kind == "parquet":
        stream = io.BytesIO()
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), stream)
        return stream.getvalue()
    if kind == "json":
        return json.dumps(rows, ensure_ascii=chance.random() < 0.5).encode()
    if kind == "jsonl":
        return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()
    separator, end = "\t" if kind == "tsv" else ",", chance.choice(("\n", "\r\n", "\n", "\r"))
    lines = [["id", "document", "label"], *([str(v) for v in row.values()] for row in rows)]
    if kind == "csv" and chance.random() < 0.8:  # else as a careless program writes it
        lines = [['"' + field.replace('"', '""') + '"' for field in line] for line in lines]
    return end.join(separator.join(line) for line in lines).encode()


Damage = Callable[[bytes, random.Random], bytes]
INSERTED = (
    *(b'"', b"\t", b",", b"\n", b"\r", b"\0", b"\xff", b"\xef\xbb\xbf", b"\\", b"{", b"]", b"\x1a"),
    *(
        b"\xe2\x80\xa8",
        b'""',
        b'"\n',
        b"\n\n",
        b"\xb0\xa1",
        b"\xff\xfe",
        b"\x1f\x8b",
        b"\xed\xa0\x80",
    ),
)


def inserted(content: bytes, chance: random.Random) -> bytes:
    place = chance.randint(0, len(content))
    return content[:place] + chance.choice(INSERTED) * chance.choice((1, 1, 3)) + content[place:]


def flipped(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content or b"x")
    changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def cut(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randint(0, len(content))]


def removed(content: bytes, chance: random.Random) -> bytes:
    start = chance.randint(0, len(content))
    return content[:start] + content[start + chance.randint(1, 40) :]


def shuffled(content: bytes, chance: random.Random) -> bytes:
    lines = content.split(b"\n")
    chance.shuffle(lines)
    return b"\n".join(lines)


def repeated(content: bytes, chance: random.Random) -> bytes:
    return content + chance.choice((b"", b"\n")) + content


def joined(content: bytes, chance: random.Random) -> bytes:
    return content.replace(b"\n", chance.choice((b"", b" ", b"\r", b"\r\n")), chance.randint(1, 3))


def split_up(content: bytes, chance: random.Random) -> bytes:
    return content.replace(chance.choice((b" ", b",", b'"')), b"\n", chance.randint(1, 3))


DAMAGES: tuple[Damage, ...] = (
    *(inserted, inserted, inserted, flipped, flipped),
    *(cut, removed, shuffled, repeated, joined, split_up),
)


# --- files made by hand ---

HEAD_TSV, HEAD_CSV = "id\tdocument\tlabel\n", "id,document,label\n"
GOOD = "1\t정말 최고\t1\n"


def table(**columns: Any) -> bytes:
    stream = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), stream)
    return stream.getvalue()


PARQUET = table(document=[f"정말 {n}" for n in range(50)], label=[n % 2 for n in range(50)])
PACKED = gzip.compress((HEAD_TSV + GOOD * 50).encode())
DEEP = '{"document": ' + "[" * 100_000 + "]" * 100_000 + "}\n"

# For each a name, its content, and what comes of it: how many rows are answered and how many are
# damaged, or what the refusal says.
Expected = tuple[int, int] | str
BY_HAND: dict[str, tuple[str, bytes | str, Expected]] = {
    "nothing": ("a.tsv", "", "the file is empty"),
    "nothing in CSV": ("a.csv", "\n\n", "the file is empty"),
    "nothing in JSON": ("a.json", "", "not a JSON array"),
    "nothing in JSON Lines": ("a.jsonl", "\n", "no rows"),
    "a header alone": ("a.tsv", HEAD_TSV, "no rows"),
    "a header that does not end": ("a.csv", HEAD_CSV.strip(), "no rows"),
    "a header that is cut off": ("a.csv", "id,docu", "no column 'document'"),
    "cp949": ("a.tsv", (HEAD_TSV + GOOD * 3).encode("cp949"), (0, 3)),
    "cp949, header too": ("a.tsv", "번호\tdocument\n1\t정말\n".encode("cp949"), "encoding cp949"),
    "UTF-16": ("a.tsv", (HEAD_TSV + GOOD).encode("utf-16"), "--encoding utf-16"),
    "UTF-16 without a mark": ("a.csv", HEAD_CSV.encode("utf-16-le"), "--encoding utf-16le"),
    "UTF-32": ("a.tsv", (HEAD_TSV + GOOD).encode("utf-32"), "--encoding utf-32"),
    "UTF-16 JSON": ("a.json", '[{"document": "가"}]'.encode("utf-16"), "--encoding utf-16"),
    "cp949 JSON": ("a.json", '[{"document": "정말 최고"}]'.encode("cp949"), "--encoding cp949"),
    "a byte order mark": ("a.tsv", (HEAD_TSV + GOOD).encode("utf-8-sig"), (1, 0)),
    "Latin-1 in one row": ("a.tsv", (HEAD_TSV + GOOD * 20).encode() + b"1\tcaf\xe9\t1\n", (20, 1)),
    "two encodings": ("a.tsv", (HEAD_TSV + GOOD * 9).encode() + GOOD.encode("cp949"), (9, 1)),
    "NUL in the header": ("a.tsv", "id\0\tdocument\n", "NUL bytes"),
    "nothing but NUL": ("a.tsv", b"\0" * 1_000, "NUL bytes"),
    "NUL in a row": ("a.tsv", HEAD_TSV + "1\ta\0b\t1\n", (1, 0)),
    "lines of an old Macintosh": ("a.csv", HEAD_CSV.replace("\n", "\r") + "1,a,1\r2,b,0", (2, 0)),
    "two kinds of line ends": ("a.tsv", HEAD_TSV + "1\ta\t1\r\n2\tb\t0\n", (2, 0)),
    "separators of Unicode": ("a.tsv", HEAD_TSV + "1\ta\u2028b\x85c\x0bd\t1\n", (1, 0)),
    "a quote that never closes": ("a.csv", HEAD_CSV + '1,"a,1\n2,b,0\n3,c,1\n', (2, 1)),
    "quotes that never close": ("a.csv", HEAD_CSV + '1,"a,1\n' * 3_001, (0, 3_001)),
    "a quote in a word": ("a.csv", HEAD_CSV + '1,a"b"c,1\n2,d,0\n', (2, 0)),
    "a word after a quote": ("a.csv", HEAD_CSV + '1,"a"b,1\n2,d,0\n', (1, 1)),
    "a text of many lines": ("a.csv", HEAD_CSV + '1,"a\n\n""b"",\n",1\n2,d,0\n', (2, 0)),
    "semicolons of Excel": ("a.csv", "id;document;label\n1;a;1\n", "no column 'document'"),
    "sep= of Excel": ("a.csv", "sep=,\n" + HEAD_CSV + "1,a,1\n", (1, 0)),
    "ragged rows": ("a.csv", HEAD_CSV + "1,a\n2,b,0,9\n3\n4,c,1\n,,\n", (1, 4)),
    "an unquoted comma": ("a.csv", HEAD_CSV + "1,별로, 정말,0\n2,b,1\n", (1, 1)),
    "a header in the middle": ("a.tsv", (HEAD_TSV + GOOD) * 2, (3, 0)),
    "one name for two columns": ("a.csv", "document,document\na,b\n", "two columns are called"),
    "columns without names": ("a.csv", "document,,\na,b,c\n", (1, 0)),
    "numbers as text": ("a.csv", HEAD_CSV + "1,123,1\n2,1.5E+10,0.0\n", (2, 0)),
    "dates of Excel": ("a.csv", HEAD_CSV + "1,2024-01-05 00:00:00,1월 5일\n2,45296,0\n", (2, 0)),
    "formulas": ("a.csv", HEAD_CSV + "1,=HYPERLINK(A1),1\n2,#NAME?,#N/A\n", (2, 0)),
    "a workbook called CSV": ("a.csv", b"PK\x03\x04" + b"\0" * 99, "Excel workbook"),
    "an old workbook": ("a.csv", b"\xd0\xcf\x11\xe0" + b"\0" * 99, "old Excel workbook"),
    "a workbook": ("a.xlsx", b"PK\x03\x04", ".xlsx files are not read"),
    "Parquet called CSV": ("a.csv", PARQUET, "--format parquet"),
    "JSON called JSON Lines": ("a.jsonl", '[{"document": "a"}]', "--format json"),
    "JSON Lines called JSON": ("a.json", '{"document": "a"}\n', "not a JSON array"),
    "JSON cut off": ("a.json", '[{"document": "a"}, {"docu', "row 2: not JSON"),
    "JSON with a comma too many": ("a.json", '[{"document": "a"},]', (1, 0)),
    "JSON and more": ("a.json", '[{"document": "a"}] x', "something follows"),
    "JSON of JSON": ("a.json", '[["a"], 5, null, {"document": "a"}]', (1, 3)),
    "other values in JSON Lines": ("a.jsonl", '5\nnull\n"a"\n[]\n{}\n{"document": 5}\n', (0, 6)),
    "JSON nested endlessly": ("a.jsonl", DEEP + '{"document": "a"}\n', (1, 1)),
    "a number without end": ("a.jsonl", f'{{"document": "a", "n": {"9" * 5_000}}}\n', (0, 1)),
    "a key twice": ("a.jsonl", '{"document": "a", "document": "b"}\n', (0, 1)),
    "a key twice in an array": ("a.json", '[{"document": "a", "id": 1, "id": 2}]', "'id' is there"),
    "NaN": ("a.jsonl", '{"document": "a", "n": NaN, "m": -Infinity}\n', (1, 0)),
    "half a character": ("a.jsonl", '{"document": "\\ud83d", "x": "\\udc00"}\n', (1, 0)),
    "columns of ours": ("a.jsonl", '{"document": "a", "line": 9, "error": "e"}\n', (1, 0)),
    "gzip cut off": ("a.tsv.gz", PACKED[:-20], "damaged gzip"),
    "gzip with another checksum": ("a.tsv.gz", PACKED[:-8] + b"\0" * 8, "damaged gzip"),
    "gzip and more": ("a.tsv.gz", PACKED + b"more", "damaged gzip"),
    "gzip twice": ("a.tsv.gz", gzip.compress(PACKED), "a.tsv.gz"),
    "gzip without the name": ("a.tsv", PACKED, (50, 0)),
    "a name without gzip": ("a.tsv.gz", HEAD_TSV + GOOD, (1, 0)),
    "Parquet cut off": ("a.parquet", PARQUET[:-20], "not a Parquet file, or damaged"),
    "Parquet without its middle": ("a.parquet", PARQUET[:40] + PARQUET[80:], "a.parquet"),
    "Parquet of another column": ("a.parquet", table(text=["a"]), "no column 'document'"),
    "Parquet of numbers": ("a.parquet", table(document=[1, 2, None]), (0, 3)),
    "Parquet of bytes": ("a.parquet", table(document=[b"a", b"b"]), (0, 2)),
    "Parquet with gaps": ("a.parquet", table(document=["a", None, " ", "b"]), (2, 2)),
    "text called Parquet": ("a.parquet", HEAD_TSV, "not a Parquet file"),
    "spaces of all kinds": ("a.txt", " \n\u3000\n\xa0\n\u200a\na\n", (1, 4)),
    "a million fields": ("a.tsv", HEAD_TSV + "\t" * 999_999 + "\n" + GOOD, (1, 0)),
    "a million columns": ("a.tsv", "document" + "\t" * 999_999 + "\n", "no rows"),
    "capital letters": ("A.TSV.GZ", PACKED, (50, 0)),
}


def by_hand(tally: Tally, bundle: Path, scratch: Path) -> None:
    for title, (name, content, expected) in BY_HAND.items():
        folder = scratch / "by hand"
        folder.mkdir(exist_ok=True)
        path = folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        try:
            found = predicted(bundle, path)
            training = trained_on(path, True, label_column=None)
        except Exception as error:
            tally.case(title, False, f"{type(error).__name__}: {error}")
            continue
        finally:
            path.unlink()
        seen = f"{found.code}, {len(found.rows or ())} rows, {found.damaged} damaged: "
        seen += f"{found.message}; training: {training}"
        if isinstance(expected, str):
            held = found.rows is None and found.code == 1 and expected in found.message
            tally.case(title, held and isinstance(training, str), seen)
            continue
        answered, damaged = expected
        held = found.rows is not None and len(found.rows) == sum(expected)
        held = held and found.damaged == damaged and found.code == (10 * damaged > sum(expected))
        same = training == expected if answered else "no row has a text" in str(training)
        tally.case(title, held and same, seen)
    tally.figure(f"{len(BY_HAND)} files made by hand")


# --- large ones, each in a process of its own ---


def large(tally: Tally, bundle: Path, scratch: Path) -> None:
    long, tail = b"a" * _LARGE, b"\n" + GOOD.encode()
    zeros = gzip.compress(b"\0" * 10**9)  # a gigabyte in one megabyte
    bomb = gzip.compress((HEAD_TSV.encode() + b"1\t" + long) * 3)
    files: dict[str, tuple[str, bytes, str]] = {
        "TSV, a line of 200 MB": ("a.tsv", HEAD_TSV.encode() + b"1\t" + long + tail, "longer than"),
        "CSV, a line of 200 MB": ("a.csv", HEAD_CSV.encode() + b"1," + long + tail, "longer than"),
        "CSV, 200 MB in quotes": (
            "a.csv",
            HEAD_CSV.encode() + b'1,"' + (b"a" * 999 + b"\n") * (_LARGE // 1000) + b'",1\n',
            "cannot be read",
        ),
        "JSON Lines, 200 MB": ("a.jsonl", b'{"document": "' + long + b'"}\n', "longer than"),
        "JSON, 200 MB": ("a.json", b'[{"document": "' + long + b'"}]', "not JSON"),
        "text, a header of 200 MB": ("a.tsv", long, "longer than"),
        "gzip, a gigabyte of NUL": ("a.tsv.gz", zeros, "NUL bytes"),
        "gzip, lines of 200 MB": ("a.tsv.gz", bomb, "longer than"),
    }
    for title, (name, content, expected) in files.items():
        path = scratch / name
        path.write_bytes(content)
        words = ["predict", str(bundle), "--input", str(path), "--output", str(scratch / "out.tsv")]
        end = ended([*NSMC, *words], scratch, _PATIENCE)
        held = end.code == 1 and expected in end.stderr and "Traceback" not in end.stderr
        tally.case(title, held and end.megabytes < _LARGEST_PEAK, f"{end.code}: {end.stderr}")
        tally.figure(f"{title}: {end.seconds:.0f} s, {end.megabytes:.0f} MB")
        path.unlink()
