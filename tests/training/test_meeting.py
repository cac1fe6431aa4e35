"""A process that fails tells the others, and says its own failure."""

import socket

import pytest
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from nsmc.training import meeting
from nsmc.training.meeting import gathering


def first_process(monkeypatch: pytest.MonkeyPatch) -> TCPStore:
    """The store that it serves, where the gathering of another one finds it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]  # free, once it is closed
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", str(port))
    return TCPStore("127.0.0.1", port, is_master=True, wait_for_workers=False)


def test_a_failure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    server = first_process(monkeypatch)
    with pytest.raises(ValueError, match="its own"), gathering(1, 2):
        raise ValueError("its own")
    assert server.add("nsmc/failed", 0) == 1


def test_a_failure_is_said_where_the_first_process_ends_while_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = first_process(monkeypatch)
    monkeypatch.setattr(meeting, "_has_server", lambda store: True)  # it ends right after
    with pytest.raises(ValueError, match="its own"), gathering(1, 2):
        del server
        raise ValueError("its own")
