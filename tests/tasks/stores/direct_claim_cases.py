"""What the tests of tasks that are claimed as they are submitted share."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastcore.tasks.ports import Want, arrived
from fastcore.tasks.records import Batch, Claim, TaskSpec
from fastcore.tasks.stores.sqlite.store import SqliteStore
from tests.tasks.stores.sqlite_specs import T0, inside

LONG = 60.0
ANY = 1 << 30
LEASE = 15.0


class Owner:
    """An owner with room left, and the claims pushed to it."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.store = SqliteStore(path, durability="normal", **options)
        self.came: list[Claim] = []

    async def ready(self, limit: int, kinds: dict[str, int] | None = None, *, now: float = T0) -> Batch:
        self.store.push_to("me", asyncio.get_running_loop(), self.came.extend)
        return await self.claim(limit, kinds, now=now)

    async def claim(self, limit: int, kinds: dict[str, int] | None = None, *, now: float = T0) -> Batch:
        wants = [Want(limit, kinds or {"noop": ANY})] if limit else []
        return await arrived(self.store.claim("me", wants, LEASE, now))

    async def submit(self, *specs: TaskSpec) -> list[str]:
        ids = await arrived(self.store.submit(specs))
        await turns()
        return ids

    @property
    def ids(self) -> list[str]:
        return [claim.spec.id for claim in self.came]

    def begun(self) -> int:
        """How many tasks the file says are worked on."""
        [(n,)] = inside(self.store.path, "SELECT count(*) FROM task WHERE state = 2")
        return int(n)


async def turns() -> None:
    """Let the loop run its scheduled callbacks."""
    loop = asyncio.get_running_loop()
    for _ in range(4):
        done = loop.create_future()
        loop.call_soon_threadsafe(done.set_result, None)
        await done


@asynccontextmanager
async def together(store: SqliteStore) -> AsyncIterator[None]:
    """Write all requests made meanwhile in one transaction."""
    hold, held = threading.Event(), threading.Event()

    def wait(change: Any, asked: Sequence[Any]) -> list[Any]:
        held.set()
        return [hold.wait(LONG)]

    store._writer.ask(wait, None)
    await asyncio.to_thread(held.wait, LONG)
    try:
        yield
    finally:
        hold.set()


async def from_a_thread(store: SqliteStore, specs: Sequence[TaskSpec]) -> list[Any]:
    return await asyncio.to_thread(lambda: store.submit(specs).result(LONG))


async def each_on_the_loop(store: SqliteStore, specs: Sequence[TaskSpec]) -> list[Any]:
    return await arrived(store.submit_each(specs))


async def one_by_one(store: SqliteStore, specs: Sequence[TaskSpec]) -> list[Any]:
    return [id for one in specs for id in await arrived(store.submit([one]))]


WAYS = [from_a_thread, each_on_the_loop, one_by_one]
