"""Cron lines: which times they name, where clocks change too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcore.tasks.cron import Cron


def times(line: str, tz: str, since: datetime, n: int) -> list[str]:
    """The next `n` times, on the zone's clock with its offset."""
    cron = Cron(line, tz)
    now = since.timestamp()
    found = []
    for _ in range(n):
        now = cron.after(now)
        found.append(datetime.fromtimestamp(now, ZoneInfo(tz)).isoformat(timespec="minutes"))
    return found


def utc(*fields: int) -> datetime:
    return datetime(*fields, tzinfo=UTC)  # type: ignore[arg-type, misc]


class TestLines:
    @pytest.mark.parametrize(
        ("line", "since", "expected"),
        [
            ("*/15 * * * *", (2026, 1, 1, 0, 7), ["2026-01-01T00:15", "2026-01-01T00:30", "2026-01-01T00:45"]),
            ("5/20 3 * * *", (2026, 1, 1), ["2026-01-01T03:05", "2026-01-01T03:25", "2026-01-01T03:45"]),
            ("0 9-17/4 * * *", (2026, 1, 1), ["2026-01-01T09:00", "2026-01-01T13:00", "2026-01-01T17:00"]),
            ("0 0 31 * *", (2026, 1, 31, 0, 0), ["2026-03-31T00:00", "2026-05-31T00:00", "2026-07-31T00:00"]),
            ("59 23 28-31 2 *", (2027, 2, 1), ["2027-02-28T23:59", "2028-02-28T23:59", "2028-02-29T23:59"]),
            ("0 0 29 2 *", (2096, 3, 1), ["2104-02-29T00:00"]),  # 2100 is no leap year
            ("0 12 1,15 jan,JUL *", (2026, 1, 2), ["2026-01-15T12:00", "2026-07-01T12:00", "2026-07-15T12:00"]),
            ("30 9 * * mon-fri", (2026, 2, 27, 9, 30), ["2026-03-02T09:30"]),
            ("0 0 * * 7", (2026, 3, 1), ["2026-03-08T00:00", "2026-03-15T00:00"]),
            ("0 0 13 * fri", (2026, 3, 1), ["2026-03-06T00:00", "2026-03-13T00:00", "2026-03-20T00:00"]),  # either day
            ("0 0 */10 * fri", (2026, 5, 1), ["2026-07-31T00:00"]),  # both, after a star
            ("0 9 * * mon-sun", (2026, 3, 6, 9), ["2026-03-07T09:00", "2026-03-08T09:00", "2026-03-09T09:00"]),
            ("0 9 * * fri-mon", (2026, 3, 6, 9), ["2026-03-07T09:00", "2026-03-08T09:00", "2026-03-09T09:00"]),
            ("0 9 * * fri-mon", (2026, 3, 9, 9), ["2026-03-13T09:00"]),
            ("0 9 * * FRI-MON/2", (2026, 3, 6, 9), ["2026-03-08T09:00", "2026-03-13T09:00"]),
            ("0 9 * * 6-1", (2026, 3, 6), ["2026-03-07T09:00", "2026-03-08T09:00", "2026-03-09T09:00"]),
            ("0 9 * * 7-1", (2026, 3, 6), ["2026-03-08T09:00", "2026-03-09T09:00", "2026-03-15T09:00"]),
            ("0 9 * * sat-7", (2026, 3, 6), ["2026-03-07T09:00", "2026-03-08T09:00", "2026-03-14T09:00"]),
            ("0 22-2/2 * * *", (2026, 3, 6, 1), ["2026-03-06T02:00", "2026-03-06T22:00", "2026-03-07T00:00"]),
            ("0 0 1 Nov-feb *", (2026, 3, 6), ["2026-11-01T00:00", "2026-12-01T00:00", "2027-01-01T00:00"]),
            ("0 0 1 oct-jan/3 *", (2026, 3, 6), ["2026-10-01T00:00", "2027-01-01T00:00", "2027-10-01T00:00"]),
            ("0 0 1 dec-dec *", (2026, 3, 6), ["2026-12-01T00:00"]),
            ("@daily", (2026, 12, 31, 12), ["2027-01-01T00:00"]),
            ("@hourly", (2026, 12, 31, 23, 59), ["2027-01-01T00:00"]),
            ("@weekly", (2026, 3, 2), ["2026-03-08T00:00"]),
            ("@monthly", (2026, 3, 2), ["2026-04-01T00:00"]),
            ("@yearly", (2026, 3, 2), ["2027-01-01T00:00"]),
        ],
    )
    def test_cron_lines_name_these_times(self, line: str, since: tuple[int, ...], expected: list[str]) -> None:
        assert times(line, "UTC", utc(*since), len(expected)) == [f"{text}+00:00" for text in expected]

    @pytest.mark.parametrize(
        ("line", "text"),
        [
            ("* * * *", "expected five fields or one of @yearly"),
            ("@often", "expected five fields"),
            ("60 * * * *", "expected a minute in 0..59, got '60' in '60 "),
            ("* 24 * * *", "expected a hour in 0..23"),
            ("* * 0 * *", "expected a day of month in 1..31"),
            ("* * * 13 *", "expected a month in 1..12"),
            ("* * * * 8", "expected a day of week in 0..7"),
            ("*/0 * * * *", "expected a minute"),
            ("5-1 * * * *", "expected a minute"),
            ("* 22-30 * * *", "expected a hour"),
            ("* 30-2 * * *", "expected a hour"),
            ("* * 28-3 * *", "expected a day of month"),
            ("* * * 13-2 *", "expected a month"),
            ("* * * * fri-8", "expected a day of week"),
            ("* * * * mon-", "expected a day of week"),
            ("* * * * mon#1", "expected a day of week"),
            ("* * L * *", "expected a day of month"),
            ("*/+5 * * * *", "expected a minute"),
            ("*/ * * * *", "expected a minute"),
            ("-5 * * * *", "expected a minute"),
            ("1,,2 * * * *", "expected a minute"),
            ("\u0663 * * * *", "expected a minute"),
            ("* * * march *", "expected a month"),
            ("0 0 31 2 *", "expected a line that names some day"),
            ("0 0 31 4,6,9,11 *", "expected a line that names some day"),
        ],
    )
    def test_invalid_cron_lines_are_refused(self, line: str, text: str) -> None:
        with pytest.raises(ValueError, match="cron: ") as caught:
            Cron(line)
        assert text in str(caught.value)

    def test_non_text_and_unknown_zones_are_refused(self) -> None:
        with pytest.raises(TypeError, match="cron: expected a str, got int"):
            Cron(5)  # type: ignore[arg-type]
        for tz in ("Mars/Olympus", "../../etc/passwd", "", 5):
            with pytest.raises(ValueError, match="tz: expected the name of a time zone"):
                Cron("@daily", tz)  # type: ignore[arg-type]


