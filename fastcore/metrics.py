"""Counters, gauges and latency sketches that every part of fastcore reports to."""

from __future__ import annotations

from fastcore import _ext

__all__ = ["Counter", "Gauge", "Sketch", "SketchState"]

SketchState = tuple[int, int, float, float, float, dict[int, int]]

_twin = _ext.pick("metrics")

Counter = _twin.Counter
Gauge = _twin.Gauge
Sketch = _twin.Sketch
