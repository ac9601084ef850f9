"""Open a store, read every agent one at a time, and print the most memory that this process held (KiB)."""

import json
import sys
from pathlib import Path

from stores.registry import open_store


def resident_kib(row: str) -> int:
    """Return a row of this process's memory. `VmHWM` is the peak: getrusage's also counts the parent before exec."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(row + ":"))


imported = resident_kib("VmRSS")
with open_store(sys.argv[1]) as store:
    agents = sum(store.get("agent", record.id) is not None for record in store.scan("agent"))
sys.stdout.write(json.dumps({"agents": agents, "imported_kib": imported, "peak_kib": resident_kib("VmHWM")}))
