"""Instructions of kernels and calls, counted by callgrind; skipped where the machine has no valgrind."""

from __future__ import annotations

import os

from benchmarks import instructions
from benchmarks.features import Skipped


class Instructions:
    params = instructions.names()
    param_names = ("call",)
    timeout = 400

    def setup_cache(self) -> dict[str, int]:
        if os.environ.get("FASTCORE_BACKEND") == "python":
            return {}
        if lacking := instructions.missing():
            print(f"bench_instructions: expected {lacking}, found none; instructions are not counted")
            return {}
        return instructions.counts()

    setup_cache.timeout = 400

    def track_instructions(self, counts: dict[str, int], call: str) -> int:
        if call not in counts:
            raise Skipped("not counted on this machine, commit or backend")
        return counts[call]

    track_instructions.unit = "instructions"
