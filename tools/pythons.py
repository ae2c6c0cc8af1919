"""Run tests on every Python that the project promises, as far as the machine has it; one that is missing is named.

Usage: python tools/pythons.py [--repeat] [--only=3.12,3.13] [--venvs=PREFIX] [pytest arguments]

The promise is in the classifiers of pyproject.toml. An interpreter is looked for on PATH, then in pyenv's folders. Each
has an environment of its own, PREFIX with the version after it (.venv-3.12), in which `make test` runs. With --repeat
the suite has run on another Python: tests of servers, clusters and processes are left out, those of the tools, of the
example and of numbers too, and Hypothesis tries fewer examples.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
# What tests of the hot paths need, where a wheel is tested.
HOT_PACKAGES = ("pytest>=8", "pytest-timeout>=2.3", "pytest-xdist>=3.6", "hypothesis>=6.100", "websockets>=13")
# Twins are tested again; the tools, the documentation and the example are not, nor what compares results of the same
# C for thousands of cases. How the twins compare stays: since 3.12 sum() adds floats otherwise.
SAME_C = (
    "scales still_prices leading_gaps gaps definitions kernels parity nan_talib nan_talib_forms out_of_range chains "
    "programs accuracy long_series window_lengths elementary rolling stops board_equals_live board room wide_windows "
    "plan_together operators table"
)
SAME_C_FILES = tuple(f"tests/indicators/test_{name}.py" for name in SAME_C.split())
WITH_SERVERS = ("tests/streaming", "tests/service")
LEFT_OUT = ("tests/build", "tests/examples", "tests/isolated/test_leaks.py", *WITH_SERVERS, *SAME_C_FILES)
REPEAT = " ".join(
    ["-m 'not backend_independent and not slow' --hypothesis-profile=repeat", *(f"--ignore={p}" for p in LEFT_OUT)]
)


def promised() -> list[str]:
    found = [re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", c) for c in PROJECT["project"]["classifiers"]]
    return [match.group(1) for match in found if match]


def runs(command: str, version: str) -> bool:
    """Whether it is that Python: a shim of pyenv is on PATH for versions that are switched off."""
    code = f"import sys; sys.exit('%d.%d' % sys.version_info[:2] != {version!r})"
    try:
        return subprocess.run([command, "-c", code], capture_output=True, timeout=30, check=False).returncode == 0
    except OSError:
        return False


def interpreter(version: str) -> str | None:
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    installed = [path for path in pyenv.glob(f"{version}.*") if path.name.split(".")[2].isdigit()]
    newest = sorted(installed, key=lambda path: int(path.name.split(".")[2]), reverse=True)
    candidates = [f"python{version}", *(str(path / "bin" / "python3") for path in newest)]
    return next((command for command in candidates if runs(command, version)), None)


def run_suite(command: str, venv: str, extra: str, arguments: str) -> int:
    given = [f"VENV={venv}", f"PYTHON={command}", f"TEST_EXTRA={extra}", f"PYTEST_ARGS={arguments}"]
    # Packages come while extensions are built; what tests run by make would inherit -j.
    prepare = ["-j2", f"{venv}/.installed-{extra}", "build-required"]
    for targets in (prepare, ["test"]):
        ran = subprocess.run(["make", "--no-print-directory", *targets, *given], cwd=ROOT, check=False)
        if ran.returncode:
            break
    return ran.returncode


def main(arguments: list[str]) -> int:
    options = dict(a[2:].split("=", 1) for a in arguments if a.startswith(("--only=", "--venvs=")))
    rest = [a for a in arguments if not a.startswith(("--only=", "--venvs=")) and a != "--repeat"]
    repeats = "--repeat" in arguments
    if repeats:
        rest = [REPEAT, *rest]
    only = options.get("only", "").split(",") if options.get("only") else promised()
    lines, failed = [], False
    for version in only:
        command = interpreter(version)
        if command is None:
            lines.append(f"Python {version}: not on this machine, not tested")
            continue
        begun = time.monotonic()
        venv = f"{options.get('venvs', '.venv-')}{version}"
        status = run_suite(command, venv, "test" if repeats else "dev", " ".join(rest))
        failed = failed or status != 0
        passed = "passed" if status == 0 else f"failed, exit status {status}"
        lines.append(f"Python {version}: {passed} in {time.monotonic() - begun:.0f} s ({command})")
    print("\n".join(["", *lines]))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
