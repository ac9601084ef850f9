"""The reference server as users run it: `parity serve` in a process of its own, which tests may kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 30.0
TOKENS = """
[[callers]]
id = "root"
token = "root-token"
operator = true
[[callers]]
id = "max"
token = "max-token"
member_of = ["acme"]
"""


@dataclass
class Serving:
    """A running server process and its address."""

    process: subprocess.Popen[str]
    address: str

    def kill(self) -> None:
        """SIGKILL: no handler runs, nothing is flushed."""
        self.process.send_signal(signal.SIGKILL)
        self._wait()

    def stop(self) -> int:
        """SIGTERM, and wait for the drain; returns the exit code."""
        self.process.terminate()
        return self._wait()

    def _wait(self) -> int:
        code = self.process.wait(START_SECONDS)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code


def serve(store_url: str, log: Path, *, profile: str = "cloud") -> Serving:
    """Start `parity serve` on a free loopback port and wait until it answers."""
    tokens = log.with_suffix(".tokens.toml")
    tokens.write_text(TOKENS, encoding="utf-8")
    command = [sys.executable, "-m", "parity.main", "serve", "--store", store_url, "--profile", profile]
    command += ["--listen", "127.0.0.1:0", *(["--tokens", str(tokens)] if profile == "cloud" else [])]
    with log.open("a", encoding="utf-8") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
        )
    assert process.stdout is not None
    first = process.stdout.readline()
    if not first.startswith("listening on "):
        Serving(process, "").kill()
        raise AssertionError(f"parity serve didn't start: {first!r}; {log.read_text(encoding='utf-8')}")
    return Serving(process, first.removeprefix("listening on ").strip())
