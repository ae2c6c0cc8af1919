"""Work on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from fastcore._threads import on_own_thread


def test_work_on_its_own_thread_does_not_wait_for_other_work() -> None:
    async def run() -> Any:
        loop = asyncio.get_running_loop()
        free = threading.Event()
        held = [loop.run_in_executor(None, free.wait) for _ in range(64)]
        try:
            return await on_own_thread(lambda x, *, y: (x, y, threading.current_thread().daemon), 1, y=2)
        finally:
            free.set()
            await asyncio.gather(*held)

    assert asyncio.run(run()) == (1, 2, True)


@pytest.mark.parametrize("error", [ValueError("wrong"), KeyboardInterrupt()])
def test_errors_of_work_on_its_own_thread_are_the_callers(error: BaseException) -> None:
    def fails() -> None:
        raise error

    async def run() -> None:
        with pytest.raises(type(error)):
            await on_own_thread(fails)

    asyncio.run(run())


def test_work_runs_on_the_loop_if_no_thread_can_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def run() -> int:
        monkeypatch.setattr(threading.Thread, "start", refuse)
        return await on_own_thread(abs, -1)

    assert asyncio.run(run()) == 1
