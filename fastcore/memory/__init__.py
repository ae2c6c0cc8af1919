"""Smaller DataFrames, limits on the process's memory, and settings of the garbage collector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastcore._lazy import later

if TYPE_CHECKING:
    from fastcore.memory.bounds import indicator_error
    from fastcore.memory.collector import Frozen, GCProfile, freeze_after_startup, gc_profile, record_gc_pauses
    from fastcore.memory.decorators import (
        MemoryGrowth,
        memory_monitor,
        optimize_dataframe_memory,
        scheduler_cleanup,
    )
    from fastcore.memory.frames import align_categories, optimize_dataframe
    from fastcore.memory.report import ColumnReport, MemoryReport
    from fastcore.memory.shrinkers import Shrunk, register_shrinker, shrink
    from fastcore.memory.sizes import frame_bytes
    from fastcore.memory.usage import MemoryUsage, memory_usage
    from fastcore.memory.watch import Alarm, MemoryWatch

__all__ = [
    "Alarm",
    "ColumnReport",
    "Frozen",
    "GCProfile",
    "MemoryGrowth",
    "MemoryReport",
    "MemoryUsage",
    "MemoryWatch",
    "Shrunk",
    "align_categories",
    "frame_bytes",
    "freeze_after_startup",
    "gc_profile",
    "indicator_error",
    "memory_monitor",
    "memory_usage",
    "optimize_dataframe",
    "optimize_dataframe_memory",
    "record_gc_pauses",
    "register_shrinker",
    "scheduler_cleanup",
    "shrink",
]

_HOMES = {
    "bounds": ("indicator_error",),
    "decorators": ("MemoryGrowth", "memory_monitor", "optimize_dataframe_memory", "scheduler_cleanup"),
    "frames": ("align_categories", "optimize_dataframe"),
    "collector": ("Frozen", "GCProfile", "freeze_after_startup", "gc_profile", "record_gc_pauses"),
    "report": ("ColumnReport", "MemoryReport"),
    "shrinkers": ("Shrunk", "register_shrinker", "shrink"),
    "sizes": ("frame_bytes",),
    "usage": ("MemoryUsage", "memory_usage"),
    "watch": ("Alarm", "MemoryWatch"),
}

__getattr__, __dir__ = later(
    globals(), {name: (f"{__name__}.{home}", name) for home, names in _HOMES.items() for name in names}
)
