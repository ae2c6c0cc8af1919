"""Readings of the machine and of control groups, from trees of files as Linux writes them."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from fastcore.memory import memory_usage
from fastcore.memory.usage import peak_resident_bytes, resident_bytes

GIB = 1 << 30


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine of 16 GiB, a quarter of it in use, without control groups."""
    write(
        tmp_path,
        {
            "proc/meminfo": f"MemTotal: {16 << 20} kB\nMemFree: {1 << 20} kB\nMemAvailable: {12 << 20} kB\n",
            "proc/pressure/memory": "some avg10=12.50 avg60=0.00 avg300=0.00 total=1\nfull avg10=1.00\n",
        },
    )
    return tmp_path


def version2(root: Path, path: str, mount: str = "/", at: str = "/sys/fs/cgroup") -> None:
    write(
        root,
        {
            "proc/self/cgroup": f"0::{path}\n",
            "proc/self/mountinfo": f"30 23 0:28 {mount} {at} rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
        },
    )


def group2(root: Path, path: str, used: int, limit: int | str, cached: int = 0) -> None:
    folder = f"sys/fs/cgroup/{path}".rstrip("/")
    stat = f"anon 1\ninactive_file {cached}\nactive_file 0\n"
    write(root, {f"{folder}/memory.current": f"{used}\n", f"{folder}/memory.max": f"{limit}\n"})
    write(root, {f"{folder}/memory.stat": stat})


def test_the_machine(root: Path) -> None:
    usage = memory_usage(root)
    assert (usage.used, usage.limit, usage.source) == (4 * GIB, 16 * GIB, "machine")
    assert usage.fraction == 0.25
    assert usage.pressure == 0.125


def test_a_group_of_version_2(root: Path) -> None:
    version2(root, "/app")
    group2(root, "app", 900, 1000, cached=100)
    usage = memory_usage(root)
    assert (usage.used, usage.limit) == (800, 1000)
    assert usage.source.endswith("sys/fs/cgroup/app")
    assert usage.pressure is None


def test_an_ancestor_with_a_higher_share(root: Path) -> None:
    version2(root, "/pod/app/worker")
    group2(root, "pod/app/worker", 500, "max")
    group2(root, "pod/app", 500, 1000)
    group2(root, "pod", 1900, 2000)
    usage = memory_usage(root)
    assert usage.fraction == 0.95
    assert usage.source.endswith("pod")


def test_no_limit_leaves_the_machine(root: Path) -> None:
    version2(root, "/app")
    group2(root, "app", 500, "max")
    assert memory_usage(root).source == "machine"


def test_a_group_with_a_lower_share_than_the_machine(root: Path) -> None:
    version2(root, "/app")
    group2(root, "app", 10, 1000)
    assert memory_usage(root).source == "machine"


def test_a_container_that_sees_its_own_group_as_the_root_of_the_mount(root: Path) -> None:
    """Without a namespace for groups the path is the host's, and the mount shows that group only."""
    version2(root, "/docker/abc/inner", mount="/docker/abc")
    group2(root, "inner", 500, "max")
    group2(root, "", 700, 1000)
    assert memory_usage(root).fraction == 0.7


def test_a_path_outside_the_mount(root: Path) -> None:
    """A process moved in from outside sees a path that begins with dots."""
    version2(root, "/../other", mount="/")
    group2(root, "", 700, 1000)
    assert memory_usage(root).fraction == 0.7
    version2(root, "/docker/other", mount="/docker/abc")
    assert memory_usage(root).fraction == 0.7


def test_a_path_outside_the_mount_is_not_cut_as_if_it_were_below(root: Path) -> None:
    version2(root, "/docker/another", mount="/docker/abc")
    group2(root, "", 700, 1000)
    group2(root, "ther", 900, 1000)  # another group's, of which the mount shows the name by chance
    assert memory_usage(root).fraction == 0.7


@pytest.mark.parametrize("path", ["/docker/abc", "/"])
def test_a_group_of_version_1(root: Path, path: str) -> None:
    where = "/sys/fs/cgroup/memory"
    mounts = (
        f"36 31 0:33 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
        f"37 31 0:34 / {where} rw,relatime - cgroup cgroup rw,memory\n"
    )
    write(root, {"proc/self/cgroup": f"5:cpu,cpuacct:/x\n4:memory:{path}\n", "proc/self/mountinfo": mounts})
    folder = f"sys/fs/cgroup/memory{path}".rstrip("/")
    write(
        root,
        {
            f"{folder}/memory.usage_in_bytes": "950",
            f"{folder}/memory.limit_in_bytes": "1000",
            f"{folder}/memory.stat": "inactive_file 1\ntotal_inactive_file 50\n",
        },
    )
    usage = memory_usage(root)
    assert (usage.used, usage.limit) == (900, 1000)


