"""Clients of a hub that are slow, silent or sent away."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from starlette.applications import Starlette

from fastcore.streaming import (
    Hub,
    Limits,
)
from tests.streaming.raw_client import RawClient, Refused
from tests.streaming.running import WAIT, Running

Serve = Callable[..., tuple[Hub, Running]]


# -- the slow ----------------------------------------------------------------------------------------------------


def later(hub: Hub, server: Running, seconds: float) -> None:
    """Let the hub's clock go on, and let it look at it."""

    def turn() -> None:
        now = hub.clients.now() + seconds
        hub.clients.now = lambda: now  # type: ignore[method-assign]
        hub.clients.stop()
        hub.clients._beat()

    server.call(turn)


def test_a_client_that_stops_reading_gets_the_newest_and_is_then_closed(serve: Serve) -> None:
    hub, server = serve(policy="conflate", limits=Limits(linger=30.0))
    with (
        RawClient(server.port, "/stream?topics=t", rcvbuf=4096) as stuck,
        RawClient(server.port, "/stream?topics=t") as quick,
    ):
        stuck.hear_kind(3)
        quick.hear_kind(3)
        for n in range(3000):  # far more than the sockets hold
            hub.publish("t", [n, b"x" * 20000], key="one")
            assert quick.hear_kind(1)[3][0] == n
            if hub.stats().conflated > 2:
                break
        server.until(lambda: hub.stats().blocked == 1)
        later(hub, server, 9.9)
        assert len(hub) == 2
        later(hub, server, 0.2)
        assert hub.stats().closed == {3008: 1}
        assert stuck.closed() == 3008
        hub.publish("t", "still here")
        assert quick.hear_kind(1)[3] == "still here"


def test_a_slow_reader_gets_the_newest(running: list[Running]) -> None:
    hub = Hub(policy="conflate", limits=Limits(stalled=WAIT))
    app = Starlette()
    hub.route(app, "/stream")
    running.append(Running(app).__enter__())
    server = running[0]
    with RawClient(server.port, "/stream?topics=t", rcvbuf=4096) as client:
        client.hear_kind(3)
        sent = 0
        while server.call(lambda: hub.stats().conflated) < 5:
            hub.publish("t", [sent, b"x" * 20000], key="one")
            sent += 1
            assert sent < 5000
        last = [-1]
        while last[-1] != sent - 1:
            last.append(client.hear_kind(1)[3][0])
        assert last == sorted(set(last))
        assert len(last) < sent


def test_clients_within_their_limit_get_every_message(serve: Serve) -> None:
    hub, server = serve(policy="all", limits=Limits(backlog=300_000, linger=30.0))
    with RawClient(server.port, "/stream?topics=t", rcvbuf=4096) as client:
        client.hear_kind(3)
        for n in range(3000):
            hub.publish("t", [n, b"x" * 20000])
            if hub.stats().closed:
                break
            time.sleep(0.001)
        server.until(lambda: hub.stats().closed == {3008: 1})
        assert server.call(lambda: hub.stats().backlog_bytes) == 0
        assert client.closed() == 3008


# -- alive -------------------------------------------------------------------------------------------------------


def test_clients_that_do_not_answer_pings_are_closed(serve: Serve) -> None:
    hub, server = serve()
    with RawClient(server.port) as lively, RawClient(server.port) as dead:
        lively.hear(), dead.hear()
        later(hub, server, 6.0)
        later(hub, server, 10.0)
        assert [lively.hear(), dead.hear()] == [[6], [6]]
        lively.say(6)
        lively.say(3, 1, ["t"])
        assert lively.hear()[0] == 3  # so the pong has come as well
        later(hub, server, 7.9)
        assert len(hub) == 2
        later(hub, server, 1.2)  # to within a beat
        assert hub.stats().closed == {3012: 1}
        assert dead.closed() == 3012
        later(hub, server, 8.1)
        assert lively.hear() == [6]
        later(hub, server, 9.1)
        assert lively.closed() == 3012


def test_a_blocked_client_is_not_expected_to_answer_pings(running: list[Running]) -> None:
    hub = Hub(policy="conflate", limits=Limits(stalled=600.0, linger=30.0))
    app = Starlette()
    hub.route(app)
    running.append(Running(app).__enter__())
    server = running[0]
    with RawClient(server.port, "/stream?topics=t", rcvbuf=4096) as stuck:
        stuck.hear_kind(3)
        while not hub.stats().blocked:
            server.call(lambda: hub.publish("t", b"x" * 20000, key="one"))
        [session] = hub.clients.all()
        assert 0 < server.call(session.link.buffered) <= 20100  # it shows as soon as the kernel takes no more,
        if sys.platform == "linux":  # which is soon
            assert hub.stats().bytes_out < 400_000
        later(hub, server, 16.0)
        later(hub, server, 9.1)
        assert hub.stats().closed == {3008: 1}
        assert stuck.closed() == 3008


def test_draining_sends_every_client_a_reconnect_delay(serve: Serve) -> None:
    hub, server = serve(spread=3.0)
    with ExitStack() as stack:
        clients = [stack.enter_context(RawClient(server.port, "/stream?topics=t")) for _ in range(5)]
        done = asyncio.run_coroutine_threadsafe(hub.drain(grace=0.3), server.loop)
        delays = [client.hear_kind(7)[1] for client in clients]
        assert all(0 <= delay <= 3 for delay in delays)
        assert len(set(delays)) > 1
        assert not server.call(hub.readiness)["ready"]
        with pytest.raises(Refused) as refused:
            RawClient(server.port)
        assert refused.value.status == 503
        assert int(refused.value.headers["retry-after"]) > 0
        assert [client.closed() for client in clients] == [3001] * 5
        done.result(WAIT)
        assert len(hub) == 0


def test_a_stopping_server_sends_clients_a_reconnect_delay(running: list[Running]) -> None:
    hub = Hub()
    app = Starlette()
    hub.route(app, "/stream")
    server = Running(app).__enter__()
    running.append(server)
    with RawClient(server.port) as client:
        client.hear()
        server.server.should_exit = True
        assert client.hear()[0] == 7
        assert client.closed() == 3001
    server.stop()
    assert len(hub) == 0
