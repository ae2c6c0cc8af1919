"""Use every hot path of an installed fastcore once; fail unless they run on the backend that was expected.

Usage: python smoke.py compiled|python|switched-off, from a folder outside the checkout. ``switched-off`` asks a
compiled installation for its pure twins.
"""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path


def check(expected: str) -> None:
    import numpy as np

    import fastcore
    from fastcore import _ext, cache, framing, heap, indicators
    from fastcore.dispatch import backends

    here = Path(fastcore.__file__).resolve()
    assert "site-packages" in here.parts, f"expected the installed package, got {here}"
    for name in _ext.EXTENSIONS:
        found = _ext.probe(name)
        assert (found.module is not None) == (expected == "compiled"), f"{name}: {found.cause or 'compiled'}"
    for path in backends.HOT_PATHS:
        assert backends.backend_for(path) == expected, path

    close = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    mean = indicators.sma(close, 3)
    assert all(math.isnan(x) for x in mean[:2]), mean
    assert mean[2:].tolist() == [2.0, 3.0, 4.0], mean

    store = cache.TTLCache(maxsize=2, ttl=60)
    store["a"], store["b"], store["c"] = 1, 2, 3
    assert "a" not in store, "the oldest of three entries must leave a cache of two"
    assert store["c"] == 3

    queue = heap.PriorityHeap()
    for item, priority in (("late", 9.0), ("first", 0.0), ("second", 0.0)):
        queue.push(item, priority)
    assert [queue.pop() for _ in range(3)] == ["first", "second", "late"]

    packed = framing.packb({"symbol": "AAPL", "price": 187.25})
    assert framing.unpackb(packed) == {"symbol": "AAPL", "price": 187.25}
    assert framing.frame({"x": 1}) == b"\x82\x04\x81\xa1x\x01"


if __name__ == "__main__":
    wanted = sys.argv[1]
    if wanted == "switched-off":
        os.environ["FASTCORE_NO_EXTENSIONS"] = "1"
        wanted = "python"
    check(wanted)
    print(f"smoke: every hot path works on the {wanted} backend")
