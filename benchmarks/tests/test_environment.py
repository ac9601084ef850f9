"""The environment: what the machine is, and when durable numbers mean nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.config import ConfigError
from benchmarks.environment import capture, durable_refusal, filesystem_of, fsync_cost
from benchmarks.results import FsyncCost

DISK = FsyncCost(150.0, 200.0, 64)


def test_the_machine_is_described_whole(tmp_path: Path) -> None:
    found = capture(tmp_path / "new")
    assert found.cpu
    assert found.cpu_count >= 1
    assert found.memory_bytes > 1 << 20
    assert found.directory == str((tmp_path / "new").resolve())
    assert {"protobuf", "orjson", "sqlite", "agent-parity"} <= set(found.versions)
    assert found.fsync.samples == 64
    assert list((tmp_path / "new").iterdir()) == []


def test_a_file_is_no_place_for_a_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="name a folder"):
        capture(tmp_path / "file")


def test_fsync_is_measured_not_assumed(tmp_path: Path) -> None:
    cost = fsync_cost(tmp_path, samples=5)
    assert 0 < cost.median_us <= cost.p90_us


@pytest.mark.parametrize("filesystem", ["tmpfs", "ramfs"])
def test_durable_numbers_in_memory_are_refused(filesystem: str) -> None:
    assert filesystem in durable_refusal(filesystem, DISK)
    assert "on a disk" in durable_refusal(filesystem, DISK)


def test_an_fsync_that_is_too_fast_to_be_true_is_refused() -> None:
    assert "something swallows it" in durable_refusal("ext4", FsyncCost(0.9, 1.0, 64))
    assert durable_refusal("ext4", DISK) == ""


def test_the_nearest_mount_point_counts(tmp_path: Path) -> None:
    mounts = {"/": "ext4", str(tmp_path): "tmpfs"}
    assert filesystem_of(tmp_path / "below", mounts) == "tmpfs"
    assert filesystem_of(Path("/"), mounts) == "ext4"
    assert filesystem_of(tmp_path, {}) == "unknown"
