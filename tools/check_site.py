"""Checks the site that ``make docs`` built: ``python tools/check_site.py docs/_build/html``.

Every link within the site has its page and its place there; nothing is fetched from elsewhere; no markup is shown as
text; the inventory has every public name of every package, and the search finds it.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]
LITERAL = {"code", "pre", "script", "style", "title"}
MARKUP = re.compile(r"`|<!--|\{(?:doc|ref|class|func|py:\w+)\}|:(?:class|func|meth|doc|ref):")
FETCHED = {"script": "src", "img": "src", "source": "srcset", "iframe": "src", "link": "href"}


class Page(HTMLParser):
    """The places, links and fetched files of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.shown: list[str] = []
        self.literal = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element names."""
        self.literal += tag in LITERAL
        told = {name: value for name, value in attrs if value}
        if "id" in told:
            self.ids.add(told["id"])
        if tag == "a" and "href" in told:
            self.links.append(told["href"])
        name = FETCHED.get(tag)
        if name in told and (tag != "link" or "stylesheet" in told.get("rel", "") or "icon" in told.get("rel", "")):
            self.fetched.append(told[name])

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        self.literal -= tag in LITERAL

    def handle_data(self, data: str) -> None:
        """Note text that is markup."""
        if not self.literal and MARKUP.search(data):
            self.shown.append(" ".join(data.split())[:80])


def faults_of_links(site: Path) -> Iterator[str]:
    """Yield what is wrong with the links of a site."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    for path, page in pages.items():
        name = path.relative_to(site).as_posix()
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or "/_modules/" in link:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                yield f"{name}: {link}: expected a file of the site, found none"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
                yield f"{name}: {link}: expected a place of that page, found none"
        yield from (f"{name}: {text!r}: expected what this markup stands for" for text in page.shown)
        for link in page.fetched:
            if urlsplit(link).netloc:
                yield f"{name}: {link}: expected a file of the site, got one from elsewhere"
    for style in sorted(site.rglob("*.css")):
        for link in re.findall(
            r"(?:url\(|@import\s+)[\"']?((?:https?:)?//[^\"')]+)", style.read_text(encoding="utf-8")
        ):
            yield f"{style.relative_to(site)}: {link}: expected a file of the site, got one from elsewhere"


def inventory(site: Path) -> set[str]:
    """Return the names that other sites can refer to."""
    data = (site / "objects.inv").read_bytes()
    body = zlib.decompress(data.split(b"\n", 4)[4]).decode()
    return {line.split(" py:")[0] for line in body.splitlines() if " py:" in line}


def found(site: Path) -> set[str]:
    """Return the names of the search's index."""
    text = (site / "searchindex.js").read_text(encoding="utf-8")
    index = json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))
    return {f"{prefix}.{entry[4]}" for prefix, entries in index["objects"].items() for entry in entries}


def faults_of_names(site: Path) -> Iterator[str]:
    """Yield the public names that the reference or the search lacks."""
    public_names = importlib.import_module("public_names")  # of docs/, which is no package

    known, searched = inventory(site), found(site)
    for package in public_names.PACKAGES:
        for name, _ in public_names.public(package):
            if f"{package}.{name}" not in known:
                yield f"{package}.{name}: expected it in the reference, found none"
            elif f"{package}.{name}" not in searched:
                yield f"{package}.{name}: expected the search to find it"


def main(site: Path) -> int:
    """Print what is wrong; returns the exit code."""
    faults = [*faults_of_links(site), *faults_of_names(site)]
    print(*faults, sep="\n", end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
