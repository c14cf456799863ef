"""Requests to stop are neither lost nor leave a trace."""

import signal
import threading
from contextlib import suppress

import pytest

from cnninspect.interrupts import stopped_gently

HANDLERS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def usual_handlers():
    kept = [signal.signal(signal.SIGINT, signal.default_int_handler),
            signal.signal(signal.SIGTERM, signal.SIG_DFL)]  # fmt: skip
    yield
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    for number, handler in zip(HANDLERS, kept):
        signal.signal(number, handler)


def test_an_interrupt_goes_through():
    reached = []

    def work():
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            reached.append("finally")

    with pytest.raises(KeyboardInterrupt), stopped_gently():
        work()
    assert reached == ["finally"]


def test_an_interrupt_that_is_swallowed_inside_counts_at_the_end():
    def swallow():
        with suppress(BaseException):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt), stopped_gently():
        swallow()


def test_an_interrupt_that_became_another_error_counts():
    def turn():
        try:
            signal.raise_signal(signal.SIGINT)
        except BaseException as problem:
            raise ImportError("half-imported") from problem

    with pytest.raises(KeyboardInterrupt) as caught, stopped_gently():
        turn()
    assert isinstance(caught.value.__cause__, ImportError)


def test_other_errors_stay_what_they_are():
    with pytest.raises(ValueError, match="mine"), stopped_gently():
        raise ValueError("mine")


def test_a_request_to_end_goes_through_finally():
    reached = []

    def work():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            reached.append("finally")

    with pytest.raises(SystemExit) as caught, stopped_gently():
        work()
    assert caught.value.code == 128 + signal.SIGTERM
    assert reached == ["finally"]


def test_somebody_elses_handler_is_left_alone():
    seen = []
    signal.signal(signal.SIGTERM, lambda *_: seen.append("theirs"))
    with stopped_gently():
        signal.raise_signal(signal.SIGTERM)
    assert seen == ["theirs"]
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def test_other_threads_do_their_work():
    done = []

    def work():
        with stopped_gently():
            done.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [1]
