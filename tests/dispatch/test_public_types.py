"""What a type checker makes of subscripts on the public classes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.backend_independent
api = pytest.importorskip("mypy.api")

CODE = """
from fastcore.cache import LRUCache, TTLCache
from fastcore.heap import AsyncPriorityQueue, PriorityHeap, PriorityQueue

cache: TTLCache[str, int] = TTLCache(10, 60)
with_time: TTLCache[str, int, float] = TTLCache(10, 60)
reveal_type(cache["a"])  # int
reveal_type(with_time.timer())  # float
queue: PriorityQueue[str] = PriorityQueue()
reveal_type(queue.get())  # str
queue.put(5)  # error: arg-type
bare = PriorityQueue()
reveal_type(bare.get())  # Any
heap = PriorityHeap[bytes]()
reveal_type(heap.pop())  # bytes

class Mine(LRUCache[str, int]):
    def __setitem__(self, key: str, value: int) -> None:
        LRUCache.__setitem__(self, key, value)

async def first(later: AsyncPriorityQueue[str]) -> None:
    reveal_type(await later.get())  # str

def unparametrised(a: LRUCache, b: PriorityQueue) -> None: ...
"""


def test_subscripts_give_the_types_of_keys_values_and_items(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(CODE)
    told, errors, _ = api.run(["--strict", "--no-error-summary", f"--cache-dir={tmp_path}", str(program)])
    assert not errors
    found = {}
    for line in told.splitlines():
        number, kind = re.search(r"program.py:(\d+): (.*)", line).groups()  # type: ignore[union-attr]
        revealed = re.search('Revealed type is "(.*)"', kind)
        found[int(number)] = revealed[1] if revealed else "error: " + kind.rpartition("[")[2].rstrip("]")
    expected = {
        number: line.partition("  # ")[2] for number, line in enumerate(CODE.splitlines(), start=1) if "  # " in line
    }
    assert found == expected
