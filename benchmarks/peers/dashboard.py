"""What the dashboard costs a busy service: ``python benchmarks/peers/dashboard.py [--rounds 3] [--windows 6]``.

A service with 10,000 series, 5,000 tasks and 1,000 streaming clients, without the dashboard and with it. Two services
run at the same time, each with its own clients in another process, and both are read over the same windows of ten
seconds: what else the machine does slows both. A figure is the median of the differences of these pairs, in percent of
a core by the CPU seconds of the service's process (user and system), with its quartiles. The first pair is of two
services without the dashboard, and shows what the measurement itself adds. Another pair with the dashboard is of one
service with a page open and one with none. Pairs come in random order, and their services start in random order.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

SERIES, TASKS, CLIENTS, TOPICS = 10_000, 5_000, 1_000, 50
WARM = 12.0  # seconds before the first window
WINDOW = 10.0  # seconds; the dashboard reads its slowest figures every ten
GOAL = 1.0  # percent of a core
PAGES = ("overview", "requests", "switches", "tasks", "streaming", "prices")
KINDS = ("without", "with", *PAGES)
TOKEN = "a token for figures"


def serve(kind: str, clients: int) -> None:
    """Serve until standard input is closed; one line with the port, then one for each line that is read."""
    import socket

    import uvicorn
    from fastapi import FastAPI

    from fastcore import metrics
    from fastcore.service import install
    from fastcore.streaming import Hub, Limits
    from fastcore.tasks import TaskQueue

    for number in range(SERIES // 10):
        route = f"/route{number}"
        metrics.counter("fastcore_http_requests_total", method="GET", route=route, status="200").add(number)
        latency = metrics.latency("fastcore_http_request_duration_seconds", method="GET", route=route)
        for n in range(5):
            latency.observe(0.001 * (1 + (number + n) % 50))
        for name in range(8):
            metrics.counter(f"bench_{name}_total", number=str(number)).add()
    app, hub = FastAPI(), Hub(limits=Limits(connections=clients + 10, per_address=clients + 10))
    with tempfile.TemporaryDirectory() as folder:
        queue = TaskQueue(f"sqlite:///{folder}/tasks.db")

        @queue.task(name="report")
        async def report(number: int) -> int:
            return number

        install(app, tasks=queue, hub=hub, token=TOKEN, public=True, dashboard=kind != "without")
        listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        options: dict[str, Any] = {"ws": "fastcore.streaming.uvicorn:HubProtocol", "log_level": "error"}
        server = uvicorn.Server(uvicorn.Config(app, lifespan="on", timeout_graceful_shutdown=1, **options))

        async def run() -> None:
            serving = asyncio.ensure_future(server.serve(sockets=[listener]))
            while not server.started:
                await asyncio.sleep(0.01)
            await queue.asubmit_many([(report, (n,)) for n in range(TASKS)])
            await queue.join(120)
            print(listener.getsockname()[1], flush=True)
            publishing = asyncio.ensure_future(publish(hub))
            await serving
            publishing.cancel()

        def listen() -> None:
            for _ in sys.stdin:
                print(json.dumps({"cpu": time.process_time(), "clients": len(hub)}), flush=True)
            server.should_exit = True

        threading.Thread(target=listen, daemon=True).start()
        asyncio.run(run())


async def publish(hub: Any) -> None:
    """Publish a price of each topic once a second."""
    n = 0
    while True:
        n += 1
        for topic in range(TOPICS):
            hub.publish(f"prices.S{topic}", 100.0 + (n + topic) % 7)
        await asyncio.sleep(1.0)


def connect(port: int, clients: int) -> None:
    """Be the clients, each of one topic, until standard input is closed; one line once all are there."""
    from fastcore.streaming import Client

    async def main() -> None:
        url = f"ws://127.0.0.1:{port}/stream"
        made = [Client(url, [f"prices.S{n % TOPICS}"], on_message=lambda message: None) for n in range(clients)]
        for start in range(0, len(made), 50):
            await asyncio.gather(*(client.start() for client in made[start : start + 50]))
        print("there", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

    asyncio.run(main())


class Page(threading.Thread):
    """What a page asks for: its topics of the dashboard's stream, the past, and its searches."""

    def __init__(self, port: int, name: str) -> None:
        super().__init__(daemon=True)
        self._port, self._name = port, name
        self._ending = threading.Event()

    def run(self) -> None:
        asyncio.run(self._work())

    async def _work(self) -> None:
        import httpx

        from fastcore.streaming import Client

        base = f"http://127.0.0.1:{self._port}/fastcore"
        topics = ["dashboard.overview", f"dashboard.{self._name}"]
        client = Client(f"{base}/stream".replace("http", "ws"), topics, on_message=lambda message: None)
        await client.start()
        async with httpx.AsyncClient(trust_env=False) as http:
            asks = {"": ["history/900"], "streaming": ["clients", "topics"]}
            while not self._ending.is_set():
                for path in (*asks[""], *asks.get(self._name, ())):
                    (await http.get(f"{base}/api/{path}")).raise_for_status()
                await asyncio.sleep(2.5)
        await client.aclose()

    def stop(self) -> None:
        self._ending.set()
        self.join()


