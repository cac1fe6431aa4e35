"""Bundles that somebody else wrote: any file of them altered, replaced by a pipe, a giant, a bomb.

Thousands of them in this process, where a bundle is refused in one line or answers; some through
the command line, which must end soon, in little memory, and without a traceback.
"""

import json
import os
import random
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from nsmc.runtime.bundle import CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE, digests
from nsmc.runtime.info import as_text, info
from nsmc.runtime.predictor import Predictor
from tests.attacks.common import NSMC, Tally, ended
from tests.bundles import random_bundle

_MUTATIONS = 4_000
_LARGEST_PEAK = 300  # megabytes
_PATIENCE = 60.0  # seconds
_TEXTS = ["좋아요", "a" * 5_000, "\x1b[2J 별로 " * 300]

_VALUES: list[Any] = [
    *(None, True, -1, 0, 1, 2, 65, 65_536, 65_537, 2**31 - 1, 2**31, 2**63, 10**400, 0.5, 1e308),
    *(float("nan"), float("inf"), "", "gru", "lstm", "mean", "float16", "\x1b]0;x\x07", "\ud800"),
    *([], {}, [[]], ["a", "a"], ["a", "b"], [""], {"a": 10**400}, {"\x1b[2J": 0.5}, "x" * 100_000),
]


def attack(tally: Tally, scratch: Path) -> None:
    sound = random_bundle(scratch / "sound", "# Card\n\n    python train.py\n", pooling="mean")
    _mutate(tally, sound, scratch / "mutated")
    _ask_the_command(tally, sound, scratch / "outputs" / "run" / "bundle")


def _mutate(tally: Tally, sound: Path, folder: Path) -> None:
    generator = random.Random(0)
    for number in range(_MUTATIONS):
        _copy(sound, folder)
        kind = generator.choice(list(_KINDS))
        _KINDS[kind](folder, generator)
        title = f"{kind} {number}"
        try:
            answers = Predictor.load(folder)(_TEXTS)
            shown = as_text(info(folder))
        except (ValueError, FileNotFoundError) as error:
            tally.case(title, "\n" not in str(error) and folder.name in str(error), str(error))
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            tally.case(title, False, f"{type(error).__name__}: {error}")
        else:
            sound_answers = all(0.5 <= answer.probability <= 1 for answer in answers)
            tally.case(title, sound_answers and "\x1b" not in shown, shown)


