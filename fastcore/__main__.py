"""``python -m fastcore``."""

from __future__ import annotations

import sys

from fastcore.cli import main

sys.exit(main())
