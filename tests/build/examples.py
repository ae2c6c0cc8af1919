"""Runs the examples of docstrings: ``python examples.py fastcore.cache fastcore.cache.keys ...``.

For each module, its own examples and those of what it defines; for a package, those of every public name, wherever it
is defined. Each is run once, with the names of its module.
"""

from __future__ import annotations

import doctest
import importlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def tests(module: ModuleType) -> Iterator[doctest.DocTest]:
    """Yield the examples of a module and of its public names."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    yield from finder.find(module)
    for name in getattr(module, "__all__", ()):
        value: Any = getattr(module, name)
        if not isinstance(value, ModuleType):
            found: Any = False  # whose module does not matter
            yield from finder.find(value, f"{module.__name__}.{name}", found, vars(module).copy())


def main(names: list[str]) -> int:
    """Run all; returns the exit code."""
    seen, failed = set(), 0
    for name in names:
        for test in tests(importlib.import_module(name)):
            if test.examples and test.docstring not in seen:
                seen.add(test.docstring)
                failed += doctest.DocTestRunner(optionflags=FLAGS).run(test).failed
    print(f"{len(seen)} docstrings with examples, {failed} failures")
    return 1 if failed or not seen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
