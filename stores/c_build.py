"""Compiles one C file into a shared object, where a C compiler is."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from stores.go_build import TIMEOUT_SECONDS, last_lines


def compile_shared(source: Path, target: Path, *flags: str) -> str | None:
    """Compile a file to a target whose folder is there; return why that isn't possible, or None."""
    compiler = (
        os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang") or ""
    ).split()
    if not compiler:
        return "no C compiler"
    try:
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            built = Path(scratch) / target.name
            command = [*compiler, "-O2", "-shared", "-fPIC", *flags, "-o", str(built), str(source)]
            finished = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
            if finished.returncode:
                return f"the compiler says: {last_lines(finished.stderr)}"
            built.replace(target)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None
