"""Processes as Windows has them: spawned, never forked, and ended by TerminateProcess only.

Sources: docs.python.org/3/library/multiprocessing.html#contexts-and-start-methods (spawn is the only one on Windows,
and the default on macOS); docs.python.org/3/library/os.html#os.kill ("any other value for sig will cause the
process to be unconditionally killed by the TerminateProcess API").
"""

from __future__ import annotations

import functools
import os
import signal
from types import SimpleNamespace
from typing import Any

from tests.elsewhere.late import when_imported

__all__ = ["getrusage_in_bytes", "keep_peaks", "kill_like_windows", "spawn_by_default", "spawn_only"]

_kill = os.kill
_open = open


def spawn_by_default() -> None:
    """As on macOS."""
    when_imported("multiprocessing", lambda module: module.set_start_method("spawn", force=True))


def spawn_only() -> None:
    """As on Windows: there is no other context."""

    def spawn(module: Any) -> None:
        module.set_start_method("spawn", force=True)
        for name in ("fork", "forkserver"):
            vars(module.context)["_concrete_contexts"].pop(name, None)

    when_imported("multiprocessing", spawn)


def keep_peaks() -> None:
    """Let psutil say the most memory that a process has had, as it does on Windows: ``memory_info().peak_wset``.

    Source: psutil.readthedocs.io, ``Process.memory_info``.
    """
    when_imported("psutil", _with_peaks)


def _with_peaks(psutil: Any) -> None:
    memory_info = psutil.Process.memory_info

    @functools.wraps(memory_info)  # with psutil's own attributes
    def with_peak(self: Any) -> Any:
        found = memory_info(self)
        with _open(f"/proc/{self.pid}/status", encoding="ascii", errors="replace") as file:
            kib = next((int(line.split()[1]) for line in file if line.startswith("VmHWM:")), 0)  # none of a zombie
        return SimpleNamespace(**found._asdict(), peak_wset=kib << 10)

    psutil.Process.memory_info = with_peak


def getrusage_in_bytes(who: int, /) -> Any:
    """``resource.getrusage`` of macOS, where ``ru_maxrss`` counts bytes: ``man 2 getrusage``."""
    import resource

    found = resource.getrusage(who)
    return SimpleNamespace(
        **{name: getattr(found, name) for name in dir(found) if name.startswith("ru_") and name != "ru_maxrss"},
        ru_maxrss=found.ru_maxrss << 10,
    )


def kill_like_windows(pid: int, number: int, /) -> None:
    """``os.kill`` of Windows: whatever the number, 0 included, it ends the process."""
    _kill(pid, signal.SIGKILL)
