"""Calls that come back to themselves without end: ``python recursion.py <limit> <stack> [case...]``.

Each case runs in a thread with a stack of `stack` KiB (0: in the main thread) with the recursion limit `limit`, and
must end with a RecursionError. Where it can, the way back has no Python frame: the interpreter does not count it then.
"""

from __future__ import annotations

import functools
import gc
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from fastcore import Switch
from fastcore.cache import Cache, LRUCache, TLRUCache, TTLCache, cached
from fastcore.framing import Packer, RowPacker, Unpacker, frame, packb, unpackb
from fastcore.heap import AsyncPriorityQueue, PriorityHeap, PriorityQueue
from fastcore.indicators import SMA, sma
from fastcore.metrics import Counter, Gauge, Sketch

CASES: dict[str, Callable[[], Any]] = {}
FINITE = {"readers_of_readers", "switch_of_switches", "switch_awaited"}  # a large stack is deep enough for these
LEVELS = 5_000
kept: list[Any] = []  # given up in the main thread: 3.13 frees long chains with more stack than a small one has


def case(function: Callable[[], Any]) -> Callable[[], Any]:
    CASES[function.__name__] = function
    return function


class Other:
    pass


class Loop:
    """A callable without a Python frame: calls `function` with what it was given and the loop itself as `keyword`."""

    def __new__(cls, function: Callable[..., Any], *args: Any, **keywords: Any) -> Any:
        loop = functools.partial(function)
        named = {name: loop if value is cls else value for name, value in keywords.items()}
        loop.__setstate__((function, args, named, {}))
        return loop


def through(method: str, call: Callable[[type], Callable[[], Any]], *bases: type) -> None:
    """Make the call that `call` gives for a class whose special method `method` makes that call again."""
    own = type("Own", bases, {})
    setattr(own, method, call(own))
    call(own)()


# ---- framing ----


@case
def default_of_packb() -> None:
    Loop(packb, default=Loop)(Other())


@case
def default_of_packb_in_lists() -> None:
    def default(obj: Any) -> Any:
        return packb([[[[[[[[[[[[Other()]]]]]]]]]]]], default=default)

    default(Other())


@case
def default_of_frame() -> None:
    Loop(frame, default=Loop)(Other())


@case
def default_of_packer() -> None:
    def default(obj: Any) -> Any:
        return Packer(default=default).pack(obj)

    default(Other())


@case
def default_of_row_packer() -> None:
    def default(obj: Any) -> Any:
        return RowPacker(["a"], default=default).pack([[obj]])

    default(Other())


@case
def pairs_of_packer() -> None:
    through("__iter__", lambda own: functools.partial(Packer().pack_map_pairs, own()))


@case
def items_of_a_dict() -> None:
    through("items", lambda own: functools.partial(packb, own()), dict)


@case
def truth_of_an_option() -> None:
    through("__bool__", lambda own: functools.partial(packb, 1, use_bin_type=own()))


@case
def text_of_an_option() -> None:
    through("__repr__", lambda own: functools.partial(packb, 1, decimal=own()))


@case
def object_hook() -> None:
    data = packb({"a": 1})

    def hook(obj: Any) -> Any:
        return unpackb(data, object_hook=hook)

    hook(None)


@case
def ext_hook() -> None:
    data = b"\xd4\x05\x00"

    def hook(code: int, body: bytes) -> Any:
        return unpackb(data, ext_hook=hook)

    hook(1, b"")


@case
def readers_of_readers() -> None:
    unpacker = Unpacker()
    for _ in range(LEVELS):
        source = Other()
        source.read = unpacker.read_bytes
        unpacker = Unpacker(source)
    kept.append(unpacker)
    unpacker.read_bytes(1)


# ---- cache ----


@case
def hash_of_a_key() -> None:
    through("__hash__", lambda own: functools.partial(LRUCache(3).get, own()))


@case
def hash_in_a_tuple() -> None:
    through("__hash__", lambda own: functools.partial(LRUCache(3).get, (1, own())))


@case
def equality_of_a_key() -> None:
    own = type("Own", (), {"__hash__": lambda self: 1})
    cache: Any = LRUCache(3)
    cache[own()] = 1
    own.__eq__ = functools.partial(cache.get)
    cache.get(own())


@case
def equality_of_a_cached_argument() -> None:
    own = type("Own", (), {"__hash__": lambda self: 1})

    @cached(maxsize=10)
    def function(x: Any) -> int:
        return 1

    function(own())
    own.__eq__ = functools.partial(function)
    function(own())


@case
def timer() -> None:
    loop = functools.partial(len)
    cache: Any = TTLCache(3, 5, timer=loop)
    loop.__setstate__((cache.popitem, (), {}, {}))
    cache.popitem()


@case
def time_to_use() -> None:
    def ttu(key: Any, value: Any, now: Any) -> Any:
        cache[key] = value
        return now + 1

    cache: Any = TLRUCache(3, ttu)
    cache[1] = 1


@case
def size_of_a_value() -> None:
    loop = functools.partial(len)
    cache: Any = LRUCache(3, getsizeof=loop)
    loop.__setstate__((cache.set, ("a",), {}, {}))
    cache["a"] = 1


@case
def number_of_a_size() -> None:
    own: Any = type("Own", (), {})
    cache: Any = LRUCache(3, getsizeof=lambda value: own())
    own.__float__ = functools.partial(cache.set, 1, 1)
    cache[1] = 1


@case
def eviction() -> None:
    def on_evict(key: Any, value: Any, cause: str) -> None:
        cache[key + 1] = value

    cache: Any = LRUCache(1, on_evict=on_evict)
    cache[0] = 0
    cache[1] = 0


