"""Nodes of a backplane for tests: in this process with a sink that remembers, or in processes to be killed."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

from fastcore.framing import unpackb
from fastcore.streaming.backplanes.backplane import Published
from tests.streaming.chaos import eventually

__all__ = ["Sink", "Worker"]

ROOT = Path(__file__).resolve().parents[3]


class Sink:
    """Remembers what it is given."""

    def __init__(self) -> None:
        self.epochs: list[tuple[str, int, list[Published]]] = []
        self.messages: list[Published] = []

    def renew(self, epoch: str, floor: int, newest: Sequence[Published]) -> None:
        self.epochs.append((epoch, floor, list(newest)))

    def deliver(self, message: Published) -> None:
        self.messages.append(message)

    @property
    def objects(self) -> list[object]:
        return [unpackb(message.body) for message in self.messages]


class Worker:
    """A ``tests.streaming.backplanes.bus_worker`` and what it has written."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self.process = process
        self.role = ""
        self.epochs: list[str] = []
        self.got: list[tuple[str, int, str, int]] = []  # epoch, offset, origin, n
        self.said = 0
        self.ended = False
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, name: str, *arguments: str) -> Worker:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.streaming.backplanes.bus_worker",
            "--name",
            name,
            *arguments,
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        made = cls(name, process)
        try:
            await eventually(lambda: made.role)
        except BaseException:
            await made.stop()
            raise
        return made

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            if not line.endswith(b"\n"):
                return  # it was killed in the middle of a word
            kind, *rest = line.decode().split()
            if kind == "R":
                self.epochs.append(rest[0])
            elif kind == "D":
                self.got.append((self.epochs[-1], int(rest[0]), rest[2], int(rest[3])))
            elif kind == "S":
                self.role = rest[0]
            elif kind == "N":
                self.said = int(rest[0])
            elif kind == "E":
                self.ended = True

    def tell(self, command: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n".encode())

    async def quiet(self) -> int:
        """Let it publish no more; returns how many it has published."""
        self.said = 0
        self.tell("quiet")
        await eventually(lambda: self.said)
        return self.said

    async def where(self) -> str:
        """Ask for its role."""
        self.role = ""
        self.tell("state")
        await eventually(lambda: self.role)
        return self.role

    def of(self, origin: str) -> list[int]:
        """What came from a node, in the order it came."""
        return [n for _, _, name, n in self.got if name == origin]

    async def leave(self) -> None:
        """Let it end by itself."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        await asyncio.wait_for(self.process.wait(), 60)
        await self._reader

    async def stop(self) -> None:
        """Kill it."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
        await self._reader
