"""Options: how a task is run, as it was registered or as one submission has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypedDict

from fastcore._text import storable
from fastcore.concurrency.checks import count, number
from fastcore.concurrency.retry import Retry

if TYPE_CHECKING:
    from fastcore.tasks.codec import Codec

__all__ = ["Options", "RunOptions", "SubmissionOptions", "TaskOptions", "rate_of", "seconds"]

_PERIODS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class RunOptions(TypedDict, total=False):
    """How a task is run, for type checkers."""

    priority: float
    retries: int | Retry
    timeout: float | timedelta | None
    result_ttl: float | timedelta
    unique: bool | Callable[..., str]
    serial_key: str | Callable[..., str] | None


class TaskOptions(RunOptions, total=False):
    """What a task may be registered with, for type checkers."""

    name: str | None
    on: str | None
    concurrency: int | None
    rate: str | tuple[int, float] | None
    memory_limit: int | None
    codec: Codec | None


class SubmissionOptions(RunOptions, total=False):
    """What submissions may be made with, for type checkers."""

    delay: float | timedelta
    run_at: float | datetime | None
    unique_key: str | None
    idempotency_key: str | None
    fingerprint: str | None


@dataclass(frozen=True, slots=True)
class Options:
    """What `task.configure` may change, with the defaults of `queue.task`."""

    priority: float = 5.0
    retries: int | Retry = 3
    timeout: float | None = None
    result_ttl: float = 3600.0
    unique: bool | Callable[..., str] = False
    delay: float = 0.0
    run_at: float | None = None
    unique_key: str | None = None
    idempotency_key: str | None = None
    fingerprint: str | None = None
    serial_key: str | Callable[..., str] | None = None

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "priority", _finite("priority", self.priority))
        if not isinstance(self.retries, Retry):
            put(self, "retries", _retries(self.retries))
        if self.timeout is not None:
            put(self, "timeout", seconds("timeout", self.timeout))
        put(self, "result_ttl", seconds("result_ttl", self.result_ttl, zero=True))
        put(self, "delay", seconds("delay", self.delay, zero=True))
        if self.run_at is not None:
            when: Any = self.run_at
            put(self, "run_at", _finite("run_at", when.timestamp() if hasattr(when, "timestamp") else when))
        if self.unique not in (True, False) and not callable(self.unique):
            raise TypeError(f"unique: expected a bool or a callable, got {type(self.unique).__name__}")
        for name in ("unique_key", "idempotency_key", "fingerprint", "serial_key"):
            value = getattr(self, name)
            if name == "serial_key" and callable(value):
                continue
            if value is not None and not isinstance(value, str):
                raise TypeError(f"{name}: expected a str, got {type(value).__name__}")
            if value is not None and storable(value) != value:
                raise ValueError(f"{name}: expected text that can be stored as UTF-8, got {value!r}")

    def changed(self, given: Mapping[str, Any]) -> Options:
        """Return these options with some of them changed."""
        unknown = given.keys() - _NAMES
        if unknown:
            raise TypeError(f"configure: expected some of {', '.join(sorted(_NAMES))}, got {min(unknown)!r}")
        return replace(self, **given)

    @property
    def attempts(self) -> int:
        """How often a task may begin."""
        retries = self.retries
        if isinstance(retries, Retry):
            return _UNBOUNDED if retries.attempts is None else retries.attempts
        return retries + 1

    @property
    def policy(self) -> Retry:
        """When to try again; how often is the task's own count."""
        retries = self.retries
        return replace(retries, attempts=None) if isinstance(retries, Retry) else _POLICY


_POLICY = Retry(None)
_UNBOUNDED = 2**31 - 1
_NAMES = frozenset(field.name for field in fields(Options))


def seconds(name: str, value: Any, *, zero: bool = False) -> float:
    """Return a number of seconds above 0, or from 0 on; a timedelta is one too."""
    return number(name, value.total_seconds() if isinstance(value, timedelta) else value, zero=zero)


def rate_of(value: Any) -> tuple[int, float]:
    """Return calls and period of ``(10, 1.0)`` or ``"10/s"``; also per ``m``, ``h`` and ``d``."""
    if isinstance(value, str):
        calls, slash, unit = value.partition("/")
        if not (slash and unit in _PERIODS and calls.isascii() and calls.isdigit()):
            raise ValueError(f"rate: expected like '10/s', with s, m, h or d, got {value!r}")
        return count("rate", int(calls)), _PERIODS[unit]
    if not isinstance(value, tuple) or len(value) != 2:
        raise TypeError(f"rate: expected (calls, seconds) or a str like '10/s', got {type(value).__name__}")
    return count("rate", value[0]), seconds("rate", value[1])


def _finite(name: str, value: Any) -> float:
    negative = not isinstance(value, bool) and hasattr(value, "__float__") and float(value) < 0
    try:
        return -number(name, -value, zero=True) if negative else number(name, value, zero=True)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: expected a finite number, got {str(error).rpartition('got ')[2]}") from None


def _retries(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"retries: expected an int >= 0 or a Retry, got {type(value).__name__}")
    if not 0 <= value < _UNBOUNDED:
        raise ValueError(f"retries: expected an int in 0..{_UNBOUNDED - 1}, got {value}")
    return value
