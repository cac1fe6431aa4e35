"""A process that fails tells the others, and says its own failure."""

import pytest
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from nsmc.training import meeting
from nsmc.training.meeting import gathering


def first_process(monkeypatch: pytest.MonkeyPatch) -> TCPStore:
    """The store that it serves, where the gathering of another one finds it."""
    server = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", str(server.port))
    return server


@pytest.mark.parametrize("connected", [False, True])
def test_a_failure_is_told_to_those_who_still_come(
    monkeypatch: pytest.MonkeyPatch, connected: bool
) -> None:
    server = first_process(monkeypatch)
    monkeypatch.setattr("torch.distributed.is_initialized", lambda: connected)
    with pytest.raises(ValueError, match="its own"), gathering(1, 2):
        raise ValueError("its own")
    assert server.add("nsmc/failed", 0) == (0 if connected else 1)


def test_a_failure_is_said_where_the_first_process_ends_while_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = first_process(monkeypatch)
    monkeypatch.setattr(meeting, "_has_server", lambda store: True)  # it ends right after
    with pytest.raises(ValueError, match="its own"), gathering(1, 2):
        del server
        raise ValueError("its own")
