"""The bus between the workers of one host: one order for all, whichever worker dies."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from fastcore.framing import packb
from fastcore.streaming.backplanes.backplane import Backplane, BackplaneFull
from fastcore.streaming.backplanes.unixbus import wire
from fastcore.streaming.backplanes.unixbus.bus import UnixBus
from tests.streaming.backplanes.nodes import Sink, Worker
from tests.streaming.chaos import eventually

pytestmark = [
    pytest.mark.backend_independent,
    pytest.mark.skipif(sys.platform == "win32", reason="processes are killed by signals here"),
]

TRANSPORTS = ["unix", "tcp"]


class Buses:
    """Nodes in this process, all at one path."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.path = path
        self.options = options
        self.nodes: list[tuple[UnixBus, Sink]] = []

    async def add(self, **options: Any) -> tuple[UnixBus, Sink]:
        bus, sink = UnixBus(self.path, **{**self.options, **options}), Sink()
        self.nodes.append((bus, sink))
        await asyncio.wait_for(bus.start(sink), 60)
        return bus, sink


@contextlib.asynccontextmanager
async def buses(path: Path, **options: Any) -> AsyncIterator[Buses]:
    made = Buses(path, **options)
    try:
        yield made
    finally:
        for bus, _ in made.nodes:
            await bus.aclose()


def run(test: Any) -> None:
    asyncio.run(asyncio.wait_for(test, 110))


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_every_node_gets_every_message_once_in_one_order(short_path, transport):
    async def test() -> None:
        async with buses(short_path / "bus", transport=transport) as made:
            nodes = [await made.add() for _ in range(3)]
            assert isinstance(nodes[0][0], Backplane)
            assert [bus.state().role for bus, _ in nodes] == ["host", "member", "member"]
            for n in range(50):
                for i, (bus, _) in enumerate(nodes):
                    bus.publish(f"t.{i}", packb([i, n]), key=i)
                if n % 7 == 0:
                    await asyncio.sleep(0)
            await eventually(lambda: all(len(sink.messages) == 150 for _, sink in nodes))
            first = nodes[0][1]
            assert all(sink.messages == first.messages for _, sink in nodes)
            assert [m.offset for m in first.messages] == list(range(1, 151))
            for i in range(3):
                assert [n for who, n in first.objects if who == i] == list(range(50))
            assert {(m.topic, m.key) for m in first.messages} == {("t.0", 0), ("t.1", 1), ("t.2", 2)}
            assert len({sink.epochs[0][:2] for _, sink in nodes}) == 1
            await eventually(lambda: all(bus.state().waiting == 0 for bus, _ in nodes))
            assert all(bus.state().connected and bus.state().nodes == 3 for bus, _ in nodes)
            assert len({bus.state().epoch for bus, _ in nodes}) == 1

    run(test())


def test_a_node_that_joins_gets_history_and_the_newest_of_each_key(short_path):
    async def test() -> None:
        async with buses(short_path / "bus", history=5) as made:
            bus, sink = await made.add()
            for n in range(1, 21):
                bus.publish("x", packb(n), key=n % 10)
            await eventually(lambda: len(sink.messages) == 20)
            late, late_sink = await made.add()
            [(epoch, floor, newest)] = late_sink.epochs
            assert (epoch, floor) == (bus.state().epoch, 15)
            assert [message.offset for message in newest] == [11, 12, 13, 14, 15]
            assert late_sink.objects == [16, 17, 18, 19, 20]
            assert late.state().offset == 20

    run(test())


def test_when_the_host_leaves_another_continues_the_epoch(short_path):
    async def test() -> None:
        async with buses(short_path / "bus") as made:
            nodes = [await made.add() for _ in range(3)]
            epoch = nodes[0][0].state().epoch
            for n in range(30):
                nodes[1 + n % 2][0].publish("x", packb(n))
                if n == 10:
                    closing = asyncio.create_task(nodes[0][0].aclose())
                await asyncio.sleep(0)
            await closing
            assert nodes[0][0].state().role == "closed"
            await eventually(lambda: all(len(sink.messages) == 30 for _, sink in nodes[1:]))
            one, two = nodes[1][1], nodes[2][1]
            assert one.messages == two.messages
            assert sorted(one.objects) == list(range(30))
            assert [m.offset for m in one.messages] == list(range(1, 31))
            assert len(one.epochs) == len(two.epochs) == 1
            assert {bus.state().role for bus, _ in nodes[1:]} == {"host", "member"}
            assert nodes[1][0].state().epoch == epoch

    run(test())


def test_the_last_to_leave_ends_the_epoch(short_path):
    async def test() -> None:
        epochs = []
        for _ in range(2):
            async with buses(short_path / "bus") as made:
                bus, _ = await made.add()
                bus.publish("x", packb(1))
                epochs.append(bus.state().epoch)
        assert epochs[0] != epochs[1]

    run(test())


