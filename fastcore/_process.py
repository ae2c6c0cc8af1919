"""Which process a number stands for: the system gives the numbers of processes that ended to later ones."""

from __future__ import annotations

__all__ = ["start_mark"]


def start_mark(pid: int) -> str:
    """Return when a process was started, as a text that no later process of its number has; empty if there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        pass
    import psutil

    try:
        return str(int(psutil.Process(pid).create_time() * 1000))
    except psutil.Error:
        return ""
