"""Callers that strike back: run as ``hostile.py backend kind source action...``, each action in a separate process.

Whatever runs on the caller's behalf (`source`) does something to the cache that called it (`action`). The process must
end, and by itself; the cache must keep its invariants and bounds; what was raised must come out; nothing may be left.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import signal
import sys
import threading
import traceback
import weakref
from collections.abc import Callable
from typing import Any

from fastcore.dispatch import backends

MAXSIZE = 8


class Struck(Exception):
    """What the action `raise` raises."""


class Hostile:
    """Calls `action` on the cache occasionally, from any code that the cache runs."""

    def __init__(self, action: str) -> None:
        self.action = action
        self.cache: Any = None
        self.armed = False
        self.depth = 0
        self.struck = 0
        self.limit = 3  # how deep an action may lead into itself

    def strike(self) -> None:
        if not self.armed or self.cache is None or self.depth >= self.limit:
            return
        self.depth += 1
        self.struck += 1
        try:
            getattr(self, self.action)(self.cache)
        finally:
            self.depth -= 1

    def read(self, cache: Any) -> None:
        cache.get(1), cache.peek(Key(self, 1)), 1 in cache, cache.get(Key(self, 1))

    def write(self, cache: Any) -> None:
        cache[self.struck] = Value(self)
        cache[Key(self, self.struck % 5)] = self.struck

    def remove(self, cache: Any) -> None:
        cache.pop(1, None)
        cache.pop(Key(self, self.struck % 5), None)
        if len(cache):
            try:
                cache.popitem()
            except KeyError:
                pass

    def clear(self, cache: Any) -> None:
        cache.clear()

    def resize(self, cache: Any) -> None:
        cache.resize(1 + self.struck % MAXSIZE)

    def iterate(self, cache: Any) -> None:
        list(cache), list(cache.items()), repr(cache), cache == {}, len(cache)

    def expire(self, cache: Any) -> None:
        cache.expire()

    def collect(self, cache: Any) -> None:
        cache["loop"] = [cache]
        gc.collect()

    def compute(self, cache: Any) -> None:
        cache.get_or_compute(Key(self, 2), lambda: cache.get_or_compute(Key(self, 2), lambda: 1))

    def start_over(self, cache: Any) -> None:
        cache.__init__(*self.arguments, **self.options)

    def thread(self, cache: Any) -> None:
        worker = threading.Thread(target=lambda: (cache.set("t", 1), cache.get("t"), len(cache)))
        worker.start()
        worker.join()

    def throw(self, cache: Any) -> None:
        raise Struck(self.struck)


class Key:
    """All keys collide, so that every lookup compares."""

    alive = 0

    def __init__(self, hostile: Hostile, number: int) -> None:
        self.hostile = hostile
        self.number = number
        Key.alive += 1

    def __hash__(self) -> int:
        if SOURCE == "hash":
            self.hostile.strike()
        return 7

    def __eq__(self, other: object) -> bool:
        if SOURCE == "eq":
            self.hostile.strike()
        return isinstance(other, Key) and self.number == other.number

    def __del__(self) -> None:
        Key.alive -= 1
        if SOURCE == "key_del":
            self.hostile.strike()


class Value:
    """A value whose destructor calls the cache."""

    alive = 0

    def __init__(self, hostile: Hostile) -> None:
        self.hostile = hostile
        Value.alive += 1

    def __del__(self) -> None:
        Value.alive -= 1
        if SOURCE == "del":
            self.hostile.strike()

    def __eq__(self, other: object) -> bool:
        if SOURCE == "value_eq":
            self.hostile.strike()
        return self is other

    __hash__ = None  # type: ignore[assignment]


def build(backend: str, kind: str, hostile: Hostile) -> Any:
    time = [0]

    def timer() -> int:
        time[0] += 1
        if SOURCE == "timer":
            hostile.strike()
        return time[0]

    def getsizeof(value: object) -> int:
        if SOURCE == "getsizeof":
            hostile.strike()
        return 1

    def on_evict(key: object, value: object, cause: str) -> None:
        if SOURCE == "on_evict":
            hostile.strike()

    def ttu(key: object, value: object, now: int) -> int:
        if SOURCE == "ttu":
            hostile.strike()
        return now + 40

    arguments = {"LRUCache": (MAXSIZE,), "TTLCache": (MAXSIZE, 40), "TLRUCache": (MAXSIZE, ttu)}[kind]
    options = {"timer": timer, "getsizeof": getsizeof, "on_evict": on_evict}
    hostile.arguments, hostile.options = arguments, options  # type: ignore[attr-defined]
    base = getattr(backends.twin("cache", backend), kind)
    if SOURCE == "popitem":

        class Own(base):  # type: ignore[misc, valid-type]
            def popitem(self) -> Any:
                hostile.strike()
                return super().popitem()

        base = Own
    elif SOURCE == "missing":

        class Own(base):  # type: ignore[misc, valid-type, no-redef]
            def __missing__(self, key: object) -> int:
                hostile.strike()
                return 0

        base = Own
    return base(*arguments, **options)


def steps(cache: Any, hostile: Hostile) -> list[Callable[[], object]]:
    """Every operation, on keys that are there, that collide, and that are not there."""
    todo: list[Callable[[], object]] = []
    for number in (0, 1, 2, 3, 9):
        todo += [
            lambda n=number: cache.__setitem__(Key(hostile, n), Value(hostile)),
            lambda n=number: cache.__setitem__(n, Value(hostile)),
            lambda n=number: cache.get(Key(hostile, n)),
            lambda n=number: cache[Key(hostile, n)],
            lambda n=number: cache.set(Key(hostile, n), Value(hostile), ttl=1 + n),
            lambda n=number: cache.setdefault(Key(hostile, n), Value(hostile)),
            lambda n=number: cache.get_or_compute(Key(hostile, n), lambda: Value(hostile)),
            lambda n=number: cache.touch(Key(hostile, n)),
            lambda n=number: cache.ttl_remaining(Key(hostile, n)),
            lambda n=number: cache.pop(Key(hostile, n), None),
            lambda n=number: cache.__delitem__(Key(hostile, n)),
            lambda n=number: cache.get_many([Key(hostile, n), n]),
            lambda n=number: cache.set_many([(Key(hostile, n), Value(hostile))]),
            lambda n=number: Key(hostile, n) in cache,
        ]
    todo += [
        lambda: cache.popitem(),
        lambda: len(cache),
        lambda: list(cache.items()),
        lambda: cache == {1: 2},
        lambda: repr(cache),
        lambda: cache.expire(),
        lambda: cache.resize(3),
        lambda: cache.resize(MAXSIZE),
        lambda: cache.stats(),
        lambda: cache.update({Key(hostile, n): Value(hostile) for n in range(12)}),
        lambda: object() in cache.values(),
        lambda: cache[Key(hostile, 77)],
        lambda: cache.clear(),
    ]
    return todo


def main(backend: str, kind: str, source: str, action: str) -> None:
    hostile = Hostile(action)
    cache = build(backend, kind, hostile)
    hostile.cache = cache
    unraisable: list[Any] = []
    sys.unraisablehook = lambda report: unraisable.append(report.exc_type)
    came_out = 0
    for _ in range(3):
        for step in steps(cache, hostile):
            struck = hostile.struck
            hostile.armed = True
            try:
                step()
            except (KeyError, RecursionError):
                pass
            except RuntimeError as error:
                if "leaves the cache alone" not in str(error):
                    raise
            except ValueError as error:
                if str(error) != "value too large":
                    raise
            except (Struck, BaseExceptionGroup):
                came_out += 1
                assert action == "throw"
            else:
                if action == "throw" and hostile.struck > struck:
                    assert source in ("del", "key_del"), f"swallowed what {source} raised"
            finally:
                hostile.armed = False
            cache._check()
            assert len(cache._snapshot()) <= MAXSIZE
    assert hostile.struck, f"{source} was never called"
    if action == "throw":
        assert came_out or unraisable, "nothing came out"
        assert all(kind is Struck for kind in unraisable)
    else:
        assert not unraisable, unraisable
    assert len(cache._flights) == 0, "a flight was left behind"
    gone = weakref.ref(cache)
    hostile.cache = None
    cache.clear()
    hostile.arguments = hostile.options = None  # type: ignore[attr-defined]
    del cache, step
    gc.collect()
    gc.collect()
    assert gone() is None, "the cache leaked"
    assert (Key.alive, Value.alive) == (0, 0), (Key.alive, Value.alive)


def survives(arguments: list[str], seconds: int) -> bool:
    """Run `main` in a child with a time limit; what it says goes to stderr."""
    child = os.fork()
    if not child:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(seconds)
        try:
            main(*arguments)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        how = "hung" if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM else f"status {status}"
        print(f"{arguments}: {how}", file=sys.stderr)
    return status == 0


if __name__ == "__main__":
    backend, kind, SOURCE, *actions = sys.argv[1:]
    faulthandler.enable()
    backends.twin("cache", backend)
    gc.freeze()  # what is imported has no part in the cases' collections, which are many
    survived = [survives([backend, kind, SOURCE, action], 30) for action in actions]
    sys.exit(not all(survived))
