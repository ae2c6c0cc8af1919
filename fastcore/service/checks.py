"""The checks that `/readyz` runs on the installed parts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from fastcore._threads import on_own_thread
from fastcore.monitor import CheckResult

if TYPE_CHECKING:
    from fastcore.memory import MemoryWatch
    from fastcore.streaming import Hub
    from fastcore.tasks import TaskQueue

__all__ = ["memory_check", "stream_check", "tasks_check"]

Check = Callable[[], Awaitable[CheckResult]]

_NOBODY = "0" * 32  # the id of no task


def tasks_check(queue: TaskQueue) -> Check:
    """Fail if no worker takes tasks, or their store does not answer."""
    from fastcore.tasks.errors import StoreError, UnknownTask

    async def check() -> CheckResult:
        if not queue.running:
            return CheckResult("fail", "the queue's workers do not run")
        try:
            await queue.astatus(_NOBODY)
        except UnknownTask:
            pass
        except StoreError as error:
            return CheckResult("fail", f"the store failed: {error}")
        return CheckResult()

    return check


def stream_check(hub: Hub) -> Check:
    """Fail while the hub sends its clients away; warn where it has to take the slow path."""

    async def check() -> CheckResult:
        found = hub.readiness()
        status = "fail" if not found["ready"] else "pass" if found["detail"] == "ok" else "warn"
        output = "" if status == "pass" else str(found["detail"])
        return CheckResult(status, output, {"path": found["path"], "clients": found["clients"]})  # type: ignore[arg-type]

    return check


def memory_check(watch: MemoryWatch) -> Check:
    """Warn while memory is short."""

    async def check() -> CheckResult:
        usage = watch.usage
        if usage is None:
            usage = await on_own_thread(watch.poll)
        text = "memory is short" if watch.state == "firing" else ""
        return CheckResult("warn" if text else "pass", text, round(usage.fraction, 4))

    return check