class TestChangesOfClocks:
    def test_a_time_skipped_by_a_clock_change_fires_later(self) -> None:
        assert times("30 2 * * *", "America/New_York", utc(2026, 3, 7, 12), 2) == [
            "2026-03-08T03:30-04:00",
            "2026-03-09T02:30-04:00",
        ]
        assert times("15 2 * * *", "Australia/Lord_Howe", utc(2026, 10, 3, 0), 1) == ["2026-10-04T02:45+11:00"]

    def test_a_time_repeated_by_a_clock_change_fires_once(self) -> None:
        assert times("30 1 * * *", "America/New_York", utc(2026, 10, 31, 12), 2) == [
            "2026-11-01T01:30-04:00",
            "2026-11-02T01:30-05:00",
        ]
        # asked during the second time round
        assert times("30 1 * * *", "America/New_York", utc(2026, 11, 1, 6, 10), 1) == ["2026-11-02T01:30-05:00"]

    def test_every_hour_of_the_day_that_lacks_one(self) -> None:
        cron = Cron("0 * * * *", "Europe/Berlin")
        now = utc(2026, 3, 28, 22, 30).timestamp()
        found = []
        for _ in range(5):
            now = cron.after(now)
            found.append(datetime.fromtimestamp(now, UTC).hour)
        assert found == [23, 0, 1, 2, 3]  # none twice, none missing

    @pytest.mark.parametrize(
        "tz", ["America/New_York", "Europe/London", "Australia/Lord_Howe", "America/Santiago", "Asia/Beirut", "UTC"]
    )
    @pytest.mark.parametrize("at", ["0 0", "30 1", "30 2", "59 23"])
    def test_a_daily_line_fires_once_a_day(self, tz: str, at: str) -> None:
        cron = Cron(f"{at} * * *", tz)
        now = utc(2026, 1, 1, 12).timestamp()
        zone = ZoneInfo(tz)
        day = datetime.fromtimestamp(cron.after(now), zone).date()
        for _ in range(730):
            later = cron.after(now)
            assert later > now
            assert datetime.fromtimestamp(later, zone).date() == day
            now, day = later, day + timedelta(days=1)


