"""The price stream: a bar of every symbol each second, on a schedule that does not wait for slow work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from examples.market_desk.data.market import Market

__all__ = ["PERIOD", "PriceFeed"]

PERIOD = 1.0  # seconds of a bar


class PriceFeed:
    """Appends bars to a market on a thread of its own, and calls `on_bar` after each.

    Bars are due at multiples of `period` since 1970, so that separate servers have theirs at the same moments. What
    takes longer than a bar makes later ones late, not fewer; `on_bar` is called for the newest of those.
    """

    def __init__(self, market: Market, on_bar: Callable[[], object], period: float = PERIOD) -> None:
        self._market, self._on_bar, self._period = market, on_bar, period
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
        due = (time.time() // self._period + 1) * self._period
        try:
            while not self._stop.wait(max(0.0, due - time.time())):
                while due <= time.time():
                    self._market.advance(due)
                    due += self._period
                self._on_bar()
        except Exception as error:
            self.failure = error
            raise
