"""The crawlers with all pages under way at once, politely, and article tables in fewer bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

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
from fastcore import Switch
from fastcore.concurrency import Limiter, Retry, map_async
from fastcore.memory import memory_monitor, optimize_dataframe_memory
from fastcore.monitor import measure_execution_time

__all__ = ["OptimizedNews"]


def may_pass(error: Exception) -> bool:
    """Return whether an error is worth another attempt."""
    if isinstance(error, httpx.HTTPStatusError):
        return may_retry(error.response)
    return isinstance(error, httpx.TransportError)


def least_wait(error: Exception) -> float:
    """Return the seconds that a host asks to wait."""
    return retry_after(error.response, 0.0) if isinstance(error, httpx.HTTPStatusError) else 0.0


RETRY = Retry(attempts=ATTEMPTS, base=BACKOFF, retry_on=may_pass, retry_after=least_wait)


class OptimizedNews:
    """Wraps the plain crawlers; its flags: ``async_processing``, ``memory_optimization``.

    Attributes
    ----------
    crawl : Switch
        Crawls every source: one page after the other, or all side by side.
    articles : Switch
        The table of a crawler's articles: as it is, or with texts as categories.
    """

    def __init__(self, crawlers: Sequence[NewsCrawler]) -> None:
        self._crawlers = tuple(crawlers)
        self.crawl = Switch(
            "news.crawl", control=self.crawl_in_turn, candidate=self.crawl_async, flag="async_processing"
        )
        self.articles = Switch(
            "news.articles",
            control=NewsCrawler.articles,
            candidate=optimize_dataframe_memory(categories=["source", "symbols"])(NewsCrawler.articles),
            flag="memory_optimization",
        )
        for crawler in self._crawlers:
            crawler.articles = lambda crawler=crawler: self.articles(crawler)  # type: ignore[method-assign, misc]

    async def crawl_in_turn(self) -> list[Outcome]:
        """Crawl as the plain service does."""
        return [await asyncio.to_thread(crawler.crawl) for crawler in self._crawlers]

    @measure_execution_time(service="news")
    @memory_monitor(threshold_mb=150.0)
    async def crawl_async(self) -> list[Outcome]:
        """Crawl every source; requests to one host begin `delay` seconds apart at least."""
        limiters: dict[str, Limiter] = {}
        headers = {"User-Agent": AGENT}
        async with httpx.AsyncClient(headers=headers, timeout=5, follow_redirects=True, trust_env=False) as client:
            one = Crawl(client, limiters)
            return await map_async(one.source, self._crawlers)


class Crawl:
    """One crawl of every source."""

    def __init__(self, client: httpx.AsyncClient, limiters: dict[str, Limiter]) -> None:
        self._client, self._limiters = client, limiters

    async def source(self, crawler: NewsCrawler) -> Outcome:
        """Crawl one source, and store what is new."""

        async def page(url: str) -> list[Article]:
            robots = robots_of(url)
            limiter = self._limiters.setdefault(robots, Limiter(calls=1, period=max(crawler.delay, 1e-3)))
            async with limiter:
                if not read_robots(*await aget(self._client, robots)).can_fetch(AGENT, url):
                    raise ValueError("robots.txt does not allow it")
            return crawler.parse(url, *await RETRY.acall(self._fetch, limiter, url))

        pages: list[Any] = await map_async(page, crawler.urls, return_exceptions=True)
        failed: dict[str, str] = {}
        for url, found in zip(crawler.urls, pages):
            if isinstance(found, (httpx.HTTPError, ValueError)):
                failed[url] = describe(found)
            elif isinstance(found, BaseException):
                raise found
        articles = [article for found in pages if isinstance(found, list) for article in found]
        return await asyncio.to_thread(crawler.keep, articles, failed)

    async def _fetch(self, limiter: Limiter, url: str) -> tuple[bytes, str]:
        async with limiter:
            answer, body = await aget(self._client, url)
        return body, answer.raise_for_status().headers.get("content-type", "")
