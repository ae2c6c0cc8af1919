"""Servers behind a balancer, restarted one after the other under load.

``python -m tests.service.rolling --rounds 10`` does it for longer than the suite.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from examples.market_desk.soak.balancer import Balancer
from fastcore.streaming import Client

ROOT = Path(__file__).resolve().parents[2]
WAIT = 90.0


@dataclass
class Outcome:
    """What came of a run."""

    requests: int = 0
    failures: list[str] = field(default_factory=list)
    pids: set[int] = field(default_factory=set)
    exits: list[int] = field(default_factory=list)
    accepted: dict[str, int] = field(default_factory=dict)  # task id -> its argument
    unfinished: dict[str, str] = field(default_factory=dict)
    lines: Counter[int] = field(default_factory=Counter)
    refused: int = 0
    returns: list[int] = field(default_factory=list)  # of each streaming client, how often it was let in
    heard_last: list[bool] = field(default_factory=list)


@contextlib.asynccontextmanager
async def server(database: str, drain_delay: float = 1.5) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """Run one, and stop it at the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.service.deployed", database, str(drain_delay)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), WAIT)
        assert line, "the server ended before it was there"
        yield process, int(line)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def load(url: str, outcome: Outcome, ids: Any, stop: asyncio.Event) -> None:
    """One HTTP client that keeps its connection: whatever is not what it should be is noted."""
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=WAIT) as http:
        while not stop.is_set():
            for path in ("/fast", "/slow", "/api/tasks"):
                outcome.requests += 1
                n = next(ids)
                try:
                    if path == "/api/tasks":
                        answer = await http.post(path, json={"task": "record", "args": [n]})
                        answer.raise_for_status()
                        outcome.accepted[answer.json()["task_id"]] = n
                    else:
                        answer = await http.get(path)
                        answer.raise_for_status()
                        outcome.pids.add(answer.json())
                except httpx.HTTPError as error:
                    outcome.failures.append(f"{path}: {error!r}")
                await asyncio.sleep(0.02)


async def run(folder: str, *, rounds: int = 1, clients: int = 6, streams: int = 20) -> Outcome:
    """Restart two servers, one after the other, `rounds` times."""
    outcome = Outcome()
    database = str(Path(folder) / "tasks.db")
    stop = asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:
        balancer = await stack.enter_async_context(Balancer())
        slots: list[tuple[contextlib.AsyncExitStack, asyncio.subprocess.Process, int]] = []

        async def begin() -> tuple[contextlib.AsyncExitStack, asyncio.subprocess.Process, int]:
            own = contextlib.AsyncExitStack()
            process, port = await own.enter_async_context(server(database))
            stack.push_async_callback(own.aclose)
            balancer.backends.add(port)
            async with asyncio.timeout(WAIT):
                while port not in balancer.ready:
                    await asyncio.sleep(0.02)
            return own, process, port

        slots = [await begin(), await begin()]
        url = f"http://127.0.0.1:{balancer.port}"
        newest: list[dict[str, Any]] = [{} for _ in range(streams)]
        listeners = [
            Client(
                f"{url.replace('http', 'ws')}/stream",
                ["count.*"],
                on_message=lambda message, i=i: newest[i].update(message.data),  # type: ignore[misc]
                backoff=(0.1, 1.0),
            )
            for i in range(streams)
        ]
        for listener in listeners:
            await stack.enter_async_context(listener)
        await asyncio.gather(*(listener.connected(WAIT) for listener in listeners))
        ids = itertools.count()
        loads = [asyncio.create_task(load(url, outcome, ids, stop)) for _ in range(clients)]
        await asyncio.sleep(0.5)
        for _ in range(rounds):
            for i in (0, 1):
                own, process, port = slots[i]
                process.send_signal(signal.SIGTERM)
                outcome.exits.append(await asyncio.wait_for(process.wait(), WAIT))
                balancer.backends.discard(port)
                await own.aclose()
                slots[i] = await begin()
        await asyncio.sleep(0.5)
        stop.set()
        await asyncio.gather(*loads)
        living = {process.pid for _, process, _ in slots}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WAIT):
                while not all(one.get("pid") in living for one in newest):
                    await asyncio.sleep(0.05)
        outcome.heard_last = [one.get("pid") in living for one in newest]
        outcome.returns = [listener.stats().connections for listener in listeners]
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=WAIT) as http:
            for id in outcome.accepted:
                body = (await http.get(f"/api/tasks/task/{id}/result", params={"wait": 30})).json()
                if body.get("result") != outcome.accepted[id]:
                    outcome.unfinished[id] = str(body)
        outcome.refused = balancer.refused
    outcome.lines = Counter(int(line) for line in Path(f"{database}.lines").read_text().split())
    return outcome


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--streams", type=int, default=100)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = asyncio.run(run(folder, rounds=told.rounds, streams=told.streams))
    print(
        f"{2 * told.rounds} restarts, {outcome.requests} requests, {len(outcome.failures)} failed, "
        f"{len(outcome.accepted)} tasks accepted, {len(outcome.unfinished)} not finished, "
        f"{sum(n - 1 for n in outcome.lines.values())} ran twice; {sum(outcome.heard_last)} of {told.streams} "
        f"streaming clients came back; exits {sorted(set(outcome.exits))}"
    )
    for failure in outcome.failures[:10]:
        print(failure)


if __name__ == "__main__":
    main()