def _copy(sound: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(sound, folder)


def _reseal(folder: Path) -> None:
    """Write the digests of what is there, as whoever attacks would."""
    config = json.loads((folder / CONFIG_FILE).read_bytes())
    config["sha256"] = digests(folder)
    (folder / CONFIG_FILE).write_text(json.dumps(config))


def _change(value: Any, generator: random.Random) -> Any:
    """The JSON value with something in it replaced, removed or doubled."""
    if isinstance(value, dict) and value and generator.random() < 0.9:
        key = generator.choice(list(value))
        match generator.randrange(6):
            case 0:
                return {name: entry for name, entry in value.items() if name != key}
            case 1:
                return value | {key: generator.choice(_VALUES)}
            case _:
                return value | {key: _change(value[key], generator)}
    if isinstance(value, list) and value and generator.random() < 0.9:
        place = generator.randrange(len(value))
        changed = [_change(value[place], generator)] * generator.randrange(3)
        return [*value[:place], *changed, *value[place + 1 :]]
    return generator.choice(_VALUES)


def _altered_json(name: str) -> Callable[[Path, random.Random], None]:
    def alter(folder: Path, generator: random.Random) -> None:
        content = json.loads((folder / name).read_bytes())
        content = _change(content, generator)
        (folder / name).write_text(json.dumps(content), errors="replace")
        if name != CONFIG_FILE:
            _reseal(folder)

    return alter


def _altered_bytes(name: str) -> Callable[[Path, random.Random], None]:
    def alter(folder: Path, generator: random.Random) -> None:
        content = bytearray((folder / name).read_bytes())
        for _ in range(generator.randrange(1, 9)):
            content[generator.randrange(min(len(content), 600))] = generator.randrange(256)
        del content[generator.choice([len(content), generator.randrange(len(content))]) :]
        (folder / name).write_bytes(content)
        if name != CONFIG_FILE:
            _reseal(folder)

    return alter


def _altered_normalizer(folder: Path, generator: random.Random) -> None:
    def one(depth: int) -> dict[str, Any]:
        kind = generator.choice(["NFC", "NFKD", "Strip", "Lowercase", "Replace", "Sequence", "Nmt"])
        if kind == "Sequence" and depth:
            return {"type": kind, "normalizers": [one(depth - 1) for _ in range(3)]}
        if kind == "Replace":
            content = "a" * generator.randrange(12)
            return {"type": kind, "pattern": {"String": "a"}, "content": content}
        if kind == "Strip":
            return {"type": kind, "strip_left": True, "strip_right": True}
        return {"type": kind}

    content = json.loads((folder / TOKENIZER_FILE).read_bytes())
    content["normalizer"] = one(generator.randrange(7))
    (folder / TOKENIZER_FILE).write_text(json.dumps(content))
    _reseal(folder)


_KINDS: dict[str, Callable[[Path, random.Random], None]] = {
    **{f"values of {name}": _altered_json(name) for name in (CONFIG_FILE, TOKENIZER_FILE)},
    **{
        f"bytes of {name}": _altered_bytes(name)
        for name in (CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE, "README.md")
    },
    "normalizers": _altered_normalizer,
}


def _ask_the_command(tally: Tally, sound: Path, folder: Path) -> None:
    cwd = folder.parents[2]
    for title, spoil in _spoiled().items():
        for words in (("predict", "a " * 40_000), ("info",), ("predict", str(folder), "좋아요")):
            _copy(sound, folder)
            spoil(folder)
            done = ended((*NSMC, *words), cwd, _PATIENCE)
            soon = done.code is not None and done.megabytes < _LARGEST_PEAK
            clean = "\x1b" not in done.stdout + done.stderr
            answered = done.code == 0 and "Traceback" not in done.stderr
            seen = f"{done.code}, {done.megabytes:.0f} MB: {done.stderr}"
            tally.case(
                f"{title}, {words[0]}", soon and clean and (answered or done.is_one_line), seen
            )


def _spoiled() -> dict[str, Callable[[Path], None]]:
    cases: dict[str, Callable[[Path], None]] = {
        "longest max_length": lambda folder: _with(folder, max_length=2**31 - 1),
        "long max_length": lambda folder: _with(folder, max_length=65_536),
        "metric of 10**400": lambda folder: _with(folder, metrics={"a": 10**400}),
        "metric with escapes": lambda folder: _with(folder, metrics={"\x1b]0;x\x07": 0.5}),
        "signature with escapes": lambda folder: _with(folder, signature="\x1b[2J" * 1000),
        "card with escapes": _with_hostile_card,
        "ten times ten": _with_bomb,
    }
    for name in (CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE, "README.md"):
        for kind in ("pipe", "device", "giant", "deep"):
            cases[f"{name} is a {kind}"] = partial(_replaced, name=name, kind=kind)
    return cases


def _with(folder: Path, **changes: object) -> None:
    content = json.loads((folder / CONFIG_FILE).read_bytes())
    (folder / CONFIG_FILE).write_text(json.dumps(content | changes))


def _with_bomb(folder: Path) -> None:
    content = json.loads((folder / TOKENIZER_FILE).read_bytes())
    one = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 10}
    content["normalizer"] = {"type": "Sequence", "normalizers": [one] * 10}
    (folder / TOKENIZER_FILE).write_text(json.dumps(content))
    _reseal(folder)


def _with_hostile_card(folder: Path) -> None:
    (folder / "README.md").write_text("# Card\n\n    python \x1b[2J\n")


def _replaced(folder: Path, name: str, kind: str) -> None:
    path = folder / name
    if kind == "giant":
        os.truncate(path, 1 << 40)  # a hole: it takes no room
        return
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.write_bytes(b"[" * 100_000)
