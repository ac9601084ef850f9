"""Namespaces of a process's own: a network in which packets can be dropped, mounts that nobody else sees."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

NETWORK, MOUNTS = "--net", "--mount"
_PROBES = {
    NETWORK: "import tests.database_faults.cut_off as it; it.prepare(); it.cut('127.0.0.9'); it.mend('127.0.0.9')",
    MOUNTS: "import tests.database_faults.full as it\nwith it.small_log(): pass",
}
_PROBE_SECONDS = 60


def within(namespace: str, words: Sequence[str]) -> list[str]:
    """Return the command that runs Python with these words in a namespace."""
    return ["unshare", namespace, sys.executable, *words]


def missing(namespace: str) -> str | None:
    """Say why a namespace can't be had here, or None."""
    if shutil.which("unshare") is None:
        return "there is no unshare"
    if os.geteuid() != 0:
        # In a namespace of users one would be root there, as whom PostgreSQL refuses to run.
        return "namespaces in which PostgreSQL runs need root"
    probe = within(namespace, ["-c", _PROBES[namespace]])
    done = subprocess.run(probe, check=False, capture_output=True, text=True, timeout=_PROBE_SECONDS)
    return None if done.returncode == 0 else f"unshare {namespace}: {done.stderr[-200:].strip()}"
