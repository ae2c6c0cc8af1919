"""When a schedule runs, in words."""

from __future__ import annotations

import re

__all__ = ["when"]

_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("", "January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def when(definition: str) -> str:
    """Return when a schedule runs, in words; a line of cron that has none is given as it is."""
    words = definition.split()
    if definition.startswith("every ") and words[2:3] == ["s"]:
        return f"every {_interval(float(words[1]))}"
    if words[:1] == ["cron"] and len(words) > 6:
        line, zone = words[1:6], words[6]
        return f"{_line(*line) or 'cron ' + ' '.join(line)}, {zone} time"
    return definition


def _line(minute: str, hour: str, day: str, month: str, weekday: str) -> str:
    """Return a line of cron in words; nothing where that is not simple."""
    time, days = _time(minute, hour), _days(day, weekday)
    months = "" if month == "*" else _names(month, _MONTHS)
    if not time or days is None or months is None:
        return ""
    found = f"{days} {time}" if time.startswith("at") else f"{time}, {days}" if days != "every day" else time
    return f"{found} in {months}" if months else found


def _time(minute: str, hour: str) -> str:
    at = f"minute {int(minute)}" if minute.isdecimal() else ""
    every = f"every {_counted(int(minute[2:]), 'minute')}" if re.fullmatch(r"\*/\d+", minute) else ""
    every = "every minute" if minute == "*" else every
    if at and re.fullmatch(r"\d+(,\d+)*", hour):
        return "at " + _joined([f"{int(one):02}:{int(minute):02}" for one in hour.split(",")])
    if hour == "*":
        return every or (f"every hour at {at}" if at else "")
    if at and re.fullmatch(r"\*/\d+", hour):
        return f"every {_counted(int(hour[2:]), 'hour')} at {at}"
    span = re.fullmatch(r"(\d+)-(\d+)", hour)
    if span and (every or at):
        first, last = int(span[1]), int(span[2])
        ends = (0, 59) if every else (int(minute), int(minute))
        return f"{every or 'every hour'} from {first:02}:{ends[0]:02} to {last:02}:{ends[1]:02}"
    return ""


def _days(day: str, weekday: str) -> str | None:
    """Return the days; None where they are not simple."""
    if day == "*":
        return "every day" if weekday == "*" else _names(weekday, _DAYS)
    if weekday == "*" and re.fullmatch(r"\d+(,\d+)*", day):
        return f"on day {_joined([str(int(one)) for one in day.split(',')])} of the month"
    return None


def _names(field: str, names: tuple[str, ...]) -> str | None:
    """Return the names of a list or span of weekdays or months; None if it is neither."""
    parts = []
    for part in field.split(","):
        ends = [_number(end, names) for end in part.split("-")]
        if len(ends) > 2 or None in ends:
            return None
        parts.append(" to ".join(names[end] for end in ends if end is not None))
    return _joined(parts)


def _number(word: str, names: tuple[str, ...]) -> int | None:
    if word.isdecimal() and int(word) < len(names) and names[int(word)]:
        return int(word)
    short = [name[:3].lower() for name in names]
    return short.index(word.lower()) if word and word.lower() in short else None


def _joined(words: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _counted(number: int, noun: str) -> str:
    return noun if number == 1 else f"{number} {noun}s"


def _interval(seconds: float) -> str:
    parts = []
    for name, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count:g} {name}{'s' if count != 1 else ''}")
    if seconds or not parts:
        parts.append(f"{seconds:g} {'second' if seconds == 1 else 'seconds'}")
    return " ".join(parts).removeprefix("1 ") if len(parts) == 1 else " ".join(parts)
