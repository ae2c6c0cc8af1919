"""Draw the parts of fastcore and what each imports: ``python tools/draw_floors.py`` writes docs/images/floors.svg.

The floors are those of the layers contract in pyproject.toml, the imports are read from the sources, and what a part is
for is the first sentence of its docstring.
"""

from __future__ import annotations

import ast
import re
import textwrap
import tomllib
from collections.abc import Iterator
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "images" / "floors.svg"
TOPS = ("fastcore", "python_fallback")

WIDTH, MARGIN, GAP, PADDING = 1000, 20, 12, 12
NAME, LINE = 20, 15  # heights of a name and of a line of text
LETTER = 5.9  # mean width of a letter of the text, in pixels
STYLE = """
  .floor { fill: #f3f5f8; }
  .part { fill: #ffffff; stroke: #8a94a6; }
  text { font: 11px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1d2430; }
  .name { font-size: 14px; font-weight: 600; }
  .imports { fill: #2b5fa8; }
"""


def floors(root: Path = ROOT) -> list[list[str]]:
    """The parts on each floor, from the top one down."""
    config = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = (c for c in config["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
    found = [[part.strip() for part in floor.split("|")] for floor in contract["layers"]]
    return [floor for floor in found if floor != ["fastcore.__main__"]]


def sources(root: Path = ROOT) -> Iterator[tuple[str, str]]:
    """Every module and C file, as a dotted name, with its text."""
    for top in TOPS:
        for path in sorted((root / top).rglob("*")):
            if path.suffix in {".py", ".pyx", ".pxi", ".c"} and not is_generated(path):
                name = path.relative_to(root).with_suffix("").as_posix().replace("/", ".")
                yield name.removesuffix(".__init__"), path.read_text(encoding="utf-8")


def is_generated(path: Path) -> bool:
    return path.suffix == ".c" and path.with_suffix(".pyx").exists()


IMPORT = re.compile(
    rf"""^\s*from[ ]({"|".join(TOPS)})((?:\.\w+)*)[ ]c?import[ ](\([^)]*\)|.*)  # from fastcore.x import a, b
    | ^\s*import[ ]((?:{"|".join(TOPS)})(?:\.\w+)*)  # import fastcore.x
    | (?<!getLogger\()"((?:{"|".join(TOPS)})(?:\.\w+)+)"[,)]  # a module named in a table, or in C
    """,
    re.MULTILINE | re.VERBOSE,
)


def imported(code: str) -> Iterator[str]:
    """What a file imports, wherever the import stands: full names, of which the last may be no module."""
    for found in IMPORT.finditer(re.sub(r'""".*?"""', "", code, flags=re.DOTALL)):
        top, rest, names, whole, named = found.groups()
        if top:
            yield from (f"{top}{rest}.{name}" for name in re.findall(r"(\w+)(?:\s+as\s+\w+)?", names.split("#")[0]))
        else:
            yield whole or named


def imports(root: Path = ROOT) -> dict[str, list[str]]:
    """What each part imports of the others, in the order of the floors."""
    order = [part for floor in floors(root) for part in floor]

    def part_of(name: str) -> str:
        return next((part for part in order if name == part or name.startswith(f"{part}.")), "")

    found: dict[str, set[str]] = {part: set() for part in order}
    homes: dict[str, str] = {}
    for name, code in sources(root):
        if name == "fastcore":  # hands on names of other parts: `from fastcore import flags`
            homes = {f"fastcore.{target.rpartition('.')[2]}": target for target in imported(code)}
        elif part := part_of(name):
            found[part] |= {part_of(homes.get(target, target)) for target in imported(code)}
    return {part: [other for other in order if other in found[part] - {part}] for part in order}


def purpose(part: str, root: Path = ROOT) -> str:
    """The first sentence of a part's docstring, without marks."""
    path = root.joinpath(*part.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return text.split("\n\n")[0].replace("\n", " ").replace("`", "").strip()


def short(part: str) -> str:
    return part.removeprefix("fastcore.")


def drawing(root: Path = ROOT) -> str:
    """The picture as SVG."""
    uses = imports(root)
    body: list[str] = []
    top = MARGIN
    for floor in floors(root):
        width = (WIDTH - 2 * MARGIN - (len(floor) + 1) * GAP) / len(floor)
        letters = int((width - 2 * PADDING) / LETTER)
        texts = {}
        for part in floor:
            what = [("", line) for line in textwrap.wrap(purpose(part, root), letters)]
            below = f"imports {', '.join(map(short, uses[part]))}" if uses[part] else "imports no other part"
            texts[part] = what + [("imports", line) for line in textwrap.wrap(below, letters, break_on_hyphens=False)]
        height = 2 * PADDING + NAME + LINE * max(map(len, texts.values()))
        body.append(box("floor", MARGIN, top, WIDTH - 2 * MARGIN, height + 2 * GAP))
        for column, part in enumerate(floor):
            x, y = MARGIN + GAP + column * (width + GAP), top + GAP
            body.append(box("part", x, y, width, height))
            body.append(text("name", x + PADDING, y + PADDING + 12, short(part)))
            for row, (kind, line) in enumerate(texts[part]):
                body.append(text(kind, x + PADDING, y + PADDING + NAME + 12 + row * LINE, line))
        top += height + 3 * GAP
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top:.0f}" role="img">',
        "<title>The floors of fastcore: a part imports only parts below it</title>",
        f"<style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{top:.0f}" fill="#ffffff"/>',
        *body,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def box(kind: str, x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="4"/>'


def text(kind: str, x: float, y: float, content: str) -> str:
    mark = f' class="{kind}"' if kind else ""
    return f'<text{mark} x="{x:.1f}" y="{y:.1f}">{escape(content, quote=False)}</text>'


if __name__ == "__main__":
    PICTURE.write_text(drawing(), encoding="utf-8")
    print(f"draw_floors: wrote {PICTURE.relative_to(ROOT)}")
