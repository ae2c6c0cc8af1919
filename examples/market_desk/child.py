"""A process that the demo starts: it speaks in JSON lines, and ends when its standard input does."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

__all__ = ["Child", "ChildFailed"]

PATIENCE = 6.0  # seconds a child has to exit
LINE = 1 << 26  # bytes: a result carries every streamed value


class ChildFailed(Exception):
    """A child ended, or printed something else, before the expected line."""


class Child:
    """One running child; `start` makes it.

    Attributes
    ----------
    name : str
    pid : int
    """

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self.pid = process.pid
        self._process = process
        self._complaints: deque[str] = deque(maxlen=30)
        self._listener = asyncio.create_task(self._listen())

    @classmethod
    @asynccontextmanager
    async def start(cls, name: str, *arguments: str, env: Mapping[str, str] | None = None) -> AsyncIterator[Child]:
        """Run ``python -m examples.market_desk`` with `arguments`; it has ended when the context does.

        `env` is added to the environment.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "examples.market_desk",
            *arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            limit=LINE,
            env={**os.environ, **(env or {})},
            start_new_session=True,  # Ctrl-C reaches the parent alone, which then ends its children in order
        )
        child = cls(name, process)
        try:
            yield child
        finally:
            await child.stop()

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """Yield what the child says until it closes its output."""
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            yield json.loads(line)

    async def wait_for(self, event: str, timeout: float) -> dict[str, Any]:
        """Return the next event, which must be `event`.

        Raises
        ------
        ChildFailed
            If it is another, or none within `timeout` seconds.
        """
        try:
            async with asyncio.timeout(timeout):
                async for said in self.events():
                    if said["event"] == event:
                        return said
                    break
        except TimeoutError:
            raise ChildFailed(f"{self.name}: no {event!r} within {timeout:g} s") from None
        raise await self.failure(f"ended before {event!r}")

    @property
    def ended(self) -> bool:
        """Whether the process has ended."""
        return self._process.returncode is not None

    async def failure(self, what: str) -> ChildFailed:
        """Return an error that carries what the child wrote to standard error."""
        try:
            code: int | str = await asyncio.wait_for(self._process.wait(), PATIENCE)
            await asyncio.wait_for(self._listener, PATIENCE)
        except TimeoutError:
            code = "none: it still runs"
        tail = "".join(f"\n  {line}" for line in self._complaints)
        return ChildFailed(f"{self.name}: {what} (exit code {code}){tail}")

    async def kill(self) -> None:
        """End the child at once, as a crash would."""
        self._process.kill()
        await self._process.wait()

    def terminate(self) -> None:
        """Ask the child to end, as a deployment does: SIGTERM."""
        self._process.terminate()

    async def ends(self, timeout: float) -> int:
        """Wait until the child has ended, and return its exit code."""
        return await asyncio.wait_for(self._process.wait(), timeout)

    async def stop(self) -> None:
        """End the child: ask, then kill."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), PATIENCE)
        except BaseException as error:
            if self._process.returncode is None:
                self._process.kill()
                await self._process.wait()
            if not isinstance(error, TimeoutError):
                raise
        finally:
            self._listener.cancel()

    async def _listen(self) -> None:
        assert self._process.stderr is not None
        while line := await self._process.stderr.readline():
            self._complaints.append(line.decode(errors="replace").rstrip())
