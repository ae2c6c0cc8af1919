"""Builds the wheel of one commit for asv, with the commit written into it as ``fastcore/_commit.py``.

Usage: python commit_wheel.py COMMIT CHECKOUT FOLDER

Run by asv in the environment that the suites run in, with the packages that asv.conf.json names. What one commit
compiled is kept for the next: setup.py compiles an extension again if a source of it is newer than the binary or the
binary has another stamp, and a checkout writes only the files that differ.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

KEPT = Path(sys.prefix) / "fastcore-build"


def main(commit: str, checkout: str, folder: str) -> int:
    text = f'"""The commit that this wheel was built from; written by the build."""\n\nCOMMIT = {commit!r}\n'
    (Path(checkout) / "fastcore" / "_commit.py").write_text(text, encoding="ascii")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder]
    environment = {**os.environ, "FASTCORE_REQUIRE_EXTENSIONS": "1"}
    build = Path(checkout) / "build"
    shutil.rmtree(build, ignore_errors=True)
    if KEPT.is_dir():
        KEPT.rename(build)
    try:
        return subprocess.run([*command, checkout], env=environment, check=False).returncode
    finally:
        if build.is_dir():
            keep_binaries(build)
            build.rename(KEPT)


def keep_binaries(build: Path) -> None:
    """Remove all of `build` that setuptools would copy into the next wheel without a look at its date."""
    for path in build.glob("lib*/**/*"):
        if path.is_file() and path.suffix not in (".so", ".pyd", ".dylib"):
            path.unlink()
    for path in build.glob("bdist*"):
        shutil.rmtree(path)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
