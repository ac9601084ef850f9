"""The reference server as users run it: `parity serve` in a process of its own, which tests may kill."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.server.processes import Running, start

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


def serve(store_url: str, log: Path, *, profile: str = "cloud") -> Running:
    """Start `parity serve` on a free loopback port and wait until it answers. Raises ServerFailed."""
    tokens = log.with_suffix(".tokens.toml")
    tokens.write_text(TOKENS, encoding="utf-8")
    command = [sys.executable, "-m", "parity.main", "serve", "--store", store_url, "--profile", profile]
    command += ["--listen", "127.0.0.1:0", *(["--tokens", str(tokens)] if profile == "cloud" else [])]
    return start(command, log)
