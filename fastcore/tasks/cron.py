"""Cron: the times that a cron line names."""

from __future__ import annotations

import calendar
from bisect import bisect_right
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
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
_DAY = timedelta(days=1)
_REMEMBERED = 7  # days whose times are kept
_YEARS = 9  # a 29 February may be eight years away


class _Field(NamedTuple):
    name: str
    low: int
    high: int
    words: dict[str, int]
    round: int = 0
    """After how many values it begins again, where a range may go past the end; in others such a range is a slip."""


_FIELDS = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}, 24),
    _Field("day of month", 1, 31, {}),
    _Field("month", 1, 12, _MONTHS, 12),
    _Field("day of week", 0, 7, _DAYS, 7),
)


class Cron:
    """A cron line: minute, hour, day of month, month, day of week.

    Parameters
    ----------
    line : str
        Five fields of ``*``, numbers, ranges ``1-5``, steps ``*/15``, lists ``1,3,5``, names ``mon`` and ``jan``; or
        ``@hourly``, ``@daily``, ``@weekly``, ``@monthly``, ``@yearly``. Sunday is 0 and 7. Ranges of hours, months and
        days of the week may go past the end: ``22-2``, ``nov-feb``, ``fri-mon``, ``mon-sun``. Where both days are
        given, either will do, as in every cron.
    tz : str, default "UTC"
        The zone in which the clock on the wall shows these times.

    Notes
    -----
    A change of clocks is treated as Vixie's cron and cronie treat it. A line whose minute or hour begins with ``*``, or
    names all of its values, is an interval: it fires whenever the clock shows such a time, so it goes on in a repeated
    hour, and in a skipped one there is nothing to fire. Any other line names fixed times, each once: a time that is
    repeated fires the first time, and a time that is skipped fires as much later as the clocks went forward.

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
        self._times = [3600.0 * hour + 60.0 * minute for hour in sets[1] for minute in sets[0]]
        self._days, self._months = sets[2], sets[3]
        self._weekdays = {day % 7 for day in sets[4]}
        self._either = not parts[2].startswith("*") and not parts[4].startswith("*")
        self._interval = any(
            part.startswith("*") or len(found) > field.high
            for part, found, field in zip(parts[:2], sets[:2], _FIELDS[:2], strict=True)
        )
        self._made: dict[date, list[float]] = {}
        first = date(2000, 1, 1)
        if not any(self._is_day(first + timedelta(days=n)) for n in range(366 * _YEARS)):
            raise ValueError(f"cron: expected a line that names some day, got {line!r}")

    def __repr__(self) -> str:
        return f"Cron({self.line!r}, {self.tz!r})"

    @property
    def text(self) -> str:
        """The line and the zone, the same for every spelling in which only the case differs."""
        return f"cron {self.line.lower()} {self.tz}"

    def after(self, now: float) -> float:
        """Return the first time after `now`, in seconds since the epoch."""
        day = self._day(now) - _DAY
        while True:
            if self._is_day(day):
                # The next day too: a time that is skipped before midnight may come after one of its times.
                later = [
                    times[i]
                    for times in map(self._on, (day, day + _DAY))
                    if (i := bisect_right(times, now)) < len(times)
                ]
                if later:
                    return min(later)
            day += _DAY

    def latest(self, slot: float, now: float) -> float:
        """Return the last time up to `now`, or `slot` if there is none after it."""
        day = self._day(now) + _DAY
        until = self._day(slot) - _DAY
        while day >= until:
            past = [times[i - 1] for times in map(self._on, (day, day - _DAY)) if (i := bisect_right(times, now))]
            if past:
                return max(slot, *past)
            day -= _DAY
        return slot

    def _day(self, at: float) -> date:
        return datetime.fromtimestamp(at, self._zone).date()

    def _on(self, day: date) -> list[float]:
        """Return the times of a day on the wall, in order."""
        found = self._made.get(day)
        if found is None:
            if len(self._made) > _REMEMBERED:
                self._made.clear()
            found = self._made[day] = sorted(self._make(day)) if self._is_day(day) else []
        return found

    def _make(self, day: date) -> Iterable[float]:
        start = datetime.combine(day, time())
        ends = {(start + n * _DAY).replace(tzinfo=self._zone).utcoffset() for n in (0, 1)}
        if len(ends) == 1:
            midnight = start.replace(tzinfo=self._zone).timestamp()
            return [midnight + at for at in self._times]
        found: set[float] = set()
        for at in self._times:
            wall = start + timedelta(seconds=at)
            first = wall.replace(tzinfo=self._zone)
            if not self._interval:
                found.add(first.timestamp())
            elif self._shows(first.timestamp(), wall):
                found.update((first.timestamp(), first.replace(fold=1).timestamp()))
        return found

    def _shows(self, at: float, wall: datetime) -> bool:
        """Whether the clock on the wall shows this time then: not if a change of clocks skips it."""
        return datetime.fromtimestamp(at, self._zone).replace(tzinfo=None) == wall

    def _is_day(self, day: date) -> bool:
        if day.month not in self._months:
            return False
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
            every = _digits(step) if slash else 1
            if span == "*":
                low, high = field.low, field.high
            else:
                first, dash, last = span.partition("-")
                low = _number(first, field)
                high = _number(last, field) if dash else (field.high if slash else low)
        except ValueError:
            raise _refusal(field, text, line) from None
        if low > high:  # past the end, and on from the beginning
            high += field.round
        if every < 1 or low > high:
            raise _refusal(field, text, line)
        found.update(n if n <= field.high else n - field.round for n in range(low, high + 1, every))
    return found


def _number(text: str, field: _Field) -> int:
    found = field.words[text] if text in field.words else _digits(text)
    if not field.low <= found <= field.high:
        raise ValueError(text)
    return found


def _digits(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(text)
    return int(text)


def _refusal(field: _Field, text: str, line: str) -> ValueError:
    return ValueError(f"cron: expected a {field.name} in {field.low}..{field.high}, got {text!r} in {line!r}")
