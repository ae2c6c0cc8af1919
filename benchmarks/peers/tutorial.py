"""The steps of `docs/tutorial.md`: runs the page's own code, and times what its comments name.

A comment ``<!-- timed: case | contender = expression | ... -->`` is timed at its place in the page, with all that the
blocks above it defined; ``<!-- counted: case | name = expression -->`` notes a number.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import harness

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tutorial.md"
PART = re.compile(
    r"^```python\n(?P<code>.*?)^```$|^<!-- (?P<kind>timed|counted): (?P<case>[^|]+?) \| (?P<rest>.+?) -->$",
    re.MULTILINE | re.DOTALL,
)


def contender(expression: str, names: Mapping[str, Any]) -> Callable[[], object]:
    """Return a function that evaluates `expression` with the page's names as they are now."""
    return eval(f"lambda: {expression}", dict(names))


def expressions(rest: str) -> dict[str, str]:
    """Return what the parts of a comment name."""
    return dict(part.split(" = ", 1) for part in rest.split(" | "))


def main() -> None:
    """Run the page."""
    report = harness.Report("tutorial", "The tutorial's service, step by step", harness.versions("pandas", "fastapi"))
    report.notes.append("Functions are called directly, without HTTP.")
    names: dict[str, Any] = {"__name__": "__main__"}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for part in PART.finditer(PAGE.read_text(encoding="utf-8")):
            if part["code"] is not None:
                exec(compile(part["code"], str(PAGE), "exec"), names)
            elif part["kind"] == "counted":
                numbers = {name: float(eval(what, names)) for name, what in expressions(part["rest"]).items()}
                report.add(part["case"], {}, {name: harness.Ratio(value) for name, value in numbers.items()})
            else:
                contenders = {name: contender(what, names) for name, what in expressions(part["rest"]).items()}
                report.add(part["case"], harness.interleave(contenders, rounds=15, target=0.02))
        os.chdir("/")
    report.write()


if __name__ == "__main__":
    main()
