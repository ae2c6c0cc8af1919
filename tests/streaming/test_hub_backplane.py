"""A hub and its backplane: numbering, order, notices to clients; and the timer wheel."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from starlette.applications import Starlette

from fastcore.framing import packb
from fastcore.streaming import Hub
from fastcore.streaming.backplanes.backplane import BackplaneFull, BackplaneState, Published, Sink
from fastcore.streaming.timer_wheel import TimerWheel
from tests.streaming.raw_client import RawClient, Refused
from tests.streaming.running import Running


class Loopback:
    """Numbers in tens, and gives back what it is given when it is told to."""

    def __init__(self, newest: Sequence[Published] = ()) -> None:
        self.newest = newest
        self.waiting: list[tuple[str, bytes, Any]] = []
        self.offset = 100
        self.full = False
        self.closed = 0
        self.started = 0

    async def start(self, sink: Sink) -> None:
        self.started += 1
        self.sink = sink
        await asyncio.sleep(0.05)
        sink.renew("shared", self.offset, self.newest)

    def publish(self, topic: str, body: bytes, key: Any = None) -> None:
        if self.full:
            raise BackplaneFull("full")
        self.waiting.append((topic, body, key))

    def carry(self) -> None:
        for topic, body, key in self.waiting:
            self.offset += 10
            self.sink.deliver(Published(topic, self.offset, key, body))
        self.waiting.clear()

    def state(self) -> BackplaneState:
        return BackplaneState(not self.full, "client", "shared", self.offset, len(self.waiting), 2)

    async def aclose(self) -> None:
        self.closed += 1


def test_messages_go_through_the_backplane_and_keep_its_offsets() -> None:
    plane = Loopback([Published("t", 90, "k", packb("before"))])
    hub = Hub(backplane=plane)
    hub.publish("t", "early", key="k")  # before anything runs
    app = Starlette()
    hub.route(app)
    with Running(app) as server:
        with RawClient(server.port, "/stream?topics=t&newest=1") as client:
            assert client.hear()[1]["epoch"] == "shared"
            assert client.hear()[2][0][2:] == [100, 0]
            assert client.hear()[2:] == [90, "before", "k"]
            server.until(lambda: len(plane.waiting) == 1)
            assert server.call(lambda: hub.stats().published) == 1  # nothing of one's own without its number
            thread = threading.Thread(target=hub.publish, args=("t", "late"))
            thread.start()
            thread.join()
            server.until(lambda: len(plane.waiting) == 2)
            server.call(plane.carry)
            assert [client.hear()[2:] for _ in range(2)] == [[110, "early", "k"], [120, "late"]]
            server.call(lambda: hub.renew("another", 500, ()))
            assert client.hear() == [9, "another"]
            plane.offset = 500
            hub.publish("t", "after")
            server.until(lambda: len(plane.waiting) == 1)
            server.call(plane.carry)
            assert client.hear()[2:] == [510, "after"]
        with RawClient(server.port, "/stream?topics=t&epoch=another&since=t:500") as client:
            assert client.hear_kind(3)[2][0][2:] == [510, 1]
            assert client.hear()[2:] == [510, "after"]
        with RawClient(server.port, "/stream?topics=t&epoch=shared&since=t:110") as client:
            assert client.hear_kind(3)[2][0][3] == 2
        assert plane.started == 1
        plane.full = True
        assert "backplane" in server.call(hub.readiness)["detail"]
        hub.publish("t", "lost")
        server.until(lambda: hub.lost == 1)

        async def publish_here() -> None:
            with pytest.raises(BackplaneFull):
                hub.publish("t", "refused")

        server.call(publish_here)
        server.call(lambda: hub.drain(grace=0.1))
        assert plane.closed == 1


def test_the_timer_wheel_returns_due_items_within_a_beat() -> None:
    wheel: TimerWheel[str] = TimerWheel(100.2, 0.5)
    wheel.add(100.3, "soon")
    wheel.add(101.4, "later")
    wheel.add(1.0, "long ago")
    assert wheel.turn(100.4) == []
    assert wheel.turn(100.5) == ["soon", "long ago"]
    assert wheel.turn(101.4) == []
    assert wheel.turn(101.5) == ["later"]
    assert wheel.turn(50.0) == []  # a clock that stood still
    wheel.add(200.0, "b")
    wheel.add(150.0, "a")
    assert len(wheel) == 2
    assert wheel.turn(1e6) == ["a", "b"]  # a machine that slept
    assert wheel.turn(1e6) == []


def test_items_are_never_due_early_or_more_than_a_beat_late() -> None:
    wheel: TimerWheel[float] = TimerWheel(0.0, 1.0)
    due = [n * 0.37 for n in range(1, 200)]
    for when in due:
        wheel.add(when, when)
    now, found = 0.0, []
    while now < 80:
        now += 0.25
        for when in wheel.turn(now):
            assert when <= now <= when + 1.25
            found.append(when)
    assert sorted(found) == due


class Failing(Loopback):
    """Does not start until it may."""

    broken = True

    async def start(self, sink: Sink) -> None:
        if self.broken:
            raise OSError("no such place")
        await super().start(sink)


def test_a_backplane_that_does_not_start_is_reported_and_retried() -> None:
    plane = Failing([])
    hub = Hub(backplane=plane)
    app = Starlette()
    hub.route(app)
    with Running(app) as server:
        assert not server.call(hub.readiness)["ready"]
        server.until(lambda: "no such place" in hub.readiness()["detail"])
        assert not server.call(hub.readiness)["ready"]
        with pytest.raises(Refused, match="503"):
            RawClient(server.port)
        assert server.call(hub.stats).refused == {503: 1}
        plane.broken = False
        server.until(lambda: hub.readiness() == {"ready": True, "path": "direct", "clients": 0, "detail": "ok"})
        with RawClient(server.port) as client:
            assert client.hear()[0] == 0


def test_a_backplane_without_connection_for_long_is_not_ready() -> None:
    plane = Loopback([])
    hub = Hub(backplane=plane)
    app = Starlette()
    hub.route(app)
    clock = [100.0]
    with Running(app) as server:
        server.call(hub.start)
        hub.clients.now = lambda: clock[0]
        plane.full = True
        assert server.call(hub.readiness)["ready"]
        clock[0] += 4.9
        found = server.call(hub.readiness)
        assert found["ready"]
        assert "not connected" in found["detail"]
        clock[0] += 0.2
        assert not server.call(hub.readiness)["ready"]
        plane.full = False
        assert server.call(hub.readiness)["ready"]
        plane.full = True
        assert server.call(hub.readiness)["ready"]
