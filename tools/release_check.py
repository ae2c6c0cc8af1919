"""Ends with an error unless a tag is the version and CHANGELOG.md has its section: ``release_check.py v1.2.3``."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def fault(tag: str, root: Path = ROOT) -> str:
    """What keeps `tag` from being released, or nothing."""
    version = runpy.run_path(str(root / "fastcore" / "_version.py"))["__version__"]
    if tag != f"v{version}":
        return f"release_check: tag: expected v{version}, as in fastcore/_version.py, got {tag or 'none'}"
    changes = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    if not re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", changes, re.MULTILINE):
        return f"release_check: CHANGELOG.md: expected a line '## [{version}] - YYYY-MM-DD', found none"
    return ""


if __name__ == "__main__":
    sys.exit(fault(sys.argv[1] if len(sys.argv) > 1 else ""))
