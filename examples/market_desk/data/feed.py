"""The price stream: a bar of every symbol each second, on a schedule that does not wait for slow work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from examples.market_desk.data.market import Market

__all__ = ["PERIOD", "PriceFeed"]

PERIOD = 1.0  # seconds of a bar
STEP = 10.0  # seconds by which the clock must have been set for the bars to go on from its new time


class PriceFeed:
    """Appends bars to a market on a thread of its own, and calls `on_bar` after each.

    Bars are due at multiples of `period` since 1970 by the clock, so that separate servers have theirs at the same
    moments. What takes longer than a bar makes later ones late, not fewer; `on_bar` is called for the newest of
    those. Where the clock was set, the bars go on from its new time.
    """

    def __init__(
        self,
        market: Market,
        on_bar: Callable[[], object],
        period: float = PERIOD,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._market, self._on_bar, self._period, self._clock = market, on_bar, period, clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="price feed", daemon=True)
        self.failure: BaseException | None = None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for it."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        clock = self._clock
        due, before = self._next(clock()), clock() - time.monotonic()
        try:
            while not self._stop.wait(min(self._period, max(0.0, due - clock()))):
                if abs(clock() - time.monotonic() - before) > STEP:
                    due, before = self._next(clock()), clock() - time.monotonic()
                moved = False
                while due <= clock():
                    self._market.advance(due)
                    due, moved = due + self._period, True
                if moved:
                    self._on_bar()
        except Exception as error:
            self.failure = error
            raise

    def _next(self, now: float) -> float:
        """Return when the next bar is due."""
        return (now // self._period + 1) * self._period
