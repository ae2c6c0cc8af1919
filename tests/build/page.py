"""Runs the Python blocks of a page in order, as a reader types them: ``python page.py docs/heap.md``.

They share one namespace with the sessions (``pycon``), whose output is compared. As in ``python -m asyncio`` there is
one event loop: ``await`` may stand at the top. A block below ``<!-- not run: reason -->`` is compiled only.
"""

from __future__ import annotations

import ast
import asyncio
import doctest
import inspect
import os
import re
import sys
import traceback
from pathlib import Path
from typing import Any

BLOCK = re.compile(
    r"^(?P<mark><!-- not run: .+ -->\n)?```(?P<kind>python|pycon)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)


def run(page: Path, loop: asyncio.Runner) -> None:
    text = page.read_text(encoding="utf-8")
    names: dict[str, Any] = {"__name__": "__main__"}
    for found in BLOCK.finditer(text):
        above = text.count("\n", 0, found.start("code"))  # so that a traceback names the page's line
        if found["kind"] == "pycon":
            compare(found["code"], names, str(page), above)
            continue
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        code = compile("\n" * above + found["code"], str(page), "exec", flags=flags, dont_inherit=True)
        if found["mark"]:
            continue
        if code.co_flags & inspect.CO_COROUTINE:
            loop.run(asyncio.wait_for(eval(code, names), 30))
        else:
            exec(code, names)


def compare(session: str, names: dict[str, Any], page: str, line: int) -> None:
    test = doctest.DocTestParser().get_doctest(session, names, page, page, line)
    test.globs = names  # what the session defines, later blocks use
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    if runner.run(test, clear_globs=False).failed:
        raise AssertionError(f"{page}: a session printed something else")


if __name__ == "__main__":
    status = 0
    try:
        run(Path(sys.argv[1]), asyncio.Runner())
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    os._exit(status)  # what a page started goes on until its service ends, which a page does not show
