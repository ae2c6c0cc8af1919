"""The values of all instruments at one moment, which can be read, merged and sent to another process."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

__all__ = ["Kind", "Labels", "PackedState", "Sample", "SketchState", "Snapshot"]

Kind = Literal["counter", "gauge", "latency"]
Labels = tuple[tuple[str, str], ...]
SketchState = tuple[int, int, float, float, float, dict[int, int]]

_FIELDS = ("count", "zeros", "total", "low", "high")


class PackedState:
    """The state of a sketch in a fifth of its memory, for who keeps it until the next reading.

    A state has an int object for most of its bins and for most counts above 256: the more a sketch has recorded, the
    more of them are kept. Here a bin takes 16 bytes.
    """

    __slots__ = ("_counts", "_keys", "_totals")

    def __init__(self, state: SketchState) -> None:
        self._totals = state[:5]
        self._keys, self._counts = array("q", state[5]), array("q", state[5].values())

    @property
    def state(self) -> SketchState:
        """The state that was packed."""
        return *self._totals, dict(zip(self._keys, self._counts))


class Sample(NamedTuple):
    """One instrument's value: a number, or for a latency the state of its sketch.

    Examples
    --------
    >>> from fastcore import metrics
    >>> metrics.counter("sampled_total", kind="price").add(2)
    >>> sample = metrics.samples("sampled_total")[0]
    >>> sample.kind, dict(sample.labels), sample.value
    ('counter', {'kind': 'price'}, 2)
    """

    name: str
    kind: Kind
    labels: Labels
    value: int | float | SketchState


class Snapshot:
    """Samples in the order of their names and labels.

    Examples
    --------
    >>> from fastcore import metrics
    >>> metrics.gauge("snapped").set(3)
    >>> metrics.snapshot().get("snapped")
    3.0
    """

    __slots__ = ("_samples",)

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._samples = tuple(sorted(samples, key=lambda sample: (sample.name, sample.labels)))

    def __iter__(self) -> Iterator[Sample]:
        return iter(self._samples)

    def __len__(self) -> int:
        return len(self._samples)

    def __eq__(self, other: object) -> bool:
        return self._samples == other._samples if isinstance(other, Snapshot) else NotImplemented

    def __hash__(self) -> int:
        return hash((Snapshot, len(self._samples)))

    def __repr__(self) -> str:
        return f"<Snapshot of {len(self._samples)} samples>"

    def get(self, name: str, /, **labels: str) -> int | float | SketchState | None:
        """Return the value of one instrument; None if it is not here."""
        key = tuple(sorted(labels.items()))
        return next((s.value for s in self._samples if s.name == name and s.labels == key), None)

    def to_dict(self) -> dict[str, Any]:
        """Return it as values that JSON can hold."""
        return {"samples": [{**s._asdict(), "labels": dict(s.labels), "value": _plain(s.value)} for s in self]}

    @classmethod
    def from_dict(cls, body: dict[str, Any]) -> Snapshot:
        """Return the snapshot that `to_dict` was called on."""
        return cls(
            Sample(s["name"], s["kind"], tuple(sorted(s["labels"].items())), _parsed(s["value"]))
            for s in body["samples"]
        )


def _plain(value: int | float | SketchState) -> Any:
    if not isinstance(value, tuple):
        return value
    body: dict[str, Any] = dict(zip(_FIELDS, value))
    if not value[0]:
        body["low"] = body["high"] = None  # of an empty sketch they are infinite, which JSON does not know
    return {**body, "bins": {str(key): number for key, number in value[5].items()}}


def _parsed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    low = math.inf if value["low"] is None else value["low"]
    high = -math.inf if value["high"] is None else value["high"]
    bins = {int(key): number for key, number in value["bins"].items()}
    return value["count"], value["zeros"], value["total"], low, high, bins
