"""Delivers alerts: a thread and a bounded queue for each channel."""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable

from fastcore import metrics
from fastcore._text import said
from fastcore.concurrency import Retry
from fastcore.monitor.alerts import Alert
from fastcore.monitor.channels import Channel

__all__ = ["Delivery"]

_log = logging.getLogger("fastcore.monitor")
_made: weakref.WeakSet[Delivery] = weakref.WeakSet()


class Delivery:
    """One channel's queue and thread: a channel that hangs delays neither the others nor its callers.

    Parameters
    ----------
    channel : Channel
    limit : int, default 100
        Alerts that wait; further ones are dropped and counted as ``fastcore_alerts_dropped_total{channel}``.
    retry : Retry, optional
        Three attempts by default, a second apart at first.
    per_minute : int, default 30
        Alerts sent in any minute; more wait.
    """

    def __init__(
        self,
        channel: Channel,
        *,
        limit: int = 100,
        retry: Retry | None = None,
        per_minute: int = 30,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if limit < 1:
            raise ValueError(f"limit: expected an int >= 1, got {limit!r}")
        if per_minute < 1:
            raise ValueError(f"per_minute: expected an int >= 1, got {per_minute!r}")
        self.channel = channel
        self._limit, self._per_minute, self._clock = limit, per_minute, clock
        # An error that says by `permanent` that the same request will fail again is not tried again.
        self._retry = Retry(3, base=1.0, cap=10.0, give_up_on=_permanent) if retry is None else retry
        self._dropped = metrics.counter("fastcore_alerts_dropped_total", channel=channel.name)
        self._failed = metrics.counter("fastcore_alert_failures_total", channel=channel.name)
        self._sent: deque[float] = deque(maxlen=per_minute)
        self._begin()
        _made.add(self)

    def _begin(self) -> None:
        self._queue: queue.Queue[Alert | None] = queue.Queue()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Accept alerts again after :meth:`stop`; a no-op before that."""
        with self._lock:
            if self._stopping.is_set():
                self._queue, self._stopping, self._thread = queue.Queue(), threading.Event(), None

    def put(self, alert: Alert) -> bool:
        """Queue an alert; return whether there was room. Never blocks, never raises."""
        with self._lock:
            if self._stopping.is_set() or self._queue.qsize() >= self._limit:
                self._dropped.add()
                return False
            self._queue.put(alert)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run,
                    args=(self._queue, self._stopping),
                    name=f"fastcore-alerts-{self.channel.name}",
                    daemon=True,
                )
                self._thread.start()
            return True

    def close(self) -> None:
        """Accept no more alerts; waiting ones are sent."""
        with self._lock:
            if not self._stopping.is_set():
                self._stopping.set()
                self._queue.put(None)

    def stop(self, timeout: float = 5.0) -> bool:
        """Close, and wait up to `timeout` seconds; return whether every waiting alert was tried."""
        self.close()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)
            return not thread.is_alive()
        return True

    def _run(self, waiting: queue.Queue[Alert | None], stopping: threading.Event) -> None:
        while (alert := waiting.get()) is not None:
            self._pace(stopping)
            try:
                self._retry.call(self.channel.send, alert)
            except BaseException as error:  # an exit of the channel's would end the thread
                self._failed.add()
                _log.error(
                    "alert channel %s: %s was not delivered: %s", self.channel.name, alert.rule, self._said(error)
                )

    def _said(self, error: BaseException) -> str:
        """An error as text, without the secrets of the channel."""
        text = said(error)
        for secret in sorted(getattr(self.channel, "secrets", ()), key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    def _pace(self, stopping: threading.Event) -> None:
        now = self._clock()
        if len(self._sent) == self._per_minute and now - self._sent[0] < 60:
            stopping.wait(60 - (now - self._sent[0]))
        self._sent.append(self._clock())


def _permanent(error: Exception) -> bool:
    return bool(getattr(error, "permanent", False))


def _after_fork() -> None:
    for delivery in _made:
        delivery._begin()  # the thread is the parent's, and so are the alerts that waited


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
