"""Figures over time, in memory and bounded: the last hour by seconds, the last day by minutes."""

from __future__ import annotations

import math
import threading
from array import array
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["History", "Mark"]

SERIES = 64  # names kept; further ones are left out
MARKS = 500
HOUR, DAY = 3600, 24 * 60  # samples: of a second and of a minute
POINTS = 360  # of an answer at most

_Values: TypeAlias = npt.NDArray[np.float64]


class Mark(NamedTuple):
    """Something that happened at a moment, such as a changed flag or an alert."""

    at: float
    kind: str
    text: str


class _Ring:
    """Samples of all series at one resolution, the oldest overwritten; a series without a value has NaN."""

    def __init__(self, length: int, most: int) -> None:
        self._length = length
        self._most = most
        self._count = 0
        self._times = array("d", bytes(8 * length))
        self._series: dict[str, array[float]] = {}

    def add(self, at: float, values: Mapping[str, float]) -> None:
        place = self._count % self._length
        self._times[place] = at
        for series in self._series.values():
            series[place] = math.nan
        for name, value in values.items():
            series = self._series.get(name)  # type: ignore[assignment]
            if series is None:
                if len(self._series) >= self._most:
                    continue
                series = self._series[name] = array("f", [math.nan]) * self._length
            series[place] = value
        self._count += 1

    @property
    def is_full(self) -> bool:
        return self._count >= self._length

    def forget(self, prefix: str) -> None:
        for name in [name for name in self._series if _is_below(name, prefix)]:
            del self._series[name]

    def rows(self, start: float, end: float, prefix: str) -> tuple[_Values, dict[str, _Values]]:
        """Return the samples with ``start < at <= end``, the oldest first, of the series below `prefix`."""
        kept = min(self._count, self._length)
        places = np.arange(self._count - kept, self._count) % self._length
        times = np.frombuffer(self._times, np.float64)[places]
        wanted = (start < times) & (times <= end)
        places, times = places[wanted], times[wanted]
        return times, {
            name[len(prefix) :]: np.frombuffer(series, np.float32)[places].astype(np.float64)
            for name, series in self._series.items()
            if _is_below(name, prefix)
        }


class History:
    """What the recorder noted, for charts that show the past when a page is opened.

    Takes at most 1.3 MB: 64 series of 5,040 samples of 4 bytes. Safe to use from several threads.

    Parameters
    ----------
    step : int, default 1
        Seconds between two samples of the last hour.
    series : int, default 64
        Names kept; further ones are left out.
    """

    def __init__(self, step: int = 1, series: int = SERIES) -> None:
        self._lock = threading.Lock()
        self._seconds, self._minutes = _Ring(HOUR // step, series), _Ring(DAY, series)
        self._minute: int | None = None
        self._sums: dict[str, tuple[float, int]] = {}
        self._marks: deque[Mark] = deque(maxlen=MARKS)

    def add(self, at: float, values: Mapping[str, float | None]) -> None:
        """Note the values of a moment, in seconds since the epoch; None where there is none."""
        known = {name: float(value) for name, value in values.items() if value is not None and math.isfinite(value)}
        with self._lock:
            self._seconds.add(at, known)
            minute = math.floor(at / 60)
            if self._minute not in (None, minute):
                self._close_minute()
            self._minute = minute
            for name, value in known.items():
                total, count = self._sums.get(name, (0.0, 0))
                self._sums[name] = total + value, count + 1

    def _close_minute(self) -> None:
        assert self._minute is not None
        means = {name: total / count for name, (total, count) in self._sums.items()}
        self._minutes.add(60.0 * (self._minute + 1), means)
        self._sums = {}

    def forget(self, prefix: str) -> None:
        """Drop the series that :meth:`read` finds below `prefix`, to make room for others."""
        with self._lock:
            self._seconds.forget(prefix)
            self._minutes.forget(prefix)
            self._sums = {name: sums for name, sums in self._sums.items() if not _is_below(name, prefix)}

    def mark(self, mark: Mark) -> None:
        """Note that something happened; the last 500 are kept."""
        with self._lock:
            self._marks.append(mark)

    def marks(self, end: float, span: float) -> list[Mark]:
        """Return what happened in the last `span` seconds."""
        with self._lock:
            return [mark for mark in self._marks if end - span < mark.at <= end]

    def read(self, end: float, span: float, prefix: str = "") -> dict[str, Any]:
        """Return the series of the last `span` seconds, as at most 360 means, and the means of the span before.

        Parameters
        ----------
        end : float
            Seconds since the epoch.
        span : float
            Seconds, above 0 and at most a day.
        prefix : str, default ""
            What the names of the wanted series have before their last word, as in ``route/GET /prices/``; it is left
            out of them.

        Raises
        ------
        ValueError
            If `span` is not within its range.
        """
        if not 0 < span <= 60 * DAY:
            raise ValueError(f"range: expected seconds above 0 and at most {60 * DAY}, got {span:g}")
        with self._lock:
            whole = HOUR if self._seconds.is_full else math.inf  # seconds that the samples reach back
            now, past = (
                (self._seconds if reach <= whole else self._minutes).rows(end - reach, end - reach + span, prefix)
                for reach in (span, 2 * span)
            )
        times, series = _thinned(*now, end - span, span)
        return {
            "at": times,
            "series": series,
            "mean": {name: _mean(values) for name, values in now[1].items()},
            "before": {name: _mean(values) for name, values in past[1].items()},
        }


def _is_below(name: str, prefix: str) -> bool:
    """Whether only the last word of a name follows: ``route/GET /prices/`` has nothing of ``GET /prices/{symbol}``."""
    return name.startswith(prefix) and "/" not in name[len(prefix) :]


def _mean(values: _Values) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else None


def _thinned(
    times: _Values, series: dict[str, _Values], start: float, span: float
) -> tuple[list[float], dict[str, list[float | None]]]:
    """Return the means of equal parts of the span; a part without a sample is left out."""
    if len(times) <= POINTS:
        return times.tolist(), {name: _plain(values) for name, values in series.items()}
    order = np.argsort(times, kind="stable")  # a clock that was set back leaves them in disorder
    times = times[order]
    parts = np.minimum(POINTS - 1, ((times - start) / span * POINTS).astype(np.int64))
    begins = np.flatnonzero(np.diff(parts, prepend=-1))
    found = {}
    for name, values in series.items():
        values = values[order]
        known = ~np.isnan(values)
        counts = np.add.reduceat(known, begins, dtype=np.int64)
        sums = np.add.reduceat(np.where(known, values, 0.0), begins)
        found[name] = _plain(np.divide(sums, counts, out=np.full(len(begins), np.nan), where=counts > 0))
    return times[np.append(begins[1:], len(times)) - 1].tolist(), found


def _plain(values: _Values) -> list[float | None]:
    return [None if value != value else value for value in values.tolist()]
