"""Runs a soak: load, probes and faults for some minutes, then a table; exit code 1 says that a bound is broken."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from examples.market_desk.measurement import measure, say, write_json, write_page
from examples.market_desk.open_files import raise_limit
from examples.market_desk.soak.disk import Disk, small_disk
from examples.market_desk.soak.faults import FAULTS, GENTLE, Faults
from examples.market_desk.soak.html_report import plots
from examples.market_desk.soak.outcome import Outcome, Row, rows, table
from examples.market_desk.soak.probes import Probes, answered
from examples.market_desk.soak.resources import Resources, growth
from examples.market_desk.soak.servers import Servers
from examples.market_desk.soak.traffic import Subscribers, Traffic

__all__ = ["Settings", "main"]

REPORTED = 10.0  # seconds between two lines of progress
FIRST = 5.0  # seconds before the first fault


@dataclass(frozen=True)
class Settings:
    """What to run.

    In the first half of the time the `faults` are made in turn, `pause` seconds apart, and each once at least; in the
    second half those after which the same processes run, so that their memory can be followed.
    """

    minutes: float = 30.0
    clients: int = 100
    pause: float = 5.0
    faults: tuple[str, ...] = tuple(FAULTS)


class Soak:
    """One soak."""

    def __init__(self, settings: Settings, servers: Servers, disk: Disk) -> None:
        self.settings, self.servers = settings, servers
        self.seconds = settings.minutes * 60
        self.began = time.perf_counter()
        self.probes, self.traffic = Probes(servers.port), Traffic(servers.port)
        self.subscribers = Subscribers(servers.port, settings.clients)
        self.resources = Resources(servers)
        self.faults = Faults(servers, self.subscribers, disk, self.traffic.ledger, self.failures, self.began)
        self.now = ""  # the fault that is being made

    def failures(self) -> int:
        """Return how many requests and probes have failed so far."""
        return len(self.traffic.errors) + sum(bool(one.error) for one in self.probes.done)

    async def run(self) -> Outcome:
        """Run it."""
        stop, cpu = asyncio.Event(), self.resources.cpu()
        async with self.subscribers.run():
            works = (self.probes.run(stop), self.resources.run(stop), self.traffic.run(stop))
            running = [asyncio.create_task(work) for work in works]
            reporting = asyncio.create_task(self.report())
            try:
                await self.make_faults()
                took = time.perf_counter() - self.began
                stop.set()
                say("the time is over; waiting for the tasks that have not ended")
                await asyncio.gather(*running)
            finally:
                for task in (reporting, *running):
                    task.cancel()
                await asyncio.gather(reporting, *running, return_exceptions=True)
        faults, outages = self.faults, self.servers.outages
        return Outcome(
            began=self.began,
            seconds=took,
            probes=self.probes.done,
            outside=self.probes.outside(outages),
            outages=outages,
            gap=self.probes.longest_gap(),
            requests=self.traffic.requests,
            errors=self.traffic.errors,
            ledger=self.traffic.ledger,
            silences=self.subscribers.silences,
            ages=self.subscribers.ages,
            told=faults.told,
            recoveries=faults.recoveries,
            canaries=faults.canaries,
            rolling=faults.restarts,
            lost=faults.lost,
            samples=self.resources.samples,
            slope=growth(self.resources.samples),
            cpu=self.resources.cpu() - cpu,
            system=self.resources.system,
        )

    async def make_faults(self) -> None:
        """Make faults until the time is over; each begins `pause` seconds after the one before has ended."""
        await asyncio.sleep(min(FIRST, self.seconds / 4))
        every, gentle = itertools.cycle(self.settings.faults), self.gentle()
        passed = 0
        while (at := time.perf_counter() - self.began) < self.seconds or passed < len(self.settings.faults):
            first = at < self.seconds / 2 or passed < len(self.settings.faults)
            self.now = next(every) if first else next(gentle, "")
            passed += 1
            if self.now:
                told = await self.faults.make(self.now)
                say(f"{self.clock()} {told.name}: {'' if told.well else 'FAILED: '}{told.text}")
            self.now = ""
            await asyncio.sleep(self.settings.pause)

    def gentle(self) -> Iterator[str]:
        """Yield the faults that leave the processes alone, in turn."""
        names = [name for name in self.settings.faults if name in GENTLE]
        return itertools.cycle(names)

    async def report(self) -> None:
        """Print a line of progress at times."""
        while True:
            await asyncio.sleep(REPORTED)
            done, ledger = self.probes.outside(self.servers.outages), self.traffic.ledger
            memory = " and ".join(f"{server.resident() / 2**20:.0f}" for server in self.servers.both)
            say(
                f"{self.clock()} of {self.settings.minutes:g} min: {answered(done):.2%} of {len(done):,} probes "
                f"answered, "
                f"{len(self.traffic.errors)} of {self.traffic.requests:,} requests failed, "
                f"{ledger.succeeded:,} of {ledger.acknowledged:,} tasks done, {memory} MiB"
                + (f"; fault: {self.now}" if self.now else "")
            )

    def clock(self) -> str:
        """Return the time since the begin as text."""
        passed = int(time.perf_counter() - self.began)
        return f"{passed // 60:3d}:{passed % 60:02d}"


async def soak(settings: Settings) -> Outcome:
    """Start everything, run, and end it."""
    with tempfile.TemporaryDirectory(prefix="market-desk-soak-") as folder, small_disk(Path(folder)) as disk:
        async with Servers(disk.folder, say).run() as servers:
            return await Soak(settings, servers, disk).run()


def facts(found: Outcome, judged: Sequence[Row]) -> dict[str, Any]:
    """Return the rows, the faults and every failure with its time, in seconds since the start."""
    failed = [(at - found.began, text) for at, text in found.errors]
    failed += [(one.due - found.began, f"probe {one.error}") for one in found.probes if one.error]
    return {
        "rows": [row._asdict() for row in judged],
        "faults": [asdict(one) for one in found.told],
        "outages": [[at - found.began for at in outage] for outage in found.outages],
        "failures": sorted(failed),
    }


def main(settings: Settings, json_file: str | None, html_file: str | None) -> int:
    """Run it; 0 where every bound is kept, 1 where one is broken or a process failed."""
    raise_limit()
    say(
        f"Two servers of the fast service behind a balancer for {settings.minutes:g} minutes, {settings.clients} "
        f"subscribers, ten probes a second; faults: {', '.join(settings.faults)}"
    )

    def report(found: Outcome) -> int:
        judged = rows(found)
        printed = table(found, judged)
        say(f"\n{printed}\ndocs/targets.md defines each row.")
        if json_file:
            write_json(json_file, facts(found, judged))
        if html_file:
            write_page(html_file, "Soak of the market desk", printed, plots(found))
        broken = [row.name for row in judged if row.met is False]
        say(f"{len(broken)} bounds are broken: {'; '.join(broken)}" if broken else "Every bound is kept.")
        return 1 if broken else 0

    return measure("soak", soak(settings), report)
