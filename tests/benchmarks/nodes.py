"""Kills runs of two machines at random moments, resumes them and compares.

`python -m tests.benchmarks.nodes`. The machines are two network namespaces with a wire between
them, where this user may make some, else two loopback addresses. Each runs one process of the two
that train together. One or both are killed, or asked to stop; what is left of the run must end by
itself, and is then resumed. What is compared is every weight of the bundle, the final metrics and
each epoch's history, to the bit, with a run that was left alone.
"""

import argparse
import contextlib
import ctypes
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import nsmc.data
from nsmc.config.schema import RunConfig
from nsmc.training import meeting
from tests import crash_recovery as recovery
from tests.benchmarks.common import config

TRIALS = 20
SETTINGS = ("trainer=ddp", "trainer.devices=1", "trainer.num_nodes=2", "logger=none")
KILLS = (
    ((0,), signal.SIGKILL),
    ((1,), signal.SIGKILL),
    ((0, 1), signal.SIGKILL),
    ((0, 1), signal.SIGTERM),
    ((1,), signal.SIGTERM),
)
_MOST_KILLS = 3  # in one run
_SECONDS_TO_COME = 15.0  # in which a process that was not killed before it came is there
_PATIENCE = 60  # seconds in which a process ends after the other one, on a busy machine
_PORTS = (20_000, 30_000)  # below those that a kernel gives to connections
_CLONE_NEWNET = 0x40000000  # of sched.h


