"""Runs the arms in turn, each on a server of its own, and prints every target with what was measured."""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import fastcore
from examples.market_desk.child import Child
from examples.market_desk.compare.frames import largest_difference, table_bytes
from examples.market_desk.compare.html_report import plots
from examples.market_desk.compare.load import at_rest, until_ready
from examples.market_desk.compare.subscribers import summary
from examples.market_desk.compare.targets import ARMS, SESSION, Row, rows
from examples.market_desk.data.market import Market
from examples.market_desk.fast.optimizations import FLAGS
from examples.market_desk.http_client import PREFER, HttpClient
from examples.market_desk.measurement import measure, say, write_json, write_page
from examples.market_desk.open_files import affordable_clients
from fastcore.streaming import Client

__all__ = ["COMPARE", "DEMO", "Settings", "main", "render", "settings"]

WARM_UP = 2.0  # seconds in which the server fills its caches
STARTING = 120.0  # seconds that a server, or the load, is given to begin
REPORTS = 4  # ordered before a server is killed
AGAINST_TUNED = (
    "Highest rate sustained, req/s",
    "Highest rate with p95 <= 300 ms, req/s",
    "Analyses a second without a pause",
    "Analyses per CPU second without a pause",
    "Prices delivered per CPU second",
    "Prices delivered per CPU second of delivery",
)
TITLES = {"plain": "plain", "tuned": "tuned", "fast": "fast", "fast_python": "fast, Python"}


@dataclass(frozen=True)
class Settings:
    """What to run: `rounds` over the `arms`, the steady load for `seconds`, each step of the rates for `step`."""

    arms: tuple[str, ...] = ARMS
    rounds: int = 2
    clients: int = 1000
    seconds: float = 12.0
    step: float = 3.0
    rate: float = 15.0
    rates: tuple[float, ...] = (
        *(20, 40, 80, 120, 160, 240, 320, 480, 640, 960, 1280),
        *(1920, 2560, 3200, 3840, 5120, 6400, 7680, 10240, 12800, 15360, 17920),
    )


COMPARE = Settings()
DEMO = Settings(arms=("plain", "fast"), rounds=1, rates=(20, 40, 80, 160, 320, 640, 1280))


def settings(kind: Settings, options: argparse.Namespace) -> Settings:
    """Return the settings of a command with its options; the demo's time is for both arms."""
    seconds = options.seconds / 2 if kind is DEMO else options.seconds
    found = replace(kind, clients=options.clients, seconds=seconds, step=options.step)
    if kind is COMPARE:
        found = replace(found, rounds=options.rounds)
    return found if options.rates is None else replace(found, rates=options.rates)


def opening(arms: Sequence[str]) -> str:
    """Return the text printed before the work begins."""
    lines = [
        f"The market desk, {' and '.join(TITLES[arm] for arm in arms)}: 500 symbols, most of them bootstrapped",
        "from real returns, each with a bar a second. What each flag of fast switches:",
    ]
    lines += [f"  {name:<20} {what}" for name, what in FLAGS.items()]
    for path in fastcore.status().paths:
        if path.runs == "python":
            lines.append(f"Mind: {path.name} runs in pure Python: {path.why}")
    return "\n".join([*lines, ""])


def idle_bytes(arm: str) -> int:
    """Return the resident memory of a process that has only imported an arm's application."""
    code = f"import examples.market_desk.{arm}.app, psutil; print(psutil.Process().memory_info().rss)"
    return int(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout)


async def run_arm(arm: str, settings: Settings, folder: Path) -> dict[str, Any]:
    """Serve an arm, run the load against it, kill it, and return what was measured."""
    package = arm.removesuffix("_python")
    env = {"FASTCORE_BACKEND": "python"} if arm.endswith("_python") else {}
    serve = ("arm", package, "--folder", str(folder), "--port")
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(Child.start(f"server ({arm})", *serve, "0", env=env))
        port = (await server.wait_for("listening", STARTING))["port"]
        load = {
            "--arm": arm,
            "--port": str(port),
            "--clients": str(settings.clients),
            "--seconds": str(settings.seconds),
            "--rate": str(settings.rate),
            "--step": str(settings.step),
            "--rates": ",".join(f"{rate:g}" for rate in settings.rates),
        }
        options = [word for option in load.items() for word in option]
        heard: list[dict[str, Any]] = []
        idle: dict[str, Any] = {}
        if arm != "plain":
            idle = await before_subscribers(port)
            options_of = ("--arm", package, "--port", str(port), "--clients", str(settings.clients))
            crowd = await stack.enter_async_context(Child.start(f"subscribers ({arm})", "subscribers", *options_of))
            await crowd.wait_for("connected", STARTING)
            hearing = asyncio.create_task(hear(crowd, heard))
            stack.callback(hearing.cancel)
        result = await run_load(arm, options)
        if arm != "plain":
            result["steady"]["prices"] |= summary(heard, result["steady"]["window"])
        urls = await order_reports(port) if package == "fast" else []
        await server.kill()
        began = time.perf_counter()
        again = await stack.enter_async_context(Child.start(f"server ({arm}) again", *serve, str(port), env=env))
        await again.wait_for("listening", STARTING)
        await recovered(package, port, urls)
        result["recovery"] = time.perf_counter() - began
    return result | {"clients": settings.clients, "without_subscribers": idle}


