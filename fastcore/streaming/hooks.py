"""The application's hooks for clients: a slow call does not delay other clients."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from fastcore._threads import on_own_thread
from fastcore.concurrency.checks import is_async
from fastcore.concurrency.waiting import outcome

if TYPE_CHECKING:
    from fastcore.streaming.member import Member
    from fastcore.streaming.session import Session

__all__ = ["Hook", "HookKind", "Hooks"]

Hook: TypeAlias = Callable[..., Any]
HookKind: TypeAlias = Literal["connect", "disconnect", "subscribe", "unsubscribe"]

HUNG: Final = 64  # threads of plain functions that run at once

_log = logging.getLogger("fastcore.streaming")


class Hooks:
    """Hooks by event, and the pending calls of each client, which run one after the other.

    Parameters
    ----------
    limit : float
        Seconds that a call may take.
    resume : callable
        Called with a client that has no pending calls any more.
    """

    def __init__(self, limit: float, resume: Callable[[Session], None]) -> None:
        self._limit = limit
        self._resume = resume
        self._all: dict[str, list[Hook]] = {"connect": [], "disconnect": [], "subscribe": [], "unsubscribe": []}
        self._names: dict[Session, dict[str, None]] = {}  # what a client has joined, where somebody wants to know
        self._tasks: set[asyncio.Task[None]] = set()
        self._running = 0  # threads
        self._counting = threading.Lock()
        self.untold: dict[Session, deque[tuple[HookKind, tuple[Any, ...]]]] = {}

    def add(self, kind: HookKind, fn: Hook) -> None:
        """Register `fn`."""
        if not callable(fn):
            raise TypeError(f"on_{kind}: expected a function, got {type(fn).__name__}")
        self._all[kind].append(fn)

    def has(self, kind: HookKind) -> bool:
        return bool(self._all[kind])

    # -- what happens -----------------------------------------------------------------------------------------------

    async def admit(self, member: Member) -> bool:
        """Ask the application whether to admit a client.

        Raises
        ------
        RuntimeError
            If one of the functions raised, or took too long.
        """
        for fn in self._all["connect"]:
            if await self._call(fn, member) is False:
                return False
        return True

    def joined(self, session: Session, names: list[str]) -> None:
        """Handle new subscriptions of a client."""
        if not (self.has("subscribe") or self.has("unsubscribe")):
            return
        known = self._names.setdefault(session, {})
        fresh = [name for name in names if name not in known]
        known.update(dict.fromkeys(fresh))
        if fresh:
            self._tell(session, "subscribe", fresh)

    def left(self, session: Session, names: list[str]) -> None:
        """Handle subscriptions that a client has lost."""
        known = self._names.get(session, {})
        lost = [name for name in names if known.pop(name, self) is None]
        if lost:
            self._tell(session, "unsubscribe", lost)

    def ended(self, session: Session, code: int, reason: str) -> None:
        """Handle the end of an admitted client."""
        self.left(session, list(self._names.get(session, ())))
        self._names.pop(session, None)
        self._tell(session, "disconnect", code, reason)

    def forget_all(self) -> None:
        """Drop all pending calls: their loop is closed."""
        self.untold.clear()
        self._names.clear()
        self._tasks.clear()

    # -- calling ----------------------------------------------------------------------------------------------------

    def _tell(self, session: Session, kind: HookKind, *what: Any) -> None:
        if not self._all[kind]:
            return
        told = session.member(), *what
        waiting = self.untold.get(session)
        if waiting is not None:
            waiting.append((kind, told))
            return
        self.untold[session] = deque([(kind, told)])
        try:
            task = asyncio.get_running_loop().create_task(self._run(session))
        except RuntimeError:  # the loop was closed, and the clients with it
            del self.untold[session]
            return
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, session: Session) -> None:
        waiting = self.untold[session]
        try:
            while waiting:
                kind, told = waiting.popleft()
                for fn in self._all[kind]:
                    try:
                        await self._call(fn, *told)
                    except RuntimeError:  # it is in the log
                        pass
        finally:
            self.untold.pop(session, None)
        self._resume(session)

    async def _call(self, fn: Hook, *told: Any) -> Any:
        found = await outcome(self._called(fn, told), self._limit)
        if found is None:
            _log.error("%r took longer than %g s for %r", fn, self._limit, told[0])
            raise RuntimeError("a hook took too long")
        if found.error is not None:
            _log.error("%r raised for %r", fn, told[0], exc_info=found.error)
            raise RuntimeError("a hook raised")
        return found.result

    async def _called(self, fn: Hook, told: tuple[Any, ...]) -> Any:
        if is_async(fn):
            return await fn(*told)
        with self._counting:
            if self._running >= HUNG:
                raise RuntimeError(f"expected at most {HUNG} hooks at once, got one more: they hang")
            self._running += 1
        result, error = await on_own_thread(self._plain, fn, told)
        if error is not None:
            raise error
        return await result if inspect.isawaitable(result) else result

    def _plain(self, fn: Hook, told: tuple[Any, ...]) -> tuple[Any, BaseException | None]:
        try:
            return fn(*told), None
        except BaseException as error:
            return None, error
        finally:
            with self._counting:
                self._running -= 1