@case
def missing_key() -> None:
    class Missing(LRUCache):
        def __missing__(self, key: int) -> Any:
            return self[key + 1]

    Missing(3)[0]


@case
def factory() -> None:
    cache: Any = Cache(10**9)

    def compute(key: int) -> Any:
        return cache.get_or_compute(key, functools.partial(compute, key + 1))

    compute(0)


@case
def keys_of_many() -> None:
    cache: Any = Cache(3)
    through("__iter__", lambda own: functools.partial(cache.get_many, own()))


@case
def cached_function() -> None:
    @cached(maxsize=10**9)
    def deeper(n: int) -> Any:
        return deeper(n + 1)

    deeper(0)


@case
def cached_method() -> None:
    class Deep:
        @cached(maxsize=10**9)
        def deeper(self, n: int) -> Any:
            return self.deeper(n + 1)

    Deep().deeper(0)


# ---- heap ----


@case
def comparison_of_priorities() -> None:
    class Priority:
        def __lt__(self, other: Any) -> Any:
            heap = PriorityHeap(priorities="any")
            heap.push(1, Priority())
            heap.push(2, Priority())
            return True

    _ = Priority() < Priority()


@case
def number_of_a_priority() -> None:
    through("__float__", lambda own: functools.partial(PriorityHeap().push, 1, own()))


@case
def index_of_a_priority() -> None:
    through("__index__", lambda own: functools.partial(PriorityHeap().push, 1, own()))


@case
def equality_of_a_priority() -> None:
    own = type("Own", (), {"__float__": lambda self: 1.5})
    own.__eq__ = lambda self, other: PriorityHeap().push(1, self)
    PriorityHeap().push(1, own())


@case
def clock_of_a_heap() -> None:
    loop = functools.partial(len)
    heap = PriorityHeap(clock=loop)
    loop.__setstate__((heap.push, (1, 1), {"due": 5.0}, {}))
    heap.push(1, 1, due=5.0)


@case
def clock_of_a_queue() -> None:
    loop = functools.partial(len)
    queue: Any = PriorityQueue(clock=loop)
    loop.__setstate__((queue.put_nowait, (1,), {"due": 5.0}, {}))
    queue.put_nowait(1, due=5.0)


@case
def clock_of_an_async_queue() -> None:
    loop = functools.partial(len)
    queue: Any = AsyncPriorityQueue(clock=loop)
    loop.__setstate__((queue.put_nowait, (1,), {"due": 5.0}, {}))
    queue.put_nowait(1, due=5.0)


@case
def items_of_many() -> None:
    through("__iter__", lambda own: functools.partial(PriorityHeap().push_many, own()))


@case
def count_of_many() -> None:
    through("__index__", lambda own: functools.partial(PriorityHeap().pop_many, own()))


@case
def text_of_a_handle() -> None:
    through("__str__", lambda own: functools.partial(PriorityHeap().remove, own(5)), int)


# ---- Switch ----


@case
def switch_of_itself() -> None:
    loop = functools.partial(max)
    switch = Switch("recursion.itself", loop)
    loop.__setstate__((switch, (), {}, {}))
    switch()


@case
def switch_of_switches() -> None:
    switch: Any = abs
    for level in range(LEVELS):
        switch = Switch(f"recursion.level{level}", switch)
    kept.append(switch)
    switch(1)


@case
def switch_in_its_function() -> None:
    def function(n: int) -> Any:
        return switch(n + 1)

    switch = Switch("recursion.function", function)
    switch(0)


@case
def switch_for_a_key() -> None:
    def function(n: int) -> Any:
        return switch.call_for("key", n + 1)

    switch = Switch("recursion.key", function)
    switch(0)


@case
def switch_awaited() -> None:
    async def function() -> int:
        return 1

    switch: Any = function
    for level in range(LEVELS):
        switch = Switch(f"recursion.async{level}", switch)
    kept.append(switch)
    call = switch()
    try:
        call.send(None)
    except StopIteration:
        pass
    finally:
        call.close()
        kept.append(call)


# ---- indicators, metrics ----


@case
def number_of_a_bar() -> None:
    live = SMA(3).live()
    through("__float__", lambda own: functools.partial(live.update, own()))


@case
def array_of_an_argument() -> None:
    class Array:
        def __array__(self, *args: Any, **kwargs: Any) -> Any:
            return sma(Array(), 3)

    sma(Array(), 3)


@case
def live_in_live() -> None:
    own: Any = type("Own", (), {})
    own.__float__ = lambda self: SMA(3).live().update(self)
    SMA(3).live().update(own())


@case
def number_of_a_gauge() -> None:
    own: Any = type("Own", (), {})
    own.__float__ = functools.partial(Gauge().set)
    Gauge().set(own())


@case
def order_of_an_amount() -> None:
    own: Any = type("Own", (int,), {})
    own.__ge__ = lambda self, other: Counter().add(own())
    Counter().add(own())


@case
def number_of_an_observation() -> None:
    own: Any = type("Own", (), {})
    own.__float__ = functools.partial(Sketch().observe)
    Sketch().observe(own())


def check(name: str) -> None:
    print(name, flush=True)
    try:
        CASES[name]()
    except RecursionError:
        return
    if name not in FINITE:
        raise AssertionError(f"{name}: expected a RecursionError, got none")


def run(names: list[str], failed: list[BaseException]) -> None:
    try:
        for name in names:
            check(name)
            gc.collect()
    except BaseException as error:
        failed.append(error)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    limit, stack, *names = sys.argv[1:]
    np.zeros(1)
    sys.setrecursionlimit(int(limit))
    failed: list[BaseException] = []
    work = functools.partial(run, names or list(CASES), failed)
    if int(stack):
        threading.stack_size(int(stack) * 1024)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    else:
        work()
    if failed:
        raise failed[0]
    print("survived")
