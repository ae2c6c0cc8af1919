"""The mission's rows: a service under uvicorn, its tasks in SQLite at full durability, asked over HTTP."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tasks_opponents import scratch

HERE = Path(__file__).resolve().parent
CALLS = [
    {"task": "crawl", "args": ["yahoo"]},
    {"task": "analyse", "kwargs": {"symbol": "AAPL"}},
    {"task": "crawl", "args": ["investing"]},
    {"task": "analyse", "kwargs": {"symbol": "MSFT"}},
    {"task": "report", "args": [30]},
]


class Answers(NamedTuple):
    """What a load brought: how long each POST took, in seconds, and the ids."""

    times: list[float]
    ids: list[str]

    def p95(self) -> float:
        return statistics.quantiles(self.times, n=100)[94]


class Mission(NamedTuple):
    paced: Answers
    flood: Answers
    minute: float
    """Tasks a minute, from the first POST to the last task's end."""
    failed: float
    average: float
    """Seconds from submission to the end, on average."""


@contextmanager
def service() -> Iterator[int]:
    """Start it, and return its port."""
    with scratch() as path:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port: int = free.getsockname()[1]
        env = {**os.environ, "FASTCORE_BENCH_DB": str(path), "PYTHONPATH": str(HERE)}
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "tasks_service:app",
            "--port",
            str(port),
            "--log-level",
            "warning",
            "--timeout-keep-alive",
            "120",
        ]
        server = subprocess.Popen([*command, "--no-access-log"], env=env)
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    ask(http.client.HTTPConnection("127.0.0.1", port, timeout=5), "GET", "/api/tasks?limit=1")
                    break
                except OSError:
                    if time.monotonic() > deadline or server.poll() is not None:
                        raise
                    time.sleep(0.1)
            yield port
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def ask(connection: http.client.HTTPConnection, method: str, path: str, body: Any = None) -> Any:
    headers = {} if body is None else {"Content-Type": "application/json"}
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    response = connection.getresponse()
    data = response.read()
    if response.status >= 300:
        raise RuntimeError(f"{method} {path}: {response.status} {data!r}")
    return json.loads(data)


def load(port: int, clients: int, seconds: float, rate: float | None) -> Answers:
    """POST from several connections for some seconds: at `rate` per second in total, or without a pause."""
    found = Answers([], [])
    ends = time.monotonic() + seconds

    def client(index: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        due = time.monotonic() + (0 if rate is None else index / rate)
        for call in itertools.islice(itertools.cycle(CALLS), index, None):
            if rate is not None:
                time.sleep(max(0.0, due - time.monotonic()))
                due += clients / rate
            if time.monotonic() >= ends:
                return
            began = time.perf_counter()
            answer = ask(connection, "POST", "/api/tasks", call)
            found.times.append(time.perf_counter() - began)
            found.ids.append(answer["task_id"])

    threads = [threading.Thread(target=client, args=(i,)) for i in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def run(rate: float = 50.0, seconds: float = 8.0) -> Mission:
    with service() as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for call in CALLS:  # imports, the process slot's start
            id = ask(connection, "POST", "/api/tasks", call)["task_id"]
            ask(connection, "GET", f"/api/tasks/task/{id}/result?wait=30")
        began = time.monotonic()
        paced = load(port, 4, seconds, rate)
        views = [_ended(connection, id) for id in paced.ids]
        took = time.monotonic() - began
        flood = load(port, 8, 3.0, None)
        for id in flood.ids[-1:]:
            _ended(connection, id)
    good = [view for view in views if view["status"] == "succeeded"]
    average = statistics.mean(view["finished"] - view["submitted"] for view in good)
    return Mission(paced, flood, len(good) / took * 60, 1 - len(good) / len(views), average)


def _ended(connection: http.client.HTTPConnection, id: str) -> Any:
    deadline = time.monotonic() + 60
    while True:
        view = ask(connection, "GET", f"/api/tasks/task/{id}")
        if view["finished"] is not None and view["status"] not in ("queued", "running"):
            return view
        if time.monotonic() > deadline:
            raise RuntimeError(f"{id} has not ended: {view}")
        time.sleep(0.02)
