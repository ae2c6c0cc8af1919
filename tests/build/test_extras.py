"""Extras: their packages, the errors without them, and the page of the package index."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.backend_independent

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def packages(extra: str) -> set[str]:
    """The names that an extra installs, those of the extras in it included."""
    found: set[str] = set()
    for requirement in PROJECT["optional-dependencies"][extra]:
        if own := re.fullmatch(r"fastcore-native\[(.*)\]", requirement):
            found = found.union(*map(packages, own[1].split(",")))
        else:
            found.add(re.split(r"[\[<>=;! ]", requirement)[0])
    return found


@pytest.mark.parametrize(
    ("extra", "code"),
    [
        ("service", "from fastcore.streaming import Hub; Hub().route(object())"),
        ("service", "from fastcore.streaming import Hub; Hub().sse(object())"),
        (
            "service",
            "import asyncio; from fastcore.streaming import Client; asyncio.run(Client('ws://x').__aenter__())",
        ),
        ("service", "import fastcore.streaming.uvicorn"),
        ("service", "import fastcore.streaming.handshake"),
        ("service", "from fastcore.service import install; install(object())"),
        ("service", "from fastcore.tasks import TaskQueue; TaskQueue().router()"),
        ("dask", "from fastcore.tasks import TaskQueue; TaskQueue().task(len, on='dask')"),
        ("dask", "from fastcore.tasks.executors.dask import DaskExecutor; DaskExecutor('tcp://127.0.0.1:1')"),
        ("prometheus", "from fastcore.monitor import exposition; exposition()"),
        (
            "nats",
            "import asyncio; from fastcore.streaming import Hub, NatsBackplane; "
            "asyncio.run(Hub(backplane=NatsBackplane('nats://127.0.0.1:1')).start())",
        ),
    ],
)
def test_a_part_without_its_packages_names_the_extra(extra: str, code: str) -> None:
    hide = f"import sys; sys.modules.update(dict.fromkeys({sorted(every_import())!r}))\n"
    ran = subprocess.run([sys.executable, "-c", hide + code], capture_output=True, text=True)
    said = ran.stderr.strip().splitlines()[-1]
    assert said.startswith(("ImportError: ", "ModuleNotFoundError: ")), said
    assert said.endswith(f'pip install "fastcore-native[{extra}]"')


def test_every_public_module_and_name_is_there_or_names_its_extra() -> None:
    """Missing packages are reported by the name of the extra."""
    code = f"""if True:
        import importlib, pkgutil, sys
        sys.modules.update(dict.fromkeys({sorted(every_import())!r}))
        import fastcore
        for found in pkgutil.iter_modules(fastcore.__path__, "fastcore."):
            if found.name.startswith(("fastcore._", "fastcore.__main__")):
                continue
            try:
                module = importlib.import_module(found.name)
                for name in getattr(module, "__all__", ()):
                    getattr(module, name)
            except ImportError as error:
                if 'pip install "fastcore-native[' not in str(error):
                    print(found.name, repr(error))
    """
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("", "")


def test_the_market_desk_without_its_packages_names_the_extra() -> None:
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({sorted(every_import())!r}))\n"
        "from examples.market_desk.__main__ import main; sys.exit(main(['serve', '--port', '0']))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert ran.returncode == 2
    assert ran.stderr.endswith("pip install -e '.[demo]'\n")
    assert len(ran.stderr.splitlines()) == 1


def every_import() -> set[str]:
    names = packages("dashboard") | packages("prometheus") | packages("dask") | packages("nats")
    return {name.replace("-", "_").replace("nats_py", "nats") for name in names} | {"starlette", "dask"}


def test_a_dask_task_on_a_queue_without_a_cluster_says_what_to_write() -> None:
    pytest.importorskip("distributed")
    from fastcore.tasks import TaskQueue

    with pytest.raises(ValueError, match=r"TaskQueue\(executors=\{'dask': DaskExecutor\(cluster\)\}\)"):
        TaskQueue().task(len, on="dask")


def test_the_demo_installs_all_that_its_pages_show() -> None:
    assert packages("demo") >= packages("dashboard") | packages("prometheus")


def description(repository: str) -> str:
    described = runpy.run_path(str(ROOT / "tools" / "description.py"))["described"]
    return str(described((ROOT / "README.md").read_text(encoding="utf-8"), repository, "1.2.3"))


def links(text: str) -> list[str]:
    found = re.findall(r"\]\(([^)]+)\)|(?:src|srcset|href)=[\"']([^\"']+)", text)
    return [next(filter(None, groups)) for groups in found]


@pytest.mark.parametrize("repository", ["", "https://forge.example/us/fastcore"])
def test_the_description_has_no_link_that_only_a_checkout_can_follow(repository: str) -> None:
    text = description(repository)
    assert [link for link in links(text) if not link.startswith(("https://", "#"))] == []
    assert all(url.startswith("https://") for url in PROJECT["urls"].values())
    pictures = re.findall(r"https://forge.example/us/fastcore/raw/v1.2.3/docs/images/[\w.-]+", text)
    assert len(pictures) == (3 if repository else 0)


def test_a_description_without_pictures_has_the_chart_as_text() -> None:
    assert "```text\ntimes as fast as ...\n" in description("")
    assert "<!-- where no picture" not in description("")


@pytest.mark.parametrize("repository", ["", "https://forge.example/us/fastcore"])
def test_a_package_index_shows_the_description(repository: str) -> None:
    markdown = pytest.importorskip("readme_renderer.markdown")
    pytest.importorskip("comrak")
    page = markdown.render(description(repository))
    assert page is not None
    assert "&lt;!--" not in page  # a comment that is shown
    assert page.count("<tr>") == 10
    assert re.search(r"<td>[\d.]+x as fast as TA-Lib", page)
    assert page.count("<img") == (2 if repository else 0)
    assert page.count("<h2") == 6


def test_links_of_the_description_lead_to_the_tag() -> None:
    text = description("https://forge.example/us/fastcore")
    assert "[tutorial](https://forge.example/us/fastcore/blob/v1.2.3/docs/tutorial.md)" in text


def test_pages_and_pictures_of_the_readme_are_in_the_source_distribution() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = [link for link in links(text) if not link.startswith(("https://", "#"))]
    assert len(named) > 25
    assert [name for name in named if not (ROOT / name).is_file()] == []
    included = (ROOT / "MANIFEST.in").read_text(encoding="utf-8")
    assert all(f"*{Path(name).suffix}" in included for name in named)


USERS = ("service", "dashboard", "prometheus", "dask", "nats", "all")


def test_the_extra_all_has_the_packages_of_every_feature() -> None:
    features = {extra for extra in USERS if extra != "all"}
    assert packages("all") == set().union(*map(packages, features))


def test_every_extra_is_in_the_installation_guide_with_its_packages() -> None:
    page = (ROOT / "docs" / "installation.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", page, re.MULTILINE))
    for extra in PROJECT["optional-dependencies"]:
        assert extra in rows, extra
        named = re.findall(r"`([\w-]+)`", rows[extra])
        assert set(named) <= packages(extra) | set(PROJECT["optional-dependencies"]), extra
        if extra in USERS:
            assert packages(extra) <= set().union(*(packages(n) if n in rows else {n} for n in named)), extra


def test_every_extra_of_a_feature_is_in_the_description() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [extra for extra in USERS if f"`{extra}`" not in text] == []


def test_extras_are_quoted_wherever_they_are_installed() -> None:
    """zsh takes brackets without quotes for a pattern, and installs nothing."""
    bare = re.compile(r"(?:pip|uv pip|pipx) (?:install|run) (?:-\S+ )*[\w.-]+\[")
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
    code = [path for folder in ("fastcore", "python_fallback", "examples") for path in (ROOT / folder).rglob("*.py")]
    assert [path.name for path in (*pages, *code) if bare.search(path.read_text(encoding="utf-8"))] == []
