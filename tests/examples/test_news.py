"""The crawlers against a host on loopback with good, broken and unwilling pages."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

pytest.importorskip("feedparser")

from examples.market_desk.data.store import Store
from examples.market_desk.fast.news import RETRY
from examples.market_desk.plain.investing_news_crawler import InvestingNewsCrawler
from examples.market_desk.plain.news_crawler import AGENT, NewsCrawler
from examples.market_desk.plain.yahoo_news_crawler import YahooNewsCrawler
from tests.examples.news_host import DATE, Host, feed, news_host, page

pytestmark = pytest.mark.backend_independent

SYMBOLS = ("AAPL", "AAPL-1M", "IBM", "FB")


@pytest.fixture
def host() -> Iterator[Host]:
    with news_host() as host:
        yield host


def crawler(kind: type[NewsCrawler], host: Host, *paths: str, waits: list[float] | None = None) -> NewsCrawler:
    def sleep(seconds: float) -> None:
        if waits is not None:
            waits.append(seconds)

    return kind("news", [host.url + path for path in paths], Store(), SYMBOLS, delay=0.2, sleep=sleep)


def test_a_feed_becomes_articles_that_name_their_symbols(host: Host) -> None:
    host.pages["/rss"] = feed("AAPL and IBM rise", "Quiet day", text="&lt;b&gt;FB&lt;/b&gt;  falls")
    yahoo = crawler(YahooNewsCrawler, host, "/rss")
    outcome = yahoo.crawl()
    assert (outcome.fetched, outcome.articles, outcome.new, outcome.failed) == (1, 2, 2, {})
    newest, oldest = yahoo.news()
    assert oldest == {
        "url": "http://news.example/0",
        "source": "news",
        "title": "AAPL and IBM rise",
        "published": "2013-03-04T09:30:00Z",
        "summary": "FB falls",
        "symbols": "AAPL,FB,IBM",
    }
    assert newest["title"] == "Quiet day"
    assert [item["title"] for item in yahoo.news("IBM")] == ["AAPL and IBM rise"]
    assert host.agents == {AGENT}


def test_a_page_becomes_articles_with_whole_addresses(host: Host) -> None:
    host.pages["/news.html"] = page("AAPL-1M up &amp; away", "Banks")
    investing = crawler(InvestingNewsCrawler, host, "/news.html")
    assert investing.crawl().new == 2
    newest, oldest = investing.news()
    assert (newest["title"], oldest["title"]) == ("Banks", "AAPL-1M up & away")
    assert (oldest["url"], oldest["published"]) == (f"{host.url}/a/0", "2013-03-05T10:00:00Z")
    assert (oldest["summary"], oldest["symbols"]) == ("More on AAPL-1M up & away", "AAPL-1M")


def test_news_that_is_known_is_not_stored_again(host: Host) -> None:
    host.pages["/rss"] = feed("Same news", "SAME  news!", "Other news")
    yahoo = crawler(YahooNewsCrawler, host, "/rss")
    assert (yahoo.crawl().new, yahoo.crawl().new) == (2, 0)
    assert len(yahoo.articles()) == 2


@pytest.mark.parametrize(
    ("body", "read"),
    [
        ('<rss version="2.0"><channel><item><title>Cut off</title><link>http://x/1</link></item><item><tit', 1),
        (feed("Fine").replace("</rss>", ""), 1),
        ("this is no feed", None),
        ("", None),
        (feed(), 0),
        ("<rss><channel><item><title>no link</title></item></channel></rss>", 0),
    ],
)
def test_a_broken_feed_counts_for_what_can_be_read_of_it(host: Host, body: str, read: int | None) -> None:
    host.pages |= {"/broken": body, "/good": feed("Good")}
    outcome = crawler(YahooNewsCrawler, host, "/broken", "/good").crawl()
    assert outcome.articles == 1 + (read or 0)
    assert list(outcome.failed) == ([] if read is not None else [f"{host.url}/broken"])


def test_a_feed_that_its_parser_cannot_read_fails_alone(host: Host) -> None:
    host.pages |= {"/broken": feed("Broken", text="&#xFFFFFFFF;"), "/good": feed("Good")}
    outcome = crawler(YahooNewsCrawler, host, "/broken", "/good").crawl()
    assert outcome.articles == 1
    assert "cannot be read" in outcome.failed[f"{host.url}/broken"]


def test_a_link_to_nowhere_costs_its_article_alone(host: Host) -> None:
    host.pages["/page.html"] = page("Lost", "Found").replace("/a/0", "http://[::1")
    outcome = crawler(InvestingNewsCrawler, host, "/page.html").crawl()
    assert (outcome.new, outcome.failed) == (1, {})


@pytest.mark.parametrize("body", ["", "<p>nothing here</p>", "\x00\x01"])
def test_a_page_without_articles_fails_and_the_others_are_read(host: Host, body: str) -> None:
    host.pages |= {"/empty.html": body, "/good.html": page("Good")}
    outcome = crawler(InvestingNewsCrawler, host, "/empty.html", "/good.html").crawl()
    assert outcome.new == 1
    assert outcome.failed == {
        f"{host.url}/empty.html": "ValueError: expected a list of articles, got a page without one"
    }


def test_an_unfinished_page_counts_for_what_can_be_read_of_it(host: Host) -> None:
    host.pages["/cut.html"] = page("One", "Two").partition("</article>")[0] + "<article><a href='/x'>Tw"
    assert crawler(InvestingNewsCrawler, host, "/cut.html").crawl().articles == 2


def test_errors_that_may_pass_are_tried_again_with_growing_waits(host: Host) -> None:
    host.pages["/rss"] = feed("Late")
    host.failures["/rss"] = [503, 429]
    waits: list[float] = []
    assert crawler(YahooNewsCrawler, host, "/rss", waits=waits).crawl().new == 1
    assert host.asked == ["/robots.txt", "/rss", "/rss", "/rss"]
    assert waits == [0.2, 0.4, 0.2]  # twice before an attempt, once after the page


def test_errors_that_stay_fail_the_page_alone(host: Host) -> None:
    host.pages |= {"/down": feed("never"), "/good": feed("Good")}
    host.failures["/down"] = [500] * 3
    outcome = crawler(YahooNewsCrawler, host, "/down", "/missing", "/good").crawl()
    assert outcome.new == 1
    assert outcome.failed == {
        f"{host.url}/down": "expected 200, got 500",
        f"{host.url}/missing": "expected 200, got 404",
    }
    assert host.asked.count("/missing") == 1


def test_what_robots_txt_forbids_is_not_fetched(host: Host) -> None:
    host.pages |= {"/robots.txt": "User-agent: *\nDisallow: /private", "/private/rss": feed("No"), "/rss": feed("Yes")}
    outcome = crawler(YahooNewsCrawler, host, "/private/rss", "/rss").crawl()
    assert (outcome.new, list(outcome.failed)) == (1, [f"{host.url}/private/rss"])
    assert host.asked == ["/robots.txt", "/rss"]


def test_a_host_whose_robots_txt_fails_is_not_crawled(host: Host) -> None:
    host.pages |= {"/robots.txt": "User-agent: *\nDisallow:", "/rss": feed("Later")}
    host.failures["/robots.txt"] = [503]
    yahoo = crawler(YahooNewsCrawler, host, "/rss")
    assert yahoo.crawl().failed == {f"{host.url}/rss": "ValueError: robots.txt: expected 200 or 404, got 503"}
    assert host.asked == ["/robots.txt"]
    assert yahoo.crawl().new == 1


def test_a_byte_order_mark_hides_no_rule_of_robots_txt(host: Host) -> None:
    host.pages |= {"/robots.txt": "\ufeffUser-agent: *\nDisallow: /", "/rss": feed("No")}
    assert "robots.txt" in crawler(YahooNewsCrawler, host, "/rss").crawl().failed[f"{host.url}/rss"]


@pytest.mark.parametrize(
    ("error", "least", "most"),
    [
        (503, 0.1, 0.2),  # half of the wait is drawn at random
        ((503, "3"), 3.0, 3.0),
        ((429, "Mon, 04 Mar 2013 09:30:00 GMT"), 0.1, 0.2),
        ((503, "86400"), None, None),
        (404, None, None),
        (httpx.ConnectError("away"), 0.1, 0.2),
        (httpx.TooManyRedirects("round and round"), None, None),
        (ValueError("too large"), None, None),
    ],
)
def test_the_fast_crawler_waits_as_the_plain_one(error: Any, least: float | None, most: float | None) -> None:
    if not isinstance(error, Exception):
        status, wait = error if isinstance(error, tuple) else (error, "")
        answer = httpx.Response(status, headers={"Retry-After": wait})
        error = httpx.HTTPStatusError("", request=httpx.Request("GET", "http://x"), response=answer)
    found = RETRY.next_delay(1, error)
    if found is None or least is None or most is None:
        assert found is least
    else:
        assert least <= found <= most


@pytest.mark.parametrize(
    ("told", "waited"),
    [
        ("3", 3.0),
        ("0", 0.0),
        ("Mon, 04 Mar 2013 09:30:00 GMT", 0.0),
        ("soon", 0.2),
        ("-1", 0.2),
        ("nan", 0.2),
        ("1e9", 0.2),
        ("", 0.2),
        ("86400", None),
        ("Fri, 01 Jan 2100 00:00:00 GMT", None),
        ("9" * 400, None),
    ],
)
def test_a_host_may_ask_to_wait_but_not_for_long(host: Host, told: str, waited: float | None) -> None:
    host.pages["/rss"] = feed("Late")
    host.failures["/rss"], host.headers["/rss"] = [503], {"Retry-After": told}
    waits: list[float] = []
    outcome = crawler(YahooNewsCrawler, host, "/rss", waits=waits).crawl()
    if waited is None:
        assert outcome.failed == {f"{host.url}/rss": "expected 200, got 503"}
        assert waits == [0.2]
    else:
        assert outcome.new == 1
        assert waits == [waited, 0.2]


@pytest.mark.parametrize("path", ["/rss", "/robots.txt", "/news.html"])
@pytest.mark.parametrize("packed", [True, False], ids=["packed", "plain"])
def test_a_page_that_is_too_large_is_not_read_to_its_end(host: Host, path: str, packed: bool) -> None:
    host.pages[path] = gzip.compress(bytes(8 << 20)) if packed else bytes(8 << 20)
    host.headers[path] = {"Content-Encoding": "gzip"} if packed else {}
    outcome = crawler(YahooNewsCrawler, host, path.replace("robots.txt", "rss")).crawl()
    assert "expected a page of at most 4,194,304 bytes, got more" in next(iter(outcome.failed.values()))


@pytest.mark.parametrize("where", ["", "/loop", "http://[", "ftp://news.example/", "//", "http://127.0.0.1:9/"])
def test_a_redirect_to_nowhere_fails_the_page_alone(host: Host, where: str) -> None:
    host.pages |= {"/loop": "", "/good": feed("Good")}
    host.failures["/loop"], host.headers["/loop"] = [302] * 99, {"Location": where}
    outcome = crawler(YahooNewsCrawler, host, "/loop", "/good").crawl()
    assert (outcome.new, list(outcome.failed)) == (1, [f"{host.url}/loop"])


@pytest.mark.parametrize(
    ("encoding", "kind", "head"),
    [
        ("windows-1252", "text/html; charset=windows-1252", ""),
        ("utf-8", "text/html", ""),
        ("utf-8-sig", "", ""),
        ("iso-8859-2", "text/html", "<meta charset='iso-8859-2'>"),
        ("koi8-r", "text/html; Charset = KOI8-R", "<meta charset='utf-8'>"),
        ("utf-8", "text/html; charset=none-such", ""),
    ],
)
def test_pages_are_read_in_the_encoding_that_they_name(host: Host, encoding: str, kind: str, head: str) -> None:
    title = {"koi8-r": "Рынок", "iso-8859-2": "Złoty"}.get(encoding, "Société")
    host.pages["/news.html"] = (head + page(title)).encode(encoding)
    host.headers["/news.html"] = {"Content-Type": kind}
    investing = crawler(InvestingNewsCrawler, host, "/news.html")
    assert investing.crawl().new == 1
    assert investing.news()[0]["title"] == title


@pytest.mark.parametrize("kind", ["application/rss+xml; charset=windows-1252", "text/xml; charset=windows-1252"])
def test_feeds_are_read_in_the_encoding_of_their_content_type(host: Host, kind: str) -> None:
    host.pages["/rss"] = feed("Société").encode("windows-1252")
    host.headers["/rss"] = {"Content-Type": kind}
    yahoo = crawler(YahooNewsCrawler, host, "/rss")
    assert yahoo.crawl().new == 1
    assert yahoo.news()[0]["title"] == "Société"


def test_entities_of_a_feed_do_not_grow(host: Host) -> None:
    names = [f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12)]
    bomb = f'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY e0 "{"x" * 99}">{"".join(names)}]>'
    host.pages["/rss"] = bomb + feed("&e11;", "AAPL").removeprefix('<?xml version="1.0"?>')
    yahoo = crawler(YahooNewsCrawler, host, "/rss")
    yahoo.crawl()
    assert sum(map(len, yahoo.articles()["title"])) < 100_000


@pytest.mark.parametrize(
    ("date", "stored"),
    [
        ("Mon, 04 Mar 2013 09:30:00", "2013-03-04T09:30:00Z"),
        ("04 Mar 2013 09:30", "2013-03-04T09:30:00Z"),
        ("2013-03-04 09:30", "2013-03-04T09:30:00Z"),
        ("Mon, 04 Mar 2013 09:30:00 EST", "2013-03-04T14:30:00Z"),
        ("Mon, 04 Mar 2013 09:30:00 +0530", "2013-03-04T04:00:00Z"),
        ("yesterday", ""),
        ("0000-00-00T00:00:00Z", ""),
        ("Mon, 01 Jan 99999 00:00:00 GMT", ""),
        ("", ""),
        ("Mon, 99 Mar 2013 99:99:99 +0000", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", None),
    ],
)
def test_dates_of_a_feed_are_utc_and_odd_ones_fail_nothing(host: Host, date: str, stored: str | None) -> None:
    host.pages["/rss"] = feed("Late").replace(DATE.format(n=0), date)
    yahoo = crawler(YahooNewsCrawler, host, "/rss")
    assert yahoo.crawl().new == 1
    assert stored is None or yahoo.news()[0]["published"] == stored


def test_a_host_that_is_away_fails_and_ends(host: Host) -> None:
    waits: list[float] = []
    away = Host("http://127.0.0.1:9")
    outcome = crawler(YahooNewsCrawler, away, "/rss", waits=waits).crawl()
    assert (outcome.fetched, outcome.new) == (0, 0)
    assert "ConnectError" in outcome.failed["http://127.0.0.1:9/rss"]
