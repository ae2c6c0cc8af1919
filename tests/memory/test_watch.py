"""The alarm by readings, the watch over a made-up machine, and its thread."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from fastcore import metrics
from fastcore.memory import Alarm, MemoryUsage, MemoryWatch, register_shrinker, shrink


class Machine:
    """A machine whose memory and time the test sets."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.now = 0.0
        (root / "proc").mkdir()
        self.use(0.0)

    def use(self, fraction: float) -> None:
        total = 1_000_000
        text = f"MemTotal: {total} kB\nMemAvailable: {round(total * (1 - fraction))} kB\n"
        (self.root / "proc/meminfo").write_text(text, encoding="ascii")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_an_alarm_fires_after_its_time_and_clears_below_another_level() -> None:
    alarm = Alarm(0.85, 0.80, 30)
    readings = [
        (0, 0.84),
        (10, 0.85),
        (20, 0.9),
        (39.9, 0.86),
        (40, 0.85),
        (50, 0.81),
        (60, 0.80),
        (70, 0.79),
        (80, 0.9),
    ]
    changes = [(now, alarm.update(now, level), alarm.state) for now, level in readings]
    assert changes == [
        (0, None, "ok"),
        (10, None, "pending"),
        (20, None, "pending"),
        (39.9, None, "pending"),
        (40, "fired", "firing"),
        (50, None, "firing"),
        (60, None, "firing"),
        (70, "cleared", "ok"),
        (80, None, "pending"),
    ]


def test_a_dip_begins_the_time_again() -> None:
    alarm = Alarm(0.85, 0.80, 30)
    assert [alarm.update(now, level) for now, level in [(0, 0.9), (29, 0.84), (30, 0.9), (59, 0.9), (60, 0.9)]] == [
        None,
        None,
        None,
        None,
        "fired",
    ]


def test_an_alarm_without_delay_fires_at_once() -> None:
    assert Alarm(0.85, 0.85, 0).update(0, 0.85) == "fired"


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ((0, 0, 1), "threshold: expected a number above 0 and up to 1, got 0"),
        ((85, 80, 1), "threshold"),
        ((0.85, 0.9, 1), "clear: expected a number from 0 to threshold"),
        ((0.85, 0.8, -1), "seconds: expected a number >= 0, got -1"),
        ((float("nan"), 0.8, 1), "threshold"),
    ],
)
def test_wrong_levels_are_refused(args: tuple[float, float, float], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Alarm(*args)
    with pytest.raises(ValueError, match=text):
        MemoryWatch(*args)


@pytest.mark.parametrize("kwargs", [{"interval": 0}, {"keep": 1.5}, {"repeat": 0}])
def test_wrong_settings_are_refused(kwargs: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(kwargs))):
        MemoryWatch(**kwargs)  # type: ignore[arg-type]


def test_a_firing_watch_logs_and_shrinks(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    kept: list[float] = []
    events: list[tuple[str, float]] = []
    alerts = metrics.counter("fastcore_memory_alerts_total")
    before = alerts.value
    watch = MemoryWatch(
        root=machine.root,
        clock=lambda: machine.now,
        keep=0.25,
        on_fire=lambda usage: events.append(("fire", usage.fraction)),
        on_clear=lambda usage: events.append(("clear", usage.fraction)),
    )
    forget = register_shrinker("test", kept.append)
    try:
        with caplog.at_level(logging.INFO, "fastcore.memory"):
            for now, used in [(0, 0.5), (10, 0.9), (39, 0.9), (40, 0.9), (41, 0.9), (99, 0.9), (100, 0.9), (110, 0.5)]:
                machine.now = now
                machine.use(used)
                assert watch.poll().fraction == pytest.approx(used)
                if now == 40:
                    assert (kept, watch.state) == ([0.25], "firing")
                    assert metrics.gauge("fastcore_memory_alert").value == 1.0
    finally:
        forget()
    assert kept == [0.25, 0.25], "when it fires, and again a minute later"
    assert [name for name, _ in events] == ["fire", "clear"]
    assert events == [("fire", pytest.approx(0.9)), ("clear", pytest.approx(0.5))]
    assert alerts.value - before == 1
    assert metrics.gauge("fastcore_memory_usage_ratio").value == pytest.approx(0.5)
    assert metrics.gauge("fastcore_memory_alert").value == 0.0
    assert "memory is short: 90.0% of 1,024,000,000 bytes in use (machine)" in caplog.text
    assert "no longer short" in caplog.text
    assert watch.usage is not None
    assert watch.shrunk is not None


def test_a_watch_without_shrinking(machine: Machine) -> None:
    kept: list[float] = []
    fired: list[MemoryUsage] = []
    watch = MemoryWatch(seconds=0, act=False, root=machine.root, clock=lambda: machine.now, on_fire=fired.append)
    machine.use(0.99)
    forget = register_shrinker("test", kept.append)
    try:
        watch.poll()
    finally:
        forget()
    assert len(fired) == 1
    assert kept == []


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit, GeneratorExit])
def test_a_callback_that_raises_does_not_stop_it(
    machine: Machine, caplog: pytest.LogCaptureFixture, error: type[BaseException]
) -> None:
    def raises(usage: MemoryUsage) -> None:
        raise error

    watch = MemoryWatch(seconds=0, root=machine.root, clock=lambda: machine.now, on_fire=raises)
    machine.use(0.99)
    watch.poll()
    assert watch.state == "firing"
    assert watch.shrunk is not None
    assert "a callback of the memory watch raised" in caplog.text


