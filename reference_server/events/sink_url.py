"""Where events are delivered to: the setting `sink`, `nats://host:4222/STREAM?subject=PREFIX&token_file=FILE`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from reference_server.listening import is_this_machine

STREAM, SUBJECT, PORT = "PARITY", "parity", 4222
_OPTIONS = frozenset({"subject", "token_file", "ca"})
_SCHEMES = frozenset({"nats", "tls"})


@dataclass(frozen=True, slots=True)
class NatsPlace:
    """A stream of NATS JetStream. The token is in a file, so that no setting, log or process list holds it."""

    server: str
    stream: str
    subject: str
    """What the subjects of messages begin with."""
    token_file: Path | None = None
    ca: Path | None = None

    @property
    def warning(self) -> str:
        """What others on the way could read; empty: nothing that is secret."""
        host = urlsplit(self.server).hostname or ""
        if self.token_file is None or self.server.startswith("tls:") or is_this_machine(host):
            return ""
        return f"the token in {self.token_file} goes to {self.server} unencrypted: write tls:// if NATS has TLS"

    @property
    def name(self) -> str:
        """What its cursor is called: another server, stream or subject begins anew."""
        return f"nats:{self.server}/{self.stream}/{self.subject}"


def parse_sink(text: str) -> NatsPlace:
    """Understand a sink's URL. Raises ValueError that says what is wrong."""
    parts = urlsplit(text)
    if parts.scheme not in _SCHEMES:
        raise ValueError(f"{text!r}: write nats://HOST:PORT/STREAM, or tls:// for TLS")
    if "@" in parts.netloc:
        raise ValueError("a password or token in a URL shows in process lists; put it into a file: ?token_file=FILE")
    if not parts.hostname:
        raise ValueError(f"{text!r}: a host is needed, such as nats://127.0.0.1:{PORT}")
    given = parse_qs(parts.query, keep_blank_values=True)
    if unknown := given.keys() - _OPTIONS:
        raise ValueError(f"{text!r}: there is no option {min(unknown)!r}; there are: {', '.join(sorted(_OPTIONS))}")
    stream, subject = parts.path.strip("/") or STREAM, given.get("subject", [SUBJECT])[-1]
    for what, name, pattern in (("stream", stream, r"[\w-]+"), ("subject", subject, r"[\w-]+(\.[\w-]+)*")):
        if not re.fullmatch(pattern, name):
            raise ValueError(f"{text!r}: {name!r} is no name of a {what}: letters, digits, - and _ are")
    files = {name: Path(given[name][-1]) for name in ("token_file", "ca") if name in given}
    for file in files.values():
        if not file.is_file():
            raise ValueError(f"{text!r}: no such file: {file}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    server = f"{parts.scheme}://{host}:{parts.port or PORT}"
    return NatsPlace(server, stream, subject, files.get("token_file"), files.get("ca"))
