"""The workloads, in the order in which a build is put through them. A new one is one file and one row here."""

from benchmarks.workloads import changes, cold, listing, memory, mixed, raw, read, size, startup, write
from benchmarks.workloads.workload import Workload

WORKLOADS: tuple[Workload, ...] = (
    write.WORKLOAD,
    read.WORKLOAD,
    raw.WORKLOAD,
    listing.WORKLOAD,
    size.WORKLOAD,
    startup.WORKLOAD,
    memory.WORKLOAD,
    changes.WORKLOAD,
    mixed.WORKLOAD,
    cold.WORKLOAD,
)