async def before_subscribers(port: int) -> dict[str, Any]:
    """Return what a server uses without subscribers."""
    http = HttpClient(port)
    await until_ready(http)
    await asyncio.sleep(WARM_UP)
    found = await at_rest(http)
    http.close()
    return found


async def hear(crowd: Child, heard: list[dict[str, Any]]) -> None:
    """Keep what the subscribers tell."""
    async for told in crowd.events():
        heard.append(told)


async def run_load(arm: str, options: Sequence[str]) -> dict[str, Any]:
    """Run the load, show its progress, and return its result."""
    async with Child.start(f"load ({arm})", "load", *options) as clients:
        async for told in clients.events():
            if told["event"] == "progress":
                times = f"p50 {ms(told['p50'])}, p95 {ms(told['p95'])}, {told['failed']} failed"
                say(f"  [{arm}] {told['what']}: {times}")
            elif told["event"] == "result":
                return told
        raise await clients.failure("ended before its result")


async def order_reports(port: int) -> list[str]:
    """Order reports, and return where their results will be."""
    http = HttpClient(port)
    answers = [await http.post("/generate-report", [f"BS{n + 1:03d}", "AAPL"], PREFER) for n in range(REPORTS)]
    http.close()
    return [answer.json()["result_url"] for answer in answers]


async def recovered(package: str, port: int, urls: Sequence[str]) -> None:
    """Wait until the probe, the tasks and a new client's stream are back."""
    http = HttpClient(port)
    async with asyncio.timeout(STARTING):
        while True:
            try:
                if (await http.get("/readyz" if package == "fast" else "/status")).status == 200:
                    break
            except (OSError, EOFError):
                pass
            await asyncio.sleep(0.05)
        for url in urls:
            while (await http.get(f"{url}?wait=10")).status != 200:
                await asyncio.sleep(0.05)
        if package == "fast":
            async with Client(f"ws://127.0.0.1:{port}/stream", ["prices.AAPL"]) as client:
                async for _ in client:
                    break
    http.close()


def ms(value: float | None) -> str:
    """Return milliseconds as text."""
    return "none" if value is None else f"{value:.1f} ms"


async def run_rounds(settings: Settings) -> dict[str, list[dict[str, Any]]]:
    """Return every round of every arm; the arms take turns, in the other order each second round."""
    found: dict[str, list[dict[str, Any]]] = {arm: [] for arm in settings.arms}
    idle = {arm: idle_bytes(arm.removesuffix("_python")) for arm in settings.arms}
    market = Market()
    frames, difference = table_bytes(market), largest_difference(market)
    for number in range(settings.rounds):
        for arm in settings.arms if number % 2 == 0 else reversed(settings.arms):
            say(f"round {number + 1} of {settings.rounds}: {TITLES[arm]}")
            with tempfile.TemporaryDirectory(prefix="market-desk-") as folder:
                result = await run_arm(arm, settings, Path(folder))
            package = arm.removesuffix("_python")
            extra = {"idle": idle[arm], "frames": frames[package], "difference": difference[package]}
            found[arm].append(result | extra)
    return found


def render(results: dict[str, list[dict[str, Any]]], settings: Settings) -> str:
    """Return the table and what a reader needs to judge it."""
    rate, table = rows(results)
    head = line("", "target", *(TITLES[arm] for arm in results), "change", "met")
    lines = ["", head, "-" * len(head), *(text(row, list(results)) for row in table), ""]
    lines += [
        f"Medians of {settings.rounds} round(s); the arms took turns on servers of their own, the load in another",
        f"process. Plain sustains {rate:g} analyses a second. {settings.clients:,} subscribers of 3 symbols (plain:",
        f"pollers, every 30 s); requests of a client over a session of {SESSION / 3600:g} h. change and met: fast",
        "against plain.",
        "docs/targets.md defines each row, and says why one may be out of reach.",
    ]
    best = {row.name: row.values for row in table}
    for name in AGAINST_TUNED:
        fast, tuned = best[name].get("fast"), best[name].get("tuned")
        if fast and tuned:
            lines.append(f"Against tuned: {name}: {fast / tuned:.2f}x")
    return "\n".join(lines)


def text(row: Row, arms: Sequence[str]) -> str:
    """Return a row as a line."""
    values = ["-" if (value := row.values.get(arm)) is None else format(value, row.unit) for arm in arms]
    change = "" if row.change is None or not row.target else f"{row.change:+.1%}"
    return line(row.name, row.target, *values, change, "" if row.met is None else ("yes" if row.met else "NO"))


def line(label: str, target: str, *cells: str) -> str:
    """Return one line of the table."""
    *values, change, met = cells
    return f"{label:<38}{target:>15}" + "".join(f"{value:>13}" for value in values) + f"{change:>10}{met:>5}"


def main(settings: Settings, json_file: str | None, html_file: str | None) -> int:
    """Run the comparison; 0, or 1 where a process failed."""
    clients = affordable_clients(settings.clients)
    if clients < settings.clients:
        say(f"The limit on open files allows {clients:,} connections of {settings.clients:,}.")
        settings = replace(settings, clients=clients)
    say(opening(settings.arms))

    def report(results: dict[str, list[dict[str, Any]]]) -> int:
        printed = render(results, settings)
        say(printed)
        if json_file:
            write_json(json_file, results)
        if html_file:
            write_page(html_file, "The market desk, before and after", printed, plots(results))
        return 0

    return measure("measurement", run_rounds(settings), report)
