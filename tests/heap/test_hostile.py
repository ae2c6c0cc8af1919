"""Every hostile caller of `hostile*.py`, on both twins, each in a separate process with a time limit."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = [Path(__file__).with_name(name) for name in ("hostile.py", "hostile_queues.py")]
CASES = {
    case: script for script in SCRIPTS for case in re.findall(r"@case\ndef (\w+)", script.read_text(encoding="utf-8"))
}


@pytest.mark.parametrize("case", CASES)
def test_hostile_callers_do_not_crash_the_heap(backend: str, case: str) -> None:
    command = [sys.executable, "-X", "faulthandler", str(CASES[case]), backend, case]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.stdout == "survived\n", done.stderr[-3000:]
    assert done.returncode == 0
    assert done.stderr == ""
