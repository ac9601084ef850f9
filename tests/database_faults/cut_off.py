"""Packets that the kernel drops without a word, between one server and the database: a partition as networks have it.

It needs a network namespace of its own (`namespaces.py`), in which the database listens on an address for each server.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from conformance.evidence import Json
from conformance.nemesis.faults import PARTITION_SECONDS, Fault, Field

_POLICIES = Path("/proc/sys/net/ipv4/conf/lo")
_EVERYBODY = "127.0.0.0/8"


def prepare() -> None:
    """Let loopback be up, and subject to policies. Raises CalledProcessError, OSError."""
    _ip("link", "set", "lo", "up")
    for name in ("disable_policy", "disable_xfrm"):
        (_POLICIES / name).write_text("0")


def cut(host: str) -> None:
    """Drop what is said to a loopback address and what it says. Raises CalledProcessError."""
    for source, target in _ways(host):
        _ip("xfrm", "policy", "add", "src", source, "dst", target, "dir", "in", "action", "block")


def mend(host: str) -> None:
    """Let it through again. Raises CalledProcessError."""
    for source, target in _ways(host):
        _ip("xfrm", "policy", "delete", "src", source, "dst", target, "dir", "in")


def cut_off(hosts: Sequence[str]) -> Fault:
    """Cut one server off: the database has an address for each."""

    def strike(field: Field, seconds: float) -> Json:
        del seconds  # it takes longer than a call may
        host = field.random.choice(hosts)
        cut(host)
        try:
            field.wait(field.between(PARTITION_SECONDS))
        finally:
            mend(host)
        return {"partitions": 1}

    return strike


def _ways(host: str) -> tuple[tuple[str, str], ...]:
    return (_EVERYBODY, host), (host, _EVERYBODY)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=30)
