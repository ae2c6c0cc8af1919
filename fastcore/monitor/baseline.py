"""Baselines: latencies of services on this machine, kept in a file."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastcore import metrics
from fastcore._filelock import locked
from fastcore._snapshot import SketchState
from fastcore._version import __version__
from fastcore.dispatch.private_files import replace_private

__all__ = ["Baseline", "Baselines", "machine_fingerprint"]

_ENOUGH = 100
_log = logging.getLogger("fastcore.monitor")


@dataclass(frozen=True)
class Baseline:
    """A service's latencies, in seconds, over `calls` timed calls.

    Examples
    --------
    >>> from fastcore.monitor import Baseline
    >>> Baseline("desk", p50=0.010, p95=0.040, calls=5000, recorded="2026-03-02T09:30:00+00:00", version="1.4").p50
    0.01
    """

    service: str
    p50: float
    p95: float
    calls: int
    recorded: str
    version: str


def machine_fingerprint() -> str:
    """Return what identifies a machine when times are compared: its CPU, their number, its system and its Python.

    Examples
    --------
    >>> from fastcore.monitor import machine_fingerprint
    >>> machine_fingerprint() == machine_fingerprint()
    True
    """
    cpu = platform.processor()
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(("model name", "CPU part")):
                cpu = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    parts = (cpu, str(os.cpu_count()), platform.system(), platform.machine(), platform.python_version())
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]


class Baselines:
    """A JSON file of baselines, by machine and service.

    Parameters
    ----------
    path : path, optional
        By default ``FASTCORE_BASELINE_FILE``. Without any they live as long as this object.
    fingerprint : str, optional
        By default :func:`machine_fingerprint`: times of another machine are never compared with.

    Examples
    --------
    >>> from fastcore.monitor import Baselines
    >>> baselines = Baselines(fingerprint="this machine")
    >>> print(baselines.get("desk"))
    None
    """

    def __init__(self, path: str | Path | None = None, *, fingerprint: str | None = None) -> None:
        told = os.environ.get("FASTCORE_BASELINE_FILE", "").strip() if path is None else path
        self._path = Path(told) if told else None
        self._fingerprint = machine_fingerprint() if fingerprint is None else fingerprint
        self._held: dict[str, Any] = {}

    def get(self, service: str) -> Baseline | None:
        """Return the baseline of a service on this machine; None if none was recorded."""
        ours = self._read().get(self._fingerprint)
        body = ours.get(service) if isinstance(ours, dict) else None
        if body is None:
            return None
        try:
            made = Baseline(**body)
            if made.p50 > 0 and made.p95 >= made.p50:
                return made
        except TypeError:
            pass
        _log.warning("%s: expected a baseline of %s, found something else", self._path, service)
        return None

    def record(self, service: str, latency: SketchState, now: Callable[[], datetime] | None = None) -> Baseline:
        """Keep latencies as the service's baseline on this machine, in place of the one before.

        Raises
        ------
        ValueError
            If they are of fewer than 100 calls, or the file holds something else than baselines.
        """
        if latency[0] < _ENOUGH:
            raise ValueError(f"latency: expected {_ENOUGH} timed calls or more, got {latency[0]}")
        sketch = metrics.Sketch()
        sketch.merge(latency)
        when = datetime.now(UTC) if now is None else now()
        made = Baseline(
            service, sketch.quantile(0.5), sketch.quantile(0.95), latency[0], when.isoformat(), __version__
        )  # fmt: skip
        if self._path is None:
            self._held.setdefault(self._fingerprint, {})[service] = asdict(made)
            return made
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with locked(f"{self._path}.lock"):
            everything = self._read(strict=True)
            ours = everything.get(self._fingerprint)
            everything[self._fingerprint] = {**(ours if isinstance(ours, dict) else {}), service: asdict(made)}
            replace_private(str(self._path), f"{json.dumps(everything, indent=1)}\n".encode())
        return made

    def _read(self, strict: bool = False) -> dict[str, Any]:
        if self._path is None:
            return self._held
        try:
            body = json.loads(self._path.read_text(encoding="utf-8"))
            if isinstance(body, dict):
                return body
        except FileNotFoundError:
            return {}
        except (OSError, ValueError):
            pass
        text = f"{self._path}: expected a file of baselines, found something else"
        if strict:
            raise ValueError(text)
        _log.warning(text)
        return {}
