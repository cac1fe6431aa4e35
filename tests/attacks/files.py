"""Files and folders under interruptions and on full disks: all or nothing, and in one line.

`nsmc convert` is interrupted while it replaces a folder; runs and commands meet a disk that fills
up at each of their stages, and one that is read-only. The disks are small ones in memory, which
only root can make.
"""

import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from nsmc.runtime.loading import read_bundle
from tests.attacks.common import NSMC, PROJECT, Ended, Tally, ended
from tests.bundles import random_bundle
from tests.commands import ENVIRONMENT, train_command, write_corpus
from tests.forkserver import ForkedProcess

INTERRUPTIONS = 100
_SIGNALS = (signal.SIGKILL, signal.SIGINT)
_DISK = 8 << 10  # kilobytes; a run of the tiny corpus takes less than two thousand

# Free kilobytes: from nothing at all to a finished run, closer together where small files are.
_ROOM_FOR_RUNS = (0, 4, *range(8, 112, 8), *range(120, 600, 80), *range(580, 2000, 70))
_ROOM_FOR_COMMANDS = (0, 4, 8, 16, 32, 64, 96)


def attack(tally: Tally, scratch: Path) -> None:
    """Everything that is written, in all the ways in which it can fail."""
    interruptions(tally, scratch / "interrupted")
    odd_folders(tally, scratch / "odd")
    if os.geteuid() != 0:
        tally.figure("full and read-only disks: left out, they need root")
        return
    with small_disk(scratch / "disk") as disk:
        full_disk_under_runs(tally, scratch, disk)
        full_disk_under_commands(tally, scratch, disk)
        read_only(tally, scratch, disk)


# --- interruptions ---


def interruptions(tally: Tally, scratch: Path) -> None:
    """`nsmc convert` over an older folder: that or the new one is there, whole, at any moment."""
    bundle = random_bundle(scratch / "bundle", scale=0.05, embedding_dim=400, hidden_size=300)
    output, chance = scratch / "c", random.Random(0)
    commands = {form: convert_command(bundle, form, output) for form in ("float32", "float16")}
    for form in ("float16", "float32"):
        tally.case(f"convert to {form}", ended(commands[form], scratch).code == 0)
    inode = output.stat().st_ino

    def is_moved() -> bool:
        return output.stat().st_ino != inode

    # At any moment, while the new folder is filled, and when it has just been moved to its place.
    moments = [(lambda: True, 1.5), (lambda: bool(hidden_in(scratch)), 0.5), (is_moved, 0.003)]
    told: Counter[str] = Counter()
    for number in range(INTERRUPTIONS):
        before = read_bundle(output).config.dtype
        other = "float16" if before == "float32" else "float32"
        inode = output.stat().st_ino
        signum = _SIGNALS[number % len(_SIGNALS)]
        is_begun, longest = moments[number % len(moments)]
        code = interrupted(commands[other], scratch, is_begun, chance.uniform(0, longest), signum)
        told[signum.name if code else "too late"] += 1
        title = f"interruption {number}, {signum.name}"
        try:
            after = read_bundle(output).config.dtype  # which compares the digests, too
        except (OSError, ValueError) as error:
            tally.case(title, False, str(error))
            shutil.copytree(bundle, output, dirs_exist_ok=True)
            continue
        told["the new bundle there"] += after != before
        hidden = hidden_in(scratch)
        told["a hidden folder left"] += bool(hidden)
        held = not hidden or signum == signal.SIGKILL
        if hidden:  # gone with the next one
            ended(commands[before], scratch)
        left = hidden_in(scratch)
        tally.case(title, held and not left, f"{before}, {after}, code {code}: {hidden}, {left}")
    moved = told["the new bundle there"]
    tally.case("some came after the move and some before", 0 < moved < INTERRUPTIONS)
    tally.figure(f"convert, {INTERRUPTIONS} interruptions: {dict(told)}")


