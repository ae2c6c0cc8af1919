"""Is the process alive, is it ready: checks, and the two endpoints that orchestrators ask."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from fastcore import metrics
from fastcore._asgi import local_path
from fastcore._text import said
from fastcore._threads import on_own_thread
from fastcore._version import __version__
from fastcore.dispatch import flags
from fastcore.dispatch.middleware import Receive, Scope, Send
from fastcore.memory.wrapping import is_async
from fastcore.monitor.alerts import plain

__all__ = ["CheckResult", "Health", "HealthApp", "HealthReport", "rolled_back"]

Status = Literal["pass", "warn", "fail"]
Check = Callable[[], Any]

_RANK: dict[str, int] = {"pass": 0, "warn": 1, "fail": 2}
_log = logging.getLogger("fastcore.monitor")


@dataclass(frozen=True)
class CheckResult:
    """The result of a check.

    Attributes
    ----------
    status : {'pass', 'warn', 'fail'}
        ``warn`` is shown and does not take the process out of service.
    output : str
        Why, for people.
    value : object
        What was measured, if anything; JSON must be able to hold it.

    Examples
    --------
    >>> from fastcore.monitor import CheckResult
    >>> CheckResult("warn", "the feed is late", value=12.5).status
    'warn'
    """

    status: Status = "pass"
    output: str = ""
    value: Any = None


@dataclass(frozen=True)
class HealthReport:
    """All checks at one moment.

    Examples
    --------
    >>> import asyncio
    >>> from fastcore.monitor import Health
    >>> health = Health()
    >>> remove = health.check("feed", lambda: "fail")
    >>> report = asyncio.run(health.ready())
    >>> report.status, report.checks["feed"].status
    ('fail', 'fail')
    """

    status: Status
    checks: dict[str, CheckResult] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return it in the form of ``application/health+json`` (draft-inadarei-api-health-check-06)."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        checks = {}
        for name, result in self.checks.items():
            entry: dict[str, Any] = {"componentType": "component", "status": result.status, "time": now}
            if result.output:
                entry["output"] = result.output
            if result.value is not None:
                entry["observedValue"] = result.value
            checks[name] = [entry]
        return {"status": self.status, "releaseId": __version__, "serviceId": "fastcore", "checks": checks}


def rolled_back() -> CheckResult:
    """Warn while a flag is rolled back and the control serves."""
    found = [
        f"{name}: {flag.reason}" if flag.reason else name for name, flag in flags.snapshot().items() if flag.rolled_back
    ]
    return CheckResult("warn", "; ".join(found), len(found)) if found else CheckResult("pass", value=0)


class Health:
    """The named checks of a process, and whether it is draining.

    A check is a callable, plain or async, that returns a :class:`CheckResult`, one of ``pass``, ``warn`` and ``fail``,
    a bool, or None for pass. One that raises or takes longer than `timeout` seconds fails. Plain ones run on a thread;
    one that hangs is not called again before it has returned.

    Examples
    --------
    >>> import asyncio
    >>> from fastcore.monitor import Health
    >>> health = Health()
    >>> remove = health.check("database", lambda: True)
    >>> asyncio.run(health.ready()).status
    'pass'
    """

    def __init__(self, *, timeout: float = 2.0) -> None:
        if not timeout > 0:
            raise ValueError(f"timeout: expected a number above 0, got {timeout!r}")
        self._timeout = timeout
        self._lock = threading.Lock()
        self._checks: dict[str, Check] = {"flags": rolled_back}
        self._draining = ""
        self._under_way: dict[str, asyncio.Future[Any]] = {}

    def check(self, name: str, check: Check) -> Callable[[], None]:
        """Add a check, replacing one of the same name; return a function that removes it."""
        if not isinstance(name, str) or not name:
            raise TypeError(f"name: expected a str that is not empty, got {name!r}")
        if not callable(check):
            raise TypeError(f"check: expected a callable, got {type(check).__name__}")
        with self._lock:
            self._checks = {**self._checks, name: check}

        def remove() -> None:
            with self._lock:
                self._checks = {n: c for n, c in self._checks.items() if c is not check}

        return remove

    def drain(self, reason: str = "shutting down") -> None:
        """Fail ``/readyz`` from now on, so that no new work is sent here."""
        self._draining = reason or "draining"

    @property
    def draining(self) -> bool:
        return bool(self._draining)

    def live(self) -> HealthReport:
        """Return whether the process answers, which it does."""
        return HealthReport("pass")

    async def ready(self) -> HealthReport:
        """Run every check, all at once, and return what they found."""
        checks = self._checks
        found = await asyncio.gather(*(self._run(name, check) for name, check in checks.items()))
        results = dict(zip(checks, found))
        if self._draining:
            results["draining"] = CheckResult("fail", self._draining)
        for name, result in results.items():
            metrics.gauge("fastcore_health", check=name).set(_RANK[result.status])
        statuses: list[Status] = [result.status for result in results.values()]
        worst: Status = max(statuses, key=lambda status: _RANK[status])
        return HealthReport(worst, results)

    async def _run(self, name: str, check: Check) -> CheckResult:
        try:
            async with asyncio.timeout(self._timeout):
                if is_async(check):
                    return _result(await check())
                running = self._under_way.get(name)
                if running is not None and not running.done():
                    return CheckResult("fail", "its last call has not returned yet")
                # Its own task: a timeout ends the waiting, and what hangs holds one thread, not one more a request.
                running = self._under_way[name] = asyncio.ensure_future(on_own_thread(_answered, name, check))
                return _result(await asyncio.shield(running))
        except TimeoutError:
            return CheckResult("fail", f"no answer within {self._timeout:g} s")
        except BaseException as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise
            return _failed(name, error)


def _answered(name: str, check: Check) -> Any:
    try:
        return check()
    except BaseException as error:  # an exit that reaches the loop would end the server
        return _failed(name, error)


def _failed(name: str, error: BaseException) -> CheckResult:
    if isinstance(error, KeyboardInterrupt):
        raise error
    _log.error("the health check %s raised %s", name, said(error), exc_info=error)
    return CheckResult("fail", said(error))


def _result(answer: Any) -> CheckResult:
    if isinstance(answer, CheckResult):
        return answer if answer.status in _RANK else CheckResult("fail", f"unknown status {answer.status!r}")
    if answer is None or answer is True:
        return CheckResult()
    if answer is False:
        return CheckResult("fail")
    if isinstance(answer, str) and answer in _RANK:
        return CheckResult(answer)  # type: ignore[arg-type]
    return CheckResult("fail", f"expected pass, warn, fail, a bool or a CheckResult, got {answer!r}")


class HealthApp:
    """``app.mount("/", HealthApp(health))``, or its paths on the routes of the application.

    ``GET /livez`` says that the process answers; ``GET /readyz`` runs the checks: 200 for pass and warn, 503 for fail.

    Examples
    --------
    >>> from starlette.applications import Starlette
    >>> from fastcore.monitor import Health, HealthApp
    >>> app = Starlette()
    >>> app.mount("/health", HealthApp(Health()))      # /health/livez and /health/readyz
    """

    def __init__(self, health: Health) -> None:
        self.health = health

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"HealthApp: expected an http scope, got {scope['type']}")
        path = local_path(scope)
        if scope["method"] not in ("GET", "HEAD"):
            await answer(scope, send, 405, b"", "text/plain", (("allow", "GET, HEAD"),))
        elif path == "/livez":
            await self._report(scope, send, self.health.live())
        elif path == "/readyz":
            await self._report(scope, send, await self.health.ready())
        else:
            await answer(scope, send, 404, b"not found\n", "text/plain; charset=utf-8")

    async def _report(self, scope: Scope, send: Send, report: HealthReport) -> None:
        body = json.dumps(plain(report.to_dict()), default=str).encode()
        status = 503 if report.status == "fail" else 200
        await answer(scope, send, status, body, "application/health+json")


async def answer(
    scope: Scope, send: Send, status: int, body: bytes, content_type: str, headers: tuple[tuple[str, str], ...] = ()
) -> None:
    """Send a whole HTTP answer that no cache keeps."""
    pairs = (
        ("content-type", content_type),
        ("content-length", str(len(body))),
        ("cache-control", "no-store"),
        *headers,
    )
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
