from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for the helpers, and for the processes that import `jobs`

from fastcore.concurrency import shutdown


@pytest.fixture(autouse=True, scope="package")
def _pools() -> Iterator[None]:
    yield
    shutdown()
