"""No model reaches the network while it is built, and afterwards everything is as it was."""

import contextlib
import os
import socket
import threading
import urllib.request

import pytest

from cnninspect.errors import BuildFailed
from cnninspect.sources.construction import construct, other_peoples_code
from cnninspect.sources.network import NetworkRefused, no_network


def state():
    held = [vars(socket)["getaddrinfo"], socket.socket.connect, socket.socket.connect_ex]
    return [*held, os.environ.get("HF_HUB_OFFLINE"), os.environ.get("TRANSFORMERS_OFFLINE")]


def connect(method):
    with socket.socket() as connection:
        getattr(connection, method)(("192.0.2.1", 80))


@pytest.mark.parametrize(
    "reach",
    [
        lambda: socket.create_connection(("192.0.2.1", 80)),
        lambda: socket.create_connection(("model.invalid", 80)),
        lambda: socket.getaddrinfo("model.invalid", 443),
        lambda: socket.gethostbyname("model.invalid"),
        lambda: connect("connect"),
        lambda: connect("connect_ex"),
        lambda: urllib.request.urlopen("http://model.invalid/weights"),
    ],
)
def test_a_connection_is_refused_and_reported(reach):
    before = state()
    with no_network() as refusals:
        assert state() != before
        with pytest.raises(OSError):
            reach()
    assert refusals.addresses[0].startswith(("192.0.2.1", "model.invalid"))
    assert state() == before


def test_everything_is_put_back_after_an_error():
    before = state()
    with pytest.raises(ZeroDivisionError), no_network():
        raise ZeroDivisionError
    assert state() == before


def test_guards_nest():
    with no_network() as outer:
        with no_network() as inner, pytest.raises(NetworkRefused):
            socket.getaddrinfo("inner.invalid", 80)
        with pytest.raises(NetworkRefused):
            socket.getaddrinfo("outer.invalid", 80)
    assert (inner.addresses, outer.addresses) == (["inner.invalid:80"], ["outer.invalid:80"])


def test_other_threads_keep_their_network():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    found = []

    def look_up():
        found.append(socket.getaddrinfo("127.0.0.1", listener.getsockname()[1]))

    with no_network() as refusals:
        thread = threading.Thread(target=look_up)
        thread.start()
        thread.join()
    listener.close()
    assert found
    assert not refusals.addresses


def test_two_threads_that_are_guarded_leave_nothing_behind_in_any_order():
    before, first_in, second_in = state(), threading.Event(), threading.Event()

    def second():
        first_in.wait()
        with no_network():
            second_in.set()
            first_out.wait()

    first_out = threading.Event()
    thread = threading.Thread(target=second)
    thread.start()
    with no_network():
        first_in.set()
        second_in.wait()
    first_out.set()
    thread.join()
    assert state() == before


def test_local_sockets_stay_open(tmp_path):
    if not hasattr(socket, "AF_UNIX"):
        pytest.skip("no local sockets here")
    path = str(tmp_path / "s")
    with no_network() as refusals, socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
    assert not refusals.addresses


def test_a_builder_that_reaches_for_the_network_fails_clearly():
    def build():
        return urllib.request.urlopen("https://weights.invalid/resnet.pth")

    with pytest.raises(BuildFailed) as caught:
        construct("net.py:build", build)
    assert "it reaches for the network (weights.invalid:443)" in str(caught.value)
    assert "nothing is downloaded" in caught.value.hint


def test_the_network_is_named_even_if_the_builder_hides_it():
    def build():
        try:
            urllib.request.urlopen("https://weights.invalid/resnet.pth")
        except Exception:
            raise KeyError("no weights") from None

    with pytest.raises(BuildFailed, match=r"weights\.invalid"):
        construct("net", build)


@pytest.mark.parametrize("caught", [OSError, socket.gaierror, Exception])
def test_a_library_that_asks_whether_it_is_online_goes_on(caught):
    def build():
        with contextlib.suppress(caught):
            socket.getaddrinfo("example.invalid", 443)
        return "a module"

    assert construct("net", build) == "a module"


def test_an_error_after_a_question_for_the_network_is_not_blamed_on_it():
    def build():
        with contextlib.suppress(OSError):
            socket.getaddrinfo("example.invalid", 443)
        raise ValueError("the width must be a multiple of 64")

    with pytest.raises(ValueError, match="width"):
        construct("net", build)


def test_a_builder_that_does_without_is_let_through():
    def build():
        try:
            urllib.request.urlopen("https://weights.invalid/resnet.pth")
        except Exception:
            return "a module"

    assert construct("net", build) == "a module"


def test_a_library_that_says_it_is_offline_is_understood():
    class OfflineModeIsEnabled(ConnectionError):
        pass

    def build():
        raise ValueError("cannot load") from OfflineModeIsEnabled("no")

    with pytest.raises(BuildFailed, match="reaches for the network"):
        construct("net", build)


def test_prints_go_to_stderr_and_exits_are_errors(capsys):
    def build():
        print("building")
        raise SystemExit(3)

    with pytest.raises(BuildFailed, match=r"it ends the process \(exit 3\)"):
        construct("net", build)
    assert capsys.readouterr() == ("", "building\n")


def test_other_errors_come_as_they_are():
    with pytest.raises(ZeroDivisionError), other_peoples_code("net"):
        raise ZeroDivisionError
