"""Which implementation runs, and why."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from fastcore import _ext
from fastcore._version import __version__
from fastcore.dispatch import flags
from fastcore.dispatch.colours import painted
from fastcore.dispatch.formatting import table
from fastcore.dispatch.store import HOT_PATHS

__all__ = [
    "MachineryStatus",
    "PathStatus",
    "Status",
    "SwitchStatus",
    "command",
    "name_clash",
    "paths",
    "python_version",
    "status",
]

MACHINERY = ("switch", "metrics")


@dataclass(frozen=True)
class PathStatus:
    """One hot path.

    Attributes
    ----------
    name : str
    runs : str
        ``compiled``, ``python``, ``ramp:P`` for a share of each, or ``unavailable`` where the compiled twin is
        insisted on and may not run: using the path raises ``BackendUnavailable``.
    why : str
        The flag's mode, who set it and why, and where it matters what is wrong with the extension.
    instruction_set : str
        What the compiled twin uses: ``baseline`` where it picks none, empty where it does not run.
    flag : Flag
    cause : str
        Why the extension may not run; empty when it is loaded.
    extension : str
        Its file, whether or not it may run; empty when there is none.
    """

    name: str
    runs: str
    why: str
    instruction_set: str
    flag: flags.Flag
    cause: str
    extension: str


@dataclass(frozen=True)
class MachineryStatus:
    """A part that has twins but no flag: the Switch, the metrics."""

    name: str
    runs: str
    why: str


@dataclass(frozen=True)
class SwitchStatus:
    """One Switch of a service: its flag and the calls of its arms."""

    name: str
    flag: str
    mode: str
    source: str
    control_calls: int
    candidate_calls: int
    errors: int


@dataclass(frozen=True)
class Status:
    """Everything that runs. ``str()`` of it is for reading, :meth:`to_dict` for programs."""

    version: str
    python: str
    platform: str
    paths: tuple[PathStatus, ...]
    machinery: tuple[MachineryStatus, ...]
    switches: tuple[SwitchStatus, ...]
    clash: str
    problems: tuple[str, ...] = ()  # with the flag file and the journal

    def to_dict(self) -> dict[str, Any]:
        """Return everything as values that JSON can hold, the hot paths by their names."""
        body = asdict(self)
        for path in body["paths"]:
            flag = path["flag"]
            path["flag"] = {**flag._asdict(), "since": flag.since.isoformat()}
        for part in ("paths", "machinery", "switches"):
            body[part] = {row.pop("name"): row for row in body[part]}
        return body

    def __str__(self) -> str:
        rows: list[tuple[str, ...]] = [("hot path", "runs", "instruction set", "why")]
        rows += [(p.name, p.runs, p.instruction_set or "-", p.why) for p in self.paths]
        rows += [(m.name, m.runs, "-", m.why) for m in self.machinery]
        lines = [f"fastcore {self.version}, Python {self.python}, {self.platform}", "", table(rows, numbers=0)]
        if self.switches:
            rows = [("switch", "flag", "mode", "source", "control", "candidate", "errors")]
            for s in self.switches:
                counts = (s.control_calls, s.candidate_calls, s.errors)
                rows.append((s.name, s.flag, s.mode, s.source, *(f"{count:,}" for count in counts)))
            lines += ["", table(rows, numbers=3)]
        for warning in (self.clash, *self.problems):
            lines += ["", f"warning: {warning}"] if warning else []
        return "\n".join(lines)


def status() -> Status:
    """Return which twin of every hot path runs and why, and the Switches there are.

    The extensions are loaded to find out; nothing else is.

    Examples
    --------
    >>> from fastcore import status
    >>> [path.name for path in status().paths][:4]
    ['indicators', 'cache', 'heap', 'framing']
    """
    return Status(
        version=__version__,
        python=python_version(),
        platform=f"{platform.system()} {platform.machine()}",
        paths=paths(),
        machinery=tuple(_machinery(name) for name in MACHINERY),
        switches=_switches(),
        clash=name_clash(),
        problems=tuple(flags.problems()),
    )


def python_version() -> str:
    """Return the version and the implementation of Python."""
    return f"{platform.python_version()} ({platform.python_implementation()})"


def paths() -> tuple[PathStatus, ...]:
    """Return which twin of every hot path runs, and why."""
    return tuple(_path(name) for name in HOT_PATHS)


def _path(name: str) -> PathStatus:
    flag, found = flags.get(name), _ext.probe(name)
    loaded = found.module is not None
    if flag.mode == "auto":
        runs = "compiled" if loaded else "python"
    elif flag.mode == "python" or loaded:
        runs = flag.mode
    else:
        runs = "unavailable"
    why = f"{flag.mode} ({flag.source})" + (f": {flag.reason}" if flag.reason else "")
    if found.cause:
        why += f"; no compiled twin: {found.cause}"
    isa = ""
    if loaded and runs != "python":
        isa = str(getattr(found.module, "isa", lambda: "baseline")())
    return PathStatus(name, runs, why, isa, flag, found.cause, found.path)


def _machinery(name: str) -> MachineryStatus:
    found = _ext.probe(name)
    try:
        runs = "compiled" if _ext.pick(name) is found.module else "python"
    except _ext.BackendUnavailable:
        runs = "unavailable"
    if found.cause:
        return MachineryStatus(name, runs, f"no compiled twin: {found.cause}")
    return MachineryStatus(name, runs, "extension loaded" if runs == "compiled" else "FASTCORE_BACKEND")


def _switches() -> tuple[SwitchStatus, ...]:
    try:
        from fastcore.dispatch.switch import live
    except _ext.BackendUnavailable:  # FASTCORE_BACKEND insists on what is not there; the rows above say so
        return ()
    rows = []
    for name, switch in live().items():
        flag = flags.get(switch.flag)
        (control, failed, _), (candidate, failed_too, _) = switch._counts(0), switch._counts(1)
        if flag.name in HOT_PATHS and not control + candidate:
            continue  # hundreds of them: those in use are what matters
        rows.append(SwitchStatus(name, flag.name, flag.mode, flag.source, control, candidate, failed + failed_too))
    return tuple(rows)


def name_clash() -> str:
    """Return a warning if another distribution has files in the same import package, else the empty string."""
    try:
        version = importlib.metadata.version("fastcore")
    except importlib.metadata.PackageNotFoundError:
        return ""
    return (
        f"the distribution fastcore {version} is installed next to fastcore-native and uses the same import package: "
        "whichever was installed last has overwritten files of the other; keep one of them in an environment"
    )


def command(parser: argparse.ArgumentParser) -> Callable[[argparse.Namespace], int]:
    """Prepare ``python -m fastcore status``."""
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")

    def run(options: argparse.Namespace) -> int:
        found = status()
        print(json.dumps(found.to_dict(), indent=1) if options.json else painted(str(found)))
        return 0

    return run
