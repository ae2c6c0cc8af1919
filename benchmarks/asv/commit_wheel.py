"""Builds the wheel of one commit for asv, with the commit written into it as ``fastcore/_commit.py``.

Usage: python commit_wheel.py COMMIT CHECKOUT FOLDER

Run by asv in the environment that the suites run in, with the packages that asv.conf.json names.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def main(commit: str, checkout: str, folder: str) -> int:
    text = f'"""The commit that this wheel was built from; written by the build."""\n\nCOMMIT = {commit!r}\n'
    (Path(checkout) / "fastcore" / "_commit.py").write_text(text, encoding="ascii")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder]
    environment = {**os.environ, "FASTCORE_REQUIRE_EXTENSIONS": "1"}
    return subprocess.run([*command, checkout], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