def shown(line: str, tz: str, since: datetime, until: datetime) -> list[str]:
    """The times that a line fires at, as the zone's clock shows them with its offset."""
    cron, now, found = Cron(line, tz), since.timestamp(), []
    while (now := cron.after(now)) <= until.timestamp():
        found.append(datetime.fromtimestamp(now, ZoneInfo(tz)).strftime("%H:%M%z"))
    return found


def by_minutes(line: str, tz: str, since: datetime, until: datetime) -> list[str]:
    """The same of a line with a star, by going through the minutes as cronie does: it looks at the clock in each."""
    minute, hour = line.split()[:2]
    zone = ZoneInfo(tz)
    found = []
    at = since.astimezone(UTC).replace(second=0) + timedelta(minutes=1)
    while at <= until:
        wall = at.astimezone(zone)
        if all(
            value % int(text[2:] or 1) == 0 if text.startswith("*") else value in map(int, text.split(","))
            for text, value in ((minute, wall.minute), (hour, wall.hour))
        ):
            found.append(wall.strftime("%H:%M%z"))
        at += timedelta(minutes=1)
    return found


NIGHTS = {
    "New York, forward": ("America/New_York", utc(2026, 3, 8, 4), utc(2026, 3, 8, 12)),
    "New York, back": ("America/New_York", utc(2026, 11, 1, 3), utc(2026, 11, 1, 11)),
    "Berlin, forward": ("Europe/Berlin", utc(2026, 3, 28, 22), utc(2026, 3, 29, 6)),
    "Berlin, back": ("Europe/Berlin", utc(2026, 10, 24, 22), utc(2026, 10, 25, 6)),
    "Lord Howe, forward by half an hour": ("Australia/Lord_Howe", utc(2026, 10, 3, 13), utc(2026, 10, 3, 21)),
    "Lord Howe, back by half an hour": ("Australia/Lord_Howe", utc(2026, 4, 4, 12), utc(2026, 4, 4, 20)),
    "Beirut, forward at midnight": ("Asia/Beirut", utc(2026, 3, 28, 18), utc(2026, 3, 29, 4)),
    "Beirut, back at midnight": ("Asia/Beirut", utc(2026, 10, 24, 18), utc(2026, 10, 25, 4)),
    "Apia, a day left out": ("Pacific/Apia", utc(2011, 12, 30, 4), utc(2011, 12, 31, 4)),
}


