"""A hub behind a real nginx, with the configuration that docs/streaming-deploy.md prints."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from fastcore.streaming import Hub
from tests.streaming.raw_client import RawClient, Refused
from tests.streaming.running import WAIT, Running
from tests.streaming.test_sse import Reader
from tests.system.proxied import NGINX, free_port, running_nginx

PAGE = Path(__file__).resolve().parents[2] / "docs" / "streaming-deploy.md"

pytestmark = pytest.mark.skipif(NGINX is None, reason="needs nginx")


def blocks() -> tuple[str, str]:
    """The server and the map of the page."""
    server, mapping = re.findall(r"```nginx\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return server, mapping


Proxy = Callable[[str], int]


@pytest.fixture
def proxy(tmp_path: Path, served: tuple[Hub, Running]) -> Iterator[Proxy]:
    """Starts nginx with the page's configuration, changed by what `Host` line it is to have."""
    with ExitStack() as stack:

        def start(host: str = "proxy_set_header Host $http_host;") -> int:
            port = free_port()
            server, mapping = blocks()
            server = (
                server.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
                .replace("http://127.0.0.1:8000", f"http://127.0.0.1:{served[1].port}")
                .replace("/var/log/nginx/stream.log", str(tmp_path / "stream.log"))
                .replace("proxy_set_header Host $http_host;", host)
            )
            stack.enter_context(running_nginx(tmp_path, f"{mapping}\n{server}", port))
            return port

        yield start


def test_the_block_of_the_deployment_guide_is_valid(tmp_path: Path) -> None:
    page = PAGE.parent / "guides" / "deploy.md"
    (block,) = re.findall(r"```nginx\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"pid {tmp_path}/pid; error_log {tmp_path}/error.log; events {{}}\n"
        f"http {{ access_log off;\n{blocks()[1]}\nserver {{ listen 127.0.0.1:{free_port()};\n{block}}} }}\n"
    )
    assert NGINX is not None
    ran = subprocess.run([NGINX, "-t", "-p", str(tmp_path), "-c", str(config)], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


def test_messages_pass_and_tokens_stay_out_of_the_log(
    proxy: Proxy, served: tuple[Hub, Running], tmp_path: Path
) -> None:
    hub, _ = served
    port = proxy("proxy_set_header Host $http_host;")
    origin = {"Origin": f"http://127.0.0.1:{port}"}
    with RawClient(port, "/stream?topics=a&token=good", headers=origin) as client:
        client.hear_kind(3)
        hub.publish("a", 1)
        assert client.hear_kind(1)[3] == 1
    with Reader(port, "/stream/events?topics=a&token=good") as reader:
        reader.read_named("subscribed")
        hub.publish("a", 2)
        assert reader.data(1) == [2]
    log = tmp_path / "stream.log"
    deadline = time.monotonic() + WAIT
    while log.read_text().count("/stream") < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert '"GET /stream" 101' in log.read_text()
    assert "good" not in log.read_text()


@pytest.mark.parametrize("host", ["proxy_set_header Host $host;", "proxy_set_header Host $http_host;"])
def test_a_page_of_the_same_host_is_accepted(proxy: Proxy, host: str) -> None:
    port = proxy(host)
    with RawClient(port, "/stream?token=good", headers={"Origin": f"http://127.0.0.1:{port}"}) as client:
        assert client.hear()[0] == 0
    with pytest.raises(Refused, match="403"):
        RawClient(port, "/stream?token=good", headers={"Origin": "https://evil.example"})
