"""Processes that train together meet before they train, and get a message from the first one."""

import os
import signal
import socket
import time
from functools import partial
from typing import TypeVar

import pytorch_lightning as L
from pytorch_lightning.strategies import DDPStrategy
from torch.distributed import TCPStore  # type: ignore[attr-defined]

T = TypeVar("T")

_SECONDS_BETWEEN_LOOKS = 0.2


def meet(trainer: L.Trainer, message: T) -> T:
    """Start the processes, unless another launcher did, and wait for all; the first's message.

    Later fits of the Trainer find them connected. Raises ConnectionError where the first one ends.
    """
    strategy = trainer.strategy
    assert isinstance(strategy, DDPStrategy) and strategy.launcher is not None
    try:
        strategy.launcher.launch(partial(_connect, strategy))
        return strategy.broadcast(message)
    except BaseException:
        strategy.launcher.kill(signal.SIGTERM)
        raise


def _connect(strategy: DDPStrategy) -> None:
    """Wait for the others in a loop that signals can interrupt, unlike torch's own waiting."""
    strategy.set_world_ranks()
    environment = strategy.cluster_environment
    assert environment is not None
    address, port = environment.main_address, environment.main_port
    try:
        store = _wait_for_all(address, port, strategy.global_rank, strategy.world_size)
    except RuntimeError as error:  # torch's, of the connection
        raise ConnectionError(f"the first process, at {address}:{port}, has left") from error
    strategy.setup_environment()
    del store  # not earlier: others may still be reading it


def _wait_for_all(address: str, port: int, rank: int, world_size: int) -> TCPStore:
    has_server = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"  # torchrun's own
    is_server = rank == 0 and not has_server
    while not is_server and not _answers(address, port):
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    # Multi-tenant: torch, which soon makes a store at the same address, then finds this server.
    store = TCPStore(address, port, is_master=is_server, wait_for_workers=False, multi_tenant=True)
    arrived = f"nsmc/arrived/{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}"
    store.add(arrived, 1)
    while store.add(arrived, 0) < world_size:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    return store


def _answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True
