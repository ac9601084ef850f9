"""The reference server as a child process over a store, with credentials made for one run.

Two ways to use it: as a `cmd:` target, which the conformance suite starts, restarts and ends itself; or `started`,
which keeps one up for as long as a block lasts.
"""

from __future__ import annotations

import os
import secrets
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.server.processes import Running, ServerFailed, started
from parity.problems import Problem
from stores.registry import parse_url

PROFILES = ("cloud", "oss")

ROLES = ("operator", "org_admin", "org_member", "other_org_member", "nobody")
"""The roles that a suite acts as. Only the operator is told to the server; the suite grants the rest through it."""

TOKEN_BYTES = 72
"""Of chance in a token, which has 96 characters of them: a server that looks at the first 72 only, as bcrypt does, must
show it."""

_WORDS_BYTES = 4096
"""So much of what a server that failed has said is told to whoever started it."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One reference server to be: its store, its profile, and where its credentials and its log are."""

    store_url: str
    profile: str
    secrets_in: Path
    log_in: Path

    @property
    def log(self) -> Path:
        """What the server writes to stderr, over all its starts."""
        return self.log_in / "server.log"

    @property
    def tokens(self) -> Path:
        """The server's token file."""
        return self.secrets_in / "tokens.toml"

    @property
    def credentials(self) -> Path:
        """The same identities as the suite reads them."""
        return self.secrets_in / "credentials.toml"

    @property
    def declaration(self) -> Path:
        """The features that the server claims, as the suite reads them: what is claimed is enforced."""
        return self.secrets_in / "declaration.toml"

    def prepare(self) -> None:
        """Write the declaration, and both files of credentials, readable by their owner only, with new tokens."""
        self.secrets_in.mkdir(parents=True, exist_ok=True)
        tokens = {role: secrets.token_urlsafe(TOKEN_BYTES) for role in ROLES}
        callers = [
            f'[[callers]]\nid = "{identity(role)}"\ntoken = "{token}"\noperator = {str(role == "operator").lower()}\n'
            for role, token in tokens.items()
        ]
        roles = [f'[roles.{role}]\ntoken = "{token}"\nid = "{identity(role)}"\n' for role, token in tokens.items()]
        self.declaration.write_text(_declaration(self.profile, self.store_url), encoding="utf-8")
        _write_private(self.tokens, "\n".join(callers))
        _write_private(self.credentials, "\n".join(roles))

    def forget(self) -> None:
        """Remove the credentials: they are worth nothing after the run."""
        self.tokens.unlink(missing_ok=True)
        self.credentials.unlink(missing_ok=True)

    def command(self, listen: str) -> list[str]:
        """Return the command line of the server."""
        command = [sys.executable, "-m", "parity.reference", str(self.log), "serve", "--store", self.store_url]
        command += ["--profile", self.profile, "--listen", listen]
        return command + (["--tokens", str(self.tokens)] if self.profile == "cloud" else [])

    @property
    def target(self) -> str:
        """The server as a target of the conformance suite, which replaces `{port}`."""
        return f"cmd:{shlex.join(self.command('127.0.0.1:{port}'))}"

    @contextmanager
    def started(self) -> Iterator[Running]:
        """Start the server, yield it, end it. Raises Problem when it doesn't come up in time."""
        self.log_in.mkdir(parents=True, exist_ok=True)
        try:
            with started(self.command("127.0.0.1:0"), self.log) as server:
                yield server
        except ServerFailed as error:
            raise Problem(
                f"the reference server over {self.store_url} did not start: {error}",
                hint=f"Its whole log is in {self.log}.",
            ) from None


def with_path(url: str, path: Path) -> str:
    """Return a store URL with `path` in it where it names none and needs one: a new store."""
    parsed = parse_url(url)
    if parsed.path or parsed.scheme == "memory":
        return url
    _, mark, options = url.partition("?")
    return f"{parsed.scheme}:{path}{mark}{options}"


def _declaration(profile: str, store_url: str) -> str:
    features = {
        "list": True,
        "watch": profile == "cloud",
        "health": True,
        "reflection": True,
        # Durability can be asked of a store only that outlives its process.
        "restartable": parse_url(store_url).scheme != "memory",
    }
    lines = [f"{name} = {str(offered).lower()}\n" for name, offered in features.items()]
    return f'profile = "{profile}"\n\n[features]\n{"".join(lines)}'


def identity(role: str) -> str:
    """The identity account that a role acts as."""
    return f"ida-{role.replace('_', '-')}"


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def main() -> None:
    """Run a `parity` command line with stderr appended to a file: `python -m parity.reference LOG serve ...`.

    When it fails, whoever started it reads on stderr what it has written to the file.
    """
    log, *arguments = sys.argv[1:]
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(log, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    began = os.fstat(descriptor).st_size
    stderr = os.dup(sys.stderr.fileno())
    os.dup2(descriptor, sys.stderr.fileno())
    from parity.main import run  # noqa: PLC0415 - after the redirection, so that an import's complaint is logged too

    code = run(arguments)
    if code:
        os.write(stderr, os.pread(descriptor, _WORDS_BYTES, began))
    sys.exit(code)


if __name__ == "__main__":
    main()
