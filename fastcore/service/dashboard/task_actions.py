"""Actions on tasks: one, several, or all of a name."""

from __future__ import annotations

from typing import Any

from fastcore._threads import on_own_thread
from fastcore.service.dashboard.sources import Sources
from fastcore.service.dashboard.tasks import queue_of

__all__ = ["of_name", "one", "several"]

MOST = 500  # ids of one request


async def one(sources: Sources, id: str, what: str, body: dict[str, Any]) -> dict[str, Any]:
    """Retry a dead or failed task, or cancel one that has not ended."""
    found = await on_own_thread(_changed, sources, what, [id])
    if found["changed"]:
        return {**found, "retried": found["changed"]} if what == "retry" else found
    if what == "retry":
        raise LookupError(f"task: expected the id of a dead or failed task, got {id!r}")
    raise LookupError(f"task: expected the id of a task that has not ended, got {id!r}")


async def several(sources: Sources, what: str, body: dict[str, Any]) -> dict[str, Any]:
    """Retry or cancel the tasks of the body's `ids`; those that cannot be are left as they are."""
    ids = body.get("ids")
    if not isinstance(ids, list) or not all(isinstance(id, str) for id in ids):
        raise TypeError("ids: expected a list of str")
    if not 0 < len(ids) <= MOST:
        raise ValueError(f"ids: expected 1 to {MOST}, got {len(ids)}")
    found = await on_own_thread(_changed, sources, what, ids)
    done, word = len(found["changed"]), "queued again" if what == "retry" else "cancelled"
    return {**found, "note": f"{done} of {len(ids)} {word}"}


def _changed(sources: Sources, what: str, ids: list[str]) -> dict[str, Any]:
    from fastcore.tasks import State, UnknownTask

    queue = queue_of(sources)
    if what == "retry":
        return {"changed": queue.retry_dead(ids)}
    changed = []
    for id in dict.fromkeys(ids):
        try:
            ended = queue.store.get(id).result().ended  # or a cancelled one would seem to be cancelled now
            if not ended and queue.cancel(id) in (State.CANCELLED, State.RUNNING):
                changed.append(id)
        except UnknownTask:
            continue
    return {"changed": changed}


async def of_name(sources: Sources, name: str, what: str, body: dict[str, Any]) -> dict[str, Any]:
    """Pause or resume a name's tasks, cancel those that wait, or retry the dead ones."""
    queue = queue_of(sources)
    if what == "retry-dead":
        retried = await on_own_thread(lambda: queue.retry_dead(task=name))
        return {"changed": len(retried), "note": f"{len(retried)} queued again"}
    if what == "purge":
        purged = await on_own_thread(queue.purge, name)
        return {"changed": purged, "note": f"{purged} cancelled"}
    changed = await on_own_thread(queue.pause if what == "pause" else queue.resume, name)
    word = "paused" if what == "pause" else "resumed"
    return {"changed": changed, "note": word if changed else f"was {word} already"}
