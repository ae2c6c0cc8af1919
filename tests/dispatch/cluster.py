"""Workers of `service` under uvicorn or gunicorn, load on them, and the flags they report."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil

from tests.dispatch.placed import moved_into_place

ROOT = Path(__file__).resolve().parents[2]
SERVICE = "tests.dispatch.service:app"
TOKEN = "a-token-for-tests-only"
SWITCHES = ("loose", "strict")

UVICORN = """
import socket, sys
import uvicorn

if __name__ == "__main__":
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.set_inheritable(True)
    print(listener.getsockname()[1], flush=True)
    uvicorn.run(
        sys.argv[1], fd=listener.fileno(), workers=int(sys.argv[2]), log_level="error", access_log=False,
        timeout_worker_healthcheck=100, timeout_keep_alive=100,
    )
"""


class Cluster:
    """Worker processes behind one port; everything they share is in `folder`."""

    def __init__(self, folder: Path, workers: int = 4, webhook: str = "") -> None:
        self.workers = workers
        self.port = 0
        self.fault = folder / "fault"
        self.log = folder / "log"
        self.log.touch()
        self.ail("")
        self.environ = {
            **os.environ,
            "DESK_FAULT": str(self.fault),
            "DESK_LOG": str(self.log),
            "FASTCORE_JOURNAL": str(folder / "journal.jsonl"),
            "PYTHONPATH": str(ROOT),
        }
        if webhook:
            self.environ["DESK_WEBHOOK"] = webhook
        self._said = (folder / "said").open("w+")
        script = folder / "serve.py"
        script.write_text(UVICORN)
        self._start([sys.executable, str(script), SERVICE, str(workers)])

    def _start(self, command: list[str]) -> None:
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=self.environ, stdout=subprocess.PIPE, stderr=self._said, start_new_session=True
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def stop(self) -> str:
        """End every process; returns what they have said."""
        with contextlib.suppress(psutil.NoSuchProcess):
            family = [self._process, *psutil.Process(self._process.pid).children(recursive=True)]
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                pass
            for process in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        self._process.wait(20)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._said.seek(0)
        said = self._said.read()
        self._said.close()
        return said

    def ail(self, how: str) -> None:
        moved_into_place(self.fault, how)

    def lines(self) -> list[dict[str, Any]]:
        text = self.log.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]  # the last may be half written

    def states(self, flag: str) -> dict[int, tuple[str, str]]:
        """What each worker that lives has said last of `flag`: pid -> mode and source."""
        return self._last(flag, "mode", "source")

    def _last(self, flag: str, *fields: str) -> dict[int, Any]:
        found = {line["pid"]: tuple(line[key] for key in fields) for line in self.lines() if line["flag"] == flag}
        return {pid: state for pid, state in found.items() if _lives(pid)}

    async def ready(self) -> None:
        for name in SWITCHES:
            await self.all_say(name, "control", "default")

    async def all_say(self, flag: str, mode: str, source: str, seconds: float = 60.0) -> None:
        await until(lambda: [*self.states(flag).values()] == [(mode, source)] * self.workers, seconds)

    async def all_give(self, flag: str, reason: str) -> None:
        """Wait until each worker gives `reason`: where several have found out at once, the last in the journal's."""
        await until(lambda: [*self._last(flag, "reason").values()] == [(reason,)] * self.workers)

    def rolled_back(self, flag: str, since: float) -> tuple[float, float]:
        """When the guard of the first worker rolled back after `since`, and when the last worker had obeyed."""
        at = [line["at"] for line in self.lines() if line["flag"] == flag and line["source"] == "guard"]
        at = [when for when in at if when >= since]
        return min(at), max(at)

    async def admin(self, method: str, path: str, body: Any = None) -> Any:
        async with connection(self.port) as (reader, writer):
            data = b"" if body is None else json.dumps(body).encode()
            headers = {"authorization": f"Bearer {TOKEN}"}
            status, answer = await ask(reader, writer, f"/admin{path}", headers, method, data)
        assert status == 200, answer
        return answer


class Load:
    """Requests one after the other on some connections; remembers every error and every wrong answer."""

    def __init__(self, port: int, connections: int = 8, pause: float = 0.002) -> None:
        self.port = port
        self.pause = pause
        self.requests = 0
        self.errors: list[str] = []
        self.wrong: list[tuple[str, str]] = []  # the Switch, the key
        self.pids: set[int] = set()
        self._answered = [0] * connections
        self._ended = False

    async def __aenter__(self) -> Load:
        self._tasks = [asyncio.create_task(self._run(n, random.Random(n))) for n in range(len(self._answered))]
        return self

    async def __aexit__(self, *error: object) -> None:
        self._ended = True
        await asyncio.gather(*self._tasks)

    async def _run(self, number: int, draws: random.Random) -> None:
        while not self._ended:
            try:
                async with connection(self.port) as (reader, writer):
                    for _ in range(50):  # then another connection, which may be another worker's
                        if self._ended:
                            break
                        await self._one(reader, writer, f"K{draws.randrange(5000)}")
                        self._answered[number] += 1
                        await asyncio.sleep(self.pause)
            except Exception as error:
                self.errors.append(repr(error))
                await asyncio.sleep(0.05)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str) -> None:
        status, answer = await asyncio.wait_for(ask(reader, writer, "/price", {"x-assignment-key": key}), 60)
        self.requests += 1
        if status != 200:
            self.errors.append(f"{status} {answer}")
            return
        self.pids.add(answer.pop("pid"))
        self.wrong += [(name, key) for name, value in answer.items() if value != zlib.crc32(key.encode())]

    async def asked_since(self) -> None:
        """Wait until all requests made before this call have been answered."""
        before = list(self._answered)
        await until(lambda: all(now > then for now, then in zip(self._answered, before)))

    async def more(self, requests: int) -> None:
        """Wait until the given number of further requests has been answered."""
        goal = self.requests + requests
        await until(lambda: self.requests >= goal)


async def flip(cluster: Cluster, seconds: float) -> int:
    """Flip every flag each 100 ms, by whichever worker answers; returns how many times."""
    steps: list[tuple[str, str, Any]] = [
        ("PUT", "", {"mode": "candidate"}), ("POST", "/ramp", {"percent": 30}), ("PUT", "", {"mode": "shadow:20"}),
        ("POST", "/rollback", {"reason": "a drill"}), ("POST", "/resume", {}), ("PUT", "", {"mode": "canary"}),
        ("DELETE", "", None),
    ]  # fmt: skip
    flips = 0
    loop = asyncio.get_running_loop()
    due = start = loop.time()
    while due < start + seconds:
        method, path, body = steps[flips % len(steps)]
        for name in SWITCHES:
            await cluster.admin(method, f"/flags/{name}{path}", body)
        flips += 1
        due = max(due + 0.1, loop.time())
        await asyncio.sleep(due - loop.time())
    return flips


async def until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise AssertionError("it never came about")
        await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def connection(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, headers: dict[str, str],
    method: str = "GET", body: bytes = b"",
) -> tuple[int, Any]:  # fmt: skip
    """One request on a connection that is kept; returns the status and what the JSON says."""
    lines = [f"{method} {path} HTTP/1.1", "host: desk", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = next(line for line in head.split("\r\n") if line.startswith("content-length:"))
    answer = await reader.readexactly(int(length.partition(":")[2]))
    return int(head.split()[1]), json.loads(answer or b"null")


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
