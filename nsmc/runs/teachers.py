"""What is known of a student's teachers: whether morphemes stand behind their soft labels.

A bundle says so itself. A linear classifier's soft labels are a file; its run's record says so. A
run that starts from a student's weights has that student's teachers behind it, too.
"""

from pathlib import Path
from typing import Any

from nsmc.config.schema import RunConfig
from nsmc.data.soft_labels import teacher_path
from nsmc.data.soft_labels_file import SOFT_LABELS_FILE
from nsmc.runs.record import Record, final_step_config, read_record
from nsmc.runtime.bundle import CONFIG_FILE
from nsmc.runtime.loading import read_config
from nsmc.runtime.locate import bundle_folder
from nsmc.runtime.morphemes import PACKAGES
from nsmc.runtime.teachers import (
    Knowledge,
    all_knowledge,
    check_teachers,
    merged,
    teachers_entry,
)


def teachers_of(config: RunConfig) -> dict[str, Any] | None:
    """The entry `teachers` of the `config.json` that a run will write.

    Raises FileNotFoundError for a teacher that is not there, ValueError for one that is damaged.
    """
    inherited = None
    if config.ckpt_path is not None:  # its weights count, not those of init_from
        inherited = _of_checkpoint(Path(config.ckpt_path))
    elif config.init_from is not None:
        inherited = _behind(bundle_folder(Path(config.init_from)))
    known = [_knowledge(teacher_path(teacher)) for teacher in config.distill.teachers]
    entry = teachers_entry(known, inherited)
    if entry is not None:
        check_teachers(entry)  # before the training, which a strange version would cost
    return entry


def _of_checkpoint(path: Path) -> Knowledge | None:
    """What stands behind the teachers of a run, by one of its checkpoints."""
    run = path.resolve().parent.parent
    try:
        return _behind(run / "bundle")
    except FileNotFoundError:  # the run has not ended
        return _by_record(run)
    except ValueError:  # damaged, which does not matter to the checkpoint
        return Knowledge(unknown=True)


def _behind(bundle: Path) -> Knowledge | None:
    """What stands behind the teachers of a bundle; None where it had none."""
    entry = read_config(bundle / CONFIG_FILE).teachers
    if entry is not None:
        return all_knowledge(entry)
    return _by_record(bundle if read_record(bundle) else bundle.parent)


def _by_record(folder: Path) -> Knowledge | None:
    """The same of a run without a bundle, or of before bundles said so."""
    record = read_record(folder) or {}
    if "teachers" in record:
        return all_knowledge(record["teachers"])
    return Knowledge(unknown=True) if _teachers_in(record) else None


def _knowledge(path: Path) -> Knowledge:
    if path.is_dir():
        config = read_config(path / CONFIG_FILE)
        own = {name: [config.morphemes[name]] for name in PACKAGES} if config.morphemes else {}
        if config.teachers is None:
            # An older student, maybe.
            named = _teachers_in(read_record(path) or read_record(path.parent) or {})
            return Knowledge(own, unknown=named is None or bool(named))
        theirs = all_knowledge(config.teachers)
        return Knowledge(merged([own, theirs.morphemes]), theirs.unknown)
    record = read_record(path.parent) or {}
    config_of_run = final_step_config(record)
    data, task = config_of_run.get("data"), config_of_run.get("task")
    if path.name != SOFT_LABELS_FILE or not isinstance(data, dict) or task != "linear":
        return Knowledge(unknown=True)
    if not data.get("morphemes"):
        return Knowledge()
    versions = record.get("versions", {})
    return Knowledge({name: [versions[name]] if name in versions else [] for name in PACKAGES})


def _teachers_in(record: Record) -> list[str] | None:
    """The teachers that a run's record names; None where it says nothing of them."""
    distill = final_step_config(record).get("distill")
    if not isinstance(distill, dict):
        return None
    teachers = distill.get("teachers")
    return teachers if isinstance(teachers, list) else []
