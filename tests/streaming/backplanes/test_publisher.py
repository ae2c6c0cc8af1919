"""Programs without an event loop: published messages arrive, or an error is raised."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from fastcore.streaming import Hub, NatsBackplane, Publisher, UnixBus
from tests.streaming.backplanes.natsd import BINARY, Cluster
from tests.streaming.raw_client import RawClient
from tests.streaming.running import Running


@pytest.fixture
def served(short_path: Path) -> Iterator[tuple[str, Running]]:
    path = str(short_path / "bus")
    app = Starlette()
    hub = Hub(backplane=UnixBus(path))
    hub.route(app)
    with Running(app) as server:
        yield path, server
        server.call(hub.aclose)


def test_messages_of_a_publisher_reach_the_clients_of_a_hub(served: tuple[str, Running]) -> None:
    path, server = served
    with RawClient(server.port, "/stream?topics=prices.*") as client:
        client.hear_kind(3)
        with Publisher(UnixBus(path)) as publisher:
            for n in range(3):
                publisher.publish("prices.A", n)
            publisher.publish_all([("prices.A", n, "A") for n in range(3, 1000)])
        assert [client.hear_kind(1)[3] for _ in range(1000)] == list(range(1000))


def test_a_message_has_its_number_when_publish_returns(short_path: Path) -> None:
    bus = UnixBus(short_path / "bus")
    with Publisher(bus) as publisher:
        for n in range(1, 20):
            publisher.publish("a", n)
            assert (bus.state().offset, bus.state().waiting) == (n, 0)


def test_threads_share_a_publisher(served: tuple[str, Running]) -> None:
    path, server = served
    with RawClient(server.port, "/stream?topics=prices.*") as client, Publisher(UnixBus(path)) as publisher:
        client.hear_kind(3)
        threads = [
            threading.Thread(target=lambda at=at: [publisher.publish("prices.A", at + n) for n in range(20)])
            for at in range(0, 100, 20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(client.hear_kind(1)[3] for _ in range(100)) == list(range(100))


def test_more_than_the_limit_waits_for_its_turn(short_path: Path) -> None:
    bus = UnixBus(short_path / "bus", limit=10_000)
    with Publisher(bus) as publisher:
        publisher.publish_all([("a", b"x" * 1000, None)] * 200)
        assert bus.state().offset == 200


def test_invalid_messages_are_refused_before_any_is_published(short_path: Path) -> None:
    bus = UnixBus(short_path / "bus")
    with Publisher(bus) as publisher:
        for bad, error in [
            (("", 1, None), ValueError),
            (("a..b", 1, None), ValueError),
            (("a", object(), None), TypeError),
            (("a", 1, 1.5), TypeError),
        ]:
            with pytest.raises(error):
                publisher.publish_all([("a", 1, None), bad])  # type: ignore[list-item]
        publisher.publish("a", 1)
        assert bus.state().offset == 1
    with pytest.raises(RuntimeError, match="closed"):
        publisher.publish("a", 1)
    publisher.close()


def test_an_unreachable_backplane_raises_each_time(short_path: Path) -> None:
    with Publisher(UnixBus(short_path / "nowhere" / "bus")) as publisher:
        for _ in range(2):
            with pytest.raises(FileNotFoundError):
                publisher.publish("a", 1)
        (short_path / "nowhere").mkdir()
        publisher.publish("a", 1)


def test_a_backplane_that_gives_no_number_raises() -> None:
    class Silent:
        async def start(self, sink: Any) -> None: ...
        def publish(self, topic: str, body: bytes, key: Any = None) -> None: ...
        def state(self) -> Any:
            from fastcore.streaming import BackplaneState

            return BackplaneState(True, "client", "e", 0, 1, 1)

        async def aclose(self) -> None: ...

    with (
        Publisher(Silent(), timeout=0.05) as publisher,
        pytest.raises(TimeoutError, match=r"expected numbers from the backplane in 0.05 s, got none"),
    ):
        publisher.publish("a", 1)


@pytest.mark.skipif(BINARY is None, reason="needs nats-server")
def test_a_publisher_over_nats(short_path: Path) -> None:
    backplanes: list[NatsBackplane] = []

    async def serve(ready: threading.Event, done: threading.Event) -> None:
        async with Cluster(short_path, 1) as cluster:
            backplanes.append(NatsBackplane(cluster.urls))
            ready.set()
            while not done.is_set():
                await asyncio.sleep(0.01)

    ready, done = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(serve(ready, done)))
    thread.start()
    try:
        assert ready.wait(60)
        [backplane] = backplanes
        with Publisher(backplane, timeout=60) as publisher:
            publisher.publish("a", 1)
            publisher.publish_all([("a", n, None) for n in range(500)])
            assert backplane.state().waiting == 0
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("how", ["publisher", "hub"])
def test_a_process_without_a_loop_sends_its_messages_or_logs_them(served: tuple[str, Running], how: str) -> None:
    path, server = served
    code = {
        "publisher": f"from fastcore.streaming import Publisher, UnixBus\n"
        f"with Publisher(UnixBus({path!r})) as p: p.publish('prices.A', 1)\n",
        "hub": f"from fastcore.streaming import Hub, UnixBus\nh = Hub(backplane=UnixBus({path!r}))\n"
        "h.publish('prices.A', 1); h.publish('prices.A', 2)\n",
    }[how]
    with RawClient(server.port, "/stream?topics=prices.*") as client:
        client.hear_kind(3)
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env={**os.environ}, check=True
        )
        if how == "publisher":
            assert done.stderr == ""
            assert client.hear_kind(1)[3] == 1
        else:
            assert "2 messages were published and not sent" in done.stderr
            assert "Publisher" in done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_can_close_its_copy(short_path: Path) -> None:
    code = f"""
import os, signal, warnings
from fastcore.streaming import Publisher, UnixBus
warnings.simplefilter("ignore", DeprecationWarning)  # of forks with threads, which are the point here
with Publisher(UnixBus({str(short_path / "bus")!r})) as publisher:
    publisher.publish("a", 1)
    child = os.fork()
    if not child:
        signal.alarm(30)
if child:
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert (done.stdout, done.stderr) == ("0\n", "")