class TestIntervalsAndFixedTimes:
    """The rule of crontab(5) of Vixie's cron and cronie: lines with a star run on, fixed times come once."""

    @pytest.mark.parametrize("night", NIGHTS)
    @pytest.mark.parametrize(
        "line", ["*/5 * * * *", "* * * * *", "0 * * * *", "*/20 * * * *", "7 */2 * * *", "*/30 1 * * *"]
    )
    def test_an_interval_fires_at_each_repetition_of_its_time(self, line: str, night: str) -> None:
        assert shown(line, *NIGHTS[night]) == by_minutes(line, *NIGHTS[night])

    def test_every_spelling_of_all_values_is_an_interval(self) -> None:
        for line, same in (
            ("*/15 0-23 * * *", "*/15 * * * *"),
            ("0 0-23 * * *", "0 * * * *"),
            ("0-59 1 * * *", "* 1 * * *"),
        ):
            assert shown(line, *NIGHTS["Berlin, back"]) == shown(same, *NIGHTS["Berlin, back"])

    @pytest.mark.parametrize(
        ("night", "line", "expected"),
        [
            ("New York, forward", "30 2 * * *", ["03:30-0400"]),
            ("New York, forward", "30 2,3 * * *", ["03:30-0400"]),  # both at one time
            ("New York, forward", "0,30 1-3 * * *", ["01:00-0500", "01:30-0500", "03:00-0400", "03:30-0400"]),
            ("New York, back", "30 1 * * *", ["01:30-0400"]),
            ("New York, back", "0,30 1,2 * * *", ["01:00-0400", "01:30-0400", "02:00-0500", "02:30-0500"]),
            ("Lord Howe, forward by half an hour", "0,20,40 2 * * *", ["02:30+1100", "02:40+1100", "02:50+1100"]),
            ("Lord Howe, back by half an hour", "45 1 * * *", ["01:45+1100"]),
            ("Beirut, forward at midnight", "0 0 * * *", ["01:00+0300"]),
            ("Beirut, back at midnight", "30 23 * * *", ["23:30+0300"]),
            ("Apia, a day left out", "0 12 * * *", ["12:00+1400"]),
        ],
    )
    def test_a_fixed_time_fires_once(self, night: str, line: str, expected: list[str]) -> None:
        assert shown(line, *NIGHTS[night]) == expected

    @pytest.mark.parametrize("night", NIGHTS)
    @pytest.mark.parametrize("line", ["*/5 * * * *", "0,20,40 2 * * *", "15,45 1-3 * * *"])
    def test_the_latest_time_is_the_one_before_the_next(self, line: str, night: str) -> None:
        tz, since, until = NIGHTS[night]
        cron = Cron(line, tz)
        start = at = cron.after(since.timestamp())
        times = 0
        while (following := cron.after(at)) <= until.timestamp():
            assert cron.latest(start, at) == cron.latest(start, following - 0.5) == at
            at, times = following, times + 1
        assert times > 0


@st.composite
def fields(draw: st.DrawFn) -> tuple[str, set[int], set[int], set[int]]:
    """A line without days of a month, and the sets it names."""

    def one(low: int, high: int) -> tuple[str, set[int]]:
        if draw(st.booleans()):
            step = draw(st.integers(1, high))
            return f"*/{step}", set(range(low, high + 1, step))
        found = draw(st.sets(st.integers(low, high), min_size=1, max_size=5))
        return ",".join(map(str, draw(st.permutations(sorted(found))))), found

    (minute, minutes), (hour, hours), (day, days) = one(0, 59), one(0, 23), one(0, 6)
    return f"{minute} {hour} * * {day}", minutes, hours, days


@settings(max_examples=60, deadline=None)
@given(line=fields(), now=st.integers(0, 4_000_000_000))
def test_the_next_time_is_the_first_matching_minute(line: tuple[str, set[int], set[int], set[int]], now: int) -> None:
    """Against going through the minutes one by one."""
    text, minutes, hours, days = line
    found = Cron(text).after(now)
    assert found > now
    assert found % 60 == 0
    first = (now // 60 + 1) * 60
    assert found - first <= 8 * 86_400
    for at in range(first, int(found) + 1, 60):
        when = datetime.fromtimestamp(at, UTC)
        fits = when.minute in minutes and when.hour in hours and (when.weekday() + 1) % 7 in days
        assert fits == (at == found)