def test_version_1_without_limit(root: Path) -> None:
    mounts = "37 31 0:34 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    write(root, {"proc/self/cgroup": "4:memory:/\n", "proc/self/mountinfo": mounts})
    folder = "sys/fs/cgroup/memory"
    write(root, {f"{folder}/memory.usage_in_bytes": "950", f"{folder}/memory.limit_in_bytes": "9223372036854771712"})
    assert memory_usage(root).source == "machine"


def test_spaces_in_a_mount(root: Path) -> None:
    version2(root, "/app", at="/mnt/of\\040groups")
    write(root, {"mnt/of groups/app/memory.current": "990", "mnt/of groups/app/memory.max": "1000"})
    assert memory_usage(root).fraction == 0.99


@pytest.mark.parametrize("text", ["", "garbage", "1 2 3 - \n", "0:0\n::\n"])
def test_files_that_are_not_as_expected(root: Path, text: str) -> None:
    write(root, {"proc/self/cgroup": text, "proc/self/mountinfo": text, "proc/pressure/memory": text})
    assert memory_usage(root).fraction == 0.25


def test_a_missing_proc_file_system_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="root: expected proc/meminfo or control groups"):
        memory_usage(tmp_path)


def test_this_machine() -> None:
    usage = memory_usage()
    assert 0 < usage.fraction <= 1.5
    assert usage.limit <= psutil.virtual_memory().total


def test_a_reading_interns_no_strings(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CPython's table of them grows with each that comes and goes: by 2 MiB at once after some ten thousand."""
    version2(root, "/svc")
    group2(root, "svc", 900, 1000)
    interned: list[str] = []
    monkeypatch.setattr(sys, "intern", lambda text: interned.append(text) or text)
    assert memory_usage(root).limit == 1000
    memory_usage()
    peak_resident_bytes()
    assert interned == []


def test_this_process() -> None:
    before = resident_bytes()
    assert before == pytest.approx(psutil.Process().memory_info().rss, rel=0.2)
    block = bytearray(b"x") * (64 << 20)
    assert resident_bytes() - before > 32 << 20
    del block
    assert peak_resident_bytes() - before > 32 << 20


def test_a_group_that_is_only_throttled(root: Path) -> None:
    """The kernel reclaims memory of a group above memory.high, and slows the group, whatever memory.max says."""
    version2(root, "/svc")
    group2(root, "svc", 900, "max")
    write(root, {"sys/fs/cgroup/svc/memory.high": "1000\n"})
    assert memory_usage(root).fraction == 0.9
    group2(root, "svc", 900, 3000)
    assert (memory_usage(root).used, memory_usage(root).limit) == (900, 1000)
    write(root, {"sys/fs/cgroup/svc/memory.high": "max\n"})
    group2(root, "svc", 2900, 3000)
    assert memory_usage(root).limit == 3000


def test_memory_that_the_kernel_can_reclaim_is_not_used(root: Path) -> None:
    version2(root, "/svc")
    group2(root, "svc", 950, 1000)
    stat = "anon 200\nactive_file 200\ninactive_file 20\nslab_reclaimable 30\nslab_unreclaimable 7\n"
    write(root, {"sys/fs/cgroup/svc/memory.stat": stat})
    assert (memory_usage(root).used, memory_usage(root).limit) == (700, 1000)


def test_a_version_1_limit_of_an_ancestor(root: Path) -> None:
    mounts = "37 31 0:34 /pods/one /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    write(root, {"proc/self/cgroup": "4:memory:/pods/one\n", "proc/self/mountinfo": mounts})
    folder = "sys/fs/cgroup/memory"
    write(root, {f"{folder}/memory.usage_in_bytes": "950", f"{folder}/memory.limit_in_bytes": "9223372036854771712"})
    stat = "hierarchical_memory_limit 1000\ntotal_inactive_file 20\ntotal_active_file 30\n"
    write(root, {f"{folder}/memory.stat": stat})
    assert (memory_usage(root).used, memory_usage(root).limit) == (900, 1000)
    write(root, {f"{folder}/memory.limit_in_bytes": "950"})  # lowered since the statistics were written
    assert memory_usage(root).limit == 950


def test_undecodable_figures_are_ignored(root: Path) -> None:
    version2(root, "/app")
    group2(root, "app", GIB, 2 * GIB)
    (root / "sys/fs/cgroup/app/memory.stat").write_bytes(b"\xff\xfe 5\n")
    assert memory_usage(root).used == GIB
    (root / "proc/meminfo").write_bytes(b"\xff\xfe")
    assert memory_usage(root).source.endswith("app")
