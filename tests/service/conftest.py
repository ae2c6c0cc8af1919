"""Applications of a test leave no hub installed, and no setting of the flag that the dashboard changes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fastcore import flags
from fastcore.streaming import install_hub


@pytest.fixture(autouse=True)
def no_hub_stays_installed() -> Iterator[None]:
    before = install_hub(None)
    yield
    install_hub(before)


@pytest.fixture
def flag() -> Iterator[str]:
    name = "dashboard-test"
    flags.declare(name)
    yield name
    flags.resume(name)
    flags.clear(name)
    flags.clear(name, everywhere=True)
