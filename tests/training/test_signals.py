"""Signals wait for the step, the second one does not."""

import os
import signal

import pytest

import nsmc.training.signals
from nsmc.training.signals import Interrupted, StopSignals


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_remembered_and_then_obeyed(signum: int) -> None:
    before = signal.getsignal(signum)
    signals = StopSignals()
    signals.watch()
    try:
        os.kill(os.getpid(), signum)
        assert signals.received == signum
        os.kill(os.getpid(), signum)  # the same one, by another way
        with pytest.raises(Interrupted) as told:
            signals.obey()
    finally:
        signals.release()
    assert told.value.exit_code == 128 + signum
    assert signal.getsignal(signum) == before


def test_a_second_signal_acts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nsmc.training.signals, "SAME_SIGNAL_SECONDS", 0.0)
    signals = StopSignals()
    signals.watch()
    os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
        signal.sigtimedwait([], 0.1)  # until it has come


def test_a_job_queues_handler_is_called_after_the_step() -> None:
    called = []
    before = signal.signal(signal.SIGUSR2, lambda signum, frame: called.append(signum))
    try:
        signals = StopSignals()
        signals.watch()
        os.kill(os.getpid(), signal.SIGUSR2)
        assert signals.received == signal.SIGUSR2 and not called
        signals.obey()  # returns: the handler lets the run go on
        assert called == [signal.SIGUSR2] and signals.received is None
        signals.release()
    finally:
        signal.signal(signal.SIGUSR2, before)


def test_after_the_fit_sigterm_ends_this_process_and_those_it_has_started() -> None:
    def interrupt(signum: int, _: object) -> None:
        raise Interrupted(signum)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        signals, told = StopSignals(), list[int]()
        signal.signal(signal.SIGTERM, lambda *_: None)  # as Lightning's own
        signals.end_at_once(told.append)
        with pytest.raises(Interrupted):
            os.kill(os.getpid(), signal.SIGTERM)
            signal.sigtimedwait([], 0.1)  # until it has come
        assert told == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        signals = StopSignals()
        signals.watch()
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
        signals.release()
    finally:
        signal.signal(signal.SIGINT, before)
