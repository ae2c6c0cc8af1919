"""Instructions of kernels and calls, counted by callgrind; skipped where the machine has no valgrind."""

from __future__ import annotations

import os

from benchmarks import instructions


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

    def setup(self, counts: dict[str, int], call: str) -> None:
        if call not in counts:
            raise NotImplementedError("not counted on this machine, commit or backend")

    def track_instructions(self, counts: dict[str, int], call: str) -> int:
        return counts[call]

    track_instructions.unit = "instructions"
