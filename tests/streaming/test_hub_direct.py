"""Frames that go to sockets past the transport: to the right ones, in order, and only where that may be."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from starlette.applications import Starlette

from fastcore.streaming import Grant, Hub, Limits
from fastcore.streaming.messages import Subscribe
from fastcore.streaming.session import Session
from fastcore.streaming.uvicorn import HubLink
from tests.fuzz.inbound import FakeTransport, opened
from tests.loops import STANDARD_LOOPS
from tests.streaming.raw_client import RawClient
from tests.streaming.running import WAIT, Running

Start = Callable[[Hub], Running]


@pytest.fixture(params=STANDARD_LOOPS)
def start(request: pytest.FixtureRequest) -> object:
    with ExitStack() as stack:

        def run(hub: Hub) -> Running:
            app = Starlette()
            hub.route(app)
            return stack.enter_context(Running(app, loop=request.param))

        yield run


def link_of(hub: Hub) -> HubLink:
    [session] = hub.clients.all()
    assert isinstance(session.link, HubLink)
    return session.link


@pytest.mark.skipif(sys.platform == "win32", reason="descriptors of sockets are no files there")
def test_plain_connections_are_sent_to_directly(start: Start) -> None:
    hub = Hub()
    server = start(hub)
    with RawClient(server.port, "/stream?topics=t") as client:
        server.until(lambda: hub.subscribers("t"))
        link = server.call(lambda: link_of(hub))
        assert link.fd == link.transport.get_extra_info("socket").fileno()
        written: list[bytes] = []
        server.call(lambda: setattr(link.session, "write", written.append))
        hub.publish("t", 1)
        assert client.hear_kind(1)[3] == 1
        assert not written


def test_direct_sends_do_not_overtake_the_transports_buffer(start: Start) -> None:
    """Answers go by the transport and data past it: in the order they were made all the same, also when both block."""
    hub = Hub(limits=Limits(stalled=600.0, linger=60.0, backlog=1 << 24), ping=600, pong=60)
    server = start(hub)
    with RawClient(server.port, "/stream?topics=t", rcvbuf=4096) as client:
        server.until(lambda: hub.subscribers("t"))

        def burst(first: int) -> None:
            for n in range(first, first + 100):
                hub.publish("t", [n, "x" * (n % 7 * 1000)])
                link = link_of(hub)
                if n % 10 == 0:
                    link.session.tell(5, n, 0, "y" * 3000)  # an error message of this number

        for first in range(0, 1000, 100):
            server.call(lambda first=first: burst(first))
        assert server.call(lambda: hub.stats().blocked) == 1, "all of it fitted: the test tests nothing"
        numbers, notes = [], []
        while len(numbers) < 1000:
            message = client.hear()
            if message[0] == 1:
                assert len(message[3][1]) == message[3][0] % 7 * 1000
                numbers.append(message[3][0])
            elif message[0] == 5:
                notes.append(message[1])
        assert numbers == list(range(1000))
        assert notes == sorted(notes)
        assert set(notes) <= set(range(0, 1000, 10))
        assert len(notes) > 50


def test_a_reused_descriptor_gets_no_frames_of_the_previous_client(start: Start) -> None:
    """Clients go in every way there is, while there is something for them, and others come in their place."""
    hub = Hub(policy="all", limits=Limits(linger=0.2))
    server = start(hub)
    rng = random.Random(4)
    done = threading.Event()

    def publish() -> None:
        while not done.is_set():
            hub.publish("t", "only for those who asked")
            done.wait(0.0005)

    publisher = threading.Thread(target=publish)
    publisher.start()
    bystanders: list[RawClient] = []
    try:
        for _ in range(150):
            client = RawClient(server.port, "/stream?topics=t")
            client.hear_kind(1)
            match rng.randrange(3):
                case 0:
                    linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
                    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)  # a reset
                    client.sock.close()
                case 1:
                    client.sock.shutdown(socket.SHUT_WR)
                    client.sock.close()
                case 2:
                    server.call(lambda: hub.clients.all()[-1].link.transport.abort())
                    client.sock.close()
            bystanders.append(RawClient(server.port, "/stream"))
        done.set()
        publisher.join(WAIT)
        hub.publish("t", "the last")
        server.call(lambda: None)
        for bystander in bystanders:
            bystander.say(3, 77, ["own"])
            assert bystander.hear()[0] == 0
            assert bystander.hear()[:2] == [3, 77], "a message of somebody else"
        hub.publish("own", "for the bystanders")
        for bystander in bystanders:
            while (message := bystander.hear())[0] == 2:
                pass
            assert (message[0], message[3]) == (1, "for the bystanders")
    finally:
        done.set()
        publisher.join(WAIT)
        for bystander in bystanders:
            bystander.sock.close()


def test_earlier_writes_are_sent_first() -> None:
    """A connection that is taken over while its server still has something to write is blocked until that is gone."""

    class Busy(FakeTransport):
        def get_write_buffer_size(self) -> int:
            return 5

    async def run() -> None:
        hub = Hub()
        await hub.start()
        link = HubLink(hub, Busy(), opened(deflate=False), set())
        session = link.session = Session(hub.clients, link, None)
        hub.clients.add(session)
        link.begin()
        session.open(Grant(), Subscribe(0, ["t"], None, False))
        hub.publish("t", 1)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert hub.stats().backlog_bytes > 0
        link.resume_writing()
        assert hub.stats().backlog_bytes == 0
        session.lost()
        await hub.aclose()

    asyncio.run(run())
