"""A hub behind a real Caddy, with the configuration that docs/streaming-deploy.md prints."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastcore.streaming import Hub
from tests.streaming.raw_client import RawClient, Refused
from tests.streaming.running import WAIT, Running
from tests.streaming.test_sse import Reader
from tests.system.proxied import CADDY, free_port, running_caddy

PAGE = Path(__file__).resolve().parents[2] / "docs" / "streaming-deploy.md"

pytestmark = pytest.mark.skipif(CADDY is None, reason="needs caddy")


@pytest.fixture
def proxy(tmp_path: Path, served: tuple[Hub, Running]) -> Iterator[int]:
    """The port of Caddy with the page's configuration, over plain HTTP."""
    port = free_port()
    found = re.search(r"```\n(desk\.example\.com \{.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    block = found[1].replace("desk.example.com", f"http://127.0.0.1:{port}").replace("8000", str(served[1].port))
    with running_caddy(tmp_path, block, port):
        yield port


def test_messages_pass_and_tokens_stay_out_of_the_log(proxy: int, served: tuple[Hub, Running], tmp_path: Path) -> None:
    hub, _ = served
    with RawClient(proxy, "/stream?topics=a&token=good", headers={"Origin": f"http://127.0.0.1:{proxy}"}) as client:
        client.hear_kind(3)
        hub.publish("a", 1)
        assert client.hear_kind(1)[3] == 1
    with Reader(proxy, "/stream/events?topics=a&token=good") as reader:
        reader.read_named("subscribed")
        hub.publish("a", 2)
        assert reader.data(1) == [2]
    with pytest.raises(Refused, match="403"):
        RawClient(proxy, "/stream?token=good", headers={"Origin": "https://evil.example"})
    log = tmp_path / "log"
    deadline = time.monotonic() + WAIT
    while "token=REDACTED" not in log.read_text() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "token=REDACTED" in log.read_text()
    assert "good" not in log.read_text()
