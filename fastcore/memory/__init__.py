"""DataFrames in fewer bytes, a watch over the process's memory, and the garbage collector's settings."""

from __future__ import annotations

from fastcore.memory.bounds import indicator_error
from fastcore.memory.decorator import optimize_dataframe_memory
from fastcore.memory.frames import align_categories, optimize_dataframe
from fastcore.memory.gc_profile import Frozen, GCProfile, freeze_after_startup, gc_profile, record_gc_pauses
from fastcore.memory.jobs import MemoryGrowth, memory_monitor, scheduler_cleanup
from fastcore.memory.report import ColumnReport, MemoryReport
from fastcore.memory.shrink import Shrunk, register_shrinker, shrink
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
