"""The browser's client, served from the package: no CDN and no build step."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib import resources
from typing import Any, NamedTuple

from fastcore._asgi import local_path

__all__ = ["Assets"]

_TYPES = {".js": b"text/javascript; charset=utf-8", ".ts": b"text/plain; charset=utf-8"}


class _File(NamedTuple):
    body: bytes
    kind: bytes
    tag: bytes


class Assets:
    """An ASGI application that serves ``client.js``, the modules it imports and its types.

    ::

        app.mount("/fastcore/static", Assets())     # import { Client } from "/fastcore/static/client.js"

    Examples
    --------
    >>> from starlette.applications import Starlette
    >>> from fastcore.streaming import Assets
    >>> app = Starlette()
    >>> app.mount("/fastcore/static", Assets())
    """

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer GET and HEAD for the files there are, with an ETag."""
        if scope["type"] != "http":
            raise RuntimeError(f"Assets: expected an http request, got {scope['type']}")
        path = local_path(scope)
        found = _files().get(path.rsplit("/", 1)[-1])
        if scope["method"] not in ("GET", "HEAD"):
            await _answer(send, 405, [(b"allow", b"GET, HEAD")], b"")
        elif found is None or path.count("/") > 1:
            await _answer(send, 404, [(b"content-type", b"text/plain; charset=utf-8")], b"not found\n")
        else:
            headers = [
                (b"etag", found.tag),
                (b"cache-control", b"no-cache"),  # asked for each time, and answered with 304: a deploy is seen at once
                (b"x-content-type-options", b"nosniff"),
                (b"content-type", found.kind),
            ]
            asked = dict(scope["headers"]).get(b"if-none-match", b"")
            if found.tag in (tag.strip() for tag in asked.split(b",")):
                await _answer(send, 304, headers[:3], b"")
            else:
                await _answer(send, 200, headers, found.body, scope["method"] == "HEAD")


async def _answer(send: Any, status: int, headers: list[tuple[bytes, bytes]], body: bytes, head: bool = False) -> None:
    if status != 304:
        headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else body})


@lru_cache(1)
def _files() -> dict[str, _File]:
    found = {}
    for file in resources.files(__package__).joinpath("static").iterdir():
        kind = _TYPES.get(file.name[file.name.rfind(".") :])
        if kind is not None:
            body = file.read_bytes()
            found[file.name] = _File(body, kind, b'"%s"' % hashlib.sha256(body).hexdigest()[:16].encode())
    return found
