"""Files and folders appear whole or not at all, whatever ends their writing."""

import errno
import fcntl
import os
import shutil
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nsmc import atomic
from nsmc.atomic import remove_unfinished, whole_file, whole_folder, write_file

# What Python says from 3.12 on where the tests' process has threads; the child has but one.
FORKS = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def made_folder(path: Path, content: str) -> Path:
    path.mkdir()
    (path / "file").write_text(content)
    return path


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "answers.txt"
    with whole_file(path) as file:
        file.write("한글\n".encode())
        assert not path.exists()
    assert path.read_bytes() == "한글\n".encode()
    assert names(tmp_path) == ["answers.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_file_that_fails_leaves_the_earlier_one(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "run.json"
    write_file(path, "earlier")
    with pytest.raises(error), whole_file(path) as file:
        file.write(b"half")
        raise error
    assert path.read_text() == "earlier"
    assert names(tmp_path) == ["run.json"]


def test_a_new_file_has_the_permissions_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_file(tmp_path / "new", "")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "shared"
    path.write_text("")
    path.chmod(0o664)
    write_file(path, "new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o664


def test_an_error_names_the_file_and_keeps_its_number(tmp_path: Path) -> None:
    path = tmp_path / "file"
    named = pytest.raises(OSError, match=rf"cannot write {path}: No space left")
    with named as caught, whole_file(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.errno == errno.ENOSPC
    with pytest.raises(OSError, match=rf"cannot write {tmp_path / 'no' / 'file'}: No such file"):
        write_file(tmp_path / "no" / "file", "")


def test_an_error_about_another_file_is_left_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="other"), whole_file(tmp_path / "file"):
        (tmp_path / "other").read_text()


def test_inner_errors_keep_the_inner_name(tmp_path: Path) -> None:
    named = pytest.raises(OSError, match=r"cannot write .*inner: No space")
    with named, whole_folder(tmp_path / "outer") as scratch, whole_file(scratch / "inner"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert names(tmp_path) == []


def test_a_folder_replaces_the_earlier_one(tmp_path: Path) -> None:
    made_folder(tmp_path / "bundle", "old")
    with whole_folder(tmp_path / "bundle") as scratch:
        (scratch / "file").write_text("new")
        assert (tmp_path / "bundle" / "file").read_text() == "old"
    assert (tmp_path / "bundle" / "file").read_text() == "new"
    assert names(tmp_path) == ["bundle"]


def test_without_exchange_a_folder_is_restored_when_it_cannot_be_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic, "_exchange", lambda *_: False)
    made_folder(tmp_path / "bundle", "old")
    rename, calls = Path.rename, list[Path]()

    def interrupted(path: Path, target: Path) -> Path:
        calls.append(path)
        if len(calls) == 2:  # the earlier folder is aside, the new one not there yet
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt), whole_folder(tmp_path / "bundle"):
        pass
    assert (tmp_path / "bundle" / "file").read_text() == "old"
    assert names(tmp_path) == ["bundle"]


def test_without_exchange_a_folder_that_was_left_aside_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic, "_exchange", lambda *_: False)
    made_folder(tmp_path / ".bundle.replaced", "old")
    with pytest.raises(ValueError, match="refused"), whole_folder(tmp_path / "bundle"):
        raise ValueError("refused")
    with whole_folder(tmp_path / "bundle") as scratch:
        (scratch / "file").write_text("new")
    assert (tmp_path / "bundle" / "file").read_text() == "new"
    assert names(tmp_path) == ["bundle"]


@FORKS
def test_killed_at_any_moment_a_folder_is_the_old_or_the_new_one(tmp_path: Path) -> None:
    place = tmp_path / "bundle"
    with whole_folder(place) as scratch:
        (scratch / "file").write_text("0")
    for moment in range(40):
        with forked() as pid:
            if pid == 0:
                for number in range(1000):
                    with whole_folder(place) as scratch:
                        (scratch / "file").write_text(str(number))
        signal.sigtimedwait([], 0.0005 * moment)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        assert (place / "file").read_text().isdigit()
    write_file(tmp_path / "other", "")
    assert names(tmp_path) == ["bundle", "other"]


