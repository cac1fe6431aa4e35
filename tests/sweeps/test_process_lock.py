"""The locks by which processes of a sweep know of each other."""

from pathlib import Path

from nsmc.runs.record import is_locked
from nsmc.sweeps.process_lock import hold_process_lock, release_process_lock


def test_a_lock_is_held_until_it_is_let_go_and_those_of_the_dead_go(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / ".x-0123abcd.lock").touch()  # of a process that was killed
    (tmp_path / ".x-4567abcd.lock").symlink_to(victim)
    locks = [hold_process_lock(tmp_path, "x") for _ in range(2)]
    paths = [Path(lock.lock_file) for lock in locks]
    assert {*paths, victim, tmp_path / ".x-4567abcd.lock"} == {*tmp_path.iterdir()}
    assert all(map(is_locked, paths)) and victim.read_text() == "precious"
    release_process_lock(locks[0])
    assert [path.exists() for path in paths] == [False, True]
    release_process_lock(locks[1])
