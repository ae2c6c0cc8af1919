"""Whether repeated work leaks memory. Imported by the scripts in this folder, each of which is its own process.

Python objects are counted exactly, by the interpreter's allocated blocks. Memory that C code gets from malloc is
measured by the private memory of the process, which is noisy: it may grow a little, but not with every round.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable

import psutil

WARM_UP = 3
ROUNDS = 6
WINDOWS = 6
BLOCKS = 60  # what an interpreter may add over all rounds: caches of strings, of numbers, of bytecode
BYTES = 1 << 20


def collect(times: int = 1) -> None:
    """Free garbage, and clear the interpreter's cache of attribute names: it fills slowly, as it goes by addresses."""
    for _ in range(times):
        gc.collect()
    getattr(sys, "_clear_internal_caches", sys._clear_type_cache)()


def measured() -> tuple[int, int]:
    """Allocated blocks, and bytes that belong to this process alone."""
    collect(3)
    return sys.getallocatedblocks(), int(psutil.Process().memory_full_info().uss)


def check(work: Callable[[], object], label: str) -> None:
    """Exit with an error if `work`, done again and again, keeps blocks or bytes.

    An event loop or an allocator may take a while to settle, a leak never does: it shows in every window.
    """
    for _ in range(WARM_UP):
        work()
    for _ in range(WINDOWS):
        blocks, size = measured()
        for _ in range(ROUNDS):
            work()
        more_blocks, more_size = (after - before for after, before in zip(measured(), (blocks, size)))
        if os.environ.get("FASTCORE_SANITIZE"):  # its allocator keeps what was freed
            more_size = 0
        if more_blocks <= BLOCKS and more_size <= BYTES:
            print(f"{label}: {more_blocks} blocks, {more_size} bytes after {ROUNDS} rounds")
            return
    sys.exit(
        f"{label}: expected at most {BLOCKS} more blocks and {BYTES} more bytes after {ROUNDS} rounds, "
        f"got {more_blocks} and {more_size}"
    )


def fails(call: Callable[..., object], *args: object) -> None:
    """Call what must raise: the ways out through an error leak most easily."""
    try:
        call(*args)
    except Exception:
        return
    raise AssertionError(f"{call!r} was expected to raise")