def interrupted(
    command: Sequence[str], cwd: Path, is_begun: Callable[[], bool], wait: float, signum: int
) -> int:
    """Start a command and send it a signal so many seconds after something; its exit code."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=cwd, env=environment, stdout=quiet, stderr=quiet) as process:
        while process.poll() is None and not is_begun():
            time.sleep(0.0002)
        time.sleep(wait)
        process.send_signal(signum)
        return process.wait()


def convert_command(bundle: Path, form: str, output: Path) -> list[str]:
    return [*NSMC, "convert", str(bundle), "--to", form, "--output", str(output)]


def hidden_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def odd_folders(tally: Tally, scratch: Path) -> None:
    """What holds more than a bundle is not replaced."""
    bundle = random_bundle(scratch / "bundle")
    for name in ("thesis.txt", ".git/HEAD", "config.json.orig", "README.md/x", "nsmc.onnx/x"):
        output = scratch / "output"
        shutil.copytree(bundle, output)
        file = output / name
        if file.parent.is_file():
            file.parent.unlink()
        file.parent.mkdir(exist_ok=True)
        file.write_text("years of work")
        end = ended(convert_command(bundle, "float16", output), scratch)
        is_named = Path(name).parts[0] in end.stderr
        held = end.is_one_line and is_named and file.read_text() == "years of work"
        tally.case(f"convert onto a folder with {name}", held, end.stderr)
        shutil.rmtree(output)


# --- disks ---


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of its own, in memory."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}k", "none", str(folder)]
    subprocess.run(mount, check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def emptied(disk: Path) -> None:
    for path in disk.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def fill(disk: Path, kilobytes: int) -> None:
    """Leave so much room."""
    usage = os.statvfs(disk)
    free = usage.f_bavail * usage.f_frsize - (kilobytes << 10)
    (disk / "filler").write_bytes(b"\0" * max(free, 0))


def full_disk_under_runs(tally: Tally, scratch: Path, disk: Path) -> None:
    """A run with everything that it writes on the disk: log, cache, events, checkpoints, bundle."""
    corpus = scratch / "corpus"
    corpus.mkdir()
    write_corpus(corpus)
    stages = set()
    for room in _ROOM_FOR_RUNS:
        emptied(disk)
        fill(disk, room)
        places = f"data.cache_dir={disk}/cache", f"hydra.run.dir={disk}/run"
        end = warm(train_command(corpus, *places))
        check_refusal(tally, f"a run with {room} kB", end, disk)
        stages |= {Path(word.rstrip(":")).name for word in end.stderr.split() if str(disk) in word}
        if end.code == 0:
            break
    tally.case("a run with enough room", end.code == 0, end.stderr)
    tally.figure(f"runs: the disk was full at {', '.join(sorted(stages))}")


def full_disk_under_commands(tally: Tally, scratch: Path, disk: Path) -> None:
    """`nsmc predict`, `convert` and `report` where what they write has no room."""
    bundle = random_bundle(scratch / "bundle", embedding_dim=100)
    reviews = scratch / "reviews.tsv"
    lines = [f"{number}\t정말 재미있는 영화 {number}\t1" for number in range(5000)]
    reviews.write_text("\n".join(["id\tdocument\tlabel", *lines]), encoding="utf-8")
    runs = disk / "runs"
    prediction = [*NSMC, "predict", str(bundle), "--input", str(reviews)]
    conversion = convert_command(bundle, "float16", disk / "c")
    cases: dict[str, tuple[list[str], Callable[[], object]]] = {
        "predict": ([*prediction, "--output", str(disk / "out.tsv")], lambda: None),
        "convert": (conversion, lambda: None),
        "convert again": (conversion, lambda: random_bundle(disk / "c")),
        "report": ([*NSMC, "report", str(runs)], lambda: recorded_runs(runs)),
    }
    for name, (command, prepare) in cases.items():
        for room in _ROOM_FOR_COMMANDS:
            emptied(disk)
            prepare()
            before = contents(disk)
            fill(disk, room)
            end = ended(command, scratch)
            check_refusal(tally, f"{name} with {room} kB", end, disk)
            (disk / "filler").unlink()
            kept = {path: contents(disk).get(path) for path in before}
            tally.case(f"{name} with {room} kB keeps", end.code == 0 or kept == before, end.stderr)


def read_only(tally: Tally, scratch: Path, disk: Path) -> None:
    """The same commands where nothing can be written."""
    emptied(disk)
    recorded_runs(disk / "runs")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    bundle, reviews = scratch / "bundle", scratch / "reviews.tsv"
    prediction = [*NSMC, "predict", str(bundle), "--input", str(reviews)]
    ends = {
        "a run": warm(train_command(scratch / "corpus", f"hydra.run.dir={disk}/run")),
        "a cache": warm(
            train_command(
                scratch / "corpus",
                f"data.cache_dir={disk}/cache",
                f"hydra.run.dir={scratch}/run",
            )
        ),
        "predict": ended([*prediction, "--output", str(disk / "out.tsv")], scratch),
        "convert": ended(convert_command(bundle, "float16", disk / "c"), scratch),
        "report": ended([*NSMC, "report", str(disk / "runs")], scratch),
    }
    for name, end in ends.items():
        tally.case(f"{name} on a read-only disk is refused", end.code == 1, end.stderr)
        check_refusal(tally, f"{name} on a read-only disk", end, disk)


def check_refusal(tally: Tally, title: str, end: Ended, disk: Path) -> None:
    """It ended well, or in one line with the place and a way out; nothing half-written is left."""
    lines = [line for line in end.stderr.splitlines() if "error:" in line]
    is_helpful = end.is_one_line and str(disk) in lines[0] and ";" in lines[0]
    tally.case(title, end.code == 0 or is_helpful, end.stderr)
    left = [path.name for path in disk.rglob(".nsmc-*.tmp")]
    tally.case(f"{title} leaves nothing", not left, str(left))


def recorded_runs(folder: Path) -> None:
    for accuracy in (0.7, 0.8):
        run = folder / f"run-{accuracy}"
        run.mkdir(parents=True)
        record = (
            '{"status": "%s", "signature": "%s", "config": {"model": {"architecture": "gru"}}, '
            '"metrics": {"val/accuracy": %s}}'
        )
        status = "running" if accuracy == 0.7 else "finished"
        (run / "run.json").write_text(record % (status, str(accuracy) * 4, accuracy))
        (run / ".lock").touch()


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def warm(command: Sequence[str]) -> Ended:
    """Run `train.py` in a process that has the imports behind it."""
    start = time.monotonic()
    with tempfile.TemporaryFile("w+") as stdout, tempfile.TemporaryFile("w+") as stderr:
        outputs = stdout.fileno(), stderr.fileno()
        with ForkedProcess(command, PROJECT, ENVIRONMENT, *outputs) as process:
            code = process.wait()
        stdout.seek(0)
        stderr.seek(0)
        return Ended(code, stdout.read(), stderr.read(), time.monotonic() - start, 0.0)
