"""The compiled extensions and their sources.

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


def _src(folder: str, names: str) -> tuple[str, ...]:
    """The paths of the files `names`, separated by spaces, in ``src/`` and there in `folder`."""
    return tuple(f"src/{folder}/{name}" for name in names.split())


EXTENSIONS: dict[str, Sources] = {
    "metrics": Sources(
        ("metrics.pyx", *_src("common", "sketch.c stack.c")),
        headers=_src("common", "sketch.h stack.h"),
    ),
    "switch": Sources(
        (*_src("switch", "switch.c assignment.c awaitable.c"), *_src("common", "sketch.c stack.c")),
        headers=(*_src("switch", "arm.h assignment.h awaitable.h"), *_src("common", "sketch.h stack.h")),
    ),
    "indicators": Sources(
        (
            "indicators.pyx",
            *_src("indicators", "batch.c cpu.c function.c live.c result_pool.c"),
            *_src("common", "stack.c"),
        ),
        kernels=_src(
            "indicators/kernels",
            "average.c deviation.c momentum.c range.c recurrence.c table.c volume.c window.c",
        ),
        headers=(
            *_src("indicators", "batch.h board.pxi cpu.h function.h live.h result_pool.h"),
            *_src("indicators/kernels", "kernel.h list.h stages.h vec.h"),
            *_src("common", "stack.h"),
        ),
        numpy=True,
    ),
    "cache": Sources(
        (
            *_src("cache", "module.c types.c methods.c state.c operations.c table.c expiry.c victims.c"),
            *_src("cache", "cached_call.c bound_call.c cells.c key.c"),
            *_src("common", "clock.c stack.c"),
        ),
        headers=(*_src("cache", "cached_call.h object.h table.h"), *_src("common", "clock.h stack.h")),
    ),
    "heap": Sources(
        (
            *_src("heap", "module.c base.c priority_heap.c priority_queue.c async_priority_queue.c wait.c check.c"),
            *_src("heap", "core.c bulk.c ordered.c packed.c priority.c slots.c state.c"),
            *_src("common", "arguments.c stack.c"),
        ),
        headers=(*_src("heap", "core.h packed.h types.h wait.h"), *_src("common", "arguments.h stack.h")),
    ),
    "framing": Sources(
        (
            "framing.pyx",
            *_src("framing", "functions.c options.c ext_types.c encode.c writer.c decode.c validate.c rows.c send.c"),
            *_src("common", "stack.c"),
        ),
        headers=(*_src("framing", "codec.h fanout.pxi rows.pxi streams.pxi"), *_src("common", "stack.h")),
    ),
}

STAMP_PREFIX = "fastcore-build-stamp:"
STAMP_SOURCE = "src/common/stamp.c"  # compiled into each extension, with the stamp as FASTCORE_STAMP


def files_of(name: str) -> tuple[str, ...]:
    """Every source file that goes into the extension `name`, in a fixed order."""
    spec = EXTENSIONS[name]
    return (*spec.sources, *spec.kernels, *spec.headers)


def stamp_of(name: str, folder: str, version: str) -> str | None:
    """The build stamp that the extension `name` must carry, or None where its sources are not there.

    A stamp is the version and a checksum over the sources, so an extension built from other sources, or for another
    version, is detected before it is loaded.
    """
    crc = 0
    try:
        for path in files_of(name):
            with open(os.path.join(folder, *path.split("/")), "rb") as file:
                crc = zlib.crc32(file.read().replace(b"\r\n", b"\n"), crc)
    except FileNotFoundError:
        return None
    return f"{STAMP_PREFIX}{name}:{version}:{crc:08x};"
