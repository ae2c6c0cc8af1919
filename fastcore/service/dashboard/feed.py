"""Publishes the dashboard's figures to open pages, and collects none while no page is open."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from fastcore._threads import on_own_thread
from fastcore.service.dashboard.paced import Paced
from fastcore.service.dashboard.sections import SECTIONS
from fastcore.service.dashboard.sources import Sources
from fastcore.service.dashboard.static_files import Receive, Scope, Send
from fastcore.streaming import Hub, Limits, topic_word
from fastcore.streaming.security import Authenticate

__all__ = ["Feed"]

_log = logging.getLogger("fastcore.dashboard")
_CLIENTS = 100  # browsers at once
_PER_ADDRESS = 25  # of them from one address; a page beyond that polls every few seconds instead


class Feed:
    """A separate hub, so that the access rules of the service's hub do not apply here."""

    def __init__(self, sources: Sources, interval: float, authenticate: Authenticate | None = None) -> None:
        if not interval > 0:
            raise ValueError(f"interval: expected seconds above 0, got {interval!r}")
        self._sources = sources
        self._interval = interval
        self.hub = Hub(
            policy="conflate",
            history=1,
            limits=Limits(connections=_CLIENTS, per_address=_PER_ADDRESS),
            authenticate=authenticate,
        )
        self._paced = {name: Paced(partial(section, sources)) for name, section in SECTIONS.items()}
        self._task: asyncio.Task[None] | None = None

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one browser."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())
        await self.hub.asgi(scope, receive, send)

    async def close(self) -> None:
        """Stop, and disconnect the browsers."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self.hub.drain(grace=0.0)

    async def _run(self) -> None:
        while True:  # a browser counts only once its handshake is over, however late that is
            start = time.monotonic()
            if len(self.hub):
                await self.publish()
            await asyncio.sleep(max(0.05, self._interval - (time.monotonic() - start)))

    async def publish(self) -> None:
        """Collect the figures of open pages, and publish them."""
        for name, paced in self._paced.items():
            if self.hub.subscribers(f"dashboard.{name}") and paced.due:
                with _logged(name):
                    section = paced() if name == "streaming" else await on_own_thread(paced)  # the hub's own loop
                    found = {**section, "every": max(self._interval, paced.every)}
                    self.hub.publish(f"dashboard.{name}", found, key=name)
        for symbol in self._sources.prices.symbols():
            topic = f"dashboard.lines.{topic_word(symbol)}"
            if self.hub.subscribers(topic):
                with _logged(f"prices of {symbol}"):
                    self.hub.publish(topic, await on_own_thread(self._sources.prices.line, symbol), key=symbol)


@contextmanager
def _logged(what: str) -> Iterator[None]:
    """Log an error: one of a page does not affect the others."""
    try:
        yield
    except Exception:
        _log.exception("the dashboard's figures of %s could not be read", what)
