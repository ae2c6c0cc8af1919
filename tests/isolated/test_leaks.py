"""Each script in this folder runs in its own interpreter, on each twin, and must leak no memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
SCRIPTS = sorted(p.name for p in HERE.glob("leak_*.py"))


def run(arguments: list[str], backend: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "FASTCORE_BACKEND": backend}
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", *arguments],
        cwd=HERE,
        env=env,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_memory_is_leaked(script: str, backend: str) -> None:
    ran = run([script], backend)
    assert ran.returncode == 0, ran.stdout + ran.stderr


LEAKS = {
    "blocks": "kept = []\ncheck(lambda: kept.extend(object() for _ in range(50)), 'planted')",
    "bytes": "kept = []\ncheck(lambda: kept.append(bytearray(400_000)), 'planted')",
    "cycle": "import leaks\nleaks.gc.collect = lambda: 0\nleaks.gc.disable()\n"
    "class A: pass\ndef work():\n    for _ in range(50):\n        a = A(); a.a = a\ncheck(work, 'planted')",
}


@pytest.mark.parametrize("kind", sorted(LEAKS))
def test_a_planted_leak_is_found(kind: str) -> None:
    if os.environ.get("FASTCORE_SANITIZE"):
        pytest.skip("a sanitizer has an allocator of its own, which keeps what was freed: nothing to count")
    ran = run(["-c", f"from leaks import check\n{LEAKS[kind]}"], "python")
    assert ran.returncode == 1
    assert "planted: expected at most" in ran.stderr


def test_clean_work_is_clean() -> None:
    ran = run(
        ["-c", "from leaks import check\ncheck(lambda: [bytearray(10_000) for _ in range(100)], 'clean')"], "python"
    )
    assert ran.returncode == 0, ran.stderr
