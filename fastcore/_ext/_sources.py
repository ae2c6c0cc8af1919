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
    "metrics": Sources(("metrics.pyx", "sketch.c"), headers=("sketch.h",)),
    "switch": Sources(
        ("switch.c", "switch_assign.c", "switch_await.c", "sketch.c"),
        headers=("switch_arm.h", "switch_assign.h", "switch_await.h", "sketch.h"),
    ),
    "indicators": Sources(("indicators.pyx",), numpy=True),
    "cache": Sources(("cache.pyx",)),
    "heap": Sources(("heap.pyx",)),
    "framing": Sources(("framing.pyx",)),
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
