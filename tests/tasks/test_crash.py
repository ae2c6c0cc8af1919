"""A service of tasks that is killed, and what the next one finds: real processes, SIGKILL."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.backend_independent

TOOL = Path(__file__).parents[2] / "tools" / "task_crash.py"


@pytest.mark.skipif(sys.platform == "win32", reason="kill() ends a process otherwise there")
def test_a_service_killed_at_random_moments_loses_nothing_and_does_nothing_twice(tmp_path: Path) -> None:
    """The campaign in small; run the tool for the whole of it."""
    command = [sys.executable, str(TOOL), "--rounds", "3", "--seed", "7", "--json", "--dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110)
    assert done.stderr == ""
    found = json.loads(done.stdout)
    assert found["wrong"] == dict.fromkeys(found["wrong"], 0)
    assert done.returncode == 0
    assert found["acknowledged"] > 0, "nothing was submitted: nothing was tried"
    assert found["running at kills"] > 0, "no kill hit a running task"
