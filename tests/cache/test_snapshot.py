"""Saved and restored caches: no entry is lost or half loaded, and lifetimes continue meanwhile."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from fastcore import flags
from fastcore.cache import cached, restore, save

Make = Callable[..., Any]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "prices.cache"


def test_entries_are_restored_in_order_with_their_remaining_lifetime(make: Make, path: Path) -> None:
    cache = make("TTLCache", 10, 600)
    cache.update({"a": [1, 2], ("b", 3): None, 4: "x"})
    cache.set("ever", 1, ttl=math.inf, weight=2)
    cache.get("a")
    assert save(cache, path) == 4
    back = make("TTLCache", 10, 600)
    assert restore(back, path) == (4, "")
    assert list(back.items()) == list(cache.items())
    assert 599 < back.ttl_remaining("a") <= 600 + 1e-6
    assert back.ttl_remaining("ever") == math.inf
    assert back.stats().weight == 5
    assert list(path.parent.iterdir()) == [path]


def test_lifetimes_continue_while_saved(make: Make, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = make("TTLCache", 10, 600)
    cache["a"] = 1
    cache.set("brief", 2, ttl=100)
    save(cache, path)
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + 200)
    back = make("TTLCache", 10, 600)
    assert restore(back, path) == (1, "")
    assert 399 < back.ttl_remaining("a") <= 400.5
    monkeypatch.setattr("time.time", lambda: now - 5000)  # a clock set back does not lengthen lives
    back = make("TTLCache", 10, 600)
    assert restore(back, path).entries == 2
    assert back.ttl_remaining("a") <= 600 + 1e-6


@pytest.mark.parametrize("counting", ["seconds", "datetime"])
@pytest.mark.parametrize("restored", ["seconds", "datetime"])
def test_lifetimes_survive_a_restore_into_a_cache_with_another_timer(
    make: Make, path: Path, counting: str, restored: str
) -> None:
    timers = {"seconds": lambda: 1000.0, "datetime": lambda: datetime(2026, 1, 1)}
    cache = make("TTLCache", 10, 600, timer=timers[counting])
    cache.update(a=1, b=2)
    save(cache, path)
    back = make("TTLCache", 10, 50, timer=timers[restored])
    assert restore(back, path) == (2, "")
    assert 599 < back.ttl_remaining("a") <= 600 + 1e-6
    assert 599 < back.ttl_remaining("b") <= 600 + 1e-6


def test_restoring_respects_the_bounds_of_the_cache(make: Make, path: Path) -> None:
    cache = make("LRUCache", 100)
    cache.update((n, n) for n in range(50))
    cache.set("large", 0, weight=40)
    save(cache, path)
    back = make("LRUCache", 10)
    assert restore(back, path) == (50, "")
    assert list(back) == list(range(40, 50))


@pytest.mark.parametrize("damage", ["empty", "head", "cut", "bit", "foreign", "longer"])
def test_a_damaged_file_is_reported_and_ignored(
    make: Make, path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    cache = make("LRUCache", 100)
    cache.update((n, n) for n in range(50))
    save(cache, path)
    data = path.read_bytes()
    path.write_bytes(
        {
            "empty": b"",
            "head": data[:20],
            "cut": data[:-10],
            "bit": data[:100] + bytes([data[100] ^ 4]) + data[101:],
            "foreign": b"PK\x03\x04" + data,
            "longer": data + b"x",
        }[damage]
    )
    back = make("LRUCache", 100)
    back["mine"] = 1
    restored = restore(back, path)
    assert restored.entries == 0
    assert restored.problem
    assert dict(back.items()) == {"mine": 1}
    assert restored.problem in caplog.text


class Vanishing:
    """Its class no longer exists when the file is read."""


class Coded(Exception):
    """An error whose pickle cannot be read: its constructor takes more than its args."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code

    def __reduce__(self) -> Any:
        return type(self), self.args


def test_unreadable_entries_do_not_affect_the_others(
    make: Make, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cache = make("LRUCache", 100)
    cache.update((n, n) for n in range(50))
    cache["error"] = Coded(404, "no such symbol")
    cache[Vanishing] = "a key that vanishes"
    cache["b"] = Vanishing()
    save(cache, path)
    monkeypatch.delitem(globals(), "Vanishing")
    back = make("LRUCache", 100)
    restored = restore(back, path)
    assert restored.entries == 50
    assert restored.problem.startswith("3 of 53 entries could not be read; the first: TypeError: Coded.__init__()")
    assert restored.problem in caplog.text
    assert list(back.items()) == [(n, n) for n in range(50)]


def test_a_damaged_entry_does_not_affect_the_others(make: Make, path: Path) -> None:
    cache = make("LRUCache", 100)
    cache.update((n, f"value {n}") for n in range(50))
    save(cache, path)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"value 17", b"value 71"))
    back = make("LRUCache", 100)
    assert restore(back, path) == (49, "1 of 50 entries could not be read; the first: its checksum is wrong")
    assert [n for n in range(50) if n not in back] == [17]


def test_unpicklable_entries_are_left_out_and_counted(make: Make, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Refusing:
        def __reduce__(self) -> Any:
            raise ZeroDivisionError("no pickle of this")

    cache = make("LRUCache", 10)
    cache.update({"f": lambda: None, "a": 1, "r": Refusing(), "l": threading.Lock(), "b": 2})
    saved = save(cache, path)
    assert (saved, saved.left_out) == (2, 3)
    assert "3 entries have no pickle and are left out of" in caplog.text
    back = make("LRUCache", 10)
    assert restore(back, path) == (2, "")
    assert list(back.items()) == [("a", 1), ("b", 2)]
    del cache["f"], cache["r"], cache["l"]
    assert save(cache, path).left_out == 0


def test_an_interrupt_while_saving_leaves_the_old_file(make: Make, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupting:
        def __reduce__(self) -> Any:
            raise KeyboardInterrupt

    cache = make("LRUCache", 10)
    cache["a"] = 1
    save(cache, path)
    before = path.read_bytes()
    cache["i"] = Interrupting()
    with pytest.raises(KeyboardInterrupt):
        save(cache, path)
    cache.pop("i")
    monkeypatch.setattr("os.replace", lambda source, target: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save(cache, path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_missing_file_is_no_error(make: Make, path: Path) -> None:
    assert restore(make("LRUCache", 10), path) == (0, "there is no such file")


def test_a_decorated_function_is_restored(backend: str, path: Path) -> None:
    calls = 0

    def build() -> Any:
        @cached(ttl=60, stale=60, tags=["prices"])
        def analyse(symbol: str, *, days: int = 1) -> str:
            nonlocal calls
            calls += 1
            return symbol * days

        return analyse

    with flags.override("cache", backend):
        first, second = build(), build()
    first("A", days=2), first("B")
    assert save(first.cache, path) == 2
    assert restore(second.cache, path).entries == 2
    assert (second("A", days=2), second("B")) == ("AA", "B")
    assert calls == 2
