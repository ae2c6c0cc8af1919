"""A circuit breaker: a failing candidate is not called until one probe of it has succeeded."""

from __future__ import annotations

from typing import Literal

__all__ = ["Breaker"]

LOST = 120.0  # seconds after which a probe that has not come back, as when its caller was cancelled, is made again


class Breaker:
    """Closed, open, or half-open with one probe in flight. Without clocks or threads.

    Parameters
    ----------
    failures : int
        Failures in a row that open it.
    backoff, cap : float
        Seconds before the first probe; they double from probe to probe, up to `cap`.
    """

    def __init__(self, failures: int, backoff: float, cap: float) -> None:
        self.failures = failures
        self.backoff = backoff
        self.cap = cap
        self.state: Literal["closed", "open", "half-open"] = "closed"
        self.passed = 0  # probes in a row
        self.tried = 0  # probes since it opened
        self.openings = 0  # a compared call that began before the last one is no probe
        self._in_a_row = 0
        self._due = 0.0
        self._wait = backoff
        self._in_flight = False

    def failed(self, now: float, succeeded: int = 0) -> bool:
        """Record a failure after `succeeded` successful calls; return whether this one has opened the breaker."""
        self._in_a_row = 1 if succeeded > 0 else self._in_a_row + 1
        if self.state != "closed" or self._in_a_row < self.failures:
            return False
        self.open(now)
        return True

    def open(self, now: float) -> None:
        self.state = "open"
        self.openings += 1
        self.passed = self.tried = self._in_a_row = 0
        self._wait = self.backoff
        self._due = now + self._wait
        self._in_flight = False

    def close(self) -> None:
        self.state = "closed"
        self._in_a_row = 0

    def tick(self, now: float) -> bool:
        """Half-open the breaker when its wait is over; return whether that happened now."""
        lost = self.state == "half-open" and self._in_flight and now > self._due + LOST
        if not lost and (self.state != "open" or now < self._due):
            return False
        self.state = "half-open"
        self._in_flight = False
        return True

    @property
    def wants_probe(self) -> bool:
        return self.state == "half-open" and not self._in_flight

    def take_probe(self) -> bool:
        """Return whether the caller is to make the probe: true for one of them."""
        if not self.wants_probe:
            return False
        self._in_flight = True
        return True

    def probed(self, passed: bool, now: float) -> None:
        """Record the probe's outcome; the breaker stays open, and the next probe comes after twice the time."""
        self.tried += 1
        self.passed = self.passed + 1 if passed else 0
        self._wait = min(self._wait * 2, self.cap)
        self._due = now + self._wait
        self._in_flight = False
        self.state = "open"
