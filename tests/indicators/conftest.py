"""`ta` is the public package on the twin under test."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import pytest

from fastcore import indicators
from fastcore.dispatch import flags


@pytest.fixture
def ta(backend: str) -> Iterator[ModuleType]:
    with flags.override("indicators", backend):
        yield indicators
