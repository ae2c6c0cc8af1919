"""Which compiled extensions there are and what each is made of.

The one list: ``setup.py`` builds from it, the loader computes build stamps from it, and a test compares it with the
files on disk. ``setup.py`` executes it by path, so it imports only the standard library.
"""

from __future__ import annotations

import os
import zlib
from typing import NamedTuple


class Sources(NamedTuple):
    """What one extension is built from; paths are relative to ``fastcore/_ext``."""

    sources: tuple[str, ...]  # compiled once
    kernels: tuple[str, ...] = ()  # C files compiled once per instruction set, with FC_ISA defined
    headers: tuple[str, ...] = ()  # .h, .pxd and .pxi files that these include
    numpy: bool = False  # needs numpy's C headers


EXTENSIONS: dict[str, Sources] = {
    "metrics": Sources(("metrics.pyx", "sketch.c", "stack.c"), headers=("sketch.h", "stack.h")),
    "switch": Sources(
        ("switch.c", "switch_assign.c", "switch_await.c", "sketch.c", "stack.c"),
        headers=("switch_arm.h", "switch_assign.h", "switch_await.h", "sketch.h", "stack.h"),
    ),
    "indicators": Sources(
        ("indicators.pyx", "cpu.c", "function.c", "live.c", "room.c", "series.c", "stack.c"),
        kernels=tuple(
            f"kernels/{family}.c"
            for family in ("average", "deviation", "momentum", "range", "volume", "recurrence", "window", "table")
        ),
        headers=(
            *("indicators_board.pxi", "cpu.h", "function.h", "live.h", "room.h", "series.h", "stack.h"),
            *("kernels/kernel.h", "kernels/list.h", "kernels/stages.h", "kernels/vec.h"),
        ),
        numpy=True,
    ),
    "cache": Sources(
        (
            "cache.c",
            "cache_bound.c",
            "cache_call.c",
            "cache_cells.c",
            "cache_clock.c",
            "cache_core.c",
            "cache_expiry.c",
            "cache_grave.c",
            "cache_key.c",
            "cache_methods.c",
            "cache_state.c",
            "cache_table.c",
            "cache_types.c",
            "stack.c",
        ),
        headers=("cache_call.h", "cache_clock.h", "cache_object.h", "cache_table.h", "stack.h"),
    ),
    "heap": Sources(
        (
            "heap.c",
            "heap_args.c",
            "heap_async.c",
            "heap_bulk.c",
            "heap_check.c",
            "heap_common.c",
            "heap_core.c",
            "heap_object.c",
            "heap_ordered.c",
            "heap_packed.c",
            "heap_priority.c",
            "heap_queue.c",
            "heap_slots.c",
            "heap_state.c",
            "heap_wait.c",
            "stack.c",
        ),
        headers=("heap_args.h", "heap_core.h", "heap_packed.h", "heap_types.h", "heap_wait.h", "stack.h"),
    ),
    "framing": Sources(
        (
            "framing.pyx",
            "framing_options.c",
            "framing_pack.c",
            "framing_walk.c",
            "framing_build.c",
            "framing_calls.c",
            "framing_ext.c",
            "framing_rows.c",
            "framing_send.c",
            "framing_writer.c",
            "stack.c",
        ),
        headers=("framing_codec.h", "stack.h", "framing_fanout.pxi", "framing_rows.pxi", "framing_stream.pxi"),
    ),
}

STAMP_PREFIX = "fastcore-build-stamp:"


def files_of(name: str) -> tuple[str, ...]:
    """Every source file that goes into the extension `name`, in a fixed order."""
    spec = EXTENSIONS[name]
    return (*spec.sources, *spec.kernels, *spec.headers)


def stamp_of(name: str, folder: str, version: str) -> str | None:
    """The build stamp that the extension `name` must carry, or None where its sources are not there.

    A stamp is the version and a checksum over the sources, so an extension built from other sources, or for another
    version, is told apart before it is loaded.
    """
    crc = 0
    try:
        for path in files_of(name):
            with open(os.path.join(folder, *path.split("/")), "rb") as file:
                crc = zlib.crc32(file.read().replace(b"\r\n", b"\n"), crc)
    except FileNotFoundError:
        return None
    return f"{STAMP_PREFIX}{name}:{version}:{crc:08x};"
