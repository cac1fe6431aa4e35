"""What is known of a student's teachers: whether morphemes stand behind their soft labels.

A bundle says so itself. A linear classifier's soft labels are a file; its run's record says so. A
run that starts from a student's weights has learnt from that student's teachers, too.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nsmc.data.soft_labels import teacher_path
from nsmc.data.soft_labels_file import SOFT_LABELS_FILE
from nsmc.runs.record import final_step_config, read_record
from nsmc.runtime.bundle import CONFIG_FILE
from nsmc.runtime.loading import read_config
from nsmc.runtime.locate import bundle_folder
from nsmc.runtime.morphemes import PACKAGES
from nsmc.runtime.teachers import Knowledge, check_teachers, merged, teachers_entry


def teachers_of(teachers: Iterable[str], init_from: str | None = None) -> dict[str, Any] | None:
    """The entry `teachers` of the `config.json` of a run with these teachers.

    Without any, it is that of the bundle whose weights the run starts from, "inherited". Beside
    some, that bundle counts as one more where it knows what they do not. Raises FileNotFoundError
    for a teacher that is not there, ValueError for one that is damaged.
    """
    known = [*map(_knowledge, map(teacher_path, teachers))]
    entry = teachers_entry(known)
    if init_from is not None:
        before = read_config(bundle_folder(Path(init_from)) / CONFIG_FILE).teachers
        if entry is None:
            return before and {**before, "inherited": True}
        if before is not None:
            theirs = Knowledge(before["morphemes"], before["unknown"] > 0)
            entry = teachers_entry(_with(known, theirs))
    if entry is not None:
        check_teachers(entry)  # before the training, which a strange version would cost
    return entry


def _with(known: list[Knowledge], theirs: Knowledge) -> list[Knowledge]:
    """These and one more, where that one's morphemes are of other versions, or more is unknown."""
    morphemes = merged(each.morphemes for each in known)
    has_nothing_new = merged([morphemes, theirs.morphemes]) == morphemes
    if has_nothing_new and (any(each.unknown for each in known) or not theirs.unknown):
        return known
    return [*known, theirs]


def _knowledge(path: Path) -> Knowledge:
    if path.is_dir():
        config = read_config(path / CONFIG_FILE)
        theirs = config.teachers or {"morphemes": {}, "unknown": int(_may_have_teachers(path))}
        own = {name: [config.morphemes[name]] for name in PACKAGES} if config.morphemes else {}
        return Knowledge(merged([own, theirs["morphemes"]]), theirs["unknown"] > 0)
    record = read_record(path.parent) or {}
    config_of_run = final_step_config(record)
    data, task = config_of_run.get("data"), config_of_run.get("task")
    if path.name != SOFT_LABELS_FILE or not isinstance(data, dict) or task != "linear":
        return Knowledge(unknown=True)
    if not data.get("morphemes"):
        return Knowledge()
    versions = record.get("versions", {})
    return Knowledge({name: [versions[name]] if name in versions else [] for name in PACKAGES})


def _may_have_teachers(bundle: Path) -> bool:
    """Whether a bundle that says nothing of teachers may be an older student."""
    record = read_record(bundle) or read_record(bundle.parent)
    distill = final_step_config(record or {}).get("distill")
    return not isinstance(distill, dict) or bool(distill.get("teachers"))
