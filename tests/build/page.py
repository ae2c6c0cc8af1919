"""Runs the Python blocks of a page in order, as a reader types them: ``python page.py docs/heap.md``.

They share one namespace, and as in ``python -m asyncio`` one event loop: ``await`` may stand at the top. A block below
``<!-- not run: reason -->`` is compiled only.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import re
import sys
import traceback
from pathlib import Path
from typing import Any

BLOCK = re.compile(r"^(?P<mark><!-- not run: .+ -->\n)?```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


def run(page: Path, loop: asyncio.Runner) -> None:
    text = page.read_text(encoding="utf-8")
    names: dict[str, Any] = {"__name__": "__main__"}
    for found in BLOCK.finditer(text):
        above = text.count("\n", 0, found.start("code"))  # so that a traceback names the page's line
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        code = compile("\n" * above + found["code"], str(page), "exec", flags=flags, dont_inherit=True)
        if found["mark"]:
            continue
        if code.co_flags & inspect.CO_COROUTINE:
            loop.run(asyncio.wait_for(eval(code, names), 30))
        else:
            exec(code, names)


if __name__ == "__main__":
    status = 0
    try:
        run(Path(sys.argv[1]), asyncio.Runner())
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    os._exit(status)  # what a page started goes on until its service ends, which a page does not show
