"""Who a caller is: bearer tokens out of a file, read again when the file changes.

The file is TOML, one table per identity::

    [[callers]]
    id = "alice"                  # the identity account
    token = "..."                 # or token_sha256 = "<hex>", so that the file holds no credential
    operator = false              # operator of the platform
    admin_of = ["acme"]           # organizations
    member_of = ["globex"]

`operator`, `admin_of` and `member_of` are policies that the server makes sure of when it reads the file; taking a
line out again doesn't revoke them. A token is only ever kept as its SHA-256, or as a keyed hash that ends with the
process.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b, sha256
from pathlib import Path
from secrets import token_bytes
from typing import Any, Protocol

from reference_server.authorization.model import PLATFORM, SYSTEM, Caller, Ref, RelationTuple
from reference_server.errors import FieldViolation

_BEARER = "bearer "
_KEYS = {"id", "token", "token_sha256", "operator", "admin_of", "member_of"}
_SHA256_HEX_LENGTH = 64
_SECRET_BYTES = 32


Metadata = Iterable[tuple[str, str | bytes]]


class TokenFileError(Exception):
    """The token file can't be read; says where and what to do."""


@dataclass(frozen=True, slots=True)
class CallerTable:
    """What a token file says: callers by the SHA-256 of their token, and the memberships it asks for."""

    callers: Mapping[bytes, Caller]
    memberships: tuple[RelationTuple, ...]


def digest(token: str) -> bytes:
    """Return the form in which a token is kept and looked up."""
    return sha256(token.encode()).digest()


def parse_callers(text: str, where: str) -> CallerTable:
    """Read the text of a token file. Raises TokenFileError naming `where` and the entry."""
    try:
        entries = tomllib.loads(text).get("callers", [])
    except tomllib.TOMLDecodeError as error:
        raise TokenFileError(f"{where}: {error}") from None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise TokenFileError(f"{where}: 'callers' must be a list of tables, each begun by [[callers]]")
    callers: dict[bytes, Caller] = {}
    memberships: list[RelationTuple] = []
    for number, entry in enumerate(entries, 1):
        problem = _problem(entry)
        if problem is not None:
            raise TokenFileError(f"{where}: entry {number}: {problem.field}: {problem.description}")
        key = bytes.fromhex(entry["token_sha256"]) if "token_sha256" in entry else digest(entry["token"])
        if key in callers:
            raise TokenFileError(f"{where}: entry {number}: another entry has the same token; give each its own")
        callers[key] = Caller(entry["id"])
        memberships += _memberships(entry)
    return CallerTable(callers, tuple(memberships))


def _problem(entry: Mapping[str, Any]) -> FieldViolation | None:
    """Return the first thing that is wrong with an entry, or None."""
    unknown = sorted(entry.keys() - _KEYS)
    identity, token = entry.get("id"), entry.get("token", "x")
    hexadecimal = str(entry.get("token_sha256", "0" * _SHA256_HEX_LENGTH)).lower()
    lists = [name for name in ("admin_of", "member_of") if not _names(entry.get(name, []))]
    rules = (
        (unknown, unknown[0] if unknown else "", f"is not known; an entry may have {', '.join(sorted(_KEYS))}"),
        (not _name(identity) or identity == SYSTEM.id, "id", f"must be a text other than empty or '{SYSTEM.id}'"),
        (("token" in entry) == ("token_sha256" in entry), "token", "give exactly one of token and token_sha256"),
        (not re.fullmatch("[0-9a-f]{64}", hexadecimal), "token_sha256", "must be 64 hexadecimal digits"),
        (not _name(token), "token", "must be a text that isn't empty"),
        (lists, lists[0] if lists else "", "must be a list of organizations' ids"),
    )
    return next((FieldViolation(field, text) for broken, field, text in rules if broken), None)


def _name(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _names(value: object) -> bool:
    return isinstance(value, list) and all(_name(each) for each in value)


def _memberships(entry: Mapping[str, Any]) -> Iterable[RelationTuple]:
    account = Ref("identity_account", entry["id"])
    if entry.get("operator", False):
        yield RelationTuple(account, "operator", PLATFORM)
    for relation, name in (("admin", "admin_of"), ("member", "member_of")):
        for org in entry.get(name, []):
            yield RelationTuple(account, relation, Ref("organization", org))


class TokenFile:
    """The callers of a token file; `refresh` reads it again when it changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self.table = CallerTable({}, ())
        self._secret = token_bytes(_SECRET_BYTES)
        self._met: dict[bytes, Caller] = {}
        """Callers by a quicker hash of tokens that were right before; it begins with a secret, so that nobody can make
        another token fit."""

    def refresh(self) -> bool:
        """Read the file if it changed since; say whether it did.

        Raises TokenFileError; the callers read before then stay in force.
        """
        try:
            stat = self._path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size)
            if stamp == self._stamp:
                return False
            self._stamp = stamp
            text = self._path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise TokenFileError(f"{self._path}: can't be read: {error}") from None
        self.table = parse_callers(text, str(self._path))
        self._met = {}
        return True

    def caller_of(self, token: str) -> Caller | None:
        """Return the caller of a token, or None."""
        # Taken before the table is: `refresh`, in another thread, may end in between, and then this one is forgotten.
        met = self._met
        known = blake2b(self._secret + token.encode()).digest()
        caller = met.get(known)
        if caller is None:
            caller = self.table.callers.get(digest(token))
            if caller is not None:
                met[known] = caller
        return caller


class KnowsCallers(Protocol):
    """One way to tell who a token belongs to."""

    def caller_of(self, token: str) -> Caller | None:
        """Return the caller of a token, or None."""
        ...


def bearer_token(metadata: Metadata) -> str | None:
    """Return the token in `authorization: Bearer <token>` of a request's metadata, or None."""
    for key, value in metadata:
        if key == "authorization":
            text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
            return text[len(_BEARER) :].strip() if text[: len(_BEARER)].lower() == _BEARER else None
    return None


def by_token(sources: Iterable[KnowsCallers]) -> Callable[[Metadata], Caller | None]:
    """Return how a caller is found by the bearer token of a request: the first source that knows it says who."""
    askings = [source.caller_of for source in sources]

    def caller_of(metadata: Metadata) -> Caller | None:
        token = bearer_token(metadata)
        if token:
            for asking in askings:
                caller = asking(token)
                if caller is not None:
                    return caller
        return None

    return caller_of
