"""Names the words of README and docs that no dictionary, indicator or docs/words.txt has: ``python tools/spelling.py``.

Code, links, comments and words with digits, underscores or capitals inside are left out. Common misspellings in source
files are codespell's matter: ``make spelling`` runs both.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
WORDS = ROOT / "docs" / "words.txt"
PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "examples/market_desk/README.md")
CODE = re.compile(
    r"^(?P<fence>`{3,}).*?^(?P=fence)$|^    \S.*?$|`[^`]+`|<!--.*?-->|<[^>]+>|\]\([^)]*\)|\{\w+\}|https?://\S+",
    re.MULTILINE | re.DOTALL,
)
WORD = re.compile(r"(?<![\w.@/-])[^\W\d_]+(?:['’][a-z]+)?(?![\w@/]|\.\w|\()")


def prose(text: str) -> str:
    """Return a page without code, with its lines where they were."""
    return CODE.sub(lambda found: "\n" * found[0].count("\n") + " ", text)


def words(text: str) -> list[tuple[int, str]]:
    """Return the words of a page in small letters, each with its line."""
    found = []
    for number, line in enumerate(prose(text).splitlines(), 1):
        for word in WORD.findall(line):
            if word[1:] == word[1:].lower():  # no name of a class
                found.append((number, re.sub(r"['’]s?$", "", word.lower())))
    return found


# British spellings by their American ones, which the dictionary has.
BRITISH = (
    ("our", "or"),
    ("is", "iz"),
    ("ys", "yz"),
    ("lled", "led"),
    ("lling", "ling"),
    ("ogue", "og"),
    ("ence", "ense"),
)


def forms(word: str) -> list[str]:
    """Return a word, and what it may be in American spelling."""
    return [word, *(word.replace(british, american) for british, american in BRITISH if british in word)]


def main() -> int:
    """Print each unknown word with its place; returns the exit code."""
    from spellchecker import SpellChecker

    from fastcore.indicators import INDICATORS

    dictionary = SpellChecker(distance=1)
    own = set(WORDS.read_text(encoding="utf-8").split()) | set(INDICATORS)
    pages = [ROOT / name for name in PAGES] + sorted((ROOT / "docs").rglob("*.md"))
    wrong = 0
    for page in pages:
        if {"_build", "performance"} & set(page.relative_to(ROOT).parts[:-1]):  # tables of names
            continue
        for line, word in words(page.read_text(encoding="utf-8")):
            if word not in own and not dictionary.known(forms(word)):
                wrong += 1
                print(f"{page.relative_to(ROOT)}:{line}: {word}: expected a word of English or of docs/words.txt")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
