"""MemoryWatch: fires when too much memory has been in use for too long, and frees memory."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from fastcore import metrics
from fastcore.memory.shrinkers import Shrunk, shrink
from fastcore.memory.usage import MemoryUsage, memory_usage

__all__ = ["Alarm", "MemoryWatch"]

State = Literal["ok", "pending", "firing"]
Change = Literal["fired", "cleared"]

_log = logging.getLogger("fastcore.memory")


class Alarm:
    """Fires when a level has been above a threshold for long enough, and clears when it is below another one.

    It has no clock and no thread: each reading comes with its time.

    Parameters
    ----------
    threshold : float
        It is pending from here on.
    clear : float
        Below this a firing alarm ends.
    seconds : float
        How long the level must not fall below `threshold` before the alarm fires.

    Examples
    --------
    >>> from fastcore.memory import Alarm
    >>> alarm = Alarm(threshold=0.85, clear=0.8, seconds=30)
    >>> alarm.update(now=0, level=0.9)
    >>> alarm.update(now=30, level=0.9)
    'fired'
    >>> alarm.update(now=60, level=0.5)
    'cleared'
    """

    def __init__(self, threshold: float, clear: float, seconds: float) -> None:
        if not 0 < threshold <= 1:
            raise ValueError(f"threshold: expected a number above 0 and up to 1, got {threshold!r}")
        if not 0 <= clear <= threshold:
            raise ValueError(f"clear: expected a number from 0 to threshold ({threshold:g}), got {clear!r}")
        if not seconds >= 0:
            raise ValueError(f"seconds: expected a number >= 0, got {seconds!r}")
        self.threshold, self.clear, self.seconds = float(threshold), float(clear), float(seconds)
        self.state: State = "ok"
        self._since = 0.0

    def update(self, now: float, level: float) -> Change | None:
        """Take a reading; return what changed."""
        if self.state == "firing":
            if level < self.clear:
                self.state = "ok"
                return "cleared"
            return None
        if level < self.threshold:
            self.state = "ok"
            return None
        if self.state == "ok":
            self.state, self._since = "pending", now
        if now - self._since >= self.seconds:
            self.state = "firing"
            return "fired"
        return None


class MemoryWatch:
    """Watches the memory available to this process, and acts when it runs short.

    Parameters
    ----------
    threshold : float, default 0.85
        The share of the memory in use at which it fires, if it lasts for `seconds`.
    clear : float, default 0.80
        Below this it is over.
    seconds : float, default 30
    interval : float, default 2
        Seconds between readings.
    act : bool, default True
        Whether it shrinks caches and everything registered, and collects garbage, when it fires and every `repeat`
        seconds while it lasts; otherwise it only reports.
    keep : float, default 0.5
        As of :func:`shrink`.
    repeat : float, default 60
    on_fire, on_clear : callable, optional
        Called with the reading, on the watch's thread. Their errors are logged.
    root : path, default "/"
        As of :func:`memory_usage`.
    clock : callable, default time.monotonic

    Notes
    -----
    A with block starts and stops it. Without a thread, :meth:`poll` takes one reading. After a fork the child has no
    thread: start it there.

    Examples
    --------
    >>> from fastcore.memory import MemoryWatch
    >>> watch = MemoryWatch(threshold=0.9, on_fire=lambda usage: print(usage.fraction))
    >>> watch.start()                                # a thread that reads every 2 seconds
    >>> watch.stop()
    """

    def __init__(
        self,
        threshold: float = 0.85,
        clear: float = 0.80,
        seconds: float = 30.0,
        *,
        interval: float = 2.0,
        act: bool = True,
        keep: float = 0.5,
        repeat: float = 60.0,
        on_fire: Callable[[MemoryUsage], object] | None = None,
        on_clear: Callable[[MemoryUsage], object] | None = None,
        root: str | Path = "/",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._alarm = Alarm(threshold, clear, seconds)
        if not interval > 0:
            raise ValueError(f"interval: expected a number above 0, got {interval!r}")
        if not 0 <= keep <= 1:
            raise ValueError(f"keep: expected a number from 0 to 1, got {keep!r}")
        if not repeat > 0:
            raise ValueError(f"repeat: expected a number above 0, got {repeat!r}")
        self._interval, self._act, self._keep, self._repeat = interval, act, keep, repeat
        self._on_fire, self._on_clear = on_fire, on_clear
        self._root, self._clock = root, clock
        self._acted = 0.0
        self._polling = threading.Lock()
        self._lifecycle = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.usage: MemoryUsage | None = None
        self.shrunk: Shrunk | None = None

    @property
    def state(self) -> State:
        """``ok``, ``pending`` (too much, not yet for long enough) or ``firing``."""
        return self._alarm.state

    @property
    def threshold(self) -> float:
        """The share of the memory in use at which it fires."""
        return self._alarm.threshold

    @property
    def clear(self) -> float:
        """The share below which it clears."""
        return self._alarm.clear

    def poll(self) -> MemoryUsage:
        """Take one reading, and act on it."""
        with self._polling:
            now, usage = self._clock(), memory_usage(self._root)
            self.usage = usage
            change = self._alarm.update(now, usage.fraction)
            metrics.gauge("fastcore_memory_usage_ratio").set(usage.fraction)
            metrics.gauge("fastcore_memory_limit_bytes").set(usage.limit)
            metrics.gauge("fastcore_memory_alert").set(float(self._alarm.state == "firing"))
            text = f"{usage.fraction:.1%} of {usage.limit:,} bytes in use ({usage.source})"
            if change == "fired":
                metrics.counter("fastcore_memory_alerts_total").add()
                _log.warning("memory is short: %s", text)
                self._tell(self._on_fire, usage)
            elif change == "cleared":
                _log.info("memory is no longer short: %s", text)
                self._tell(self._on_clear, usage)
            due = change == "fired" or now - self._acted >= self._repeat
            if self._act and self._alarm.state == "firing" and due:
                self._acted = now
                self.shrunk = shrink(self._keep)
            return usage

    def _tell(self, callback: Callable[[MemoryUsage], object] | None, usage: MemoryUsage) -> None:
        if callback is None:
            return
        try:
            callback(usage)
        except KeyboardInterrupt:
            raise
        except BaseException:  # an exit would end the thread
            _log.exception("a callback of the memory watch raised")

    def start(self) -> None:
        """Take readings on a thread from now on; nothing happens if it does already."""
        with self._lifecycle:
            if self._thread is not None and self._thread.is_alive():
                return
            self._stop = threading.Event()
            self._thread = threading.Thread(target=self._run, args=(self._stop,), name="fastcore-memory", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it."""
        with self._lifecycle:
            self._stop.set()
            thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(self._interval):
            try:
                self.poll()
            except Exception:
                _log.exception("the memory watch could not take a reading")

    def __enter__(self) -> MemoryWatch:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
