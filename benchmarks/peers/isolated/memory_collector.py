"""A service's load on the garbage collector under one profile, in a separate process; prints JSON.

Each request makes records that refer to each other in cycles, fails now and then with an exception that holds its
frames, and leaves something in a cache of bounded size. The application itself keeps some 200 000 objects.

Usage: python benchmarks/peers/isolated/memory_collector.py "default" | "service" | "service, frozen"
"""

from __future__ import annotations

import gc
import json
import platform
import random
import sys
import time
from collections import deque
from typing import Any

from fastcore.memory.collector import freeze_after_startup, gc_profile
from fastcore.memory.usage import resident_bytes

REQUESTS = 8_000


class Record:
    def __init__(self, parent: Record | None, number: int) -> None:
        self.parent = parent
        self.children: list[Record] = []
        self.fields = {"number": number, "price": number * 0.01, "tags": [number, number + 1]}
        if parent is not None:
            parent.children.append(self)


class Rejected(Exception):
    def __init__(self, record: Record) -> None:
        super().__init__("rejected")
        self.record = record


def handle(number: int, rng: random.Random, sessions: deque[dict[str, Any]]) -> int:
    root = Record(None, number)
    for child in range(15):
        Record(Record(root, child), child)
    try:
        if rng.random() < 0.1:
            raise Rejected(root)
    except Rejected as error:
        root.fields["error"] = error  # a cycle through the traceback and this frame
    sessions.append({"root": root.fields, "rows": [{"n": n} for n in range(10)]})
    return len(root.children)


def main(profile: str) -> dict[str, Any]:
    application = [{"row": [n], "name": str(n)} for n in range(100_000)]
    if profile != "default":
        gc_profile("service")
    else:
        gc_profile("default")
    if profile == "service, frozen":
        freeze_after_startup()
    else:
        gc.collect()
    pauses: list[float] = []
    began = 0.0

    def watch(phase: str, info: dict[str, int]) -> None:
        nonlocal began
        if phase == "start":
            began = time.perf_counter()
        else:
            pauses.append(time.perf_counter() - began)

    rng = random.Random(1)
    sessions: deque[dict[str, Any]] = deque(maxlen=2_000)
    before = [generation["collections"] for generation in gc.get_stats()]
    halfway = 0
    gc.callbacks.append(watch)
    start = time.perf_counter()
    for number in range(REQUESTS):
        handle(number, rng, sessions)
        if number == REQUESTS // 2:
            halfway = resident_bytes()
    took = time.perf_counter() - start
    gc.callbacks.remove(watch)
    end = resident_bytes()
    runs = [generation["collections"] - was for generation, was in zip(gc.get_stats(), before)]
    assert len(application) == 100_000
    return {
        "version": platform.python_version(),
        "runs": runs,
        "pauses": sum(pauses),
        "longest": max(pauses, default=0.0),
        "took": took,
        "resident": end,
        "drift": end - halfway,
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
