"""`make compare`, small: every arm is measured, and every target has its row."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("feedparser")

from examples.market_desk.compare.targets import ARMS
from tests.examples.test_compare import run_small

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.backend_independent]


def test_a_small_run_measures_every_arm(tmp_path: Path) -> None:
    results, _ = run_small(tmp_path, "compare", "--seconds", "3", "--rounds", "1")
    assert tuple(results) == ARMS
