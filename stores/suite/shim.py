"""Our own means of counting syncs where strace can't be used: a library that is loaded before the C library.

It is built from `syncs_shim.c` into the user's cache at first use, and writes down what `read_trace` reads. It needs a
C compiler, Linux on x86-64, and a kernel that takes a filter of system calls.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path

from stores.c_build import compile_shared
from stores.cache import cache_folder

SOURCE = Path(__file__).parent / "syncs_shim.c"
TRACE, PRELOAD = "PARITY_SYNCS", "LD_PRELOAD"
_PROBE_SECONDS_MAX = 60
_TAIL = 200


def library() -> Path:
    """Return where the library is, or would be."""
    digest = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]
    return cache_folder() / f"syncs-shim-{digest}" / "shim.so"


def environment(trace: Path) -> dict[str, str]:
    """Return the environment of a process that writes down its syncs."""
    earlier = os.environ.get(PRELOAD)
    return os.environ | {TRACE: str(trace), PRELOAD: f"{library()}{' ' + earlier if earlier else ''}"}


@cache
def shim_refusal() -> str:
    """Build the library unless it is there; return why it can't be used here, or nothing."""
    if not library().is_file():
        try:
            library().parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            return str(error)
        reason = compile_shared(SOURCE, library(), "-ldl")
        if reason:
            return reason
    try:
        probe = [sys.executable, "-c", ""]
        env = environment(Path("/dev/null"))
        done = subprocess.run(probe, env=env, capture_output=True, text=True, timeout=_PROBE_SECONDS_MAX, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode:
        return f"a process doesn't start with it: exit {done.returncode} {done.stderr.strip()[-_TAIL:]}".strip()
    return ""


def unseen(exit_code: int) -> str:
    """Say what the exit code of a process with the library means that didn't do its work."""
    if exit_code == -signal.SIGSYS:
        return "it syncs past the C library (Go, io_uring, a static program), which only strace sees"
    return f"with the library that counts syncs its process ended with exit code {exit_code}"
