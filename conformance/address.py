"""Addresses: the part of the target mini-language that says where a server listens, and with which TLS files."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit


class TargetInvalid(Exception):
    """The target's text can't be understood, or names a file that isn't there."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens: gRPC's own name for it, and its TLS files."""

    name: str
    secure: bool = False
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    host: str = ""
    """The host in the server's certificate, where it isn't the address's: a proxy stands between."""

    @property
    def grpcurl(self) -> str:
        """The part of a grpcurl command that says where."""
        if not self.secure:
            return f"-plaintext {shlex.quote(self.name)}"
        files = (("-cacert", self.ca), ("-cert", self.cert), ("-key", self.key))
        flags = [f"{flag} {shlex.quote(str(path))}" for flag, path in files if path is not None]
        return " ".join([*flags, shlex.quote(self.name)])


def parse_address(text: str) -> Address:
    """Understand `grpc://`, `grpcs://`, `unix:` and a bare `host:port`. Raises TargetInvalid."""
    if text.startswith("unix:"):
        path = "/" + text.removeprefix("unix:").lstrip("/")
        return Address(f"unix:{path}")
    if hint := _what_to_write(text):
        raise TargetInvalid(f"{text!r}: {hint}")
    parts = urlsplit(text if "://" in text else f"grpc://{text}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise TargetInvalid(f"{text!r}: {error}") from error
    if not host or not port:
        meant = f"; write {parts.scheme}://{host}:PORT" if host else ""
        raise TargetInvalid(f"{text!r}: a host and a port are needed, for example grpc://127.0.0.1:50051{meant}")
    files = {name: _file(text, parts.query, name) for name in ("ca", "cert", "key")}
    if (files["cert"] is None) != (files["key"] is None):
        raise TargetInvalid(f"{text!r}: a client certificate needs both cert=FILE and key=FILE")
    name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return Address(name, parts.scheme == "grpcs", files["ca"], files["cert"], files["key"])


def _file(text: str, query: str, name: str) -> Path | None:
    values = parse_qs(query).get(name)
    if not values:
        return None
    path = Path(values[-1])
    if not path.is_file():
        raise TargetInvalid(f"{text!r}: {name}: no such file: {path}")
    return path


_USE = "use grpc:// grpcs:// unix: cmd: or inproc:"


def _what_to_write(text: str) -> str:
    """Say what to write in the place of a kind of target that there isn't; empty where the kind is known."""
    scheme, separator, rest = text.partition("://")
    if separator:
        if scheme in {"http", "https"}:
            return (
                f"gRPC has no {scheme}:// here; write {'grpcs' if scheme == 'https' else 'grpc'}://{rest.rstrip('/')}"
            )
        return "" if scheme in {"grpc", "grpcs"} else f"unknown kind of target; {_USE}"
    kind, _, place = text.partition(":")
    if kind.isidentifier() and place and not place.isdecimal():
        return f"unknown kind of target; {_USE}; a store is judged as store:{text}"
    return ""
