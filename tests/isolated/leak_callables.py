"""Every public callable of every extension: right arguments, and a wrong one at each position, again and again.

Counted after each callable: blocks of the interpreter, bytes that malloc has handed out, and references to what is
always there. A callable of an extension that has no row here is an error.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from counting import ALWAYS, Incomparable, Raises, Row, Wrong, check, public, refuse

from fastcore import Switch, _ext
from fastcore.cache import cached
from fastcore.framing import Fanout
from fastcore.indicators import RSI, Plan

ext = {name: importlib.import_module(f"fastcore._ext.{name}") for name in _ext.EXTENSIONS}
TABLE: dict[str, list[Row]] = {}


def row(name: str, made: Callable[[], Any], *args: Callable[[], Any], **kwargs: Callable[[], Any]) -> None:
    """`made` gives what is called; the rest, fresh arguments."""
    TABLE.setdefault(name, []).append((made, args, kwargs))


def methods(path: str, make: Callable[[], Any], **calls: tuple[Callable[[], Any], ...]) -> None:
    for name, args in calls.items():
        row(f"{path}.{name}", lambda name=name: getattr(make(), name), *args)


def given(value: Any) -> Callable[[], Any]:
    return lambda: value


def items() -> list[Any]:
    return [[n] for n in range(20)]


# ---- heap ----


def heap() -> Any:
    made = ext["heap"].PriorityHeap(priorities="any")
    made.push_many(items(), [float(n) for n in range(20)])
    return made


def numbers() -> Any:
    made = ext["heap"].PriorityHeap(clock=lambda: 1.0)
    made.push_many(items(), [float(n) for n in range(20)])
    made.push("late", 1.0, due=5.0)
    return made


def queue(kind: str) -> Callable[[], Any]:
    def make() -> Any:
        made = getattr(ext["heap"], kind)(50)
        for n in range(20):
            made.put_nowait([n], priority=float(n))
        return made

    return make


FIRST = given(1 << 28)
for make in (heap, numbers):
    methods(
        "heap.PriorityHeap",
        make,
        push=(lambda: [1], given(3.5)),
        push_many=(items, lambda: [float(n) for n in range(20)]),
        pop_many=(given(5),),
        pop=(),
        pop_entry=(),
        peek_entry=(),
        peek=(),
        ready=(),
        next_due=(),
        clear=(),
        remove=(FIRST,),
        priority=(FIRST,),
        update=(FIRST, given(9.5)),
    )
    row("heap.PriorityHeap.push", lambda make=make: make().push, lambda: [1], given(2), due=given(9.0))
    row("heap.PriorityHeap.push", lambda make=make: make().push, lambda: [1], given(2), delay=given(9.0))
    row("heap.PriorityHeap.push_many", lambda make=make: make().push_many, items, due=given(9.0))
    row("heap.PriorityHeap.push_many", lambda make=make: make().push_many, items, lambda: np.arange(20.0))
    row(
        "heap.PriorityHeap.push_many",
        lambda make=make: make().push_many,
        items,
        lambda: [(n, Raises()) for n in range(20)],
    )
    row(
        "heap.PriorityHeap.push_many",
        lambda make=make: make().push_many,
        items,
        lambda: [10**400 + n for n in range(20)],
    )
    row(
        "heap.PriorityHeap.push_many",
        lambda make=make: make().push_many,
        items,
        lambda: [[5.0]] * 19 + [Incomparable()],
    )
    for twin_only in ("_rows", "__reduce__", "__copy__", "_take_state", "entries"):
        row(f"heap.PriorityHeap.{twin_only}", lambda make=make, name=twin_only: getattr(make(), name))
    row(
        "heap.PriorityHeap._load",
        lambda make=make: make()._load,
        lambda: heap()._rows(),
        given(99),
        given(0.0),
        given(0.0),
    )
row(
    "heap.PriorityHeap",
    given(ext["heap"].PriorityHeap),
    order=given("max"),
    aging=given(0.5),
    clock=lambda: lambda: 1.0,
)
for kind in ("PriorityQueue", "AsyncPriorityQueue"):
    row(f"heap.{kind}", given(getattr(ext["heap"], kind)), given(5), order=given("max"), aging=given(0.5))
    methods(
        f"heap.{kind}",
        queue(kind),
        put_nowait=(lambda: (3, [1]),),
        get_nowait=(),
        task_done=(),
        shutdown=(given(True),),
        clear=(),
        qsize=(),
        empty=(),
        full=(),
        peek=(),
        ready=(),
        next_due=(),
        remove=(FIRST,),
        priority=(FIRST,),
        update=(FIRST, lambda: 7.5),
        get=(),
        put=(lambda: [1],),
        __reduce__=(),
    )
    row(f"heap.{kind}.put", lambda kind=kind: queue(kind)().put, lambda: [1], priority=given(2.0), due=given(1.0))
    row(f"heap.{kind}.put", lambda kind=kind: queue(kind)().put, lambda: [1], priority=given(2.0), delay=given(1.0))
row("heap.PriorityQueue.put", lambda: queue("PriorityQueue")().put, lambda: (1, [1]), given(True), given(0.001))
row("heap.PriorityQueue.get", lambda: queue("PriorityQueue")().get, given(True), given(0.001))
row("heap.PriorityQueue.join", lambda: ext["heap"].PriorityQueue().join)

# ---- framing ----


def message() -> dict[str, Any]:
    return {"symbol": "AAPL", "n": [1, -1, 2.5, None, True, b"raw", "ä" * 40], "big": 1 << 60}


def columns() -> dict[str, Any]:
    return {"a": np.arange(20.0), "b": [f"text {n}" for n in range(20)], "c": [[n] for n in range(20)]}


def rows() -> Any:
    return ext["framing"].RowPacker(("a", "b", "c"), nan_as_none=True)


def unpacker() -> Any:
    made = ext["framing"].Unpacker()
    made.feed(ext["framing"].packb(message()) * 3)
    return made


def array_unpacker() -> Any:
    made = ext["framing"].Unpacker()
    made.feed(b"\x93\x01\x02\x03" * 3)
    return made


def map_unpacker() -> Any:
    made = ext["framing"].Unpacker()
    made.feed(b"\x81\x01\x02" * 3)
    return made


def fan() -> Any:
    made = Fanout(policy="conflate", history=10)
    for client in ("ann", "bob"):
        made.connect(client, deflate=12)
        made.subscribe(client, ["prices.*", "news"])
    made.publish("prices.AAPL", message(), key="AAPL")
    return made


framing = ext["framing"]
for name in ("packb", "frame"):
    row(f"framing.{name}", given(getattr(framing, name)), message)
    row(f"framing.{name}", given(getattr(framing, name)), lambda: [1, [Raises()], object()])
    row(f"framing.{name}", given(getattr(framing, name)), lambda: {Raises: 1, "b": [1] * 50 + [object()]})
    row(f"framing.{name}", given(getattr(framing, name)), lambda: [object()] * 3, default=lambda: refuse)
    row(
        f"framing.{name}",
        given(getattr(framing, name)),
        lambda: [object()] * 3,
        default=lambda: lambda value: [str(value)],
    )
row("framing.frame", given(framing.frame), lambda: [message()] * 20, compress=given(True))
row("framing.unpackb", given(framing.unpackb), lambda: framing.packb([message()] * 3))
row("framing.unpackb", given(framing.unpackb), lambda: framing.packb([message()] * 3)[:-2])
row("framing.unpackb", given(framing.unpackb), lambda: framing.packb(message()), object_hook=lambda: refuse)
row("framing.unpackb", given(framing.unpackb), lambda: framing.packb(message()), object_pairs_hook=lambda: dict)
row("framing.unpackb", given(framing.unpackb), lambda: framing.packb([[1], [2]]), list_hook=lambda: refuse)
row("framing.unpackb", given(framing.unpackb), lambda: b"\x92\xa1a\xd4\x05x", ext_hook=lambda: refuse)
row("framing.message_size", given(framing.message_size), lambda: framing.packb([message()] * 3), max_depth=given(9))
row("framing.message_size", given(framing.message_size), lambda: bytearray(framing.packb([message()])[:-2]))
row("framing.frame_packed", given(framing.frame_packed), lambda: b"x" * 500, compress=given(True))
row("framing.Packer", given(framing.Packer), default=lambda: refuse, autoreset=given(False))
methods(
    "framing.Packer",
    framing.Packer,
    pack=(message,),
    pack_map_pairs=(lambda: [("a", [1]), ("b", message())],),
    pack_array_header=(given(3),),
    pack_map_header=(given(3),),
    pack_ext_type=(given(5), lambda: b"data"),
    bytes=(),
    getbuffer=(),
    reset=(),
)
row("framing.Packer.pack", lambda: framing.Packer(default=refuse).pack, lambda: [1, [object()], "x"])
row("framing.Packer.pack", lambda: framing.Packer(autoreset=False).pack, lambda: [message()] * 2 + [object()])
row("framing.Unpacker", given(framing.Unpacker), max_buffer_size=given(100), object_hook=lambda: refuse)
methods(
    "framing.Unpacker",
    unpacker,
    feed=(lambda: b"\x93\x01",),
    unpack=(),
    skip=(),
    read_bytes=(given(3),),
    tell=(),
    __next__=(),
)
methods("framing.Unpacker", array_unpacker, read_array_header=(), read_map_header=())
methods("framing.Unpacker", map_unpacker, read_array_header=(), read_map_header=())
row("framing.RowPacker", given(framing.RowPacker), given(("a", "b")), rows=given("map"), default=lambda: refuse)
for name in ("pack", "frame"):
    row(f"framing.RowPacker.{name}", lambda name=name: getattr(rows(), name), columns)
    for bad in (
        {"a": [1.0], "b": ["x"], "c": [Raises()]},
        {"a": [1.0], "b": ["x", "y"], "c": [[1]]},
        {"a": [1.0], "b": ["x"]},
        {"a": np.array([1 + 2j]), "b": ["x"], "c": [[1]]},
        {"a": [1.0] * 30, "b": ["x" * n for n in range(30)], "c": [[n] for n in range(29)] + [object()]},
    ):
        row(f"framing.RowPacker.{name}", lambda name=name: getattr(rows(), name), lambda bad=bad: dict(bad))
row("framing.Fanout", given(Fanout), policy=given("conflate"), limit=given(1 << 20))
methods("framing.Fanout", fan, tick=(), send=())
for name, args in {
    "publish": (given("prices.AAPL"), message),
    "publish_packed": (given("prices.AAPL"), lambda: framing.packb(message()), lambda: "AA" + "PL"),
    "topic_id": (given("prices.MSFT"),),
    "connect": (lambda: ("carl",),),
    "subscribe": (given("ann"), lambda: ["x.*"]),
    "unsubscribe": (given("ann"), lambda: ["news"]),
    "disconnect": (given("ann"),),
    "blocked": (given("ann"),),
    "writable": (given("ann"),),
    "take_closing": (),
}.items():
    row(f"framing.Fanout.{name}", lambda name=name: getattr(fan(), name), *args)

# ---- cache ----


def cache(kind: str) -> Callable[[], Any]:
    def make() -> Any:
        module = ext["cache"]
        made = {
            "LRUCache": lambda: module.LRUCache(30),
            "TTLCache": lambda: module.TTLCache(30, 60),
            "TLRUCache": lambda: module.TLRUCache(30, lambda key, value, now: now + 60),
        }[kind]()
        for n in range(20):
            made[f"key {n}"] = [n]
        return made

    return make


KEY = lambda: "key 3"  # noqa: E731
for kind in ("LRUCache", "TTLCache", "TLRUCache"):
    methods(
        "cache.Cache",
        cache(kind),
        get=(KEY, lambda: [1]),
        peek=(KEY, lambda: [1]),
        get_many=(lambda: ["key 1", "key 99"],),
        set=(KEY, lambda: [2]),
        setdefault=(lambda: "new", lambda: [1]),
        pop=(KEY, lambda: [1]),
        popitem=(),
        clear=(),
        touch=(KEY,),
        ttl_remaining=(KEY,),
        expire=(),
        getsizeof=(lambda: [1],),
        get_or_compute=(lambda: "new", lambda: lambda: [1]),
        aget_or_compute=(lambda: "new", lambda: nothing),
        keys=(),
        values=(),
        items=(),
        set_many=(lambda: {"a": [1], "b": [2]},),
        resize=(given(10),),
        stats=(),
        update=(lambda: {"a": [1]},),
        _state=(),
        _take_state=(),
        __getitem__=(KEY,),
        __setitem__=(KEY, lambda: [3]),
        __delitem__=(KEY,),
        __contains__=(KEY,),
    )
    row("cache.Cache.get_or_compute", lambda kind=kind: cache(kind)().get_or_compute, list, lambda: refuse)
    row("cache.Cache.get_or_compute", lambda kind=kind: cache(kind)().get_or_compute, lambda: "new", lambda: refuse)
row("cache.LRUCache", given(ext["cache"].LRUCache), given(5), getsizeof=lambda: lambda value: 1)
row("cache.TTLCache", given(ext["cache"].TTLCache), given(5), given(60), timer=lambda: lambda: 1.0)
row("cache.TLRUCache", given(ext["cache"].TLRUCache), given(5), lambda: lambda key, value, now: now)
row("cache.Cache", given(ext["cache"].Cache), given(5))
row("cache.encode_cells", given(ext["cache"].encode_cells), lambda: np.array(["a", [1], None, 2.5], dtype=object))


async def nothing() -> list[int]:
    return [1]


@cached(maxsize=5, name="leaks")
def watched(x: Any, y: Any = 1) -> Any:
    if x == "raise":
        raise Wrong
    return [x, y]


class Service:
    @cached(maxsize=5, name="leaks_of_methods")
    def method(self, x: Any) -> Any:
        return [x]


service = Service()
row("cache.CachedCall", given(watched), lambda: "x", y=lambda: "y")
row("cache.CachedCall", given(watched), lambda: "raise")
row("cache.CachedMethod", lambda: service.method, lambda: "x")
row("cache.BoundCall", lambda: service.method.invalidate, lambda: "x")

# ---- indicators, metrics, switch ----


def live() -> Any:
    return RSI(14).live(np.arange(50.0))


def board() -> Any:
    return Plan(rsi=RSI(14)).live(symbols=3)


module = ext["indicators"]
methods("indicators.Live", live, update=(given(1.5),), peek=(given(1.5),), extend=(lambda: np.arange(5.0),), copy=())
row("indicators.Live", given(module.Live), given("rsi"), given({"timeperiod": 14}))
methods(
    "indicators.Board",
    lambda: board()._core,
    update=(lambda: {"close": np.arange(3.0)}, lambda: np.array([0, 2])),
    extend=(lambda: {"close": np.ones((3, 5))},),
    add=(given(2), lambda: {"close": np.ones((2, 5))}),
    reset=(lambda: np.array([0, 2]),),
    hold=(),
    release=(),
    renew=(),
    output=(given(0),),
    copy=(),
    __reduce__=(),
)
row("indicators.Board", given(module.Board), given("rsi"))
SPECS = [(*one.row.core(one.values), one.columns) for one in (RSI(14), RSI(5))]
row("indicators.Plan", given(module.Plan), given(SPECS))
methods("indicators.Plan", lambda: module.Plan(SPECS), __call__=(lambda: [np.ones(50)],))
for length in (50, 9):
    outputs = [[np.zeros(length)] for _ in SPECS]
    row("indicators.Plan.__call__", lambda: module.Plan(SPECS), lambda: [np.ones(50)], out=given(outputs))
row("indicators.function", given(module.function), given("rsi"))
row("indicators.batch", given(module.batch), given("rsi"), lambda: [np.arange(50.0)])
row("indicators.isas", given(module.isas))
row("indicators.isa", given(module.isa))

module = ext["metrics"]


def sketch() -> Any:
    made = ext["metrics"].Sketch()
    for n in range(200):
        made.observe(1.1**n)
    return made


row("metrics.Counter", given(module.Counter))
row("metrics.Gauge", given(module.Gauge))
row("metrics.Sketch", given(module.Sketch))
methods("metrics.Counter", module.Counter, add=(given(3),))
methods("metrics.Gauge", module.Gauge, set=(given(2.5),), add=(given(2.5),))
methods("metrics.Sketch", sketch, observe=(given(0.5),), quantile=(given(0.5),), merge=(sketch,), state=(), clear=())

module = ext["switch"]
switch: Any = Switch("leaks", control=lambda x: [x], candidate=lambda x: [x])
failing: Any = Switch("leaks_of_errors", control=refuse, candidate=refuse)
row("switch.switch_type", given(switch), lambda: "x")
row("switch.switch_type", given(failing), lambda: "x")
row("switch.murmur3_32", given(module.murmur3_32), lambda: b"key", given(7))
row("switch.bucket", given(module.bucket), lambda: "salt", lambda: "key")
row("switch.belongs", given(module.belongs), lambda: "salt", lambda: "key", given(50.0))


if __name__ == "__main__":
    if os.environ.get("FASTCORE_BACKEND") == "python" or os.environ.get("FASTCORE_SANITIZE"):
        sys.exit()  # the extensions alone; and a sanitizer counts by itself
    missing = sorted(set(public(ext)) - set(TABLE))
    if missing:
        sys.exit(f"no row for: {', '.join(missing)}")
    ALWAYS += [value for module in ext.values() for value in vars(module).values() if isinstance(value, type)]
    asked = sys.argv[1:] or list(TABLE)
    for name in asked:
        check(name, TABLE[name])
    print(f"{len(asked)} callables keep nothing")
