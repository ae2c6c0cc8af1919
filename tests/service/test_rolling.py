"""Two servers, real processes, restarted one after the other while they are asked, streamed from and given tasks."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests.service.rolling import run

pytestmark = [
    pytest.mark.backend_independent,
    pytest.mark.skipif(os.name != "posix", reason="SIGTERM to one process needs POSIX"),
    pytest.mark.slow,
]


def test_no_request_fails_and_nothing_is_lost(tmp_path: Path) -> None:
    outcome = asyncio.run(run(str(tmp_path)))
    assert outcome.failures == []
    assert outcome.refused == 0
    assert outcome.requests > 50
    assert len(outcome.pids) >= 3  # a connection that is kept never meets the last
    assert outcome.exits == [-signal.SIGTERM, -signal.SIGTERM]  # uvicorn's own end, by the signal it was sent
    assert outcome.accepted
    assert outcome.unfinished == {}
    assert set(outcome.accepted.values()) <= set(outcome.lines)
    assert all(outcome.heard_last)
    assert sum(n > 1 for n in outcome.returns) >= len(outcome.returns) // 2