def test_the_thread_takes_readings_until_stopped(machine: Machine) -> None:
    fired = threading.Event()
    machine.use(0.99)
    watch = MemoryWatch(seconds=0, interval=0.01, root=machine.root, on_fire=lambda usage: fired.set())
    with watch:
        watch.start()
        assert len([t for t in threading.enumerate() if t.name == "fastcore-memory"]) == 1
        assert fired.wait(30)
    assert not [t for t in threading.enumerate() if t.name == "fastcore-memory"]
    watch.stop()
    fired.clear()
    machine.use(0.1)
    watch.poll()
    machine.use(0.99)
    with watch:
        assert fired.wait(30), "it starts again"


def test_its_thread_outlives_a_reading_that_fails(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    fired = threading.Event()
    (machine.root / "proc/meminfo").unlink()
    failed = threading.Event()

    class Seen(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "could not take a reading" in record.getMessage():
                failed.set()

    handler = Seen()
    logging.getLogger("fastcore.memory").addHandler(handler)
    try:
        with MemoryWatch(seconds=0, interval=0.01, root=machine.root, on_fire=lambda usage: fired.set()):
            assert failed.wait(30)
            machine.use(0.99)
            assert fired.wait(30)
    finally:
        logging.getLogger("fastcore.memory").removeHandler(handler)


def test_it_may_be_stopped_from_its_own_callback(machine: Machine) -> None:
    done = threading.Event()
    machine.use(0.99)

    def stop(usage: MemoryUsage) -> None:
        watch.stop()
        done.set()

    watch = MemoryWatch(seconds=0, interval=0.01, root=machine.root, on_fire=stop)
    watch.start()
    assert done.wait(30)


class TestShrink:
    @pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit])
    def test_every_shrinker_is_called_even_if_one_raises(
        self, caplog: pytest.LogCaptureFixture, error: type[BaseException]
    ) -> None:
        def raises(keep: float) -> None:
            raise error

        stops = [
            register_shrinker("raises", raises),
            register_shrinker("helps", lambda keep: 10),
        ]
        try:
            shrunk = shrink(0.5)
        finally:
            for stop in stops:
                stop()
        assert type(shrunk.freed["raises"]) is error
        assert shrunk.freed["helps"] == 10
        assert "the shrinker raises raised" in caplog.text
        assert set(shrink(1).freed) == {"caches"}

    def test_named_caches_shrink(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from fastcore.cache import LRUCache, register, registry

        monkeypatch.setattr(registry, "_caches", {})  # without those of earlier tests that are not garbage yet
        cache = LRUCache(maxsize=100)
        register("test_shrink", cache)
        for key in range(100):
            cache[key] = key
        assert shrink(0.25).freed["caches"] == 75
        assert sorted(cache) == list(range(75, 100))

    def test_a_later_shrinker_replaces_one_of_the_same_name(self) -> None:
        first = register_shrinker("same", lambda keep: 1)
        second = register_shrinker("same", lambda keep: 2)
        first()
        assert shrink(1).freed["same"] == 2
        second()
        second()
        assert "same" not in shrink(1).freed

    @pytest.mark.parametrize("keep", [-0.1, 1.1, float("nan")])
    def test_wrong_share_is_refused(self, keep: float) -> None:
        with pytest.raises(ValueError, match="keep: expected a number from 0 to 1"):
            shrink(keep)

    def test_wrong_arguments_are_refused(self) -> None:
        with pytest.raises(TypeError, match="name: expected a str that is not empty"):
            register_shrinker("", lambda keep: None)
        with pytest.raises(TypeError, match="shrinker: expected a callable, got int"):
            register_shrinker("x", 1)  # type: ignore[arg-type]
