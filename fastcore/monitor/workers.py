"""The metrics of several worker processes of one host on one page, whichever of them is asked.

Each worker writes its snapshot into a folder that all share; the one that is asked adds them up. Counters and latencies
of an ended worker stay in the sums; if they fell, Prometheus would see a restart.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import threading
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from fastcore import metrics
from fastcore._filelock import locked
from fastcore._process import start_mark
from fastcore._snapshot import Sample, Snapshot
from fastcore.dispatch.private_files import replace_private
from fastcore.monitor.labels import exported

__all__ = ["WorkerFiles"]

_GONE = "gone.json"
_made: weakref.WeakSet[WorkerFiles] = weakref.WeakSet()
_log = logging.getLogger("fastcore.monitor")


class WorkerFiles:
    """Shares the metrics of this process with the other workers of the host.

    Parameters
    ----------
    folder : path, optional
        By default ``FASTCORE_METRICS_DIR``. All workers of a service share one, and it is emptied before the service
        starts, as it holds the counters of ended workers. Only this user may be able to write to it.
    interval : float, default 1.0
        Seconds between writings: what the others show of this worker is at most that old.
    source : callable, default fastcore.metrics.snapshot

    Notes
    -----
    Counters and latencies are added up. A gauge cannot be added up without knowing what it means, so each worker's is
    shown, labelled ``worker``. A with block starts and stops the writing. After a fork the child gets a separate file
    when it starts.

    Examples
    --------
    >>> import tempfile
    >>> from fastcore import metrics
    >>> from fastcore.monitor import WorkerFiles
    >>> metrics.counter("shared_total").add()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     workers = WorkerFiles(folder)
    ...     workers.start()
    ...     everywhere = workers.gather()
    ...     workers.stop()
    >>> everywhere.get("shared_total")
    1
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        interval: float = 1.0,
        source: Callable[[], Snapshot] = metrics.snapshot,
    ) -> None:
        told = os.environ.get("FASTCORE_METRICS_DIR", "").strip() if folder is None else folder
        if not told:
            raise ValueError("folder: expected a path, here or in FASTCORE_METRICS_DIR, got none")
        if not interval > 0:
            raise ValueError(f"interval: expected a number above 0, got {interval!r}")
        self._folder = Path(told)
        self._interval = interval
        self._source = source
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._pid = 0
        self._name = ""
        _made.add(self)

    @property
    def folder(self) -> Path:
        """The folder that all workers share."""
        return self._folder

    def start(self) -> None:
        """Write this worker's metrics now, and every interval from now on."""
        with self._lock:
            if self._pid != os.getpid():  # the first time, or in the child of a fork
                self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                started = start_mark(os.getpid()) or "0"
                self._pid, self._name = os.getpid(), f"{os.getpid()}-{started}-{secrets.token_hex(4)}"
                self._thread = None
            self._write()
            if self._thread is None:
                self._stop = threading.Event()
                self._thread = threading.Thread(
                    target=self._run, args=(self._stop,), name="fastcore-metrics", daemon=True
                )
                self._thread.start()

    def stop(self) -> None:
        """Write a last time, and hand what was counted over to the workers that stay."""
        with self._lock:
            if self._thread is None or self._pid != os.getpid():
                return
            self._stop.set()
            thread, self._thread = self._thread, None
        thread.join()
        with self._lock:
            self._write()
            with locked(str(self._folder / "lock")):
                _retire(self._folder, self._folder / f"{self._name}.json")
            self._pid = 0

    def gather(self) -> Snapshot:
        """Return the metrics of all workers, this one's as they are now."""
        with self._lock:
            if self._pid != os.getpid():
                raise RuntimeError("gather: expected start() in this process first")
            self._write()
        parts: list[tuple[str, Snapshot]] = []
        with locked(str(self._folder / "lock")):
            for path in sorted(self._folder.glob("*-*.json")):
                if path.name != f"{self._name}.json" and not _lives(path):
                    _retire(self._folder, path)
            gone = _read(self._folder / _GONE)
            for path in sorted(self._folder.glob("*-*.json")):
                found = _read(path)
                if found is not None:
                    parts.append((path.name.partition("-")[0], found))
        return _together(parts, gone)

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(self._interval):
            try:
                with self._lock:
                    if not stop.is_set():
                        self._write()
            except Exception:
                _log.exception("the metrics of this worker could not be written")

    def _write(self) -> None:
        path = self._folder / f"{self._name}.json"
        replace_private(str(path), _packed(self._source().to_dict()), sync=False)  # they last as long as the workers

    def __enter__(self) -> WorkerFiles:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


def _together(parts: list[tuple[str, Snapshot]], gone: Snapshot | None) -> Snapshot:
    gauges = [
        Sample(s.name, s.kind, tuple(sorted((*exported(s.labels, "worker"), ("worker", worker)))), s.value)
        for worker, part in parts
        for s in part
        if s.kind == "gauge"
    ]
    sums = [_without_gauges(part) for _, part in parts]
    if gone is not None:
        sums.append(gone)
    workers = Sample("fastcore_workers", "gauge", (), len(parts))
    return Snapshot([*metrics.merge(sums), *gauges, workers])


def _without_gauges(part: Iterable[Sample]) -> Snapshot:
    return Snapshot(sample for sample in part if sample.kind != "gauge")


def _retire(folder: Path, path: Path) -> None:
    """Add the counts of a worker that ended to the total of ended workers; the folder's lock is held."""
    total = folder / _GONE
    done = _retired(total)  # workers already added, whose file remains because the process that added it was killed
    found = _read(path) if path.name not in done else None
    if found is not None:
        before = _read(total)
        together = metrics.merge([part for part in (before, _without_gauges(found)) if part is not None])
        names = [path.name, *(name for name in done if (folder / name).exists())]
        replace_private(str(total), _packed({**together.to_dict(), "retired": names}), sync=False)
    with contextlib.suppress(OSError):
        path.unlink()


def _packed(body: dict[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


def _retired(total: Path) -> list[str]:
    """The names of files whose counts are in the sums."""
    try:
        return [str(name) for name in json.loads(total.read_text(encoding="utf-8")).get("retired", ())]
    except (OSError, ValueError, AttributeError, TypeError):
        return []


def _read(path: Path) -> Snapshot | None:
    try:
        return Snapshot.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        _log.warning("%s: expected the metrics of a worker, found something else", path)
        return None


def _lives(path: Path) -> bool:
    pid, _, rest = path.name.partition("-")
    started, _, token = rest.partition("-")
    if not pid.isdigit() or not token:
        return False
    # A later process that has inherited the number began at another time; the clock, which may be set, is not asked.
    return start_mark(int(pid)) == started and not _is_zombie(int(pid))


def _is_zombie(pid: int) -> bool:
    import psutil

    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return True


def _after_fork() -> None:
    for files in _made:
        files._lock = threading.Lock()  # the parent's thread may have held it


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
