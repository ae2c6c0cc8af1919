"""Identity of a process: the system reuses process ids."""

from __future__ import annotations

__all__ = ["start_mark"]


def start_mark(pid: int) -> str:
    """Return the start time of a process as text, unique among processes with its id; empty if there is none."""
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
