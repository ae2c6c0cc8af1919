"""Memory usage of the machine or of the process's control group, whichever is closer to its limit."""

from __future__ import annotations

import os
import posixpath
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["MemoryUsage", "memory_usage", "resident_bytes"]

_UNLIMITED = 1 << 60  # version 1 writes its largest number of pages where there is no limit


@dataclass(frozen=True)
class MemoryUsage:
    """One reading.

    Attributes
    ----------
    used, limit : int
        Bytes. File cache and other memory that the kernel can reclaim do not count as used. The limit of a control
        group is the lesser of ``memory.high``, above which the kernel throttles it, and ``memory.max``.
    source : str
        What is fullest: ``machine``, or the path of a control group.
    pressure : float or None
        The share of the last ten seconds, 0 to 1, in which some task of that place waited for memory, where the kernel
        keeps it.

    Examples
    --------
    >>> from fastcore.memory import MemoryUsage
    >>> MemoryUsage(used=3 << 30, limit=4 << 30, source="machine").fraction
    0.75
    """

    used: int
    limit: int
    source: str
    pressure: float | None = None

    @property
    def fraction(self) -> float:
        """What is used of the limit, 0 to 1 and a little above."""
        return self.used / self.limit if self.limit else 0.0


def memory_usage(root: str | Path = "/") -> MemoryUsage:
    """Return the fuller of the machine and the control groups that this process is in, with all their ancestors.

    In a container the machine's figures say little: the limit is that of a control group, of version 1 or 2, or of one
    above it.

    Parameters
    ----------
    root : path, default "/"
        Where ``proc`` and the mounts are looked for.

    Examples
    --------
    >>> from fastcore.memory import memory_usage
    >>> 0 < memory_usage().fraction < 2
    True
    """
    base = os.path.normpath(root)
    found = [machine for machine in (_machine(base),) if machine is not None]
    found += _groups(base)
    if not found:
        raise OSError(f"root: expected proc/meminfo or control groups below {base}, found neither")
    return max(found, key=lambda usage: usage.fraction)


def resident_bytes() -> int:
    """Return the resident memory of this process."""
    try:
        with open("/proc/self/statm", "rb", buffering=0) as file:  # a tenth of what psutil takes
            return int(file.read().split()[1]) * _page_size()
    except OSError:
        import psutil

        return int(psutil.Process().memory_info().rss)


def peak_resident_bytes() -> int:
    """Return the most resident memory this process has had."""
    try:
        return _fields(_read("/proc/self/status"), ":", "VmHWM")["VmHWM"]
    except (OSError, KeyError):
        pass
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _page_size() -> int:
    import mmap

    return mmap.PAGESIZE


def _machine(root: str) -> MemoryUsage | None:
    try:
        text = _read(_below(root, "proc/meminfo"))
        fields = _fields(text, ":", "MemTotal", "MemAvailable", "MemFree", "Cached")
        total = fields["MemTotal"]
        free = fields.get("MemAvailable", fields.get("MemFree", 0) + fields.get("Cached", 0))
    except (OSError, KeyError):
        if root != os.sep or sys.platform.startswith("linux"):
            return None
        import psutil

        memory = psutil.virtual_memory()
        return MemoryUsage(int(memory.total - memory.available), int(memory.total), "machine")
    return MemoryUsage(total - free, total, "machine", _pressure(_below(root, "proc/pressure/memory")))


def _groups(root: str) -> Iterator[MemoryUsage]:
    try:
        memberships = _read(_below(root, "proc/self/cgroup")).splitlines()
        mounts = _read(_below(root, "proc/self/mountinfo")).splitlines()
    except OSError:
        return
    for line in memberships:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and "memory" not in controllers.split(","):
            continue
        version = 1 if controllers else 2
        for mount_root, mount_point in _mounts(mounts, version):
            folder = _below(root, mount_point)
            for below in _ancestors(path, mount_root):
                usage = (_version1 if version == 1 else _version2)(_below(folder, below))
                if usage is not None:
                    yield usage


def _mounts(lines: list[str], version: int) -> Iterator[tuple[str, str]]:
    """The memory hierarchy's mounts: which group each shows as its root, and where."""
    for line in lines:
        left, separator, right = line.partition(" - ")
        before, after = left.split(), right.split()
        if not separator or len(before) < 5 or not after:
            continue
        kind, options = after[0], after[-1].split(",")
        wanted = kind == "cgroup2" if version == 2 else kind == "cgroup" and "memory" in options
        if wanted:
            yield _unescaped(before[3]), _unescaped(before[4])


def _unescaped(path: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(code, character)
    return path


def _ancestors(path: str, mount_root: str) -> Iterator[str]:
    """The group and those above it, as paths below the mount; a group outside it is looked for at the mount itself."""
    if mount_root != "/":
        inside = path == mount_root or path.startswith(mount_root + "/")
        path = path[len(mount_root) :] if inside else "/"
    path = posixpath.normpath("/" + path.lstrip("/"))
    while True:
        yield path
        if path in ("/", "//"):
            return
        path = posixpath.dirname(path)


def _version2(folder: str) -> MemoryUsage | None:
    limits = [limit for name in ("memory.max", "memory.high") if (limit := _number(_below(folder, name))) is not None]
    used = _number(_below(folder, "memory.current"))
    if not limits or used is None:
        return None
    cached = sum(_stat(folder, "inactive_file", "active_file", "slab_reclaimable").values())
    return MemoryUsage(max(0, used - cached), min(limits), folder, _pressure(_below(folder, "memory.pressure")))


def _version1(folder: str) -> MemoryUsage | None:
    stat = _stat(folder, "hierarchical_memory_limit", "total_inactive_file", "total_active_file")
    limit = _number(_below(folder, "memory.limit_in_bytes"))
    used = _number(_below(folder, "memory.usage_in_bytes"))
    if limit is None or used is None:
        return None
    limit = min(limit, stat.get("hierarchical_memory_limit", limit))  # of groups above, which a container does not see
    if limit >= _UNLIMITED:
        return None
    cached = stat.get("total_inactive_file", 0) + stat.get("total_active_file", 0)
    return MemoryUsage(max(0, used - cached), limit, folder)


def _number(path: str) -> int | None:
    try:
        return int(_read(path))
    except (OSError, ValueError):  # "max" is no limit
        return None


def _stat(folder: str, *names: str) -> dict[str, int]:
    try:
        text = _read(_below(folder, "memory.stat"))
    except OSError:
        return {}
    return _fields(text, " ", *names)


def _fields(text: str, separator: str, *names: str) -> dict[str, int]:
    """Return some of the lines of a name and a number, in bytes where the unit is kB."""
    text, found = f"\n{text}", {}
    for name in names:
        line = text.partition(f"\n{name}{separator}")[2].partition("\n")[0]
        words = line.split()
        if words and words[0].isdigit():
            found[name] = int(words[0]) * (1024 if words[1:] == ["kB"] else 1)
    return found


def _pressure(path: str) -> float | None:
    try:
        line = _read(path).splitlines()[0]
        averages = dict(word.partition("=")[::2] for word in line.split()[1:])
        return float(averages["avg10"]) / 100
    except (OSError, LookupError, ValueError):
        return None


def _below(folder: str, path: str) -> str:
    path = path.lstrip("/")
    return os.path.join(folder, path) if path else folder


def _read(path: str) -> str:
    """Return the text of a file.

    Without pathlib, which interns the parts of a path, and without a file of text, which interns the name of its
    encoding: CPython's table of such strings grows with each that comes and goes, and these files are read each second.
    """
    with open(path, "rb", buffering=0) as file:
        return file.read().decode("utf-8", "replace")
