"""Signals that wait for the end of a block, whichever thread takes them."""

import os
import signal
import threading
import time

import pytest

from deepfake_ssat.interruption import ENDING, Terminated, signals_held, sigterm_raises


@pytest.fixture
def other_thread():
    """One that takes signals, as OpenMP's threads do: the system may choose any that does not block them."""
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    yield
    done.set()
    thread.join()


@pytest.mark.usefixtures("other_thread", "ctrl_c_raises")
@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGTERM, Terminated), (signal.SIGINT, KeyboardInterrupt)]
)
def test_held_signal_is_answered_after_the_block(number, error):
    reached = []

    def hold():
        with signals_held():
            os.kill(os.getpid(), number)
            # Time for the other thread to take it, and for Python to answer it here.
            for _ in range(20):
                time.sleep(0.005)
            reached.append("end of the block")
        reached.append("after it")

    with sigterm_raises():
        before = [signal.getsignal(each) for each in ENDING]
        with pytest.raises(error):
            hold()
        assert reached == ["end of the block"]
        # What the first SIGTERM leaves behind is sigterm_raises' own: those after it are ignored.
        if number == signal.SIGINT:
            assert [signal.getsignal(each) for each in ENDING] == before
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == set()


@pytest.mark.usefixtures("other_thread")
def test_held_signal_is_answered_though_the_block_fails():
    def fail():
        with signals_held():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.05)
            raise ValueError("the worker cannot be started")

    with sigterm_raises(), pytest.raises(Terminated):
        fail()


def taken(number):
    """As if another thread had taken it: Python answers in this one, which blocks it."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    signal.raise_signal(number)
    signal.pthread_sigmask(signal.SIG_BLOCK, {number})


@pytest.mark.usefixtures("ctrl_c_raises")
def test_all_held_signals_are_answered_the_last_one_by_its_error():
    def hold():
        with signals_held():
            taken(signal.SIGINT)
            taken(signal.SIGTERM)
            taken(signal.SIGTERM)

    with sigterm_raises():
        with pytest.raises(Terminated):
            hold()
        # That one was answered: those after it find the ending under way.
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN


@pytest.mark.parametrize("failing", [1, 2, 3, 4])
def test_block_that_did_not_begin_or_end_well_leaves_nothing_held(monkeypatch, failing):
    """A signal may come between any two steps, and raise where its answer is not held yet or no longer."""
    answered, calls = [], []

    def answer(number, _):
        answered.append(number)

    set_answer = signal.signal
    original = {number: set_answer(number, answer) for number in ENDING}

    def interrupted(number, how):
        calls.append(number)
        if len(calls) == failing:
            raise KeyboardInterrupt
        return set_answer(number, how)

    try:
        with monkeypatch.context() as patch:
            patch.setattr(signal, "signal", interrupted)
            with pytest.raises(KeyboardInterrupt), signals_held():
                pass
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
        # An answer that could not be put back hands on to the one before, and puts that back.
        for number in ENDING:
            signal.raise_signal(number)
        assert answered == list(ENDING)
        assert {signal.getsignal(number) for number in ENDING} == {answer}
    finally:
        for number, how in original.items():
            set_answer(number, how)


def test_block_in_another_thread_leaves_the_answers_alone():
    seen = []

    def look():
        with signals_held():
            seen.append([signal.getsignal(each) for each in ENDING])
            seen.append(signal.pthread_sigmask(signal.SIG_BLOCK, []))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [[signal.getsignal(each) for each in ENDING], set(ENDING)]
