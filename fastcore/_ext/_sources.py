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


def _in(folder: str, names: str) -> tuple[str, ...]:
    """The paths of the files `names`, separated by spaces, in ``src/`` and there in `folder`."""
    return tuple(f"src/{folder}/{name}" for name in names.split())


def _common(names: str) -> tuple[str, ...]:
    """The C file and the header of each of `names` in ``src/common``, with the macros that all include."""
    return _in("common", " ".join(f"{name}.c {name}.h" for name in names.split()) + " macros.h")


def _extension(*files: str, kernels: tuple[str, ...] = (), numpy: bool = False) -> Sources:
    """What is compiled and what is included among `files`."""
    sources = tuple(file for file in files if file.endswith((".pyx", ".c")))
    return Sources(sources, kernels, tuple(file for file in files if file not in sources), numpy)


EXTENSIONS: dict[str, Sources] = {
    "metrics": _extension("metrics.pyx", *_common("sketch stack")),
    "switch": _extension(
        *_in("switch", "switch.c calls.c assignment.c awaitable.c arm.h assignment.h awaitable.h switch.h"),
        *_common("clock errors forks imports sketch stack"),
    ),
    "indicators": _extension(
        "indicators.pyx",
        *_in(
            "indicators",
            "across.c batch.c board.c chains.c cpu.c function.c function_object.c gaps.c incomplete.c layers.c live.c "
            "merge.c operators.c plan.c present.c program.c program_object.c result_pool.c shown.c sorted.c sums_of.c "
            "taken.c threads.c tiles.c",
        ),
        *_in(
            "indicators",
            "across.h batch.h board.h board.pxi cpu.h function.h function_object.h gap_bits.h gaps.h",
        ),
        *_in(
            "indicators",
            "incomplete.h layers.h live.h merge.h plan.h plan.pxi present.h program.h program_object.h result_pool.h "
            "room.h sorted.h sums_of.h threads.h waves.c waves.h",
        ),
        *_in("indicators/kernels", "bits.h blocks.h gap_passes.h kernel.h list.h overlapping.h stages.h vec.h"),
        *_in(
            "indicators/operators",
            "arg_extremes.h counting.h cycles.h elementary.h lanes.h list.h operator.h recurrence_lanes.h ring.h",
        ),
        *_in(
            "indicators/operators", "order_series.h past.h powers.h scan.h smoothing.h sorted_blocks.h window_lanes.h"
        ),
        *_common("errors imports stack"),
        kernels=(
            *_in(
                "indicators/kernels",
                "average.c deviation.c gap_passes.c momentum.c range.c recurrence.c table.c volume.c window.c",
            ),
            *_in(
                "indicators/operators",
                "ages.c arg_extremes.c chains.c counts.c cycle_period.c cycles.c joined.c lines.c maps.c "
                "mean_deviation.c order.c pairs.c recurrences.c rises.c sorted_blocks.c stops.c table.c varying.c "
                "windows.c",
            ),
        ),
        numpy=True,
    ),
    "cache": _extension(
        *_in("cache", "module.c types.c methods.c state.c operations.c table.c expiry.c victims.c clock.c timer.c"),
        *_in("cache", "cached_call.c bound_call.c cells.c key.c"),
        *_in("cache", "cached_call.h clock.h object.h table.h"),
        *_common("arguments clock errors imports stack"),
    ),
    "heap": _extension(
        *_in("heap", "module.c base.c priority_heap.c queue.c priority_queue.c async_priority_queue.c wait.c check.c"),
        *_in("heap", "core.c bulk.c ordered.c packed.c priority.c slots.c state.c"),
        *_in("heap", "core.h packed.h types.h wait.h"),
        *_common("arguments clock errors forks imports stack"),
    ),
    "framing": _extension(
        "framing.pyx",
        *_in("framing", "functions.c options.c ext_types.c encode.c writer.c decode.c validate.c send.c"),
        *_in("framing", "columns.c rows.c codec.h columns.h fanout.pxi rows.pxi streams.pxi"),
        *_common("arguments errors imports stack"),
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
