"""The collector's thresholds by version, freezing, and the pauses it makes."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest

from fastcore import metrics
from fastcore.memory import gc_profile, record_gc_pauses
from fastcore.memory.collector import _thresholds

NOW = (123, 4, 5)


@pytest.fixture(autouse=True)
def _thresholds_again() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


@pytest.mark.parametrize(
    ("version", "service", "default"),
    [
        ((3, 11, 7), (3500, 10, 10), (700, 10, 10)),
        ((3, 12, 1), (3500, 10, 10), (700, 10, 10)),
        ((3, 13, 0), (10000, 10, 10), (2000, 10, 10)),
        ((3, 14, 0), NOW, (2000, 10, 0)),
        ((3, 14, 4), NOW, (2000, 10, 0)),
        ((3, 14, 5), (10000, 10, 10), (2000, 10, 10)),
    ],
)
def test_thresholds_of_every_version(
    version: tuple[int, int, int], service: tuple[int, int, int], default: tuple[int, int, int]
) -> None:
    assert _thresholds("service", version, NOW)[0] == service
    assert _thresholds("default", version, NOW)[0] == default


def test_the_default_profile_is_this_pythons() -> None:
    code = "import gc, json; print(json.dumps(gc.get_threshold()))"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    gc.set_threshold(1, 2, 3)
    assert list(gc_profile("default").after) == [int(n) for n in ran.stdout.strip("[]\n").split(",")]


def test_thresholds_are_set_and_restored() -> None:
    gc.set_threshold(*NOW)
    with gc_profile("service") as profile:
        assert gc.get_threshold() == profile.after != NOW
        assert profile.before == NOW
        assert gc.isenabled()
    assert gc.get_threshold() == NOW


def test_another_name() -> None:
    with pytest.raises(ValueError, match="name: expected 'service' or 'default', got 'fast'"):
        gc_profile("fast")  # type: ignore[arg-type]
    assert gc.get_threshold() != (0, 0, 0)


def test_frozen_objects_are_not_looked_at_again() -> None:
    code = """
import gc, weakref
from fastcore.memory import freeze_after_startup
class Cyclic:
    def __init__(self): self.self = self
gc.disable()
garbage = weakref.ref(Cyclic())
kept = [[] for _ in range(10000)]
frozen = freeze_after_startup()
assert garbage() is None and frozen.collected > 0
assert frozen.frozen > 10000 and gc.get_freeze_count() >= frozen.frozen
assert freeze_after_startup().frozen < 1000
assert len(gc.get_objects()) < 2000
late = weakref.ref(Cyclic())
gc.collect()
assert late() is None
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_pauses_are_recorded_until_every_recorder_has_ended() -> None:
    pauses = metrics.latency("fastcore_gc_pause_seconds", generation="2")
    callbacks = len(gc.callbacks)
    first, second = record_gc_pauses(), record_gc_pauses()
    assert len(gc.callbacks) == callbacks + 1
    before = pauses.count
    gc.collect()
    assert pauses.count == before + 1
    assert pauses.total > 0
    first()
    first()
    gc.collect()
    assert pauses.count == before + 2
    second()
    gc.collect()
    assert pauses.count == before + 2
    assert len(gc.callbacks) == callbacks
