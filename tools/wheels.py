"""Build the sdist, the platform wheel from that sdist and the pure wheel; test each wheel in an empty environment.

Usage: python tools/wheels.py [--dist DIR]

The platform wheel must have every extension and the pure one none: each is installed into a new venv, asked for its
status, and put through tools/smoke.py from a folder outside the checkout.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(*args: str | Path, cwd: Path = ROOT, changes: Mapping[str, str] | None = None) -> None:
    """Run a command without the caller's fastcore switches but with `changes`; fail with it."""
    changes = changes or {}
    env = {k: v for k, v in os.environ.items() if not k.startswith("FASTCORE_") and k != "PYTHONPATH"}
    print(
        f"wheels: {' '.join(f'{k}={v}' for k, v in changes.items())} {' '.join(map(str, args[1:]))}".strip(), flush=True
    )
    subprocess.run([str(a) for a in args], cwd=cwd, env={**env, **changes}, check=True)


def build(source: Path, kind: str, out: Path, **changes: str) -> Path:
    """Build an sdist or a wheel of `source` with the build requirements in a separate environment."""
    before = set(out.glob("*"))
    run(sys.executable, "-m", "build", f"--{kind}", "--outdir", out, source, changes=changes)
    (made,) = set(out.glob("*")) - before
    return made


def inspect(wheel: Path, compiled: bool) -> None:
    """The names in a wheel: extensions as expected, no sources, nothing but the two packages."""
    names = zipfile.ZipFile(wheel).namelist()
    sources = [n for n in names if n.endswith((".pyx", ".pxd", ".pxi", ".c", ".h"))]
    binaries = [n for n in names if n.endswith((".so", ".pyd"))]
    tops = {n.split("/")[0] for n in names if ".dist-info" not in n}
    if sources or tops != {"fastcore", "python_fallback"} or bool(binaries) != compiled:
        sys.exit(f"wheels: {wheel.name}: sources {sources}, binaries {binaries}, folders {sorted(tops)}")
    if compiled == wheel.name.endswith("-py3-none-any.whl"):
        sys.exit(f"wheels: {wheel.name}: its tag does not fit its contents")


def try_out(wheel: Path, expected: str, scratch: Path) -> None:
    """Install `wheel` into an empty environment and use it from a folder outside the checkout."""
    home = scratch / f"venv-{expected}"
    venv.create(home, with_pip=True)
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    run(python, "-m", "pip", "install", "--quiet", wheel, cwd=scratch)
    run(python, "-m", "pip", "check", cwd=scratch)
    run(python, "-m", "fastcore", "status", cwd=scratch)
    smoke = shutil.copy(ROOT / "tools" / "smoke.py", scratch)
    run(python, smoke, expected, cwd=scratch)
    if expected == "compiled":
        run(python, smoke, "switched-off", cwd=scratch)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--dist", type=Path, default=ROOT / "dist")
    dist = parser.parse_args().dist.resolve()
    shutil.rmtree(dist, ignore_errors=True)
    dist.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="fastcore-wheels-") as folder:
        scratch = Path(folder)
        sdist = build(ROOT, "sdist", dist, FASTCORE_NO_EXTENSIONS="1")
        with tarfile.open(sdist) as tar:
            tar.extractall(scratch / "sdist", filter="data")
        (source,) = (scratch / "sdist").iterdir()
        platform = build(source, "wheel", dist, FASTCORE_REQUIRE_EXTENSIONS="1")
        pure = build(source, "wheel", dist, FASTCORE_NO_EXTENSIONS="1")
        for wheel, expected in ((platform, "compiled"), (pure, "python")):
            inspect(wheel, expected == "compiled")
            try_out(wheel, expected, scratch)
    print(f"wheels: built and tested {sdist.name}, {platform.name}, {pure.name}")


if __name__ == "__main__":
    main()
