"""How much memory a process may take, and how many leases it holds by that."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from servicekit.leasing.worker import LEASE_BYTES
from servicekit.process.memory import Memory, find_memory
from servicekit.process.settings import OTHER_FILES, Capacity, WorkerSettings

MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
MIB = 1 << 20


class Growing(WorkerSettings):
    """As a validator's."""

    grows = True
    capacity: int = 200


@pytest.fixture
def files() -> Iterator[int]:
    """How many files may be open: the same on each machine."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (2_000, hard))
    yield (2_000 - OTHER_FILES) * 2 // 3
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def make_root(root: Path, groups: str, limits: dict[str, str]) -> Path:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(groups)
    for name, text in limits.items():
        file = root / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


@pytest.mark.parametrize(
    ("groups", "limits", "found"),
    [
        ("0::/\n", {"memory.max": f"{64 * MIB}\n"}, 64 * MIB),  # a container, which sees its own group alone
        ("0::/a/b\n", {"a/b/memory.max": "max\n", "a/memory.max": f"{90 * MIB}\n"}, 90 * MIB),
        ("0::/a/b\n", {"a/b/memory.max": f"{70 * MIB}", "a/memory.max": f"{90 * MIB}"}, 70 * MIB),
        ("0::/of/the/host\n", {"memory.max": f"{64 * MIB}\n"}, 64 * MIB),
        (
            "5:cpu:/a\n4:memory:/docker/x\n0::/\n",
            {"memory/docker/x/memory.limit_in_bytes": f"{80 * MIB}\n", "memory/memory.limit_in_bytes": f"{2**63}\n"},
            80 * MIB,
        ),
        ("4:cpu,memory:/\n", {"memory/memory.limit_in_bytes": f"{80 * MIB}\n"}, 80 * MIB),
        ("0::/\n", {"memory.max": "max\n"}, None),
        ("0::/\n", {"memory.max": f"{2**63}\n"}, None),
        ("5:cpu:/\n", {"memory/memory.limit_in_bytes": f"{80 * MIB}\n"}, None),
    ],
)
def test_the_least_limit_of_the_groups_counts_unless_the_machine_has_less(tmp_path, groups, limits, found):
    wanted = Memory(MACHINE, is_of_container=False) if found is None else Memory(found, is_of_container=True)
    assert find_memory(make_root(tmp_path, groups, limits)) == wanted


def test_without_control_groups_the_machines_memory_counts(tmp_path):
    assert find_memory(tmp_path) == Memory(MACHINE, is_of_container=False)


def test_of_a_containers_memory_work_takes_a_half_of_what_is_left_and_of_a_machines_a_sixteenth():
    assert Memory(1 << 30, is_of_container=True).work_bytes == 448 * MIB
    assert Memory(256 * MIB, is_of_container=True).work_bytes == 64 * MIB
    assert Memory(64 * MIB, is_of_container=True).work_bytes == 1, "and the least number of leases"
    assert Memory(8 << 30, is_of_container=False).work_bytes == 512 * MIB


@pytest.mark.parametrize(
    ("settings", "capacity"),
    [
        (Growing(work_max_bytes=128 * MIB), Capacity(1_024, "memory", 128 << 10)),
        (Growing(work_max_bytes=128 * MIB + 1_024), Capacity(1_024, "memory", (128 << 10) + 1)),
        (Growing(work_max_bytes=1 << 30), Capacity(1_162, "files", (1 << 30) // 1_162)),
        (Growing(work_max_bytes=1_162 * LEASE_BYTES), Capacity(1_162, "memory", LEASE_BYTES)),
        (Growing(work_max_bytes=MIB), Capacity(200, "memory", LEASE_BYTES)),  # never less than without memory's bound
        (Growing(work_max_bytes=128 * MIB, capacity=200), Capacity(200, "setting", 128 * MIB // 200)),
        (Growing(work_max_bytes=128 * MIB, capacity=9_000), Capacity(9_000, "setting", LEASE_BYTES)),
        (WorkerSettings(work_max_bytes=1 << 30), Capacity(1_000, "setting", (1 << 30) // 1_000)),
        (WorkerSettings(work_max_bytes=140 * MIB, capacity=0), Capacity(1_120, "memory", LEASE_BYTES)),
        (WorkerSettings(work_max_bytes=MIB, capacity=0), Capacity(1_000, "memory", LEASE_BYTES)),
    ],
)
def test_leases_follow_the_setting_or_the_memory_and_the_files(files, settings, capacity):
    assert settings.find_capacity() == capacity
    assert files == 1_162


def test_without_a_setting_the_memory_is_looked_up():
    bytes_of_each = max(LEASE_BYTES, find_memory().work_bytes // 1_000)
    assert WorkerSettings().find_capacity() == Capacity(1_000, "setting", bytes_of_each)