def test_waiting_messages_are_bounded(short_path):
    async def test() -> None:
        async with buses(short_path / "bus", limit=1000) as made:
            bus, sink = await made.add()
            bus.publish("x", b"\xc4\xff" + b"x" * 255)
            for _ in range(2):
                bus.publish("x", b"\xc4\xff" + b"x" * 255)
            with pytest.raises(BackplaneFull, match=r"^publish: expected at most 1000 bytes waiting for the bus"):
                bus.publish("x", b"\xc4\xff" + b"x" * 255)
            await eventually(lambda: len(sink.messages) == 3)
            bus.publish("x", b"\xc4\xff" + b"x" * 255)
            await eventually(lambda: len(sink.messages) == 4)

    run(test())


def test_unauthenticated_connections_are_closed_without_effect(short_path):
    async def test() -> None:
        async with buses(short_path / "bus", transport="tcp") as made:
            bus, sink = await made.add()
            port = bus._host._server.sockets[0].getsockname()[1]
            hello = packb([0, 1, "stranger", "not the secret", "", 0])
            for said in (
                b"GET / HTTP/1.1\r\n\r\n",
                b"\xff\xff\xff\xff",
                len(hello).to_bytes(4, "big") + hello,
                b"\x00\x00\x00\x02\x91\x01",
                b"\x00\x00\x00\x01\xc1",
                b"\x00\x00\x00\x06" + packb([1, 1, "x", None, b"\xc0"])[:6],
            ):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(said)
                with contextlib.suppress(ConnectionError):
                    assert await asyncio.wait_for(reader.read(), 30) == b""
                writer.close()
            other, _ = await made.add()
            other.publish("x", packb("good"))
            await eventually(lambda: sink.objects == ["good"])

    run(test())


@pytest.mark.parametrize(
    "body", [b"\xdd\x00\x10\x00\x00" + b"\x90" * (1 << 20), b"\xc6\x00\x10\x00\x00" + b"x" * (1 << 20), b"\x91" * 900]
)
def test_before_hello_no_large_or_nested_message_is_unpacked(short_path, monkeypatch, body):
    """Found in what is unpacked, and in what is kept."""
    unpacked: list[int] = []
    unpackb = wire.unpackb

    def watched(data, **options):
        unpacked.append(len(data))
        assert options.get("max_depth") == 1
        return unpackb(data, **options)

    async def test() -> None:
        async with buses(short_path / "bus", transport="tcp") as made:
            bus, _ = await made.add()
            monkeypatch.setattr(wire, "unpackb", watched)
            port = bus._host._server.sockets[0].getsockname()[1]
            with socket.create_connection(("127.0.0.1", port)) as stranger:
                await eventually(lambda: bus._host._lines)
                [line] = bus._host._lines
                stranger.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    stranger.send(len(body).to_bytes(4, "big") + body)
                await eventually(lambda: line._deaf or line not in bus._host._lines)
                assert all(size <= 1024 for size in unpacked)
                assert len(line._in) <= 1028
                assert not line.node
            monkeypatch.undo()

    run(test())


def test_a_resent_message_is_numbered_once(short_path):
    async def test() -> None:
        async with buses(short_path / "bus", transport="unix") as made:
            _, sink = await made.add()
            reader, writer = await asyncio.open_unix_connection(str(short_path / "bus"))
            writer.write(wire.packed(wire.HELLO, wire.VERSION, "another", "", "", 0))
            for n in (1, 2, 1, 2, 3):
                writer.write(wire.packed(wire.PUBLISH, n, "x", None, packb(n)))
            await eventually(lambda: 3 in sink.objects)
            assert sink.objects == [1, 2, 3]
            writer.close()
            await reader.read()

    run(test())


def test_only_this_user_can_reach_it(short_path, monkeypatch):
    async def test() -> None:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_path))
        for transport in TRANSPORTS:
            async with buses(Path("desk"), transport=transport) as made:
                bus, _ = await made.add()
                assert bus._place.path.parent.parent == short_path
                assert stat.S_IMODE(bus._place.path.parent.stat().st_mode) == 0o700
                for file in bus._place.path.parent.iterdir():
                    assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
        os.chmod(bus._place.path.parent, 0o755)
        with pytest.raises(PermissionError, match="no one else can use"):
            UnixBus("desk")

    run(test())


def test_bad_arguments_are_refused(short_path):
    with pytest.raises(ValueError, match=r"^transport: expected one of auto, unix, tcp, got 'pipe'$"):
        UnixBus(short_path / "bus", transport="pipe")
    with pytest.raises(ValueError, match=r"^path: expected at most 100 bytes"):
        UnixBus(short_path / ("x" * 120), transport="unix")
    with pytest.raises(ValueError, match=r"^history: expected an int >= 1, got 0$"):
        UnixBus(short_path / "bus", history=0)
    bus = UnixBus(short_path / "bus")
    with pytest.raises(RuntimeError, match=r"^publish: expected a bus that was started"):
        bus.publish("x", b"\xc0")
    with pytest.raises(TypeError, match=r"^body: expected bytes, got str$"):
        bus.publish("x", "y")

    async def twice() -> None:
        async with buses(short_path / "bus") as made:
            bus, sink = await made.add()
            with pytest.raises(RuntimeError, match=r"^start: expected"):
                await bus.start(sink)
            with pytest.raises(TypeError, match=r"^key: expected"):
                bus.publish("x", b"\xc0", key=1.5)

    run(twice())
    assert socket.AF_UNIX, "both transports were tested"


