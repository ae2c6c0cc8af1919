"""Fanout's sending to sockets itself, on both twins: all that fits, in order, and the rest to the caller."""

from __future__ import annotations

import os
import random
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="descriptors of sockets are no files there")


@pytest.fixture
def pair() -> Iterator[Callable[[], tuple[socket.socket, socket.socket]]]:
    """Two ends that do not block."""
    made: list[socket.socket] = []

    def make() -> tuple[socket.socket, socket.socket]:
        ends = socket.socketpair()
        for end in ends:
            end.setblocking(False)
        made.extend(ends)
        return ends

    yield make
    for end in made:
        end.close()


def read(end: socket.socket) -> bytes:
    found = b""
    while True:
        try:
            data = end.recv(1 << 20)
        except BlockingIOError:
            return found
        if not data:
            return found
        found += data


@pytest.mark.parametrize("count", [1, 3, 100], ids=["one", "few", "many"])
def test_sockets_receive_the_frames_of_a_tick(twin, pair, count: int) -> None:
    fan, other = twin("framing").Fanout(epoch="e"), twin("framing").Fanout(epoch="e")
    ends = [pair() for _ in range(count)]
    for number, (end, _) in enumerate(ends):
        for one, options in ((fan, {"fd": end.fileno()}), (other, {})):
            one.connect(number, deflate=[None, 9, 12][number % 3], **options)
            one.subscribe(number, ["x", "y"] if number % 2 else "x")
    for _ in range(3):
        for one in (fan, other):
            one.publish("x", {"text": "a" * 300})
            one.publish("y", 2)
        assert fan.send() == (count, {})
        sent = other.tick()
        assert [read(end) for _, end in ends] == [b"".join(sent[number]) for number in range(count)]
    assert fan.send() == (0, {})
    assert fan.stats() == other.stats()


def test_clients_without_a_descriptor_are_left_to_the_caller(twin, pair, wire) -> None:
    fan = twin("framing").Fanout()
    near, far = pair()
    fan.connect("socket", fd=near.fileno())
    fan.connect("none")
    for name in ("none", "socket"):
        fan.subscribe(name, "x")
    fan.publish("x", 1)
    count, rest = fan.send()
    assert count == 2
    assert {name: wire.read(frames) for name, frames in rest.items()} == {"none": [["x", 1, 1]]}
    assert wire.read((read(far),)) == [["x", 1, 1]]


@pytest.mark.parametrize("size", [50_000, 3_000_000])
def test_unsent_bytes_are_left_to_the_caller(twin, pair, wire, size: int) -> None:
    """Sent and left together are the frames, whatever part of them fits."""
    fan = twin("framing").Fanout()
    near, far = pair()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 10_000)
    fan.connect("a", fd=near.fileno())
    fan.subscribe("a", "x")
    whole = b""
    for n in range(5):
        body = random.Random(n).randbytes(size)
        fan.publish("x", payload=body)
        count, rest = fan.send()
        assert count == 1
        left = b"".join(rest.get("a", ()))
        got = read(far)
        assert wire.parse(got + left).data == body
        whole += got + left
    assert size < 100_000 or rest, "three megabytes cannot fit"


def test_nothing_fits(twin, pair) -> None:
    fan = twin("framing").Fanout()
    near, far = pair()
    try:
        while True:
            near.send(b"x" * 65536)
    except BlockingIOError:
        pass
    fan.connect("a", fd=near.fileno())
    fan.subscribe("a", "x")
    fan.publish("x", payload=b"all of it")
    assert fan.send() == (1, {"a": (b"\x82\x09all of it",)})
    assert set(read(far)) == {ord("x")}


def test_several_long_frames_are_left_to_the_caller(twin, pair) -> None:
    fan = twin("framing").Fanout()
    near, far = pair()
    fan.connect("a", fd=near.fileno())
    fan.subscribe("a", "x")
    for _ in range(3):
        fan.publish("x", b"z" * 50_000)
    _, rest = fan.send()
    assert len(rest["a"]) == 3
    assert read(far) == b""


def test_blocked_and_disconnected_clients_are_sent_nothing(twin, pair, wire) -> None:
    fan = twin("framing").Fanout()
    ends = {name: pair() for name in "abc"}
    for name, (near, _) in ends.items():
        fan.connect(name, fd=near.fileno())
        fan.subscribe(name, "x")
    fan.publish("x", 1)
    fan.blocked("a")
    fan.disconnect("b")
    assert fan.send() == (1, {})
    assert [read(far) != b"" for _, far in ends.values()] == [False, False, True]
    fan.writable("a")
    assert fan.send() == (1, {})
    assert wire.read((read(ends["a"][1]),)) == [["x", 1, 1]]


def test_broken_sockets_are_left_to_the_caller(twin, pair, wire) -> None:
    fan = twin("framing").Fanout()
    ends = {name: pair() for name in "abc"}
    for name, (near, _) in ends.items():
        fan.connect(name, fd=near.fileno())
        fan.subscribe(name, "x")
    ends["a"][1].close()  # the peer is closed
    ends["b"][0].close()  # no such descriptor
    fan.publish("x", 1)
    count, rest = fan.send()
    assert count == 3
    assert set(rest) == {"a", "b"}
    assert wire.read((read(ends["c"][1]),)) == [["x", 1, 1]]


def test_packing_is_correct_while_other_threads_run(twin, pair) -> None:
    """The interpreter lock is released for many clients; other threads cannot change the data being sent."""
    fan = twin("framing").Fanout()
    ends = [pair() for _ in range(64)]
    for number, (near, _) in enumerate(ends):
        fan.connect(number, fd=near.fileno())
        fan.subscribe(number, "x")
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            [bytes(1000) for _ in range(100)]

    threads = [threading.Thread(target=churn) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for n in range(20):
            body = bytes([n]) * 1000
            fan.publish("x", payload=body)
            assert fan.send() == (64, {})
            assert {read(far) for _, far in ends} == {b"\x82\x7e\x03\xe8" + body}
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_descriptors_are_checked(twin, pair) -> None:
    fan = twin("framing").Fanout()

    def says(fd: Any) -> str:
        with pytest.raises((TypeError, ValueError)) as raised:
            fan.connect("a", fd=fd)
        assert "a" not in fan
        return str(raised.value)

    near, _ = pair()
    near.setblocking(True)
    assert "socket that does not block" in says(near.fileno())
    inlet, outlet = os.pipe()
    try:
        assert (
            says(outlet) == f"fd: expected the descriptor of a socket that does not block, got {outlet}: another file"
        )
    finally:
        os.close(inlet)
        os.close(outlet)
    assert "Bad file descriptor" in says(outlet)
    assert says("3") == "fd: expected an int in 0..2147483647, got str"
    assert "fd: expected an int in 0.." in says(-1)


def test_a_connection_that_becomes_unhashable(twin, pair) -> None:
    """What a caller's object raises comes out, and the next tick is whole."""

    class Name:
        good = True

        def __hash__(self) -> int:
            if not self.good:
                raise ZeroDivisionError("on purpose")
            return 7

    fan = twin("framing").Fanout()
    name = Name()
    fan.connect(name)
    near, far = pair()
    fan.connect("socket", fd=near.fileno())
    for one in (name, "socket"):
        fan.subscribe(one, "x")
    fan.publish("x", 1)
    Name.good = False
    with pytest.raises(ZeroDivisionError):
        fan.send()
    Name.good = True
    read(far)
    fan.publish("x", payload=b"2")
    assert fan.send() == (2, {name: (b"\x82\x012",)})
    assert read(far) == b"\x82\x012"