@contextmanager
def forked() -> Iterator[int]:
    """The process's number, 0 in the child, which ends with the body."""
    pid = os.fork()
    try:
        yield pid
    finally:
        if pid == 0:
            os._exit(0)


def test_what_a_living_process_writes_is_no_leftover(tmp_path: Path) -> None:
    living, dead = tmp_path / ".nsmc-0123456789ab.tmp", tmp_path / ".nsmc-ba9876543210.tmp"
    for path in (living, dead):
        path.write_text("")
    with living.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        write_file(tmp_path / "file", "")
    assert names(tmp_path) == [living.name, "file"]


def test_a_scratch_that_was_removed_before_it_was_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch, touched = Path.touch, list[Path]()

    def taken_for_a_leftover(path: Path, exist_ok: bool) -> None:
        touch(path, exist_ok=exist_ok)
        touched.append(path)
        if len(touched) == 1:
            path.unlink()

    monkeypatch.setattr(Path, "touch", taken_for_a_leftover)
    write_file(tmp_path / "file", "whole")
    assert len(touched) == 2
    assert (tmp_path / "file").read_text() == "whole"
    assert names(tmp_path) == ["file"]


@FORKS
def test_processes_that_clean_up_leave_each_others_files_alone(tmp_path: Path) -> None:
    pids = []
    for writer in range(3):
        with forked() as pid:
            if pid == 0:
                for number in range(200):
                    write_file(tmp_path / f"{writer}", str(number))
                (tmp_path / f"{writer}.done").touch()
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)
    assert names(tmp_path) == ["0", "0.done", "1", "1.done", "2", "2.done"]
    assert {(tmp_path / name).read_text() for name in "012"} == {"199"}


def test_a_folder_that_is_replaced_keeps_its_permissions_and_those_of_its_files(
    tmp_path: Path,
) -> None:
    place = made_folder(tmp_path / "bundle", "old")
    place.chmod(0o750)
    (place / "file").chmod(0o640)
    with whole_folder(place) as scratch:
        (scratch / "file").write_text("new")
        (scratch / "other").write_text("new")
    assert stat.S_IMODE(place.stat().st_mode) == 0o750
    assert stat.S_IMODE((place / "file").stat().st_mode) == 0o640
    assert (place / "file").read_text() == "new"


def test_interrupted_while_it_removes_the_earlier_folder_it_removes_it_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_folder(tmp_path / "bundle", "old")
    rmtree, calls = shutil.rmtree, list[Path]()

    def interrupted(path: Path, ignore_errors: bool) -> None:
        calls.append(path)
        if len(calls) == 1:
            raise KeyboardInterrupt
        rmtree(path, ignore_errors=ignore_errors)

    monkeypatch.setattr(shutil, "rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt), whole_folder(tmp_path / "bundle") as scratch:
        (scratch / "file").write_text("new")
    assert (tmp_path / "bundle" / "file").read_text() == "new"
    assert names(tmp_path) == ["bundle"]


def test_without_exchange_what_was_left_aside_does_not_block_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic, "_exchange", lambda *_: False)
    made_folder(tmp_path / "bundle", "old")
    made_folder(tmp_path / ".bundle.replaced", "older")
    with whole_folder(tmp_path / "bundle") as scratch:
        (scratch / "file").write_text("new")
    assert (tmp_path / "bundle" / "file").read_text() == "new"
    assert names(tmp_path) == ["bundle"]


def test_a_file_under_way_can_be_removed_by_a_handler(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="cannot write"), whole_file(tmp_path / "file"):
        assert len(names(tmp_path)) == 1
        remove_unfinished()
        assert names(tmp_path) == []
    assert names(tmp_path) == []


@FORKS
def test_a_forked_process_leaves_its_parents_file_alone(tmp_path: Path) -> None:
    with whole_file(tmp_path / "file") as file:
        with forked() as pid:
            if pid == 0:
                remove_unfinished()
        os.waitpid(pid, 0)
        file.write(b"whole")
    assert (tmp_path / "file").read_bytes() == b"whole"
