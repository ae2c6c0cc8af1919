"""Import time, each time in a new interpreter."""

from __future__ import annotations

PARTS = ("fastcore", "fastcore.indicators", "fastcore.streaming", "fastcore.tasks")


class Import:
    params = PARTS
    param_names = ("module",)

    def timeraw_import(self, module: str) -> str:
        return f"import {module}"

    timeraw_import.number = 1
    timeraw_import.repeat = 3
