"""The dashboard's files: read once, served with a tag of their contents under a strict content policy."""

from __future__ import annotations

import gzip
import importlib.resources
import importlib.util
import mimetypes
import re
from collections.abc import Awaitable, Callable, MutableMapping
from importlib.resources.abc import Traversable
from typing import Any, TypeAlias

import xxhash

from fastcore._threads import on_own_thread

__all__ = ["HEADERS", "StaticFiles"]

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[dict[str, Any]], Awaitable[None]]

# All resources come from this package, and only its scripts run. `connect-src` names no scheme: 'self' includes the
# WebSocket of the same host.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
_SMALL = 1024  # what is shorter is not compressed


class _File:
    """One file as it is sent."""

    def __init__(self, name: str, data: bytes) -> None:
        kind = (
            "text/javascript" if name.endswith(".js") else mimetypes.guess_type(name)[0] or "application/octet-stream"
        )
        if kind.startswith("text/") or kind.endswith("svg+xml"):
            kind += "; charset=utf-8"
        self.kind = kind.encode()
        self.plain = data
        self.packed = gzip.compress(data, 6) if len(data) > _SMALL else None
        self.tag = f'"{xxhash.xxh3_64_hexdigest(data)}"'.encode()


class StaticFiles:
    """Serves the dashboard's own files, the stream's `client.js`, and plotly.js where plotly is installed."""

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}
        ours = importlib.resources.files("fastcore.service.dashboard") / "static"
        self._known = dict(_walk(ours))
        streaming = importlib.resources.files("fastcore.streaming") / "static"
        self._known |= {name: file for name, file in _walk(streaming) if name.endswith(".js")}
        if importlib.util.find_spec("plotly") is not None:
            self._known["plotly.min.js"] = importlib.resources.files("plotly") / "package_data" / "plotly.min.js"

    @property
    def has_plotly(self) -> bool:
        """Whether there are charts."""
        return "plotly.min.js" in self._known

    async def serve(self, name: str, scope: Scope, send: Send) -> None:
        """Answer a GET or HEAD of the file `name`."""
        name = name or "index.html"
        file = self._files.get(name)
        if file is None and name in self._known:  # looked up in a mapping, so there is no path traversal
            file = await on_own_thread(self._read, name)  # packing plotly.js takes a quarter of a second
        if file is None:
            await respond(send, 404, b"not found\n", b"text/plain; charset=utf-8")
            return
        asked = dict(scope["headers"])
        headers = [(b"etag", file.tag), (b"cache-control", b"no-cache"), (b"vary", b"accept-encoding")]
        if asked.get(b"if-none-match") == file.tag:
            await respond(send, 304, b"", file.kind, headers)
            return
        body = file.plain
        if file.packed is not None and b"gzip" in asked.get(b"accept-encoding", b""):
            body = file.packed
            headers.append((b"content-encoding", b"gzip"))
        await respond(send, 200, body, file.kind, headers, head=scope["method"] == "HEAD")

    def _read(self, name: str) -> _File:
        data = self._known[name].read_bytes()
        if name == "index.html":
            data = data.replace(b"<!-- plotly -->", self._plotly_styles())
        return self._files.setdefault(name, _File(name, data))

    def _plotly_styles(self) -> bytes:
        """Elements that keep plotly.js from adding styles of its own, which the content policy refuses.

        It adds none where an element of the style's id is there already: `plotly.css` has what these charts need of the
        one, and the others belong to maps.
        """
        if not self.has_plotly:
            return b""
        text = self._known["plotly.min.js"].read_text(encoding="utf-8")
        ids = sorted(set(re.findall(r'getElementById\("([0-9a-f]{64})"\)', text)))
        found = ['<link rel="stylesheet" href="plotly.css" id="plotly.js-style-global" class="no-inline-styles">']
        return "\n".join([*found, *(f'<meta id="{one}" name="plotly-style">' for one in ids)]).encode()


def _walk(folder: Traversable, below: str = "") -> list[tuple[str, Traversable]]:
    found: list[tuple[str, Traversable]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _walk(entry, f"{below}{entry.name}/")
        else:
            found.append((f"{below}{entry.name}", entry))
    return found


async def respond(
    send: Send,
    status: int,
    body: bytes,
    kind: bytes,
    more: list[tuple[bytes, bytes]] | None = None,
    *,
    head: bool = False,
) -> None:
    """Send a whole answer, with the headers that every answer has."""
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), *HEADERS, *(more or ())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else body})
