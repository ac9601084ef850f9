"""Whether a server can listen at an address, and why not. gRPC says only that it can't."""

from __future__ import annotations

import errno
import socket
from ipaddress import ip_address
from pathlib import Path

_REASONS = {
    errno.EADDRINUSE: "it is in use by another process",
    errno.EACCES: "this user may not",
    errno.EPERM: "this user may not",
    errno.EADDRNOTAVAIL: "this machine has no such address",
    errno.ENOENT: "its folder isn't there",
}
CANNOT = "it can't be bound"
"""Said where the system has no reason."""


def malformed(listen: str) -> str:
    """Say what is wrong with the form of `host:port` or `unix:PATH`; empty: nothing."""
    if listen.startswith("unix:"):
        return "" if listen.removeprefix("unix:") else "names no path"
    host, _, port = listen.rpartition(":")
    if not host or not port.isascii() or not port.isdigit():
        return "is no host:port (port 0 is any free one) or unix:PATH"
    return "" if int(port) < 1 << 16 else f"has no port: {port} is more than 65535"


def is_this_machine(host: str) -> bool:
    """Whether what is sent to a host stays on this machine, as far as its name tells."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def refusal(listen: str) -> str:
    """Bind the address for a moment, and say why that fails, in the system's own words where there are no better.

    Empty: it can be bound, or is of a kind that this machine hasn't got, for which gRPC takes another.
    """
    try:
        if listen.startswith("unix:"):
            _try_path(Path(listen.removeprefix("unix:").removeprefix("//")))
        else:
            _try_port(*listen.rpartition(":")[::2])
    except socket.gaierror:
        return "no such host is known"
    except OSError as error:
        if error.errno == errno.EAFNOSUPPORT:
            return ""
        return _REASONS.get(error.errno or 0, error.strerror or str(error))
    return ""


def told(listen: str) -> str:
    """Say that nobody can listen at an address, why, and what to do."""
    return f"can't listen on {listen}: {refusal(listen) or CANNOT}; choose another with --listen"


def _try_port(host: str, port: str) -> None:
    """Bind one of the addresses that a host has, which is all that gRPC needs. Raises the OSError of the last one."""
    found = socket.getaddrinfo(host.strip("[]") or None, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    failed: OSError | None = None
    for family, kind, protocol, _, address in found:
        try:
            with socket.socket(family, kind, protocol) as tried:
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                tried.bind(address)
                return
        except OSError as error:
            failed = error
    if failed is not None:
        raise failed


def _try_path(path: Path) -> None:
    if path.is_socket():
        return  # gRPC takes the place of one that is there
    if path.exists():
        raise OSError(errno.EADDRINUSE, "in use")
    with socket.socket(socket.AF_UNIX) as tried:
        tried.bind(str(path))
    path.unlink()
