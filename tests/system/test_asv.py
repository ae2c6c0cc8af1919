"""``make asv-check`` in a clone: it finds a kernel that was made 1.3 times as slow, and nothing in an unchanged commit.

Each commit is built, so this takes minutes. ``FASTCORE_ASV_BENCH`` chooses what is measured; empty is everything.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000), pytest.mark.backend_independent]

ROOT = Path(__file__).resolve().parents[2]
BENCH = os.environ.get("FASTCORE_ASV_BENCH", "stddev|lru_hit")
KERNELS = "fastcore/_ext/src/indicators/kernels/deviation.c"
WHOLE = "    return FC(roll_std)(in[0], n, w, par[1], out[0], scratch);\n"
THREE_TENTHS = (
    "    if (n * 3 / 10 > w) {\n        FC(roll_std)(in[0], n * 3 / 10, w, par[1], out[0], scratch);\n    }\n"
)


class Clone:
    """A clone of this repository that commits can be added to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._run("git", "clone", "--quiet", str(ROOT), str(folder))

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        env = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "FASTCORE_", "PYTHONPATH"))}
        cwd = self.folder if self.folder.is_dir() else None
        ran = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
        if command[0] == "git":
            assert ran.returncode == 0, ran.stderr
        return ran

    def commit(self, message: str) -> None:
        told = ("-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false")
        self._run("git", *told, "commit", "--quiet", "--all", "--allow-empty", "--message", message)

    def edit(self, path: str, old: str, new: str) -> None:
        file = self.folder / path
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1
        file.write_text(text.replace(old, new), encoding="utf-8")

    def check(self) -> subprocess.CompletedProcess[str]:
        """Compare HEAD with the commit before it."""
        return self._run(sys.executable, "benchmarks/asv/check.py", "HEAD~1", BENCH)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return Clone(tmp_path_factory.mktemp("asv") / "clone")


def verdict(ran: subprocess.CompletedProcess[str]) -> str:
    """What was said after the output of asv."""
    return ran.stdout[ran.stdout.rindex("\n\n", 0, ran.stdout.rindex("slower than")) :]


def test_a_kernel_that_became_slower_is_found(clone: Clone) -> None:
    clone.edit(KERNELS, WHOLE, THREE_TENTHS + WHOLE)
    clone.commit("A slower kernel")
    ran = clone.check()
    assert ran.returncode == 1, ran.stdout[-4000:] + ran.stderr[-4000:]
    lines = [line.split() for line in verdict(ran).splitlines() if line.startswith("bench_")]
    assert [line[0] for line in lines if "kernel" in line[0]] == [
        "bench_instructions.Instructions.track_instructions('kernel.stddev')"
    ]
    assert 1.15 < float(lines[0][-1]) < 1.35
    assert all("stddev" in " ".join(line) for line in lines)


def test_an_unchanged_commit_is_not_slower(clone: Clone) -> None:
    clone.commit("Nothing")
    ran = clone.check()
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-4000:]
    assert "is nowhere slower than" in ran.stdout
