"""Text files without an encoding are errors in the project, and lines end with CR LF.

On Windows the default encoding is the one of the locale, mostly cp1252. PEP 597 (EncodingWarning, ``-X
warn_default_encoding``) finds every call that depends on it. Lines: docs.python.org/3/library/functions.html#open,
`newline`. Standard streams of programs that tests start have cp1252: docs.python.org/3/library/sys.html#sys.stdout.
"""

from __future__ import annotations

import builtins
import io
import os
import warnings
from typing import Any

__all__ = ["write_as_windows"]


def write_as_windows() -> None:
    """Refuse the default encoding, and write CR LF where a text file's lines were left to the system."""
    warnings.filterwarnings("ignore", category=EncodingWarning)
    warnings.filterwarnings("error", category=EncodingWarning, module=r"(fastcore|python_fallback|examples)(\..*)?")
    os.environ["PYTHONIOENCODING"] = "cp1252"
    real = builtins.open

    def opening(file: Any, mode: str = "r", buffering: int = -1, encoding: Any = None, errors: Any = None,
                newline: Any = None, *args: Any, **kwargs: Any) -> Any:  # fmt: skip
        if "b" in mode:
            return real(file, mode, buffering, encoding, errors, newline, *args, **kwargs)
        writes = newline is None and not {"+", "r"} & set(mode)
        encoding = io.text_encoding(encoding, 2)
        return real(file, mode, buffering, encoding, errors, "\r\n" if writes else newline, *args, **kwargs)

    builtins.open = io.open = opening
