"""The plan of a sweep: every job composed and checked, and what has become of it so far."""

import logging
import re
from collections.abc import Callable, Container, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nsmc.config.errors import describe
from nsmc.config.overrides import typed_for_steps
from nsmc.config.schema import KEYS, RunConfig, check_config
from nsmc.data.cache import digest_of
from nsmc.runs.corpus_files import Fingerprint, remembered_fingerprint
from nsmc.runs.prepare import prepare
from nsmc.runs.recipe_checks import check_steps
from nsmc.runs.record import RECORD_FILE, read_record, state_of, write_record

log = logging.getLogger(__name__)

# Among several folders of one job the most useful one counts.
_USEFUL = ("refused", "new", "failed", "pruned", "interrupted", "running", "finished")

# Of the folders, which are named by what was chosen.
_IN_NO_SECTION = ("seed", "test")  # keys without a dot that are no groups
_MAX_BYTES = 150  # file systems allow 255
_UNSAFE = re.compile(r"[^\w.+-]+")  # in a file's name, in a shell or in an override


@dataclass(frozen=True)
class Job:
    """One job of a sweep.

    `state` is new, running (elsewhere), interrupted, failed, pruned, finished, or refused, where
    the configuration is wrong: `config` is then None and `error` says why.
    """

    overrides: tuple[str, ...]
    folder: Path
    signature: str
    state: str
    config: RunConfig | None
    corpus: str = ""
    error: str = ""

    @property
    def is_to_run(self) -> bool:
        return self.state not in ("finished", "running", "refused")


def plan_jobs(
    compose: Callable[[Sequence[str]], Mapping[str, Any]],
    combinations: Sequence[Sequence[str]],
    sweep_folder: Path,
    force: bool,
    shared: Set[str] | None = None,
) -> list[Job]:
    """The jobs of a sweep, each once, in the order of the combinations.

    `compose` gives the configuration for a job's overrides. With `force`, jobs that were run get a
    new folder and are new. `shared` are the overrides that tell no job from the others. Raises
    nothing for a job that is wrong: it is refused.
    """
    folders = runs_by_signature(sweep_folder)
    fingerprint = remembered_fingerprint()
    shared = shared_overrides(combinations) if shared is None else shared
    jobs: dict[str, Job] = {}
    for overrides in combinations:
        job = _plan_job(compose, tuple(overrides), shared, sweep_folder, fingerprint)
        if job.signature in jobs:  # two ways to say the same
            continue
        folder = folders.get(job.signature)
        if folder is not None and job.state != "refused":
            earlier = replace(job, folder=folder, state=state_of(folder))
            job = _in_new_folder(job) if force else earlier
        elif job.state == "new" and (job.folder / RECORD_FILE).exists():
            job = _in_new_folder(job)  # its name is taken by a run whose record is damaged
        if job.is_to_run and job.config and job.config.recipe:
            try:
                check_steps(job.config.recipe, typed_for_steps(overrides))
            except ValueError as error:
                job = _refused(tuple(overrides), shared, sweep_folder, error)
        jobs[job.signature] = job
    return list(jobs.values())


def shared_overrides(combinations: Sequence[Sequence[str]]) -> set[str]:
    """The overrides that all jobs have; none where there is one job."""
    sets = [set(overrides) for overrides in combinations]
    return set.intersection(*sets) if len(sets) > 1 else set()


def record_refused(jobs: Sequence[Job], sweep_folder: Path) -> None:
    """Record the jobs that are refused, and forget those that were refused before."""
    for path in sweep_folder.glob(f"*/{RECORD_FILE}"):
        if (read_record(path.parent) or {}).get("refused"):
            path.unlink()
            with suppress(OSError):  # more than the record, which is all that was left there
                path.parent.rmdir()
    for job in jobs:
        if job.state == "refused":
            log.error("error: %s", job.error)
            job.folder.mkdir(parents=True, exist_ok=True)
            about = {"refused": True, "status": "failed", "error": job.error}
            write_record(job.folder, {**about, "overrides": list(job.overrides)})


def runs_by_signature(sweep_folder: Path) -> dict[str, Path]:
    """The folder of each job that the sweep has run, by signature."""
    best: dict[str, tuple[int, float, Path]] = {}
    for path in sweep_folder.glob(f"*/{RECORD_FILE}"):
        record = read_record(path.parent)
        if record is None or "signature" not in record:
            continue
        rank = (_USEFUL.index(state_of(path.parent)), path.stat().st_mtime, path.parent)
        best[record["signature"]] = max(best.get(record["signature"], rank), rank)
    return {key: folder for key, (_, _, folder) in best.items()}


def _plan_job(
    compose: Callable[[Sequence[str]], Mapping[str, Any]],
    overrides: tuple[str, ...],
    shared: Set[str],
    sweep_folder: Path,
    fingerprint: Fingerprint,
) -> Job:
    try:
        config = check_config(compose(overrides))
        if config.resume is not None:
            raise ValueError(f"resume={config.resume}: a sweep goes on by itself; leave it out")
        run = prepare(config, overrides, fingerprint=fingerprint)
    except Exception as error:
        return _refused(overrides, shared, sweep_folder, error)
    folder = sweep_folder / job_name(overrides, shared, run.signature)
    return Job(overrides, folder, run.signature, "new", config, run.corpus_fingerprint)


def _refused(
    overrides: tuple[str, ...], shared: Set[str], sweep_folder: Path, error: Exception
) -> Job:
    key = digest_of(["refused", *overrides])
    folder = sweep_folder / job_name(overrides, shared, key)
    return Job(overrides, folder, key, "refused", None, error=describe(error))


def job_name(overrides: Sequence[str], shared: Container[str], signature: str) -> str:
    """Such as `lstm_hidden_size-64_seed-1_3fa9c1`: what was chosen, and the signature's start.

    Of the overrides that are `shared` by all jobs only the choices of groups are named.
    """
    pairs = [override.split("=", 1) for override in overrides if "=" in override]
    own = [(k, v) for k, v in pairs if f"{k}={v}" not in shared or _is_group(k)]
    parts = [_part(key.lstrip("+~"), value) for key, value in own]
    chosen = "_".join(filter(None, parts)) or "default"
    return f"{chosen.encode()[:_MAX_BYTES].decode(errors='ignore')}_{signature[:6]}"


def _part(key: str, value: str) -> str:
    if not KEYS.affects_result(key) or key == "ckpt_path":
        return ""
    value = _UNSAFE.sub("-", value).strip("-")
    # A group's choice, such as model=gru, says enough by itself.
    return value if _is_group(key) else f"{key.rpartition('.')[2]}-{value}"


def _is_group(key: str) -> bool:
    return "." not in key and key not in _IN_NO_SECTION


def _in_new_folder(job: Job) -> Job:
    """The job in a folder of its own, beside those of its earlier runs, which stay."""
    number = 2
    while (fresh := job.folder.with_name(f"{job.folder.name}-{number}")).exists():
        number += 1
    return replace(job, folder=fresh)