@dataclass(frozen=True)
class Machine:
    """A machine's address and the interface that has it; None is the whole computer's network."""

    address: str
    interface: str = "lo"
    namespace: str | None = None

    def enter(self) -> None:
        """Move this process there."""
        if self.namespace is None:
            return
        libc = ctypes.CDLL(None, use_errno=True)
        with Path("/run/netns", self.namespace).open() as namespace:
            if libc.setns(namespace.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def two_machines(loopback: bool = False) -> Iterator[tuple[Machine, Machine]]:
    """Namespaces with a wire between them, or with `loopback`, and where none may be made, not."""
    names = [f"nsmc-{os.getpid()}-{number}" for number in range(2)]
    ends = [f"n{os.getpid()}-{number}" for number in range(2)]  # at most 15 letters
    machines = [Machine(f"10.77.0.{n + 1}", ends[n], names[n]) for n in range(2)]
    try:
        if loopback or not _make_namespaces(machines):
            yield Machine("127.0.0.2"), Machine("127.0.0.1")
        else:
            yield machines[0], machines[1]
    finally:
        for name in names:
            if Path("/run/netns", name).exists():
                subprocess.run(["ip", "netns", "delete", name], check=False)


def _make_namespaces(machines: Sequence[Machine]) -> bool:
    commands = [f"ip netns add {machine.namespace}" for machine in machines]
    first, second = (f"{machine.interface} netns {machine.namespace}" for machine in machines)
    commands.append(f"ip link add {first} type veth peer name {second}")
    for machine in machines:
        inside = f"ip -n {machine.namespace}"
        commands.append(f"{inside} address add {machine.address}/24 dev {machine.interface}")
        commands += [f"{inside} link set {device} up" for device in ("lo", machine.interface)]
    try:
        for command in commands:
            subprocess.run(command.split(), check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _become(machine: Machine, environment: dict[str, str]) -> None:
    machine.enter()
    os.environ.update(environment)
    meeting.SECONDS_TO_COME = _SECONDS_TO_COME


class Attempt:
    """The two processes of a run that is begun, or resumed, in a folder."""

    def __init__(self, settings: RunConfig, folder: Path, machines: Sequence[Machine], port: int):
        self.pids = []
        for rank, machine in enumerate(machines):
            common = {"MASTER_ADDR": machines[0].address, "MASTER_PORT": str(port)}
            place = {"NODE_RANK": str(rank), "GLOO_SOCKET_IFNAME": machine.interface}

            def begin(
                machine: Machine = machine, variables: dict[str, str] = common | place
            ) -> None:
                machine.enter()
                os.environ.update(variables)

            self.pids.append(recovery.attempt(settings, folder, begin))

    def kill(self, ranks: Sequence[int], signum: int) -> None:
        for rank in ranks:
            os.kill(self.pids[rank], signum)

    def codes(self) -> list[int]:
        """The exit codes, once both have ended. Raises RuntimeError where one does not."""
        codes: dict[int, int] = {}
        deadline = None
        while len(codes) < len(self.pids):
            for rank, pid in enumerate(self.pids):
                if rank not in codes and (ended := os.waitpid(pid, os.WNOHANG))[0]:
                    codes[rank] = os.waitstatus_to_exitcode(ended[1])
                    deadline = deadline or time.monotonic() + _PATIENCE
            if deadline and time.monotonic() > deadline:
                left = [rank for rank in range(len(self.pids)) if rank not in codes]
                self.kill(left, signal.SIGKILL)
                raise RuntimeError(f"process {left} goes on without the other: {codes}")
            time.sleep(0.002)
        return [codes[rank] for rank in range(len(self.pids))]


def trial(
    settings: RunConfig,
    folder: Path,
    machines: Sequence[Machine],
    chance: random.Random,
    seconds: float,
) -> list[str]:
    """Run a job that is killed one to three times within `seconds`, then left alone; the kills."""
    kills = []
    for _ in range(chance.randint(1, _MOST_KILLS)):
        attempt = Attempt(settings, folder, machines, _port(machines[0], chance))
        moment = chance.uniform(0, seconds)
        ranks, signum = chance.choice(KILLS)
        time.sleep(moment)
        attempt.kill(ranks, signum)
        codes, allowed = attempt.codes(), {0, 1, -signum, 128 + signum}
        if not {*codes} <= allowed:
            raise RuntimeError(f"ended with {codes}: see {folder}.log")
        if not any(codes):
            break
        kills.append(f"{'both' if len(ranks) > 1 else ranks[0]} by {signum.name} at {moment:.1f} s")
    finished(settings, folder, machines, chance)
    return kills


def finished(
    settings: RunConfig, folder: Path, machines: Sequence[Machine], chance: random.Random
) -> float:
    """Run a job to its end; the seconds it took."""
    start = time.monotonic()
    if any(codes := Attempt(settings, folder, machines, _port(machines[0], chance)).codes()):
        raise RuntimeError(f"ended with {codes}: see {folder}.log")
    return time.monotonic() - start


def _port(machine: Machine, chance: random.Random) -> int:
    """One that is free."""
    if machine.namespace is not None:
        return chance.randint(*_PORTS)
    with socket.create_server((machine.address, 0)) as server:
        port: int = server.getsockname()[1]
    return port


def main(root: Path) -> None:
    """In a process of its own: it must have no threads when it forks."""
    trials = [sys.executable, "-m", "tests.benchmarks.nodes", "--trials", str(TRIALS)]
    subprocess.run(trials, check=True)


def _main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.nodes", description=__doc__)
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--loopback", action="store_true", help="make no network namespaces")
    options = parser.parse_args()
    sample = Path(nsmc.data.__path__[0]) / "sample"
    settings = config(sample, *recovery.SETTINGS, *SETTINGS)
    chance, killed, identical = random.Random(options.seed), 0, 0
    with tempfile.TemporaryDirectory() as parent, two_machines(options.loopback) as machines:
        where = " and ".join(each.namespace or each.address for each in machines)
        print(f"machines: {where}")
        reference = Path(parent) / "reference"
        seconds = finished(settings, reference, machines, chance)
        for number in range(options.trials):
            folder = Path(parent) / f"trial-{number}"
            kills = trial(settings, folder, machines, chance, seconds)
            killed += len(kills)
            different = recovery.differences(folder, reference)
            identical += not different
            print(f"trial {number}: {', '.join(kills) or 'too late'}: {different or 'identical'}")
            shutil.rmtree(folder)
    print(f"killed {killed} times")
    print(f"identical: {identical} of {options.trials}", flush=True)
    return int(identical != options.trials)


if __name__ == "__main__":
    sys.exit(_main())
