"""Queues over every store that needs only a URL; and an owner that a SQLite store pushes claims to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fastcore.tasks import TaskQueue
from fastcore.tasks.ports import TaskStore
from fastcore.tasks.stores.sqlite.store import SqliteStore
from tests.tasks.stores.direct_claim_cases import Owner
from tests.tasks.stores.sqlite_specs import check
from tests.tasks.stores.store_cases import STORES, Harness


@pytest.fixture(params=["memory", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory" if request.param == "memory" else f"sqlite:///{tmp_path}/tasks.db"


@pytest.fixture
def make(url: str) -> Iterator[Callable[..., TaskQueue]]:
    made: list[TaskQueue] = []

    def build(**options: Any) -> TaskQueue:
        queue = TaskQueue(options.pop("store", url), **options)
        made.append(queue)
        return queue

    yield build
    for queue in made:
        queue.close()


@pytest.fixture(params=sorted(STORES))
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Harness]]:
    """What makes a store of each kind."""
    made: list[TaskStore] = []

    def build(**options: Any) -> Harness:
        store = STORES[request.param](tmp_path, **options)
        made.append(store)
        return Harness(store)

    yield build
    for store in made:
        store.close()


@pytest.fixture
def it(make_store: Callable[..., Harness]) -> Harness:
    return make_store()


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Owner]:
    made = Owner(tmp_path / "tasks.db")
    yield made
    made.store.close()
    check(tmp_path / "tasks.db")


@pytest.fixture
def other(owner: Owner) -> Iterator[SqliteStore]:
    """The same file, opened once more."""
    made = SqliteStore(owner.store.path, durability="normal")
    yield made
    made.close()
