"""Processes that train together meet before they train, and get a message from the first one.

When one of them ends, the others cannot go on; they end, too, and say why.
"""

import atexit
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import partial
from typing import TypeVar

import pytorch_lightning as L
import torch.distributed
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from pytorch_lightning.strategies import DDPStrategy
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from nsmc.training.children import has_lost, watch
from nsmc.training.signals import signals_deferred
from nsmc.training.slurm import is_slurm_job

T = TypeVar("T")

SECONDS_TO_COME = 600.0  # for a process that is slow to start, or to read the corpus

_SECONDS_BETWEEN_LOOKS = 0.2
_SECONDS_TO_CONNECT = 60.0
_SECONDS_FOR_LATE_ONES = 60.0
_ENDED = "another one of the processes that train together has ended, see what it says"
_CAME, _FAILED = "nsmc/came", "nsmc/failed"  # in the store: how many processes


class ProcessLostError(ConnectionError):
    """Another one of the processes that train together has ended."""


@contextmanager
def gathering(rank: int, count: int) -> Iterator[TCPStore]:
    """Let the `count` processes that nobody watches over hear of one another's failure at once.

    This one is the number `rank` of them. The store is for `meet`. Raises ProcessLostError where
    the first one does not come.
    """
    environment = SLURMEnvironment(auto_requeue=False) if is_slurm_job() else LightningEnvironment()
    address, port = environment.main_address, environment.main_port
    store = _store(address, port, is_server=rank == 0)
    store.add(_CAME, 1)
    try:
        yield store
    except BaseException:
        # Once they are connected, all have come, and nobody reads it any more. The store may end at
        # any moment, and then it is not what failed.
        if not torch.distributed.is_initialized() and _has_server(store):
            with suppress(torch.distributed.DistError):
                store.add(_FAILED, 1)
        if rank == 0:  # at the end, once it is said what failed: the store ends with this process
            atexit.register(_wait_for_late_ones, store, count)
        raise


def _wait_for_late_ones(store: TCPStore, count: int) -> None:
    deadline = time.monotonic() + _SECONDS_FOR_LATE_ONES
    with suppress(BaseException):  # a signal, too
        while store.add(_CAME, 0) < count and time.monotonic() < deadline:
            time.sleep(_SECONDS_BETWEEN_LOOKS)


def meet(trainer: L.Trainer, message: T, store: TCPStore | None = None) -> T:
    """Start the processes, unless another launcher did, and wait for all; the first's message.

    Later fits of the Trainer find them connected. `store` is that of their gathering, if they had
    one. Raises ProcessLostError where one of them ends, or does not come.
    """
    strategy = trainer.strategy
    assert isinstance(strategy, DDPStrategy) and strategy.launcher is not None
    try:
        with losing_others():
            strategy.launcher.launch(partial(_connect, strategy, store))
            return strategy.broadcast(message)
    except BaseException:
        strategy.launcher.kill(signal.SIGTERM)
        raise


@contextmanager
def losing_others() -> Iterator[None]:
    """Raise ProcessLostError for what torch raises where the connection to another process ends."""
    try:
        yield
    except RuntimeError as error:
        is_gloos = "gloo/transport" in str(error)  # which has no class of its own
        if not is_gloos and not isinstance(error, torch.distributed.DistError):
            raise
        raise ProcessLostError(_ENDED) from error


def _connect(strategy: DDPStrategy, store: TCPStore | None) -> None:
    """Wait for the others in a loop that signals can interrupt, unlike torch's own waiting."""
    watch(strategy.launcher)
    strategy.set_world_ranks()
    environment = strategy.cluster_environment
    assert environment is not None
    if store is None:
        has_server = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"  # torchrun's own
        is_server = strategy.global_rank == 0 and not has_server
        store = _store(environment.main_address, environment.main_port, is_server)
    _wait_for_all(store, strategy.world_size, partial(has_lost, strategy.launcher))
    with signals_deferred():  # the others would wait for this one
        _setup(strategy)
    del store  # not earlier: others may still be reading it


def _setup(strategy: DDPStrategy) -> None:
    """Connect with the others, who are all there.

    In a thread: where one is killed in the middle, torch waits for half an hour.
    """
    done: Future[None] = Future()

    def connect() -> None:
        try:
            done.set_result(strategy.setup_environment())
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=connect, daemon=True).start()
    try:
        done.result(_SECONDS_TO_CONNECT)
    except TimeoutError:
        raise ProcessLostError(_ENDED) from None


def _wait_for_all(store: TCPStore, world_size: int, has_lost: Callable[[], bool]) -> None:
    arrived = f"nsmc/arrived/{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}"
    deadline = time.monotonic() + SECONDS_TO_COME
    store.add(arrived, 1)
    while (here := store.add(arrived, 0)) < world_size:
        if has_lost() or not _has_server(store) or store.add(_FAILED, 0):
            raise ProcessLostError(_ENDED)
        if time.monotonic() > deadline:
            raise ProcessLostError(
                f"{here} of {world_size} processes were here after {SECONDS_TO_COME:.0f} seconds"
            )
        time.sleep(_SECONDS_BETWEEN_LOOKS)


def _store(address: str, port: int, is_server: bool) -> TCPStore:
    """The one that the first process serves. Raises ProcessLostError where it doesn't."""
    deadline = time.monotonic() + SECONDS_TO_COME
    while not is_server and not _answers(address, port):
        if time.monotonic() > deadline:
            raise ProcessLostError(
                f"{address}:{port}: no first process after {SECONDS_TO_COME:.0f} seconds"
            )
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    # Multi-tenant: torch, which soon makes a store at the same address, then finds this server.
    return TCPStore(address, port, is_master=is_server, wait_for_workers=False, multi_tenant=True)


def _has_server(store: TCPStore) -> bool:
    """Whether the first process is there; asked before a use, at which torch prints a C++ trace."""
    return _answers(store.host, store.port)


def _answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True
