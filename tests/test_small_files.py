"""Whatever lies where a small file is expected is read or refused at once."""

import os
from pathlib import Path

import pytest

from nsmc.small_files import read_bytes, read_json, read_text


def test_content_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text('{"status": "끝"}', encoding="utf-8")
    assert read_bytes(path) == '{"status": "끝"}'.encode()
    assert read_text(path) == '{"status": "끝"}'
    assert read_json(path) == {"status": "끝"}


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "run.json")
    with pytest.raises(ValueError, match=r"run\.json: not a regular file"):
        read_json(tmp_path / "run.json")


def test_a_device_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.json").symlink_to("/dev/zero")
    with pytest.raises(ValueError, match="not a regular file"):
        read_json(tmp_path / "run.json")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"{tmp_path}: not a regular file"):
        read_bytes(tmp_path)


def test_the_largest_size_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_bytes(path, largest=5) == b"12345"
    with pytest.raises(ValueError, match="file: larger than 4 bytes"):
        read_bytes(path, largest=4)


def test_a_file_of_a_terabyte_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    os.truncate(path, 1 << 40)
    with pytest.raises(ValueError, match="larger than"):
        read_bytes(path)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff{}", b"[" * 100_000, b'{"a":' * 100_000], ids=range(5)
)
def test_what_is_no_json_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match="file: not"):
        read_json(tmp_path / "file")


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="absent"):
        read_json(tmp_path / "absent")
