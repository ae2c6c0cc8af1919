"""Cron: the times that a cron line names."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

__all__ = ["Cron"]

_NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS = {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
_YEARS = 9  # a 29 February may be eight years away


class _Field(NamedTuple):
    name: str
    low: int
    high: int
    words: dict[str, int]


_FIELDS = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of month", 1, 31, {}),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 7, _DAYS),
)


class Cron:
    """A cron line: minute, hour, day of month, month, day of week.

    Parameters
    ----------
    line : str
        Five fields of ``*``, numbers, ranges ``1-5``, steps ``*/15``, lists ``1,3,5``, names ``mon`` and ``jan``; or
        ``@hourly``, ``@daily``, ``@weekly``, ``@monthly``, ``@yearly``. Sunday is 0 and 7. Where both days are given,
        either will do, as in every cron.
    tz : str, default "UTC"
        The zone in which the clock on the wall shows these times.

    Notes
    -----
    A time that a change of clocks skips comes as much later as the clocks went forward; one that it repeats comes once,
    the first time.

    Examples
    --------
    >>> Cron("30 9 * * mon-fri", "America/New_York").after(1772000000.0)
    1772029800.0
    """

    def __init__(self, line: str, tz: str = "UTC") -> None:
        if not isinstance(line, str):
            raise TypeError(f"cron: expected a str, got {type(line).__name__}")
        parts = _NAMED.get(line.strip().lower(), line).split()
        if len(parts) != len(_FIELDS):
            raise ValueError(f"cron: expected five fields or one of {', '.join(_NAMED)}, got {line!r}")
        self.line = " ".join(parts)
        self.tz = tz
        self._zone = _zone(tz)
        sets = [_parse(part, field, line) for part, field in zip(parts, _FIELDS, strict=True)]
        self._minutes, self._hours = sorted(sets[0]), sorted(sets[1])
        self._days, self._months = sets[2], sets[3]
        self._weekdays = {day % 7 for day in sets[4]}
        self._either = not parts[2].startswith("*") and not parts[4].startswith("*")
        if self._next(datetime(2000, 1, 1)) is None:
            raise ValueError(f"cron: expected a line that names some day, got {line!r}")

    def __repr__(self) -> str:
        return f"Cron({self.line!r}, {self.tz!r})"

    def after(self, now: float) -> float:
        """Return the first time after `now`, in seconds since the epoch."""
        wall = datetime.fromtimestamp(now, self._zone).replace(tzinfo=None, fold=0)
        while True:
            found = self._next(wall)
            assert found is not None
            at = found.replace(tzinfo=self._zone).timestamp()
            if at > now:
                return at
            wall = found  # the hour that a change of clocks repeats, for the second time

    def _next(self, wall: datetime) -> datetime | None:
        """Return the first time on the wall after a time on the wall."""
        first = wall.replace(second=0, microsecond=0) + timedelta(minutes=1)
        day = first.replace(hour=0, minute=0)
        for _ in range(366 * _YEARS):
            if day.month in self._months and self._is_day(day):
                for hour in self._hours:
                    for minute in self._minutes:
                        found = day.replace(hour=hour, minute=minute)
                        if found >= first:
                            return found
            day += timedelta(days=1)
        return None

    def _is_day(self, day: datetime) -> bool:
        by_month = day.day in self._days
        by_week = day.isoweekday() % 7 in self._weekdays
        return by_month or by_week if self._either else by_month and by_week


def _zone(tz: str) -> tzinfo:
    if tz == "UTC":  # also where there is no database of zones
        return UTC
    try:
        return ZoneInfo(tz)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise ValueError(f"tz: expected the name of a time zone that is known here, got {tz!r}") from None


def _parse(text: str, field: _Field, line: str) -> set[int]:
    found: set[int] = set()
    for part in text.lower().split(","):
        span, slash, step = part.partition("/")
        try:
            every = int(step) if slash else 1
            if span == "*":
                low, high = field.low, field.high
            else:
                first, dash, last = span.partition("-")
                low = _number(first, field)
                high = _number(last, field) if dash else (field.high if slash else low)
        except ValueError:
            raise _refusal(field, text, line) from None
        if every < 1 or not field.low <= low <= high <= field.high:
            raise _refusal(field, text, line)
        found.update(range(low, high + 1, every))
    return found


def _number(text: str, field: _Field) -> int:
    if text in field.words:
        return field.words[text]
    if not (text.isascii() and text.isdigit()):
        raise ValueError(text)
    return int(text)


def _refusal(field: _Field, text: str, line: str) -> ValueError:
    return ValueError(f"cron: expected a {field.name} in {field.low}..{field.high}, got {text!r} in {line!r}")
