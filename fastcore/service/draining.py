"""Draining: SIGTERM is withheld from the server until clients, tasks and balancers have been notified."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

from fastcore.dispatch.middleware import App, Receive, Scope, Send
from fastcore.monitor import CheckResult, Health

__all__ = ["Drain", "DrainMiddleware"]

_log = logging.getLogger("fastcore.service")


class Drain:
    """Takes a server out of service before it ends.

    `/readyz` fails at once and answers ask for their connection to be closed; after `delay` seconds, in which a
    balancer notices, `work` is awaited, and then the signal goes to the server, which finishes current requests.

    Parameters
    ----------
    health : Health
    delay : float
        Seconds between the signal and `work`.
    timeout : float
        Seconds that `work` is given.
    work : callable
        Returns an awaitable; its errors are logged.
    """

    def __init__(self, health: Health, delay: float, timeout: float, work: Callable[[], Awaitable[object]]) -> None:
        self._health = health
        self._delay = delay
        self._timeout = timeout
        self._work = work
        self._reason = ""
        self._signals = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._before: Any = None
        self._running: asyncio.Task[None] | None = None
        health.check("draining", self._check)

    @property
    def draining(self) -> bool:
        return bool(self._reason) or self._health.draining

    async def _check(self) -> CheckResult:
        return CheckResult("fail", self._reason) if self._reason else CheckResult()

    def begin(self, reason: str) -> None:
        """Fail `/readyz` from now on."""
        self._reason = self._reason or reason

    def renew(self) -> None:
        """Reset: the application is started again."""
        self._reason = ""
        self._running = None

    async def run(self, reason: str) -> None:
        """Drain; concurrent and later calls wait for the same drain."""
        if self._running is None:
            self.begin(reason)
            self._running = asyncio.ensure_future(self._run())
        await asyncio.shield(self._running)

    async def _run(self) -> None:
        await asyncio.sleep(self._delay)
        try:
            async with asyncio.timeout(self._timeout):
                await self._work()
        except TimeoutError:
            _log.warning("draining was stopped after %g s", self._timeout)
        except Exception:
            _log.exception("draining failed")

    # -- the signal -------------------------------------------------------------------------------------------------

    def watch(self) -> Callable[[], None]:
        """Take SIGTERM over from the server that runs this loop; return a function that gives it back.

        Only the main thread gets signals; elsewhere this does nothing.
        """
        if threading.current_thread() is not threading.main_thread():
            return lambda: None
        self._loop = asyncio.get_running_loop()
        self._signals = 0
        self._before = signal.getsignal(signal.SIGTERM)
        ours = self._signalled
        signal.signal(signal.SIGTERM, ours)

        def restore() -> None:
            if signal.getsignal(signal.SIGTERM) == ours:
                signal.signal(signal.SIGTERM, signal.SIG_DFL if self._before is None else self._before)

        return restore

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        self._signals += 1
        if self._signals == 1 and self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(self._begin, number)
                return
            except RuntimeError:  # the loop has ended already
                pass
        self._hand_on(number)  # a second signal ends the wait

    def _begin(self, number: int) -> None:
        task = asyncio.ensure_future(self.run(signal.Signals(number).name))
        task.add_done_callback(lambda _: self._hand_on(number) if self._signals == 1 else None)

    def _hand_on(self, number: int) -> None:
        """Do what the signal did before it was taken over."""
        before = self._before
        if callable(before):
            before(number, None)
        elif before != signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)


class DrainMiddleware:
    """While the process drains, every answer says that its connection is closed: the next request goes elsewhere."""

    def __init__(self, app: App, *, drain: Drain) -> None:
        self.app = app
        self._drain = drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # In HTTP/2 the header is an error; the server's GOAWAY says the same.
        if scope["type"] != "http" or scope.get("http_version", "1.1").startswith(("2", "3")):
            await self.app(scope, receive, send)
            return
        drain = self._drain

        async def closing(message: Any) -> None:
            if drain.draining and message["type"] == "http.response.start":
                headers = [pair for pair in message.get("headers", ()) if pair[0].lower() != b"connection"]
                message = {**message, "headers": [*headers, (b"connection", b"close")]}
            await send(message)

        await self.app(scope, receive, closing)
