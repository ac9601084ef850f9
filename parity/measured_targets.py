"""Targets of the server bench: whatever the conformance suite can judge, opened to be measured.

    NAME=TARGET, or TARGET: grpc://host:port, grpcs://…, unix:PATH, cmd:COMMAND with {port}, store:URL

A `store:` URL without a path is a new store each time, behind the reference server; `{dir}` in a command is a new
folder.
"""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from benchmarks.server.load import Tls
from benchmarks.targets.config import Address, Target
from conformance.credentials import ROLES, Credentials, Role, read_credentials
from conformance.target import Running, check_target, open_target
from parity.conform_cli import PREFIX
from parity.problems import Problem
from parity.reference import PROFILES, Reference, with_path
from stores.registry import parse_url, scheme_of

_NAMED = re.compile(r"^([A-Za-z0-9][\w.+-]*)=(.+)$")
_NAME_MAX = 24


def parse_targets(
    texts: list[str], profile: str, credentials: Path | None, organization: str, token: str = ""
) -> tuple[Target, ...]:
    """Understand targets. Raises Problem, TargetInvalid, or what the store registry and the credentials' reader raise.

    `token` calls servers that aren't started here over a store, in place of the strongest of `credentials`.
    """
    if token and credentials is not None:
        raise Problem(
            "--token and --credentials: two ways to say who calls", hint="Leave one out (PARITY_TOKEN is one)."
        )
    if profile not in PROFILES:
        raise Problem(f"--profile {profile}: unknown", hint=f"Choose from: {', '.join(PROFILES)}.")
    roles = Credentials() if credentials is None else read_credentials(credentials)
    if token:
        roles = Credentials({ROLES[0]: Role(ROLES[0], "", token)})
    organization = organization or roles.organization or "bench"
    return tuple(_target(text, profile, roles, organization) for text in texts)


def _target(text: str, profile: str, roles: Credentials, organization: str) -> Target:
    found = _NAMED.match(text)
    name, target = (found[1], found[2]) if found else (_name_of(text), text)
    if target.startswith(PREFIX):
        url = target.removeprefix(PREFIX)
        scheme_of(parse_url(url).scheme)
        return Target(name, f"{target}, {profile} profile", _reference(url, profile, organization))
    check_target(target)
    return Target(name, target, _stranger(target, roles, organization))


def _name_of(text: str) -> str:
    """Return a short name: the store of a `store:` URL, the program of a command, else the address."""
    if text.startswith(PREFIX):
        return parse_url(text.removeprefix(PREFIX)).scheme
    if text.startswith("cmd:"):
        return Path((shlex.split(text.removeprefix("cmd:")) or ["cmd"])[0]).name[:_NAME_MAX]
    return text.partition("://")[2] or text


def _reference(url: str, profile: str, organization: str) -> Callable[[], AbstractContextManager[Address]]:
    @contextmanager
    def opened() -> Iterator[Address]:
        with tempfile.TemporaryDirectory(prefix="parity-bench-") as folder:
            place = Path(folder)
            reference = Reference(with_path(url, place / "store"), profile, place, place)
            reference.prepare()
            with reference.started() as running:
                operator = read_credentials(reference.credentials).roles["operator"].token
                metadata = {"authorization": f"Bearer {operator}"} if profile == PROFILES[0] else {}
                yield Address(running.address, None, metadata, organization, running.pid)

    return opened


def _stranger(text: str, roles: Credentials, organization: str) -> Callable[[], AbstractContextManager[Address]]:
    @contextmanager
    def opened() -> Iterator[Address]:
        with tempfile.TemporaryDirectory(prefix="parity-bench-") as folder:
            running = open_target(text.replace("{dir}", folder))
            try:
                yield _address(running, roles, organization)
            finally:
                running.close()

    return opened


def _address(running: Running, roles: Credentials, organization: str) -> Address:
    where = running.address
    files = {name: str(path) for name, path in (("ca", where.ca), ("cert", where.cert), ("key", where.key)) if path}
    tls = Tls(**files) if where.secure else None
    strongest = next((roles.roles[role] for role in ROLES if role in roles.roles), None)
    metadata = {} if strongest is None else {"authorization": f"Bearer {strongest.token}"}
    process = None if running.process is None else running.process.pid
    return Address(where.name, tls, metadata, organization, process)
