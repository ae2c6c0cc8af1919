"""Try the fastcore that is installed in the running Python: status, every hot path, the README and the contract tests.

Usage: python tools/try_wheel.py compiled|python

All of it runs in an empty folder, so that the checkout is not imported. Without pytest only the status and
tools/smoke.py are run. `make wheels` and cibuildwheel call this for each wheel.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# The contract of each hot path, and what a crash of the process would be found by.
TESTS = (
    "tests/isolated/test_recursion.py",
    "tests/framing/test_hostile.py",
    "tests/heap/test_priority_queue.py",
    "tests/cache/test_calls.py",
    "tests/dispatch/test_switch.py",
    "tests/indicators/test_kernels.py",
)
OF_SOURCES = "tests/isolated/test_recursion.py::test_calls_into_python_are_guarded"  # a wheel has no sources to read

ROOT = Path(__file__).resolve().parent.parent


def main(expected: str) -> None:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("FASTCORE_") and k != "PYTHONPATH"}

    def run(*args: str | Path, **changes: str) -> None:
        print("try_wheel:", *args, flush=True)
        subprocess.run([sys.executable, *map(str, args)], cwd=folder, env={**kept, **changes}, check=True)

    with tempfile.TemporaryDirectory(prefix="fastcore-try-", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        run("-m", "fastcore", "status")
        smoke = shutil.copy(ROOT / "tools" / "smoke.py", folder)
        run(smoke, expected)
        if expected == "compiled":
            run(smoke, "switched-off")
        if importlib.util.find_spec("pytest") is None:
            return
        for name in ("pyproject.toml", "README.md"):
            shutil.copy(ROOT / name, folder)
        shutil.copytree(ROOT / "tests", folder / "tests", ignore=shutil.ignore_patterns("__pycache__"))
        if expected == "compiled":  # the README sets modes that need the compiled twins
            run("tests/build/page.py", "README.md")
        switch = "FASTCORE_REQUIRE_EXTENSIONS" if expected == "compiled" else "FASTCORE_NO_EXTENSIONS"
        run(
            "-m",
            "pytest",
            "-q",
            "-n",
            "logical",
            "--maxprocesses",
            "8",
            *TESTS,
            f"--deselect={OF_SOURCES}",
            **{switch: "1"},
        )


if __name__ == "__main__":
    main(sys.argv[1])
