"""The pages of `make asv`: asv's own without the internet, a page of lines, and a page of commits."""

from __future__ import annotations

import html as markup
from collections.abc import Iterator, Mapping
from pathlib import Path

from asv.config import Config
from driver import Commit, log
from lines import STYLE, lines_page, series_of
from measured import measured
from offline import NoLibraries, take_offline

__all__ = ["write_pages"]


def write_pages(conf: Config, machine: str) -> Iterator[str]:
    """Write the pages into the HTML folder of `conf`; yields what to tell the user."""
    html = Path(conf.html_dir)
    found = list(measured(conf, machine))
    history = log({one.commit for one in found})
    (html / "commits.html").write_text(commits_page(history), encoding="utf-8")
    (html / "lines.html").write_text(lines_page(series_of(found, history), history, machine), encoding="utf-8")
    yield f"asv: each benchmark's line: {html / 'lines.html'}"
    try:
        take_offline(html)
    except NoLibraries as error:
        yield f"asv: asv's own pages load their libraries from the internet: {error}"
    else:
        yield f"asv: asv's own pages: {html / 'index.html'}"


def commits_page(history: Mapping[str, Commit]) -> str:
    """The commits that were measured, the newest first; asv's pages link to them."""
    parts = "".join(
        f'<section id="{one.commit}"><h2>{markup.escape(one.subject)}</h2><p>{one.commit} · {one.date}</p>'
        f"<pre>{markup.escape(one.body.strip())}</pre><pre>{markup.escape(one.files)}</pre></section>"
        for one in reversed(history.values())
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>fastcore: commits that were measured</title><link rel="icon" href="swallow.ico"><style>{STYLE}</style></head>
<body>
<h1>Commits that were measured</h1><p><a href="lines.html">Each benchmark's line</a> ·
<a href="index.html">asv's own pages</a></p>
{parts}
</body></html>
"""
