"""Fuzz the inbound path: ``python tests/fuzz/fuzz_inbound.py tests/fuzz/corpus/inbound -max_total_time=60`` (atheris).

The options are libFuzzer's; a new corpus begins with ``--seed-corpus``.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

import atheris

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

with atheris.instrument_imports(include=["fastcore.streaming", "python_fallback.framing", "websockets"]):
    from tests.fuzz.inbound import drive, seeds

_loop = asyncio.new_event_loop()
asyncio.set_event_loop(_loop)
logging.disable(logging.CRITICAL)


def one_input(data: bytes) -> None:
    """Drive one input."""
    _loop.run_until_complete(drive(data))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--seed-corpus"]:
        folder = Path(__file__).parent / "corpus" / "inbound"
        folder.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(seeds()):
            (folder / f"seed-{number:02}").write_bytes(seed)
    else:
        atheris.Setup(sys.argv, one_input)
        atheris.Fuzz()
