"""Applications of a test leave no hub installed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fastcore.streaming import install_hub


@pytest.fixture(autouse=True)
def no_hub_stays_installed() -> Iterator[None]:
    before = install_hub(None)
    yield
    install_hub(before)
