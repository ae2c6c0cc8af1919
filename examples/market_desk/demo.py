"""Runs the same work before and after, each on a fresh server, and prints the measurements."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil

from examples.market_desk.child import Child, ChildFailed
from examples.market_desk.flags import ARMS, Arm
from examples.market_desk.open_files import affordable_clients
from examples.market_desk.table import Measured, compare, opening, render

__all__ = ["Settings", "main"]

STARTING = 60.0  # seconds a server is given to listen, and the load to connect


@dataclass(frozen=True)
class Settings:
    """Options of the demo: `seconds` is the time measured, half of it for each arm; rates are per second."""

    seconds: float
    clients: int
    tick_rate: float
    request_rate: float
    report_rate: float


@dataclass
class Usage:
    """CPU and memory of the server over the measured window, and how busy the machine was."""

    process: psutil.Process
    resident: list[int] = field(default_factory=list)
    _own: float = 0.0
    _machine: float = 0.0
    _wall: float = 0.0

    def start(self) -> None:
        """Begin the window."""
        self.resident.clear()
        self._own, self._machine, self._wall = self._now()

    def stop(self) -> None:
        """End the window."""
        own, machine, wall = self._now()
        self._own, self._machine, self._wall = own - self._own, machine - self._machine, wall - self._wall

    @property
    def cores(self) -> float:
        """Cores that the server kept busy on average."""
        return self._own / self._wall

    @property
    def machine(self) -> float:
        """Cores that all processes together kept busy."""
        return self._machine / self._wall

    async def sample(self) -> None:
        """Note the resident size now and then, until cancelled or the process ends."""
        with suppress(psutil.NoSuchProcess):
            while True:
                self.resident.append(self.process.memory_info().rss)
                await asyncio.sleep(0.25)

    def _now(self) -> tuple[float, float, float]:
        own, machine = self.process.cpu_times(), psutil.cpu_times()
        busy = sum(machine) - machine.idle - getattr(machine, "iowait", 0.0)
        return own.user + own.system, busy, time.monotonic()


async def run_arm(arm: Arm, settings: Settings) -> Measured:
    """Serve `arm`, run the load against it, and return the measurements."""
    seconds = settings.seconds / 2
    serve = ("serve", "--port", "0", "--arm", arm, "--tick-rate", str(settings.tick_rate), "--supervised")
    async with Child.start(f"server ({arm})", *serve) as server:
        port = (await server.wait_for("listening", STARTING))["port"]
        usage = Usage(psutil.Process(server.pid))
        load = (
            *("load", "--port", str(port), "--clients", str(settings.clients), "--seconds", str(seconds)),
            *("--tick-rate", str(settings.tick_rate), "--request-rate", str(settings.request_rate)),
            *("--report-rate", str(settings.report_rate)),
        )
        try:
            return await measure(arm, seconds, load, usage)
        except ChildFailed as error:
            if server.ended:  # the load only reports failed connections
                raise await server.failure("ended early") from error
            raise


async def measure(arm: Arm, seconds: float, load: Sequence[str], usage: Usage) -> Measured:
    """Run the load, show its progress, and return its results and the server's usage."""
    async with Child.start(f"load ({arm})", *load) as clients, background(usage.sample()):
        connected = (await clients.wait_for("connected", STARTING))["clients"]
        say(f"[{arm}] {connected:,} WebSocket connections; measuring for {seconds:g} s")
        async for said in clients.events():
            if said["event"] == "window-start":
                usage.start()
            elif said["event"] == "window-end":
                usage.stop()
            elif said["event"] == "progress":
                progress(arm, seconds, said, usage)
            elif said["event"] == "result":
                others = usage.machine - usage.cores - said["load_cpu"]
                return Measured(arm, seconds, connected, usage.cores, others, max(usage.resident), said)
        raise await clients.failure("ended before its result")


@asynccontextmanager
async def background(work: Any) -> AsyncIterator[None]:
    """Run the coroutine `work` while the body runs, and cancel it afterwards."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def progress(arm: Arm, seconds: float, said: dict[str, Any], usage: Usage) -> None:
    """Show one line of progress, on a terminal in place of the last."""
    newest = "none yet" if said["newest_ms"] is None else f"{said['newest_ms']:.1f} ms old"
    line = (
        f"[{arm}] {said['elapsed']:4.1f} of {seconds:g} s: {said['delivered']:>9,} messages delivered, "
        f"the newest {newest}; {said['requests']:,} analyses; {usage.resident[-1] / 2**20:.0f} MiB"
    )
    if sys.stdout.isatty():
        print(f"\r{line:<100}", end="\n" if said["elapsed"] >= seconds else "", flush=True)
    else:
        say(line)


def say(line: str) -> None:
    """Print `line` at once."""
    print(line, flush=True)


async def run(settings: Settings, json_file: str | None) -> None:
    """Run both arms, print the table, and fail if they disagree."""
    clients = affordable_clients(settings.clients)
    if clients < settings.clients:
        say(f"The limit on open files allows {clients:,} connections, so {clients:,} of {settings.clients:,} are used.")
        settings = replace(settings, clients=clients)
    say(opening(settings.tick_rate, settings.request_rate, settings.report_rate))
    before, after = [await run_arm(arm, settings) for arm in ARMS]
    say(render(before, after))
    if json_file:
        body = {"settings": asdict(settings), "before": asdict(before), "after": asdict(after)}
        Path(json_file).write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    if not compare(before, after).good:
        raise ChildFailed("Before and after do not give the same answers; see the table.")


def main(settings: Settings, json_file: str | None = None) -> int:
    """Run the demo and print its table.

    Returns
    -------
    int
        0; 1 when a process failed or the two arms gave different answers; 130 after Ctrl-C.
    """

    async def interruptible() -> None:
        task = asyncio.current_task()
        assert task is not None
        with suppress(NotImplementedError):  # Windows has no such handlers; there the children end with their pipes
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        await run(settings, json_file)

    try:
        asyncio.run(interruptible())
    except ChildFailed as error:
        print(f"\nThe demo failed. {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("\nInterrupted; every process has ended.", file=sys.stderr)
        return 130
    return 0
