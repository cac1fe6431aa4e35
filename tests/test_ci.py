"""`.ci/run` with a make that stands for all that takes long, and `make tidy`, which it calls."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")

CHECKS = ["clients-test", "versions-test VERSIONS=hydra", "rust-test", "page-test"]
INSTALLED = "clients page-installed rust-compiled"

# Notes each call, then does what a file named by its first word says.
MAKE = """#!/bin/bash
echo "$*" >> calls
[ ! -e "do-$1" ] || . "./do-$1"
echo "$1 ended" >> calls
"""
AWAIT = "until grep -q '^%s' calls; do sleep 0.02; done"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The script, and a folder of programs that do nothing."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(PROJECT / ".ci" / "run", tmp_path / ".ci")
    (tmp_path / "path").mkdir()
    for name in ("cargo", "java", "mvn", "node", "npm", "chromium", "apt-get", "make"):
        program = tmp_path / "path" / name
        program.write_text(MAKE if name == "make" else "#!/bin/sh\n")
        program.chmod(0o755)
    quick = tmp_path / "path" / "sleep"  # lest the script waits ten seconds for the deaf
    quick.write_text(f'#!/bin/sh\n[ "$1" = 0.1 ] && set 0.001\nexec {shutil.which("sleep")} "$@"\n')
    quick.chmod(0o755)
    return tmp_path


def run(clone: Path, **steps: str) -> tuple[int, list[str], str]:
    """The script's code, the calls of make, and what it says on standard error.

    `steps` has what make does, by its first target.
    """
    process = start(clone, **steps)
    _, said = process.communicate("typed", timeout=300)
    assert not [*clone.glob("tmp.*")]
    return process.returncode, calls_in(clone), said


def calls_in(clone: Path) -> list[str]:
    return (clone / "calls").read_text().splitlines()


def start(clone: Path, **steps: str) -> subprocess.Popen[str]:
    for name, script in steps.items():
        (clone / f"do-{name}").write_text(script)
    path = f"{clone / 'path'}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "TMPDIR": str(clone)}
    return subprocess.Popen(
        [clone / ".ci" / "run"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_environments_are_made_while_the_tests_run(clone: Path) -> None:
    # Each waits for the other to have begun.
    code, calls, said = run(clone, coverage=AWAIT % "clients", clients=AWAIT % "coverage")
    assert (code, said) == (0, "")
    assert calls[0] == "install"
    assert {"coverage", INSTALLED} <= set(calls)
    assert calls.index("clients ended") < calls.index("clients-test")
    assert [call for call in calls if call in CHECKS] == CHECKS and "tidy" not in calls


def test_the_tests_end_before_what_is_installed_is_used(clone: Path) -> None:
    code, calls, _ = run(clone, clients=AWAIT % "lint ended")
    assert code == 0
    assert calls.index("lint ended") < calls.index("clients ended") < calls.index("clients-test")


def test_an_installation_that_asks_does_not_wait_for_a_terminal(clone: Path) -> None:
    # Which would stop it for good, as it is not in the foreground there.
    code, *_ = run(clone, clients="cat > asked")
    assert code == 0 and (clone / "asked").read_text() == ""


def test_a_failed_installation_is_shown_and_ends_it(clone: Path) -> None:
    code, calls, said = run(clone, clients="echo no such package; exit 2")
    assert (code, said) == (1, "no such package\n")
    assert "lint ended" in calls and "tidy" in calls and not set(CHECKS) & set(calls)


def test_failed_tests_leave_nothing_running_or_half_made(clone: Path) -> None:
    endless = "sleep 1000 & echo $! > sleeping; echo > started; wait"
    failing = "until [ -e started ]; do sleep 0.02; done; exit 1"
    code, calls, said = run(clone, clients=endless, coverage=failing)
    assert (code, said) == (1, "")
    assert calls[-2:] == ["tidy", "tidy ended"] and "clients ended" not in calls
    assert not is_running(clone / "sleeping")


def is_running(file: Path) -> bool:
    """Whether the process whose number the file has is there."""
    status = Path("/proc", file.read_text().strip(), "status")
    return status.exists() and "(zombie)" not in status.read_text()


@pytest.mark.parametrize("step", ["install", "coverage", "lint", "rust-test"])
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_it_alone_ends_all_that_it_has_started(
    clone: Path, step: str, sent: signal.Signals
) -> None:
    # Of what the step starts, one process does not heed the first signal.
    endless = """
        (trap '' INT; touch deaf; exec sleep 1000) & echo $! > a
        until [ -e deaf ]; do sleep 0.02; done
        sleep 1000 & echo $! > b
        echo > started; wait"""
    before = (
        {} if step in ("install", "rust-test") else {"clients": endless.replace("started", "x")}
    )
    process = start(clone, **before, **{step: endless})
    while not (clone / "started").exists() and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(sent)
    _, said = process.communicate(timeout=300)
    assert (process.returncode, said) == (128 + sent, "")
    assert f"{step} ended" not in calls_in(clone)
    assert not is_running(clone / "a") and not is_running(clone / "b")
    assert not [*clone.glob("tmp.*")]


def test_tidy_removes_what_is_half_made_alone(tmp_path: Path) -> None:
    shutil.copy(PROJECT / "Makefile", tmp_path)
    whole = [".venv-clients/installed", ".venv-clients/jars/a.jar", ".venv-releases/installed"]
    half = [".venv-clients/node.new/x", ".venv-clients/scale/bin/pip"]
    modules = "tests/page/node_modules"
    for name in (*whole, *half, f"{modules}/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    subprocess.run(["make", "tidy"], cwd=tmp_path, check=True)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"Makefile", *whole}
    (tmp_path / ".venv-clients" / "installed").unlink()
    subprocess.run(["make", "tidy"], cwd=tmp_path, check=True)
    assert not (tmp_path / ".venv-clients").exists()
    subprocess.run(["make", "tidy"], cwd=tmp_path, check=True)  # where nothing is
