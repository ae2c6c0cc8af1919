"""Import time, each time in a new interpreter."""

from __future__ import annotations

from importlib.util import find_spec

from benchmarks.features import Skipped

PARTS = ("fastcore", "fastcore.indicators", "fastcore.streaming", "fastcore.tasks")


class Import:
    params = PARTS
    param_names = ("module",)

    def timeraw_import(self, module: str) -> str:
        if find_spec(module) is None:
            raise Skipped(module)
        return f"import {module}"

    timeraw_import.number = 1
    timeraw_import.repeat = 3
