"""What the machine is, and whether its numbers for durable writes can mean anything."""

from __future__ import annotations

import os
import platform
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.config import ConfigError
from benchmarks.results import Environment, FsyncCost
from benchmarks.statistics import median, percentile

PACKAGES = (
    "agent-parity",
    "protobuf",
    "orjson",
    "plyvel",
    "plyvel-next",
    "lmdb",
    "rocksdict",
    "sqlite-utils",
    "protovalidate",
    "grpcio",
)
FORGETFUL = ("tmpfs", "ramfs", "devtmpfs")
"""File systems that live in memory: an fsync there promises nothing."""
IMPLAUSIBLE_FSYNC_US = 5.0
"""The fastest drives take tens of microseconds to flush; less means that something answers in a disk's place."""
FSYNC_SAMPLES = 64
_FSYNC_APPEND = b"\0" * 4_096


def capture(directory: Path) -> Environment:
    """Return the environment of a run whose databases stand in `directory` (made if it isn't there).

    Raises ConfigError.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--out {directory}: {error.strerror}; name a folder") from error
    filesystem = filesystem_at(directory)
    cost = fsync_cost(directory)
    return Environment(
        captured_at=datetime.now(UTC).isoformat(timespec="seconds"),
        cpu=_cpu(),
        cpu_count=os.cpu_count() or 1,
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        directory=str(directory.resolve()),
        filesystem=filesystem,
        fsync=cost,
        load_average=round(os.getloadavg()[0], 2),
        versions=_versions(),
        durable_refusal=durable_refusal(filesystem, cost),
    )


@contextmanager
def nothing_left(directory: Path) -> Iterator[None]:
    """Take a folder that the block has made away again, with its parents, if it fails before anything is in them."""
    missing: list[Path] = []
    with suppress(OSError):
        missing += (each for each in (directory, *directory.parents) if not each.exists())
    try:
        yield
    except BaseException:
        with suppress(OSError):
            for each in missing:
                each.rmdir()
        raise


def durable_refusal(filesystem: str, cost: FsyncCost) -> str:
    """Return why durable writes can't be measured here, or nothing."""
    if filesystem in FORGETFUL:
        return (
            f"the databases stand on {filesystem}, which is memory: durable writes there mean nothing;"
            " choose an --out on a disk"
        )
    if cost.median_us < IMPLAUSIBLE_FSYNC_US:
        return (
            f"an fsync takes {cost.median_us:.1f} us here, faster than any disk: something swallows it;"
            " choose an --out on a disk"
        )
    return ""


def fsync_cost(directory: Path, samples: int = FSYNC_SAMPLES) -> FsyncCost:
    """Return what a 4 KiB append with fdatasync costs in a directory: the floor of every durable write there."""
    sync = getattr(os, "fdatasync", os.fsync)
    costs: list[float] = []
    with TemporaryDirectory(dir=directory) as folder, (Path(folder) / "probe").open("wb", buffering=0) as file:
        for _ in range(samples):
            begin = time.perf_counter_ns()
            file.write(_FSYNC_APPEND)
            sync(file.fileno())
            costs.append((time.perf_counter_ns() - begin) / 1_000)
    return FsyncCost(round(median(costs), 1), round(percentile(costs, 0.9), 1), samples)


def filesystem_at(directory: Path) -> str:
    """Return the type of the file system that holds a directory of this machine."""
    return filesystem_of(directory, _mounts())


def filesystem_of(directory: Path, mounts: Mapping[str, str]) -> str:
    """Return the type of the file system that holds a directory, by the longest mount point above it."""
    path = directory.resolve()
    for above in (path, *path.parents):
        if str(above) in mounts:
            return mounts[str(above)]
    return "unknown"


def _mounts() -> dict[str, str]:
    table = Path("/proc/mounts")
    if not table.exists():
        return {}
    rows = (line.split() for line in table.read_text(errors="replace").splitlines())
    return {row[1].encode().decode("unicode_escape"): row[2] for row in rows if len(row) > 2}  # noqa: PLR2004 - type is third


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(errors="replace").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _versions() -> dict[str, str]:
    found = {"sqlite": sqlite3.sqlite_version}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
