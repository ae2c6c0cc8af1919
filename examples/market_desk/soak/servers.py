"""Two servers behind a balancer, each restarted when it ends, as a supervisor does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from examples.market_desk.child import Child
from examples.market_desk.soak.balancer import Balancer

__all__ = ["Server", "Servers"]

STARTING = 60.0  # seconds that a server is given to become ready
ENDING = 60.0  # seconds that one is given to drain
# For the GNU C library, as docs/guides/deploy.md recommends: what threads have freed stays in fewer pieces.
ALLOCATOR = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "262144"}


class Server:
    """One of the servers, under whatever process it runs at the moment.

    Attributes
    ----------
    number, port : int
    """

    def __init__(self, number: int, folder: Path, balancer: Balancer, say: Callable[[str], None]) -> None:
        self.number, self.port = number, 0
        self._folder, self._balancer, self._say = folder, balancer, say
        self._expected = False
        self._child: Child | None = None
        self._up = asyncio.Event()
        self.cpu = 0.0  # seconds, of processes that have ended

    @property
    def pid(self) -> int:
        """The process's id; 0 while no process runs."""
        return 0 if self._child is None else self._child.pid

    async def keep(self) -> None:
        """Run a process, and another when it has ended, until cancelled."""
        while True:
            arguments = ("soak-server", "--folder", str(self._folder), "--number", str(self.number))
            journal = str(self._folder / "journal.jsonl")
            env = {"FASTCORE_JOURNAL": journal, "FASTCORE_FLAGS_FILE": "", **ALLOCATOR}
            name = f"server {self.number}"
            async with Child.start(name, *arguments, "--port", str(self.port), env=env) as child:
                self.port = (await child.wait_for("listening", STARTING))["port"]
                self._child = child
                self._balancer.backends.add(self.port)
                self._up.set()
                code = await child.ends(float("inf"))
                self._child = None
                self._up.clear()
                if not self._expected:
                    self._say(str(await child.failure("ended by itself")))
                self._expected = False
            self._say(f"server {self.number} ended with {code}; it is started again")

    async def ready(self) -> None:
        """Wait until the balancer gives it connections."""
        async with asyncio.timeout(STARTING):
            await self._up.wait()
            while self.port not in self._balancer.ready:
                await asyncio.sleep(0.02)

    async def end(self, *, kill: bool) -> None:
        """End the process, at once or after it has drained, and return when it has ended."""
        child = self._child
        if child is None:
            return
        self._expected = True
        self.cpu = self.seconds()
        if kill:
            await child.kill()
        else:
            child.terminate()
            await child.ends(ENDING)
        self._balancer.ready.discard(self.port)
        while self._child is child:
            await asyncio.sleep(0.01)

    def resident(self) -> int:
        """Return the process's resident bytes; 0 while no process runs."""
        try:
            return int(psutil.Process(self.pid).memory_info().rss) if self.pid else 0
        except psutil.NoSuchProcess:
            return 0

    def seconds(self) -> float:
        """Return the CPU seconds of all processes so far."""
        try:
            used = psutil.Process(self.pid).cpu_times() if self.pid else None
        except psutil.NoSuchProcess:
            used = None
        return self.cpu + (used.user + used.system if used else 0.0)


class Servers:
    """Both servers and their balancer; `run` starts them."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self.folder = folder
        self.balancer = Balancer()
        self.both = tuple(Server(number, folder, self.balancer, say) for number in (1, 2))
        self.outages: list[tuple[float, float]] = []  # announced, in seconds of time.perf_counter

    @property
    def port(self) -> int:
        """The balancer's port."""
        return self.balancer.port

    @asynccontextmanager
    async def run(self) -> AsyncIterator[Servers]:
        """Start the balancer and the servers; they have ended when the context does."""
        async with self.balancer:
            keeping = [asyncio.create_task(server.keep()) for server in self.both]
            try:
                await self._all_ready(keeping)
                yield self
            finally:
                for task in keeping:
                    task.cancel()
                await asyncio.gather(*keeping, return_exceptions=True)

    async def _all_ready(self, keeping: list[asyncio.Task[None]]) -> None:
        async def every() -> None:
            await asyncio.gather(*(server.ready() for server in self.both))

        ready = asyncio.create_task(every())
        await asyncio.wait({ready, *keeping}, return_when=asyncio.FIRST_COMPLETED)
        for task in keeping:
            if task.done():
                ready.cancel()
                task.result()  # raises its error
        await ready

    @asynccontextmanager
    async def announced(self) -> AsyncIterator[None]:
        """Note the time within as an announced outage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.outages.append((began, time.perf_counter()))
