"""The soak: its figures and bounds, its balancer and its clock, and a run of seconds."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("feedparser")

from examples.market_desk.data.feed import PriceFeed
from examples.market_desk.data.market import Market
from examples.market_desk.soak import run as soaking
from examples.market_desk.soak.balancer import Balancer
from examples.market_desk.soak.disk import small_disk
from examples.market_desk.soak.faults import FAULTS, GENTLE, Told
from examples.market_desk.soak.outcome import Outcome, rows
from examples.market_desk.soak.probes import Probe, Probes
from examples.market_desk.soak.resources import Sample, Slope, growth
from examples.market_desk.soak.server import SteppedClock
from examples.market_desk.soak.traffic import Ledger
from tests.examples.arms import universe

pytestmark = pytest.mark.backend_independent

ROOT = Path(__file__).resolve().parents[2]
MIB = 2**20


def outcome() -> Outcome:
    """A soak of a hundred seconds in which all went well."""
    ledger = Ledger(acknowledged=3, succeeded=3, seconds=[0.1, 0.2, 0.3])
    probes = [Probe(n / 10, 0.01, "") for n in range(1000)]
    return Outcome(
        began=0.0,
        seconds=100.0,
        probes=probes,
        outside=probes,
        outages=[(50.0, 55.0)],
        gap=0.2,
        requests=1000,
        errors=[],
        ledger=ledger,
        silences=[1.0],
        ages=[0.05],
        told=[Told(10.0, "kill", True, "back")],
        recoveries=[4.0],
        canaries=[0.5],
        rolling=2,
        lost=0,
        samples=[Sample(float(n), 1, 150 * MIB) for n in range(100)],
        slope=Slope(0.1, 0.2, 900.0),
        cpu=20.0,
        system=0.3,
    )


BROKEN = {
    "Uptime": {"outside": [Probe(0.0, 0.1, "")] * 998 + [Probe(0.0, 2.0, "TimeoutError")] * 2},
    "Probe latency": {"probes": [Probe(0.0, 1.5, "")] * 100},
    "Longest time between": {"gap": 31.0},
    "Requests that failed": {"errors": [(1.0, "read: OSError")] * 11},
    "Tasks acknowledged": {"ledger": Ledger(acknowledged=3, succeeded=2, open={"a": 1.0}, seconds=[0.1])},
    "Requests lost": {"lost": 1},
    "Recovery": {"recoveries": [31.0]},
    "Canary": {"canaries": [45.0]},
    "Faults": {"told": [Told(10.0, "disk", False, "no")]},
    "Price latency": {"ages": [2.5]},
    "Longest silence": {"silences": [1.0, 16.0]},
    "Memory of a server": {"samples": [Sample(0.0, 1, 400 * MIB)]},
    "Memory growth": {"slope": Slope(20.0, 1.0, 900.0)},
    "Memory of the machine": {"system": 0.8},
    "CPU": {"cpu": 170.0},
}


@pytest.mark.parametrize("name", [*BROKEN, ""])
def test_each_bound_that_is_broken_ends_the_soak_with_1(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = replace(outcome(), **BROKEN.get(name, {}))

    async def soak(settings: soaking.Settings) -> Outcome:
        return found

    monkeypatch.setattr(soaking, "soak", soak)
    code = soaking.main(soaking.Settings(), str(tmp_path / "out.json"), str(tmp_path / "out.html"))
    assert code == (1 if name else 0)
    broken = [row["name"] for row in json.loads((tmp_path / "out.json").read_text())["rows"] if row["met"] is False]
    assert all(one.startswith((name, "Tasks failed")) for one in broken)
    assert bool(broken) == bool(name)
    assert "<svg" in (tmp_path / "out.html").read_text()
    assert ("Every bound is kept" in capsys.readouterr().out) == (not name)


def test_probes_that_wait_when_an_announced_outage_begins_belong_to_it() -> None:
    probes = Probes(
        0, [Probe(8.5, 2.0, "TimeoutError"), Probe(9.0, 0.1, ""), Probe(12.0, 0.1, ""), Probe(15.1, 0.1, "")]
    )
    assert [one.due for one in probes.outside([(10.0, 15.0)])] == [9.0, 15.1]


def test_what_was_not_measured_is_not_judged() -> None:
    found = replace(outcome(), recoveries=[], canaries=[], rolling=0, slope=None)
    unjudged = [row.name for row in rows(found) if row.met is None and row.bound]
    assert unjudged == [
        "Requests lost in rolling restarts",
        "Recovery after kill -9, longest",
        "Canary of a bad version: rollback, longest",
        "Memory growth of a server",
    ]


def test_growth_is_found_within_its_error_and_without_the_warming() -> None:
    rng = np.random.default_rng(1)

    def samples(pid: int, per_hour: float) -> list[Sample]:
        steps = np.cumsum(rng.normal(0, 0.02, 900)) * 0.2  # what one sample says of the next
        warm = [Sample(float(t), pid, int((80 + t) * MIB)) for t in range(60)]
        flat = [Sample(60.0 + t, pid, int((150 + pid + per_hour * t / 3600 + steps[t]) * MIB)) for t in range(900)]
        return warm + flat

    for per_hour in (0.0, 60.0):
        slope = growth(samples(1, per_hour) + samples(2, per_hour), warming=60.0)
        assert slope is not None
        assert abs(slope.value - per_hour) < 4 * slope.error
        assert slope.error < 10
        assert slope.seconds == 2 * 899
    assert growth(samples(1, 0.0), warming=2000.0) is None


def test_bars_go_on_when_the_clock_is_set() -> None:
    clock, moved = SteppedClock(), threading.Semaphore(0)
    market = Market(universe(), clock=clock)
    feed = PriceFeed(market, moved.release, period=0.05, clock=clock)
    feed.start()
    try:
        for seconds in (0.0, 3600.0, -7200.0):
            clock.offset += seconds
            before = market.bar
            assert moved.acquire(timeout=10)
            assert moved.acquire(timeout=10)
            assert market.bar - before < 1000  # not one for each second that was skipped
            assert abs(market.at - clock()) < 10
    finally:
        feed.stop()


def test_the_balancer_gives_a_connection_to_a_backend_that_takes_it() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()

    async def run() -> list[bytes]:
        there = await asyncio.start_server(answer, "127.0.0.1", 0)
        ended = await asyncio.start_server(answer, "127.0.0.1", 0)
        ports = [server.sockets[0].getsockname()[1] for server in (there, ended)]
        ended.close()
        await ended.wait_closed()
        found = []
        async with Balancer(every=60.0) as balancer:
            for _ in range(4):
                balancer.backends, balancer.ready = set(ports), set(ports)  # one has ended since it was asked
                reader, writer = await asyncio.open_connection("127.0.0.1", balancer.port)
                writer.write(b"GET / HTTP/1.1\r\n\r\n")
                found.append(await asyncio.wait_for(reader.read(), 10))
                writer.close()
            assert balancer.refused == 0
        there.close()
        return found

    assert all(body.endswith(b"ok") for body in asyncio.run(run()))


@pytest.mark.parametrize("method", [b"GET", b"POST"])
def test_another_backend_answers_a_get_that_was_left_without_an_answer(method: bytes) -> None:
    asked: list[str] = []

    async def run() -> bytes:
        async def dying(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            asked.append("dying")
            balancer.ready.discard(ports[0])
            writer.close()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            writer.close()

        servers = [await asyncio.start_server(one, "127.0.0.1", 0) for one in (dying, answer)]
        ports = [server.sockets[0].getsockname()[1] for server in servers]
        async with Balancer(every=60.0) as balancer:
            await asyncio.sleep(0.05)  # it has looked, and found none
            balancer.ready = {ports[0]}
            reader, writer = await asyncio.open_connection("127.0.0.1", balancer.port)
            writer.write(method + b" / HTTP/1.1\r\n\r\n")
            while not asked:
                await asyncio.sleep(0.01)
            balancer.ready = {ports[1]}
            found = await asyncio.wait_for(reader.read(), 10)
            writer.close()
        for server in servers:
            server.close()
        return found

    found = asyncio.run(run())
    assert found.endswith(b"ok") == (method == b"GET")
    assert asked == (["dying", "GET / HTTP/1.1\r\n\r\n"] if method == b"GET" else ["dying"])


WRITES = """
import pathlib, sys
for line in sys.stdin:
    try:
        pathlib.Path(line.strip()).write_bytes(b"x" * 9000)
        print("ok", flush=True)
    except OSError:
        print("full", flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a tmpfs, or a limit on the size of files")
def test_a_full_disk_takes_nothing_until_it_is_freed(tmp_path: Path) -> None:
    with small_disk(tmp_path) as disk:
        with subprocess.Popen(
            [sys.executable, "-c", WRITES], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            said = []
            for step in (None, disk.fill, disk.free):
                if step is not None:
                    step([process.pid])
                process.stdin.write(f"{disk.folder / str(len(said))}\n")
                process.stdin.flush()
                said.append(process.stdout.readline().strip())
            process.stdin.close()
    assert said == ["ok", "full", "ok"]


@pytest.mark.skipif(sys.platform != "linux", reason="a tmpfs")
def test_a_full_disk_has_no_room_in_a_database_whose_log_was_long(tmp_path: Path) -> None:
    with small_disk(tmp_path) as disk:
        if disk.kind != "tmpfs":
            pytest.skip("needs the right to mount a tmpfs")
        with closing(sqlite3.connect(disk.folder / "tasks.db", isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            connection.execute("CREATE TABLE entries (value BLOB)")
            for _ in range(100):
                connection.execute("INSERT INTO entries VALUES (zeroblob(100000))")
            connection.execute("DELETE FROM entries")
            connection.execute("PRAGMA wal_checkpoint(RESTART)")
            disk.fill([])
            with pytest.raises(sqlite3.OperationalError, match="full"):
                connection.execute("INSERT INTO entries VALUES (zeroblob(100000))")
            disk.free([])
            connection.execute("INSERT INTO entries VALUES (zeroblob(100000))")


def test_gentle_faults_are_faults() -> None:
    assert set(GENTLE) < set(FAULTS)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(os.name != "posix", reason="SIGTERM to one process needs POSIX")
def test_a_soak_of_seconds(tmp_path: Path) -> None:
    options = ("--minutes", "0.25", "--clients", "5", "--pause", "0.5", "--faults", "kill,canaries,flags,rolling")
    files = ("--json", str(tmp_path / "out.json"), "--html", str(tmp_path / "out.html"))
    began = time.monotonic()
    command = (sys.executable, "-m", "examples.market_desk", "soak", *options, *files)
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    took = time.monotonic() - began
    assert "Traceback" not in ran.stderr, ran.stderr
    facts = json.loads((tmp_path / "out.json").read_text())
    found = {row["name"]: row for row in facts["rows"]}
    assert {fault["name"] for fault in facts["faults"]} == {"kill", "canaries", "flags", "rolling"}, ran.stdout
    assert [fault["text"] for fault in facts["faults"] if not fault["well"]] == []
    for name in ("Tasks acknowledged, lost", "Requests lost in rolling restarts"):
        assert found[name]["met"] is True, ran.stdout
    assert ran.returncode == int(any(row["met"] is False for row in facts["rows"])), ran.stdout
    assert took > 15
