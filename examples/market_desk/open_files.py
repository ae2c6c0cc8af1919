"""The limit on open files, which is what a thousand connections meet first."""

from __future__ import annotations

import sys

__all__ = ["affordable_clients", "raise_limit"]

SPARE = 200  # files a process needs besides its connections


def raise_limit() -> int | None:
    """Raise the soft limit on open files to the hard one; return it, or None where there is none."""
    if sys.platform == "win32":
        return None
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else hard
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return None if soft == resource.RLIM_INFINITY else soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (ValueError, OSError):  # macOS allows less than its hard limit says
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(wanted, 10_240)), hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def affordable_clients(wanted: int) -> int:
    """Return how many of `wanted` connections the limit on open files allows, after raising it."""
    limit = raise_limit()
    return wanted if limit is None else max(1, min(wanted, limit - SPARE))
