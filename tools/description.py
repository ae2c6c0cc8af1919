"""The README as a package index shows it: there nothing stands at a relative address.

With FASTCORE_REPOSITORY_URL, which the release sets, links and pictures lead to the files of the version's tag;
without it pages are named by their path and pictures are replaced by their text.
"""

from __future__ import annotations

import re

PICTURE = re.compile(r"<picture>\n.*?</picture>(?:\n\n<!-- where no picture can be shown:\n(.*?)\n-->)?", re.DOTALL)
IMAGE = re.compile(r"!\[([^\]]*)\]\((?!https://)([^)]+)\)")
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!https://|#)([^)]+)\)")
SOURCE = re.compile(r'\b(src|srcset)="(?!https://)([^"]+)"')


def described(readme: str, repository: str, version: str) -> str:
    """Return the README for a package index.

    Parameters
    ----------
    readme : str
        The README of the checkout.
    repository : str
        The address of the repository on a forge, without a slash at its end, or nothing.
    version : str
        The version, whose tag is ``v`` and the version.
    """
    if repository:
        raw, page = f"{repository}/raw/v{version}/", f"{repository}/blob/v{version}/"
        text = SOURCE.sub(lambda found: f'{found[1]}="{raw}{found[2]}"', readme)
        text = IMAGE.sub(lambda found: f"![{found[1]}]({raw}{found[2]})", text)
        return LINK.sub(lambda found: f"[{found[1]}]({page}{found[2]})", text)
    text = PICTURE.sub(lambda found: found[1] or "", readme)
    text = IMAGE.sub("", text)
    return LINK.sub(lambda found: f"{found[1]} (`{found[2]}`)", text)