class Child:
    """This program in another process, which answers lines."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, __file__, *arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def ask(self) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return json.loads(self.line())

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)


class Service:
    """A service with its clients, and perhaps an open page."""

    def __init__(self, kind: str, clients: int) -> None:
        self._clients = clients
        self._server = Child("serve", kind, str(clients))
        port = int(self._server.line())
        self._others = Child("connect", str(port), str(clients))
        self._others.line()
        self._page = Page(port, kind) if kind in PAGES else None
        if self._page is not None:
            self._page.start()

    def read(self) -> tuple[float, bool]:
        """Return the seconds of CPU that the service has taken, and whether all clients are connected."""
        found = self._server.ask()
        return float(found["cpu"]), found["clients"] >= self._clients

    def end(self) -> None:
        if self._page is not None:
            self._page.stop()
        self._others.end()
        self._server.end()


def measure(pair: Sequence[str], windows: int, clients: int, random: Random) -> list[tuple[float, float]]:
    """Return the percent of a core that each service of a pair takes, of each window with all clients."""
    services = {}
    for index in random.sample((0, 1), 2):
        services[index] = Service(pair[index], clients)
    time.sleep(WARM)
    found = []
    before, start = [services[index].read() for index in (0, 1)], time.monotonic()
    for _ in range(windows):
        time.sleep(WINDOW)
        after, now = [services[index].read() for index in (0, 1)], time.monotonic()
        if all(whole for _, whole in (*before, *after)):
            one, other = (100 * (new - old) / (now - start) for (old, _), (new, _) in zip(before, after))
            found.append((one, other))
        before, start = after, now
    for service in services.values():
        service.end()
    return found


def main() -> None:
    if sys.argv[1:2] == ["serve"]:
        return serve(sys.argv[2], int(sys.argv[3]))
    if sys.argv[1:2] == ["connect"]:
        return connect(int(sys.argv[2]), int(sys.argv[3]))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="of all pairs, each with new processes")
    parser.add_argument("--windows", type=int, default=6, help="of ten seconds, of each pair and round")
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"{cores} cores, {SERIES:,} series, {TASKS:,} tasks, {options.clients:,} clients")
    random = Random(options.seed)
    found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in options.kinds}
    for number in range(options.rounds):
        for kind in random.sample(options.kinds, len(options.kinds)):
            pair = ("with" if kind in PAGES else "without", kind)
            found[kind] += (measured := measure(pair, options.windows, options.clients, random))
            words = " ".join(f"{other - one:+.2f}" for one, other in measured)
            print(f"round {number + 1}: {kind} against {pair[0]} {words}", file=sys.stderr, flush=True)
    for kind, pairs in found.items():
        if not pairs:
            print(f"{kind}: clients were lost in every window: the machine is too busy", flush=True)
            continue
        label = {"without": "none against none", "with": "dashboard against none"}.get(kind, f"page {kind} open")
        one, other = (statistics.median(percents) for percents in zip(*pairs))
        added = [other - one for one, other in pairs]
        low, middle, high = statistics.quantiles(added, n=4) if len(added) > 1 else added * 3
        goal = "" if kind == "without" else f"; goal: below {GOAL:g}, {'met' if middle < GOAL else 'not met'}"
        print(f"{label:<24} {one:5.2f} -> {other:5.2f} % of a core: {middle:+.2f} ({low:+.2f} to {high:+.2f}){goal}")


if __name__ == "__main__":
    main()
