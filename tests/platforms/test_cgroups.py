"""Control groups in the words of both versions: where a group is made, what is written into it, and the way back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import TargetError
from holdfast.platforms import cgroups
from holdfast.platforms.cgroups import Tree

MOUNT = Path("/sys/fs/cgroup")
ONE = Tree(mount=MOUNT / "cpu", version=1, controllers=frozenset({"cpu"}))
TWO = Tree(mount=MOUNT, version=2, controllers=frozenset({"cpu", "memory"}))
names = st.text("abcdefgh-.0123456789", min_size=1, max_size=12).filter(lambda name: name.strip("."))
marks = st.text("abcdef0123456789", min_size=6, max_size=12)


@given(st.lists(names, max_size=4), marks, st.sampled_from([ONE, TWO]))
def test_what_is_put_into_a_group_goes_back_to_where_it_was(path, mark, tree):
    home = tree.mount.joinpath(*path)
    group = tree.group(home, mark)
    assert group != home
    assert tree.origin(group) == home
    assert cgroups.marked(group)


def test_version_1_makes_it_inside_and_version_2_beside():
    assert ONE.group(ONE.mount / "pod", "ab12") == ONE.mount / "pod" / "holdfast-ab12"
    assert TWO.group(TWO.mount / "slice" / "pod", "ab12") == TWO.mount / "slice" / "pod.holdfast-ab12"
    assert TWO.group(TWO.mount, "ab12") == TWO.mount / ".holdfast-ab12"


@pytest.mark.parametrize(
    ("version", "cpus", "memory", "wanted"),
    [
        (1, 0.1, None, {"cpu": {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "10000"}}),
        (1, None, 4096, {"memory": {"memory.limit_in_bytes": "4096"}}),
        (2, 0.1, 0, {"cpu": {"cpu.max": "10000 100000"}, "memory": {"memory.max": "0"}}),
        (2, 1e-9, None, {"cpu": {"cpu.max": "1000 100000"}}),  # the kernel takes no less than a millisecond
        (2, None, None, {}),
    ],
)
def test_bounds_are_written_as_the_kernel_reads_them(version, cpus, memory, wanted):
    assert cgroups.bounds(version, cpus=cpus, memory=memory) == wanted


@pytest.mark.parametrize(
    ("version", "wanted"),
    [
        (1, {"blkio.throttle.read_bps_device": "8:0 4096", "blkio.throttle.write_bps_device": "8:0 4096"}),
        (2, {"io.max": "8:0 rbps=4096 wbps=4096"}),
    ],
)
def test_a_disk_is_bounded_for_reading_and_writing(version, wanted):
    assert cgroups.bounds(version, disk=("8:0", 4096)) == {"io": wanted}


def test_the_disk_of_a_folder_is_the_whole_disk_of_its_partition(tmp_path):
    found = tmp_path.stat().st_dev
    number = f"{os.major(found)}:{os.minor(found)}"
    (tmp_path / "sda" / "sda1").mkdir(parents=True)
    (tmp_path / number).symlink_to(tmp_path / "sda" / "sda1")
    for name, device in (("sda", "8:0"), ("sda/sda1", "8:1")):
        (tmp_path / name / "dev").write_text(f"{device}\n", encoding="ascii")
    assert cgroups.disk(tmp_path, tmp_path) == "8:1"  # a disk without partitions
    (tmp_path / "sda" / "sda1" / "partition").write_text("1\n", encoding="ascii")
    assert cgroups.disk(tmp_path, tmp_path) == "8:0"  # the kernel bounds no part of one


def test_a_folder_that_lies_on_no_disk_is_refused(tmp_path):
    with pytest.raises(TargetError, match="lies on no disk"):
        cgroups.disk(Path("/proc"))
    with pytest.raises(TargetError, match="lies on no disk"):
        cgroups.disk(tmp_path / "away")


MOUNTS = """\
36 25 0:31 / /sys/fs/cgroup rw,nosuid - tmpfs tmpfs rw,mode=755
37 36 0:32 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct
38 36 0:33 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
39 36 0:34 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer
40 36 0:35 / /sys/fs/cgroup/blkio rw - cgroup cgroup rw,blkio
"""


def test_mounts_of_version_1_are_found_by_what_they_bound():
    found = cgroups.trees(MOUNTS)
    assert {name: (tree.mount.name, tree.root) for name, tree in found.items()} == {
        "cpu": ("cpu,cpuacct", "/"),
        "memory": ("memory", "/docker/abc"),
        "io": ("blkio", "/"),
    }


def test_a_mount_of_version_2_bounds_what_its_controllers_say(tmp_path):
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids\n", encoding="ascii")
    found = cgroups.trees(f"30 23 0:26 / {tmp_path} rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n")
    assert found["cpu"] == found["memory"] == found["io"]
    assert (found["cpu"].version, found["cpu"].mount) == (2, tmp_path)


def test_a_machine_without_control_groups_has_no_trees():
    assert cgroups.trees("23 1 8:1 / / rw - ext4 /dev/sda1 rw\n") == {}


def test_a_process_that_is_gone_has_no_group():
    with pytest.raises(TargetError, match="is gone, or its group is not seen"):
        ONE.home(2**22 + 1)  # beyond the largest pid


def test_a_group_that_the_kernel_refuses_leaves_nothing(tmp_path):
    tree = Tree(mount=tmp_path, version=1, controllers=frozenset({"cpu"}))
    with pytest.raises(TargetError, match="no group can be made"):
        cgroups.make(tree, tmp_path / "away" / "holdfast-ab12", {"cpu.max": "1"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "key", "wanted"),
    [
        ("nr_periods 9\nnr_throttled 4\n", "nr_throttled", 4),
        ("low 0\noom 2\noom_kill 1\n", "oom_kill", 1),
        ("4096\n", "", 4096),
        ("max\n", "", 0),
        ("", "oom_kill", 0),
        ("oom_kill\n", "oom_kill", 0),
    ],
)
def test_counts_are_read_and_what_is_no_count_is_none(tmp_path, text, key, wanted):
    (tmp_path / "file").write_text(text, encoding="ascii")
    assert cgroups.count(tmp_path, "file", key) == wanted
    assert cgroups.count(tmp_path, "absent", key) == 0
