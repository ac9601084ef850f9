"""Where OpenFGA is: the setting `authorizer`, `openfga:http://HOST:PORT?store=ID` and its options."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from reference_server.listening import is_this_machine

SCHEME = "openfga:"
PORT = 8080
SECONDS, SECONDS_MAX = 3.0, 60.0
_OPTIONS = frozenset({"store", "model", "token_file", "ca", "seconds"})
_ULID = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}")


@dataclass(frozen=True, slots=True)
class OpenFgaPlace:
    """A store of an OpenFGA server. The token is in a file, so that no setting, log or process list holds it."""

    server: str
    """`http://host:port`."""
    store: str = ""
    """The id of the store; empty only where one is still to be made."""
    model: str = ""
    """The id of the authorization model; empty: the store's latest."""
    token_file: Path | None = None
    ca: Path | None = None
    seconds: float = SECONDS
    """So long a request waits for a decision, and so long for OpenFGA to follow."""

    @property
    def cursor(self) -> str:
        """The name of the cursor that says how far this store has followed ours; another store begins anew."""
        return f"openfga:{self.store}"

    @property
    def warning(self) -> str:
        """What others on the way could read; empty: nothing that is secret."""
        host = urlsplit(self.server).hostname or ""
        if self.token_file is None or self.server.startswith("https:") or is_this_machine(host):
            return ""
        return f"the key in {self.token_file} goes to {self.server} unencrypted: write https:// if OpenFGA has TLS"

    @property
    def setting(self) -> str:
        """The place as the setting `authorizer` has it."""
        named: dict[str, object] = {
            "store": self.store,
            "model": self.model,
            "token_file": self.token_file,
            "ca": self.ca,
        }
        if self.seconds != SECONDS:
            named["seconds"] = f"{self.seconds:g}"
        query = "&".join(f"{name}={value}" for name, value in named.items() if value)
        return f"{SCHEME}{self.server}" + (f"?{query}" if query else "")


def parse_place(text: str, *, needs_store: bool = True) -> OpenFgaPlace:
    """Understand where OpenFGA is, with or without `openfga:` in front. Raises ValueError that says what is wrong."""
    parts = urlsplit(text.removeprefix(SCHEME))
    if parts.scheme not in {"http", "https"}:
        raise ValueError(f"{text!r}: write openfga:http://HOST:PORT?store=ID, or https:// for TLS")
    if "@" in parts.netloc:
        raise ValueError("a password or token in a URL shows in process lists; put it into a file: ?token_file=FILE")
    if not parts.hostname or parts.path.strip("/"):
        raise ValueError(f"{text!r}: write a host and a port and no path, such as openfga:http://127.0.0.1:{PORT}")
    given = parse_qs(parts.query, keep_blank_values=True)
    if unknown := given.keys() - _OPTIONS:
        raise ValueError(f"{text!r}: there is no option {min(unknown)!r}; there are: {', '.join(sorted(_OPTIONS))}")
    ids = {name: given.get(name, [""])[-1] for name in ("store", "model")}
    if needs_store and not ids["store"]:
        raise ValueError(f"{text!r}: say which store, ?store=ID; `parity authorizer install` makes one and names it")
    for name, value in ids.items():
        if value and not _ULID.fullmatch(value):
            raise ValueError(f"{text!r}: {name}: {value!r} is no id of OpenFGA (26 capitals and digits)")
    files = _files(text, parts.scheme, given)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    server = f"{parts.scheme}://{host}:{parts.port or PORT}"
    return OpenFgaPlace(
        server, ids["store"], ids["model"], files.get("token_file"), files.get("ca"), _seconds(text, given)
    )


def _files(text: str, scheme: str, given: Mapping[str, list[str]]) -> dict[str, Path]:
    files = {name: Path(given[name][-1]) for name in ("token_file", "ca") if name in given}
    for file in files.values():
        if not file.is_file():
            raise ValueError(f"{text!r}: no such file: {file}")
    if "ca" in files and scheme != "https":
        raise ValueError(f"{text!r}: ca is for TLS: write https://")
    return files


def _seconds(text: str, given: Mapping[str, list[str]]) -> float:
    value = given.get("seconds", [str(SECONDS)])[-1]
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= SECONDS_MAX:
        raise ValueError(f"{text!r}: seconds: {value!r} is no number of seconds up to {SECONDS_MAX:g}")
    return seconds
