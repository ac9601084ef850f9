"""Why a server can't listen at an address. gRPC says only that it can't."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

_REASONS = {
    errno.EADDRINUSE: "it is in use by another process",
    errno.EACCES: "this user may not",
    errno.EPERM: "this user may not",
    errno.EADDRNOTAVAIL: "this machine has no such address",
    errno.ENOENT: "its folder isn't there",
}


def malformed(listen: str) -> str:
    """Say what is wrong with the form of `host:port` or `unix:PATH`; empty: nothing."""
    if listen.startswith("unix:"):
        return "" if listen.removeprefix("unix:") else "names no path"
    host, _, port = listen.rpartition(":")
    if not host or not port.isascii() or not port.isdigit():
        return "is no host:port (port 0 is any free one) or unix:PATH"
    return "" if int(port) < 1 << 16 else f"has no port: {port} is more than 65535"


def refusal(listen: str) -> str:
    """Bind the address for a moment, and say why that fails; the system's own words where there are no better."""
    try:
        if listen.startswith("unix:"):
            _try_path(Path(listen.removeprefix("unix:").removeprefix("//")))
        else:
            _try_port(*listen.rpartition(":")[::2])
    except socket.gaierror:
        return "no such host is known"
    except OSError as error:
        return _REASONS.get(error.errno or 0, error.strerror or str(error))
    return "the address can't be bound"


def _try_port(host: str, port: str) -> None:
    found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    for family, kind, protocol, _, address in found:
        with socket.socket(family, kind, protocol) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(address)


def _try_path(path: Path) -> None:
    if path.exists():
        raise OSError(errno.EADDRINUSE, "in use")
    with socket.socket(socket.AF_UNIX) as tried:
        tried.bind(str(path))
    path.unlink()
