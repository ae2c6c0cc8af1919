"""Hubs that share a backplane: a client that comes back to another worker resumes there as if it had never left."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fastcore.streaming import Connected, Gap
from tests.streaming.backplanes.natsd import BINARY, Cluster
from tests.streaming.chaos import Desk, Proxy, eventually
from tests.streaming.client.test_client import listening, run

pytestmark = [
    pytest.mark.backend_independent,
    pytest.mark.skipif(sys.platform == "win32", reason="processes are killed by signals here"),
]


@contextlib.asynccontextmanager
async def shared(kind: str, directory: Path) -> AsyncIterator[tuple[str, ...]]:
    """The arguments with which desks find each other."""
    if kind == "bus":
        yield ("--bus", str(directory / "bus"))
    else:
        async with Cluster(directory, 1) as cluster:
            yield ("--nats", ",".join(cluster.urls))


@pytest.mark.parametrize(
    "kind", ["bus", pytest.param("nats", marks=pytest.mark.skipif(BINARY is None, reason="no nats-server"))]
)
def test_clients_hop_between_workers_without_gap_or_duplicate(short_path, kind):
    async def test() -> None:
        rng = random.Random(8)
        async with shared(kind, short_path) as arguments, contextlib.AsyncExitStack() as stack:
            first = await stack.enter_async_context(Desk.run("--rate", "0", *arguments))
            desks = [
                await stack.enter_async_context(Desk.run("--rate", rate, "--history", "2000", *arguments))
                for rate in ("100", "0")
            ]
            proxy = await stack.enter_async_context(Proxy(*(desk.port for desk in desks), rng=rng))
            listeners = await stack.enter_async_context(listening(proxy.port, ["count.*"], 10))
            await eventually(lambda: all(len(one.messages) > 20 for one in listeners))
            killed = False
            while proxy.cuts < 50:
                proxy.cut(rng.random())
                await asyncio.sleep(rng.random() * 0.2)
                if not killed and proxy.cuts > 20:
                    first.kill()  # of the bus: its host, and the numbering moves to one of the others
                    killed = True
            seen = [len(one.messages) for one in listeners]
            await eventually(lambda: all(len(one.messages) > n + 60 for one, n in zip(listeners, seen)))
            for one in listeners:
                assert {topic for topic, _ in one.counted()} == {"count.t0", "count.t1", "count.t2"}
                one.whole()
                assert not one.told(Gap)
                assert len({notice.epoch for notice in one.told(Connected)}) == 1
            told = [await desk.request("GET", "/stats") for desk in desks]
            assert len({stats["epoch"] for stats in told}) == 1

    run(test())


def test_backplanes_are_found_where_the_hub_is() -> None:
    from fastcore import streaming
    from fastcore.streaming.backplanes.nats import NatsBackplane
    from fastcore.streaming.backplanes.unixbus.bus import UnixBus

    assert (streaming.NatsBackplane, streaming.UnixBus) == (NatsBackplane, UnixBus)
    assert set(streaming.__all__) <= {name for name in streaming.__all__ if hasattr(streaming, name)}
    with pytest.raises(AttributeError, match="no attribute 'KafkaBackplane'"):
        streaming.KafkaBackplane  # noqa: B018
