"""The crawlers, all pages of all sources at once; politely, each host has one request at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import httpx

from examples.market_desk.plain.news_crawler import (
    AGENT,
    ATTEMPTS,
    BACKOFF,
    Article,
    NewsCrawler,
    Outcome,
    aget,
    describe,
    may_retry,
    read_robots,
    retry_after,
    robots_of,
)

__all__ = ["crawl_all"]


async def crawl_all(crawlers: Sequence[NewsCrawler]) -> list[Outcome]:
    """Crawl every source, and store what is new."""
    hosts: dict[str, asyncio.Lock] = {}
    headers = {"User-Agent": AGENT}
    async with httpx.AsyncClient(headers=headers, timeout=5, follow_redirects=True, trust_env=False) as client:
        return list(await asyncio.gather(*(crawl(client, crawler, hosts) for crawler in crawlers)))


async def crawl(client: httpx.AsyncClient, crawler: NewsCrawler, hosts: dict[str, asyncio.Lock]) -> Outcome:
    """Crawl one source."""
    failed: dict[str, str] = {}

    async def page(url: str) -> list[Article]:
        async with hosts.setdefault(robots_of(url), asyncio.Lock()):
            try:
                if not read_robots(*await aget(client, robots_of(url))).can_fetch(AGENT, url):
                    raise ValueError("robots.txt does not allow it")
                return crawler.parse(url, *await fetch(client, url))
            except (httpx.HTTPError, ValueError) as error:
                failed[url] = describe(error)
                return []
            finally:
                await asyncio.sleep(crawler.delay)

    found = await asyncio.gather(*map(page, crawler.urls))
    in_order = {url: failed[url] for url in crawler.urls if url in failed}
    return await asyncio.to_thread(crawler.keep, [article for articles in found for article in articles], in_order)


async def fetch(client: httpx.AsyncClient, url: str) -> tuple[bytes, str]:
    """Return the body of `url` and its Content-Type; tries again after errors that may pass."""
    for attempt in range(1, ATTEMPTS + 1):
        wait = BACKOFF * 2 ** (attempt - 1)
        try:
            answer, body = await aget(client, url)
            if attempt == ATTEMPTS or not may_retry(answer):
                return body, answer.raise_for_status().headers.get("content-type", "")
            wait = retry_after(answer, wait)
        except httpx.TransportError:
            if attempt == ATTEMPTS:
                raise
        await asyncio.sleep(wait)
    raise AssertionError
