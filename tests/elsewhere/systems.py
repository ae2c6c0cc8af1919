"""Which stand-ins make up which system, and how a Python, its workers and its children get them.

``pytest --system=windows`` starts itself again with STARTUP on its path: Python imports ``sitecustomize`` from there
before anything else, in each program that a test starts, too.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

__all__ = ["SYSTEMS", "VARIABLE", "begin", "environment"]

SYSTEMS = ("macos", "windows")
VARIABLE = "ELSEWHERE_SYSTEM"
ROOT = Path(__file__).resolve().parents[2]
STARTUP = Path(__file__).parent / "startup"
WINDOWS = {"PYTHONWARNDEFAULTENCODING": "1", "PYTHONUTF8": "0"}
# The temporary folder of a user of macOS is that long, which leaves little of a socket's path.
MACOS_TMPDIR = "/tmp/folders/zz/zyxvpxvq6csfxvn_n0000000000000/T"


def environment(system: str, before: dict[str, str]) -> dict[str, str]:
    """Return the environment of a Python that is to believe that it runs on `system`."""
    paths = [str(STARTUP), str(ROOT), *filter(None, [before.get("PYTHONPATH")])]
    kept = {name: value for name, value in before.items() if name not in WINDOWS}  # of a Python on another system
    found = {**kept, VARIABLE: system, "PYTHONPATH": os.pathsep.join(paths)}
    if system == "windows":
        return {**found, **WINDOWS}
    os.makedirs(MACOS_TMPDIR, exist_ok=True)
    return {**found, "TMPDIR": MACOS_TMPDIR}


def begin(system: str) -> None:
    """Make this process believe that it runs on `system`."""
    if system not in SYSTEMS:
        raise ValueError(f"{VARIABLE}: expected one of {', '.join(SYSTEMS)}, got {system!r}")
    (_macos if system == "macos" else _windows)()


def _macos() -> None:
    from tests.elsewhere import case, proc, processes, sockets, views

    sockets.limit_unix_sockets()
    processes.spawn_by_default()
    views.show(
        "darwin", {"sys": {"platform": "darwin"}, "resource": {"getrusage": processes.getrusage_in_bytes}}, absent=()
    )
    case.ignore_case()
    proc.hide_proc()


def _proactor_by_default(asyncio: Any) -> None:
    from tests.elsewhere import proactor

    proactor.proactor_by_default()


def _windows() -> None:
    from tests.elsewhere import case, clock, files, locking, proc, processes, sockets, text, views
    from tests.elsewhere.late import when_imported

    changed: dict[str, dict[str, Any]] = {
        "sys": {"platform": "win32"},
        "os": {"name": "nt", "kill": processes.kill_like_windows},
    }
    clock.coarse()
    processes.spawn_only()
    processes.keep_peaks()
    sockets.end_like_windows()
    when_imported("asyncio", _proactor_by_default)
    sys.modules["uvloop"] = None  # type: ignore[assignment]  # its setup refuses Windows
    absent = ("fcntl", "resource", "pwd", "grp", "termios", "pty", "syslog", "gunicorn")
    views.show("win32", changed, absent, modules=(locking.msvcrt,))
    files.hold_open_files()
    case.ignore_case()
    proc.hide_proc()
    text.write_as_windows()  # last: warnings name the caller of the outermost one
