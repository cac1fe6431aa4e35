"""A cached folder is built once, is never half there, and heals when it is damaged."""

import hashlib
import multiprocessing
import os
import time
from collections.abc import Callable
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path

import numpy as np
import pytest

from nsmc.data.cache import cached_folder, digest_of, digest_of_file, save_array

CONTENT = {"numbers.txt": b"1 2 3\n", "empty": b"", "bytes.bin": bytes(range(256))}

# What waits for another process gives up after so many seconds; nothing takes that long.
PATIENCE = 60


def build(folder: Path) -> None:
    assert list(folder.iterdir()) == []
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)


def refuse(folder: Path) -> None:
    raise AssertionError(f"{folder} must not be built")


def assert_complete(folder: Path) -> None:
    assert {name: (folder / name).read_bytes() for name in CONTENT} == CONTENT


def assert_nothing_beside(folder: Path) -> None:
    """Nothing but the folder and its lock, which stays for others may wait for it."""
    beside = {path.name for path in folder.parent.iterdir()} - {folder.name}
    assert beside <= {f"{folder.name}.lock"}


def test_a_folder_is_built_once(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there" / "yet" / "key"
    assert cached_folder(folder, build) is True
    assert_complete(folder)
    assert_nothing_beside(folder)
    assert cached_folder(folder, refuse) is False
    assert_complete(folder)


def alter(folder: Path) -> None:
    content = bytearray((folder / "bytes.bin").read_bytes())
    content[100] ^= 1
    (folder / "bytes.bin").write_bytes(content)


def truncate(folder: Path) -> None:
    (folder / "numbers.txt").write_bytes(b"1 2")


def delete_file(folder: Path) -> None:
    (folder / "empty").unlink()


def delete_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def delete_everything_inside(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def write_manifest(content: bytes) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / "manifest.json").write_bytes(content)

    return write


@pytest.mark.parametrize(
    "damage",
    [
        *(alter, truncate, delete_file, delete_manifest, delete_everything_inside),
        write_manifest(b"garbage"),
        write_manifest(b"\xff\xfe\x00"),
        write_manifest(b"{}"),
        write_manifest(b"[]"),
        write_manifest(b'["numbers.txt"]'),
        write_manifest(b"7"),
        write_manifest(b"null"),
        write_manifest(b'{"numbers.txt": 7}'),
        write_manifest(b'{"../outside": ""}'),
        write_manifest(b"[" * 100_000),
    ],
)
def test_a_damaged_folder_is_built_again(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    folder = tmp_path / "key"
    cached_folder(folder, build)
    damage(folder)
    assert cached_folder(folder, build) is True
    assert_complete(folder)
    assert_nothing_beside(folder)
    assert cached_folder(folder, refuse) is False


def test_a_file_that_an_earlier_build_left_is_not_in_the_new_folder(tmp_path: Path) -> None:
    folder = tmp_path / "key"

    def build_other(scratch: Path) -> None:
        (scratch / "old").write_text("old")

    cached_folder(folder, build_other)
    (folder / "old").write_text("altered")
    cached_folder(folder, build)
    assert {path.name for path in folder.iterdir()} == {*CONTENT, "manifest.json"}


def test_folders_in_one_place_do_not_disturb_each_other(tmp_path: Path) -> None:
    cached_folder(tmp_path / "one", build)
    cached_folder(tmp_path / "two", build)
    alter(tmp_path / "one")
    cached_folder(tmp_path / "one", build)
    assert cached_folder(tmp_path / "two", refuse) is False


@pytest.mark.parametrize("error", [RuntimeError("no luck"), KeyboardInterrupt()])
def test_a_failing_build_leaves_nothing_behind_and_a_later_one_works(
    tmp_path: Path, error: BaseException
) -> None:
    def fail(scratch: Path) -> None:
        (scratch / "numbers.txt").write_bytes(b"1 2")
        raise error

    folder = tmp_path / "cache" / "key"
    with pytest.raises(type(error)) as raised:
        cached_folder(folder, fail)
    assert raised.value is error
    assert not folder.exists()
    assert_nothing_beside(folder)
    assert cached_folder(folder, build) is True
    assert_complete(folder)


def test_the_folder_is_not_there_before_it_is_complete(tmp_path: Path) -> None:
    folder = tmp_path / "key"

    def look_then_build(scratch: Path) -> None:
        build(scratch)
        assert not folder.exists()

    assert cached_folder(folder, look_then_build) is True


# Several processes


def _build_slowly_together(folder: Path, builds: Path, start: Barrier) -> None:
    def build_slowly(scratch: Path) -> None:
        with builds.open("a") as log:
            log.write("built\n")
        time.sleep(0.5)  # long enough for the other to find the build under way
        build(scratch)

    start.wait(PATIENCE)
    cached_folder(folder, build_slowly)
    assert_complete(folder)


def test_of_two_processes_that_start_at_once_one_builds(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    folder, builds, start = tmp_path / "cache" / "key", tmp_path / "builds", spawn.Barrier(2)
    processes = [
        spawn.Process(target=_build_slowly_together, args=(folder, builds, start)) for _ in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(PATIENCE)
    assert [process.exitcode for process in processes] == [0, 0]
    assert builds.read_text() == "built\n"
    assert_nothing_beside(folder)


def _build_forever(folder: Path, half_way: Event) -> None:
    def start_building(scratch: Path) -> None:
        (scratch / "numbers.txt").write_bytes(b"1 2")
        half_way.set()
        time.sleep(PATIENCE)

    cached_folder(folder, start_building)


def test_what_a_killed_build_left_is_removed(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    folder, half_way = tmp_path / "cache" / "key", spawn.Event()
    process = spawn.Process(target=_build_forever, args=(folder, half_way))
    process.start()
    assert half_way.wait(PATIENCE)
    process.kill()
    process.join(PATIENCE)
    assert not folder.exists()
    with pytest.raises(AssertionError):
        assert_nothing_beside(folder)  # or there would be nothing to remove
    for leftover in folder.parent.glob(".nsmc-*"):
        os.utime(leftover, (0, 0))  # younger ones could be somebody's who is about to lock them
    assert cached_folder(folder, build) is True
    assert_complete(folder)
    assert_nothing_beside(folder)


# Errors


@pytest.mark.parametrize("name", ["manifest.json", "numbers.txt"])
def test_a_pipe_in_a_folder_is_not_waited_for(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "key"
    cached_folder(folder, build)
    (folder / name).unlink()
    os.mkfifo(folder / name)
    assert cached_folder(folder, build) is True
    assert_complete(folder)


@pytest.mark.parametrize("below", [".", "a", "a/b"])
def test_a_place_that_cannot_hold_the_folder_is_named(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("not a folder")
    folder = tmp_path / "file" / below / "key"
    with pytest.raises(OSError) as raised:
        cached_folder(folder, refuse)
    assert str(folder) in str(raised.value)
    assert "data.cache_dir" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_full_disk_is_reported_with_the_folder(tmp_path: Path) -> None:
    def fill(scratch: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError) as raised:
        cached_folder(tmp_path / "key", fill)
    assert f"cannot write {tmp_path / 'key'}: No space left" in str(raised.value)
    assert "data.cache_dir" in str(raised.value)


@pytest.mark.parametrize("folder", ["corpus", "cache-of-corpora"])
def test_an_error_about_another_file_is_passed_on_as_it_is(tmp_path: Path, folder: str) -> None:
    source = tmp_path / folder / "ratings.txt"

    def copy(scratch: Path) -> None:
        (scratch / "copy").write_bytes(source.read_bytes())

    with pytest.raises(FileNotFoundError) as raised:
        cached_folder(tmp_path / "cache" / "key", copy)
    assert raised.value.filename == str(source)


# Digests


def test_equal_values_have_one_digest() -> None:
    digest = digest_of({"a": [1, 0.5, "가"], "b": None})
    assert digest == digest_of({"b": None, "a": [1, 0.5, "가"]})
    canonical = '{"a": [1, 0.5, "가"], "b": null}'
    assert digest == hashlib.sha256(canonical.encode()).hexdigest()[:16]


def test_different_values_have_different_digests() -> None:
    values = [{}, [], "", 0, None, False, {"a": 1}, {"a": "1"}, [1, 2], [2, 1], [[1], 2], "가"]
    assert len({digest_of(value) for value in values}) == len(values)


def test_the_digest_of_a_file_is_its_sha256(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert digest_of_file(tmp_path / "abc") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, B.1
    )


def test_an_ancestor_that_cannot_be_made_is_reported_with_the_folder(tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere" / "at all")
    folder = tmp_path / "dangling" / "cache" / "key"
    with pytest.raises(OSError) as raised:
        cached_folder(folder, lambda scratch: None)
    assert str(folder) in str(raised.value)
    assert "data.cache_dir" in str(raised.value)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(5, dtype=np.uint16),
        np.zeros(0, np.int32),
        np.arange(6.0).reshape(2, 3).T,
        np.arange(10)[::2],
    ],
)
def test_an_array_is_saved_as_numpy_does(tmp_path: Path, array: np.ndarray) -> None:
    save_array(tmp_path / "ours.npy", array)
    np.save(tmp_path / "theirs.npy", np.ascontiguousarray(array))
    assert (tmp_path / "ours.npy").read_bytes() == (tmp_path / "theirs.npy").read_bytes()
