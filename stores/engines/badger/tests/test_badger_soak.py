"""A soak by count: memory and open files stay within stated bounds, and nothing is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("library")

MIB = 1024 * 1024
WORKING_BYTES_MAX = 768 * MIB
"""While it works. Badger keeps up to 8 builders of tables for reuse, each as large as the largest table it built (some
32 MiB with memory tables of 16 MiB), up to 6 memory tables of 21 MiB and 32 MiB of cache; Go adds half of all that."""
RESTED_BYTES_MAX = 160 * MIB
"""After closing and opening again: Python, the library, one memory table, the cache. A leak would stay."""
FILES_MAX = 14
"""More at the end than at a quarter of the way: tables of the levels that compaction hasn't merged yet."""

_SOAK = """
import gc, json, os, random, sys
from pathlib import Path
from stores.engines.badger.engine import BadgerEngine, Settings
from stores.engines.badger.library import load
path, operations = Path(sys.argv[1]), int(sys.argv[2])
engine = BadgerEngine(path, Settings(sync_writes=False, memtable_mb=16, cache_mb=32))
draw, model, problems = random.Random(7), {}, []

def resident():
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") - int(fields[2]) * os.sysconf("SC_PAGE_SIZE")

def sample():
    global under_way
    under_way = None
    gc.collect()
    return {"resident": resident(), "files": len(os.listdir("/proc/self/fd")), **load().live_counts()}

samples = []
for number in range(operations):
    key = b"%05d" % draw.randrange(5_000)
    what = draw.random()
    if what < 0.45:
        value = b"%d:" % number + draw.randbytes(draw.choice((50, 1_000, 6_000)))
        engine.write([(key, value)], sync=False)
        model[key] = value
    elif what < 0.55:
        engine.write([(key, None)], sync=False)
        model.pop(key, None)
    elif what < 0.9:
        if engine.get(key) != model.get(key):
            problems.append(f"{number}: {key!r} differs")
    elif what < 0.99:
        snapshot = engine.snapshot()
        under_way = snapshot.range(key, b"")
        next(under_way, None)
        snapshot.close()
    elif number % 5_000 == 0:
        engine.compact()
    if number in (operations // 4, operations // 2, operations * 3 // 4, operations - 1):
        samples.append(sample())
snapshot = engine.snapshot()
if dict(snapshot.range(b"", b"")) != model:
    problems.append("the contents differ at the end")
snapshot.close()
engine.close()
engine = BadgerEngine(path, Settings(sync_writes=False, memtable_mb=16, cache_mb=32))
engine.compact()
rested = sample()
engine.close()
size = sum(file.stat().st_blocks * 512 for file in path.iterdir())
print(json.dumps({"problems": problems[:5], "samples": samples, "rested": rested, "size": size}))
"""


@dataclass(frozen=True)
class Soak:
    problems: list[str]
    samples: list[dict[str, int]]
    rested: dict[str, int]
    size: int


def soak(path: Path, operations: int) -> Soak:

    finished = subprocess.run(
        [sys.executable, "-c", _SOAK, str(path), str(operations)],
        capture_output=True,
        text=True,
        timeout=800,
        check=True,
    )
    return Soak(**json.loads(finished.stdout))


def check(found: Soak) -> None:
    assert found.problems == []
    early, late = found.samples[0], found.samples[-1]
    assert max(sample["resident"] for sample in found.samples) <= WORKING_BYTES_MAX, found.samples
    assert found.rested["resident"] <= RESTED_BYTES_MAX, found.rested
    assert late["files"] <= early["files"] + FILES_MAX, found.samples
    assert late["goroutines"] <= early["goroutines"] + 4, found.samples
    assert (late["databases"], late["snapshots"], late["cursors"]) == (1, 0, 0), found.samples


needs_proc = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory and files are read from /proc")


@needs_proc
def test_ten_thousand_operations(tmp_path: Path) -> None:
    check(soak(tmp_path / "db", 10_000))


@pytest.mark.full
@needs_proc
def test_two_hundred_thousand_operations(tmp_path: Path) -> None:
    check(soak(tmp_path / "db", 200_000))
