"""What is kept of an exception."""

import gc
import weakref

from xds_server.flow.failure import Failure, failure_of


class WordlessError(Exception):
    def __str__(self):
        raise RuntimeError("no words")


def caught(error):
    try:
        raise error
    except type(error) as exception:
        return failure_of(exception)


def test_a_failure_tells_type_message_and_place():
    failure = caught(ValueError("port 70000"))
    assert failure.error == "ValueError: port 70000"
    assert failure.traceback.startswith("Traceback (most recent call last):\n")
    assert "raise error" in failure.traceback


def test_an_exception_that_cannot_be_printed_still_makes_a_failure():
    assert caught(WordlessError()).error == "WordlessError: <exception str() failed>"


def test_neither_exception_nor_frames_are_kept():
    class Big:
        pass

    def fail():
        big = Big()
        alive.append(weakref.ref(big))
        raise ValueError("x")

    alive = []
    try:
        fail()
    except ValueError as error:
        failure = failure_of(error)
    gc.collect()
    assert isinstance(failure, Failure)
    assert alive[0]() is None
