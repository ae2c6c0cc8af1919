"""The flags of the service, and their settings."""

from __future__ import annotations

from typing import Literal

from fastcore import Guard, flags

__all__ = ["FLAGS", "GUARD", "Arm", "choose", "is_on"]

Arm = Literal["before", "after", "canary"]

FLAGS = {
    "technical_analysis": "indicators of a table: pandas -> a compiled Plan",
    "price_monitor": "indicators of the watched symbols: one table after the other -> all in one Plan",
    "memory_optimization": "analyses: computed at every request -> cached for a bar; tables in fewer bytes",
    "warm_up": "analyses that were asked for lately are computed as soon as a bar is there",
    "async_processing": "batches, collections and crawls: one after the other -> side by side",
    "background_tasks": "reports and jobs: on the request's thread -> tasks of a TaskQueue",
    "realtime_streaming": "prices and analyses are published to the clients of a Hub",
}
GUARD = Guard(slowdown=0.20, mismatch_rate=0.0, error_rate=0.0, min_samples=50, min_seconds=5.0)


def choose(arm: Arm) -> None:
    """Set every flag: all off, all on, or on with the indicators rolled out by a canary that its guard decides."""
    for name in FLAGS:
        flags.declare(name)
        mode = "control" if arm == "before" else "candidate"
        if arm == "canary" and name == "technical_analysis":
            mode = "canary"
        flags.set(name, mode, reason=f"market desk: {arm}")


def is_on(name: str) -> bool:
    """Return whether a flag is not at ``control``."""
    return flags.get(name).mode != "control"
