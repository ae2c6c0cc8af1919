"""Which parts of the desk are optimised, and the two settings that are compared."""

from __future__ import annotations

from typing import Literal

from fastcore import flags

__all__ = ["ARMS", "HOT_PATHS", "NOT_YET", "SERVICES", "Arm", "choose"]

Arm = Literal["before", "after"]

ARMS: tuple[Arm, ...] = ("before", "after")
HOT_PATHS = ("indicators", "cache", "heap", "framing")

SERVICES = {
    "technical_analysis": "indicators of a frame: pandas -> Plan",
    "price_monitor": "indicators after a tick: recompute all -> board",
    "memory_optimization": "analysis: recomputed -> @cached for 600 s",
    "async_processing": "analyses of several symbols: one after the other -> side by side",
    "background_tasks": "report: while the caller waits -> a task of a TaskQueue",
    "realtime_streaming": "fan-out: pack and send for every client -> publish to a Hub",
}

NOT_YET = {
    "memory_optimization": "the frames themselves are not made smaller yet; only results are cached",
}


def choose(arm: Arm) -> None:
    """Set every flag for `arm`.

    Before: every service at ``control``, every hot path at ``python``. After: every service at ``candidate``; the hot
    paths are left to the environment, which means compiled where the extension is there.
    """
    for name in SERVICES:
        flags.declare(name)  # its Switch is made later
        flags.set(name, "control" if arm == "before" else "candidate", reason=f"market desk: {arm}")
    if arm == "before":
        for name in HOT_PATHS:
            flags.set(name, "python", reason="market desk: before")
