"""Actions of the dashboard; each takes the sources, the parts of the path, and the request's body."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastcore import flags
from fastcore._threads import on_own_thread
from fastcore.dispatch.flags import Flag
from fastcore.service.dashboard.sources import Sources

__all__ = ["clear_cache", "clear_flag", "resume", "roll_back", "set_flag", "shrink_memory", "text_of", "whoami"]


async def whoami(sources: Sources, body: dict[str, Any]) -> dict[str, Any]:
    """Confirm a client's token."""
    return {"writable": True}


async def set_flag(sources: Sources, name: str, body: dict[str, Any]) -> dict[str, Any]:
    """Set a flag's mode."""
    mode, reason = text_of(body, "mode", required=True), text_of(body, "reason")
    return await _changed(flags.set, name, mode, reason, everywhere=True)


async def clear_flag(sources: Sources, name: str, body: dict[str, Any]) -> dict[str, Any]:
    """Clear a setting: environment and default decide again."""
    return await _changed(flags.clear, name, everywhere=True)


async def roll_back(sources: Sources, name: str, body: dict[str, Any]) -> dict[str, Any]:
    """Put a flag back to the control, above everything else."""
    return await _changed(flags.rollback, name, text_of(body, "reason", required=True))


async def resume(sources: Sources, name: str, body: dict[str, Any]) -> dict[str, Any]:
    """End a rollback."""
    return await _changed(flags.resume, name)


async def clear_cache(sources: Sources, body: dict[str, Any]) -> dict[str, Any]:
    """Drop all that a named cache holds."""
    from fastcore.cache.registry import named_caches

    name, caches = text_of(body, "name", required=True), named_caches()
    if name not in caches:
        raise LookupError(f"name: expected that of a cache, got {name!r}")
    await on_own_thread(caches[name].clear)
    return {"cleared": name}


async def shrink_memory(sources: Sources, body: dict[str, Any]) -> dict[str, Any]:
    """Shrink caches and all registered shrinkers."""
    from fastcore.memory import shrink

    found = await on_own_thread(shrink)
    return {
        "collected": found.collected,
        "bytes_before": found.bytes_before,
        "bytes_after": found.bytes_after,
        "freed": {name: v if isinstance(v, (int, float)) else str(v) for name, v in found.freed.items()},
    }


def text_of(body: dict[str, Any], name: str, *, required: bool = False) -> str:
    """Return a text of a request's body, at most 500 characters."""
    value = body.get(name, "")
    if not isinstance(value, str):
        raise TypeError(f"{name}: expected a str, got {type(value).__name__}")
    if len(value) > 500:
        raise ValueError(f"{name}: expected at most 500 characters, got {len(value)}")
    if required and not value.strip():
        raise ValueError(f"{name}: expected a str that is not empty, got {value!r}")
    return value.strip()


async def _changed(change: Callable[..., Flag], *args: str, **options: bool) -> dict[str, Any]:
    """Change a flag for all processes, off the loop: the journal is a file under a lock."""
    flag = await on_own_thread(change, *args, who="dashboard", **options)
    note = flags.not_acting(flag) if change is flags.set else ""
    return {"name": flag.name, "mode": flag.mode, "source": flag.source, "reason": flag.reason, "note": note}
