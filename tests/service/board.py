"""The dashboard over HTTP, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
from fastapi import FastAPI

from fastcore.service.dashboard import Dashboard, Prices, Sources

__all__ = ["AUTHORISED", "TOKEN", "run", "served"]

TOKEN = "correct horse battery"
AUTHORISED = {"Authorization": f"Bearer {TOKEN}"}


def served(token: str | None = TOKEN, **sources: Any) -> httpx.AsyncClient:
    app = FastAPI()
    prices = sources.pop("prices", None) or Prices()
    app.mount("/fastcore", Dashboard(Sources(prices=prices, writable=token is not None, **sources), token=token))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk", follow_redirects=True)


def run(test: Callable[[httpx.AsyncClient], Any], **options: Any) -> None:
    async def main() -> None:
        async with served(**options) as client:
            await test(client)

    asyncio.run(main())
