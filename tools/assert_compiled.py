"""Fail unless the suite's report says that the compiled twin of every hot path was loaded from here and tested.

Usage: python tools/assert_compiled.py REPORT, where REPORT was written by ``pytest --twins-report=REPORT``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from fastcore import _ext
from fastcore.dispatch import backends

ROOT = Path(__file__).resolve().parent.parent


def faults(report: dict[str, dict[str, object]]) -> list[str]:
    """Say what the report lacks; empty when every compiled twin was tested."""
    found = []
    loaded, passed = report["loaded"], report["passed"]
    for name in _ext.EXTENSIONS:
        file = loaded.get(f"fastcore._ext.{name}")
        if file is None:
            found.append(f"fastcore._ext.{name} was never loaded")
        elif not Path(str(file)).resolve().is_relative_to(ROOT):
            found.append(f"fastcore._ext.{name} was loaded from {file}, which is not in {ROOT}")
    for path in backends.HOT_PATHS:
        for twin in backends.BACKENDS:
            if not passed.get(f"{path} {twin}"):
                found.append(f"tests/{path}: no test passed on the {twin} twin")
    return found


def main(argv: list[str]) -> int:
    found = faults(json.loads(Path(argv[0]).read_text(encoding="utf-8")))
    for fault in found:
        print(f"assert_compiled: {fault}", file=sys.stderr)
    if not found:
        print(f"assert_compiled: the compiled twins of {', '.join(backends.HOT_PATHS)} were tested")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