# ---- processes ----


def agree(workers: list[Worker]) -> None:
    """Hold all that workers were given against each other."""
    places: dict[tuple[str, int], tuple[str, int]] = {}
    for worker in workers:
        offsets: dict[str, int] = {}
        for epoch, offset, origin, n in worker.got:
            assert offset > offsets.get(epoch, 0), "offsets grow"
            offsets[epoch] = offset
            assert places.setdefault((epoch, offset), (origin, n)) == (origin, n), "one message for a number"
        for origin in {origin for _, _, origin, _ in worker.got}:
            came = worker.of(origin)
            assert came == sorted(set(came)), f"each once, and in order: {origin} at {worker.name}"


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_messages_of_survivors_arrive_once_when_hosts_are_killed(short_path, transport):
    async def test() -> None:
        rng = random.Random(5)
        arguments = ("--bus", str(short_path / "bus"), "--transport", transport)
        alive: list[Worker] = []
        dead: list[Worker] = []
        try:
            for i in range(3):
                alive.append(await Worker.start(f"w{i}", *arguments))
            for i in range(3, 6):
                host = next(worker for worker in alive if worker.role == "host")
                await eventually(lambda: all(len(worker.got) > 300 for worker in alive))
                host.process.kill()
                await host.process.wait()
                alive.remove(host)
                dead.append(host)
                if rng.random() < 0.5:
                    await asyncio.sleep(rng.random() * 0.2)
                alive.append(await Worker.start(f"w{i}", *arguments))
                for worker in alive:
                    await worker.where()
                assert [worker.role for worker in alive].count("host") == 1
            ends = {worker.name: await worker.quiet() for worker in alive}
            await eventually(lambda: all(worker.of(name)[-1:] == [n] for worker in alive for name, n in ends.items()))
            agree(alive + dead)
            for worker in alive:
                for name, n in ends.items():
                    came = worker.of(name)
                    assert came == list(range(came[0], n + 1)), f"nothing of {name} is missing at {worker.name}"
        finally:
            for worker in alive + dead:
                await worker.stop()

    run(test())


def test_a_member_that_was_stopped_catches_up(short_path):
    import signal

    async def test() -> None:
        workers: list[Worker] = []
        try:
            for i in range(3):
                workers.append(await Worker.start(f"w{i}", "--bus", str(short_path / "bus")))
            await eventually(lambda: all(len(worker.got) > 100 for worker in workers))
            workers[1].process.send_signal(signal.SIGSTOP)
            came = len(workers[2].got)
            await eventually(lambda: len(workers[2].got) > came + 500)
            workers[1].process.send_signal(signal.SIGCONT)
            ends = {worker.name: await worker.quiet() for worker in workers}
            await eventually(lambda: all(w.of(name)[-1:] == [n] for w in workers for name, n in ends.items()))
            agree(workers)
            assert len({epoch for worker in workers for epoch in worker.epochs}) == 1
            for worker in workers:
                await worker.leave()
                assert worker.ended
        finally:
            for worker in workers:
                await worker.stop()

    run(test())


def test_a_node_that_does_not_report_back_ends_the_epoch_and_offsets_keep_growing(short_path):
    import signal

    async def test() -> None:
        workers: list[Worker] = []
        try:
            for i in range(3):
                workers.append(await Worker.start(f"w{i}", "--bus", str(short_path / "bus")))
            host, new, stopped = workers
            await eventually(lambda: all(len(worker.got) > 100 for worker in workers))
            stopped.process.send_signal(signal.SIGSTOP)  # it may have seen more than any other
            host.process.kill()
            await eventually(lambda: len(new.epochs) == 2)
            highest = max(offset for epoch, offset, *_ in new.got if epoch == new.epochs[0])
            await eventually(lambda: new.got[-1][0] == new.epochs[1])
            assert min(offset for epoch, offset, *_ in new.got if epoch == new.epochs[1]) > highest
            stopped.process.send_signal(signal.SIGCONT)
            await eventually(lambda: stopped.epochs[-1] == new.epochs[1])
            ends = {worker.name: await worker.quiet() for worker in (new, stopped)}
            await eventually(lambda: all(w.of(name)[-1:] == [n] for w in (new, stopped) for name, n in ends.items()))
            agree(workers)
            assert new.of("w1") == list(range(1, ends["w1"] + 1))
        finally:
            for worker in workers:
                await worker.stop()

    run(test())
