"""``python -m fastcore``."""

from __future__ import annotations

import sys

try:
    from fastcore.cli import main

    sys.exit(main())
except KeyboardInterrupt:  # while the package is still being imported
    sys.exit(130)
