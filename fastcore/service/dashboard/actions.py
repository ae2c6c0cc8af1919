"""What the dashboard can change; each takes the sources, what the path names, and the request's body."""

from __future__ import annotations

import asyncio
from typing import Any

from fastcore import flags
from fastcore.dispatch.flags import Flag
from fastcore.service.dashboard.sources import Sources

__all__ = ["resume", "retry_task", "roll_back", "set_flag", "shrink_memory", "whoami"]


async def whoami(sources: Sources, body: dict[str, Any]) -> dict[str, Any]:
    """Tell a client that its token is good."""
    return {"writable": True}


async def set_flag(sources: Sources, name: str, body: dict[str, Any]) -> dict[str, Any]:
    """Set a flag's mode."""
    return _told(flags.set(name, _text(body, "mode", required=True), _text(body, "reason")))


async def roll_back(sources: Sources, name: str, body: dict[str, Any]) -> dict[str, Any]:
    """Put a flag back to the control, above everything else."""
    return _told(flags.rollback(name, _text(body, "reason", required=True)))


async def resume(sources: Sources, name: str, body: dict[str, Any]) -> dict[str, Any]:
    """End a rollback."""
    return _told(flags.resume(name))


async def retry_task(sources: Sources, task: str, body: dict[str, Any]) -> dict[str, Any]:
    """Run a dead task again."""
    if sources.tasks is None:
        raise LookupError("tasks: expected an installed queue, got none")
    queue = sources.tasks
    retried = await asyncio.get_running_loop().run_in_executor(None, queue.retry_dead, [task])
    if not retried:
        raise LookupError(f"task: expected the id of a dead or failed task, got {task!r}")
    return {"retried": retried}


async def shrink_memory(sources: Sources, body: dict[str, Any]) -> dict[str, Any]:
    """Have caches and everything registered give memory back."""
    from fastcore.memory import shrink

    found = await asyncio.get_running_loop().run_in_executor(None, shrink)
    return {
        "collected": found.collected,
        "bytes_before": found.bytes_before,
        "bytes_after": found.bytes_after,
        "freed": {name: v if isinstance(v, (int, float)) else str(v) for name, v in found.freed.items()},
    }


def _text(body: dict[str, Any], name: str, *, required: bool = False) -> str:
    value = body.get(name, "")
    if not isinstance(value, str) or len(value) > 500:
        raise TypeError(f"{name}: expected a str of at most 500 characters, got {type(value).__name__}")
    if required and not value.strip():
        raise ValueError(f"{name}: expected a str that is not empty, got {value!r}")
    return value.strip()


def _told(flag: Flag) -> dict[str, Any]:
    return {"name": flag.name, "mode": flag.mode, "source": flag.source, "reason": flag.reason}
