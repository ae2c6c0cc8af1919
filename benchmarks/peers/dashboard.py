"""What the dashboard costs a busy service: ``python benchmarks/peers/dashboard.py [--seconds 20]``.

A service with 10,000 series, 5,000 tasks and 1,000 streaming clients: without the dashboard, with it, and with a page
open. The figures are the CPU of the service's process, in percent of a core; the clients are another process.
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
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

SERIES, TASKS, CLIENTS, TOPICS = 10_000, 5_000, 1_000, 50
WARM = 5.0  # seconds before each measurement
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


def measure(kind: str, seconds: float, clients: int) -> float:
    """Return the percent of a core that the service takes."""
    service = Child("serve", kind, str(clients))
    port = int(service.line())
    others = Child("connect", str(port), str(clients))
    others.line()
    page = Page(port, kind) if kind in PAGES else None
    if page is not None:
        page.start()
    time.sleep(WARM)
    before, start = service.ask(), time.monotonic()
    time.sleep(seconds)
    after, passed = service.ask(), time.monotonic() - start
    if after["clients"] < clients:
        raise SystemExit(f"clients: expected {clients} at the end, got {after['clients']}")
    if page is not None:
        page.stop()
    others.end()
    service.end()
    return 100 * (after["cpu"] - before["cpu"]) / passed


def main() -> None:
    if sys.argv[1:2] == ["serve"]:
        return serve(sys.argv[2], int(sys.argv[3]))
    if sys.argv[1:2] == ["connect"]:
        return connect(int(sys.argv[2]), int(sys.argv[3]))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement")
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--rounds", type=int, default=3, help="in turns; the medians are printed at the end")
    options = parser.parse_args()
    if hasattr(os, "sched_getaffinity"):
        print(f"{len(os.sched_getaffinity(0))} cores, {SERIES:,} series, {TASKS:,} tasks, {options.clients:,} clients")
    found: dict[str, list[float]] = {kind: [] for kind in options.kinds}
    for number in range(options.rounds):
        for kind in options.kinds:
            found[kind].append(measure(kind, options.seconds, options.clients))
            print(f"round {number + 1}: {kind} {found[kind][-1]:.2f} %", file=sys.stderr, flush=True)
    base = found.get("without")
    for kind, percents in found.items():
        label = {"without": "no dashboard", "with": "dashboard, no page open"}.get(kind, f"the page {kind} open")
        more = ""
        if base is not None and kind != "without":
            added = sorted(percent - none for percent, none in zip(percents, base))
            more = f"  {statistics.median(added):+.2f} against none ({added[0]:+.2f} to {added[-1]:+.2f})"
        print(f"{label:<28} {statistics.median(percents):6.2f} % of a core{more}", flush=True)


if __name__ == "__main__":
    main()
