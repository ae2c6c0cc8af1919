"""What workers of one server have apart, and how they find each other."""

from __future__ import annotations

import multiprocessing
import sys
from typing import Any

import pytest

from fastcore.service import siblings
from fastcore.streaming import Hub, UnixBus
from fastcore.tasks import TaskQueue

pytestmark = pytest.mark.backend_independent

WAIT = 120


def counted(together: Any, found: Any) -> None:
    sys.modules.setdefault("uvicorn", sys)  # as in a worker of uvicorn
    together.wait(WAIT)
    found.put(siblings.siblings())
    together.wait(WAIT)


def test_workers_count_each_other() -> None:
    assert siblings.siblings() == 0
    spawn = multiprocessing.get_context("spawn")
    together, found = spawn.Barrier(3), spawn.Queue()
    workers = [spawn.Process(target=counted, args=(together, found)) for _ in range(3)]
    for worker in workers:
        worker.start()
    assert [found.get(timeout=WAIT) for _ in workers] == [2, 2, 2]
    for worker in workers:
        worker.join(WAIT)


def test_parts_that_do_not_reach_the_others_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    lone, joined = Hub(), Hub(backplane=UnixBus(str(tmp_path / "bus.sock")))
    memory, shared = TaskQueue(), TaskQueue(f"sqlite:///{tmp_path}/tasks.db")
    monkeypatch.setattr(siblings, "siblings", lambda: 3)
    text = siblings.apart(memory, lone)
    assert text.startswith("the server has 4 workers, and messages reach only")
    assert "Hub(backplane=UnixBus(" in text
    assert 'TaskQueue("sqlite:///' in text
    assert "tasks" not in siblings.apart(shared, lone).partition("(docs")[0]
    assert siblings.apart(shared, joined) == siblings.apart(None, None) == ""
    monkeypatch.setattr(siblings, "siblings", lambda: 0)
    assert siblings.apart(memory, lone) == ""
