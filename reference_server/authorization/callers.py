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

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b, sha256
from pathlib import Path
from secrets import token_bytes
from typing import Annotated, Protocol, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from reference_server.authorization.followed_file import FollowedFile
from reference_server.authorization.model import PLATFORM, SYSTEM, Caller, Ref, RelationTuple

_BEARER = "bearer "
_SECRET_BYTES = 32

Name = Annotated[str, StringConstraints(min_length=1)]
Metadata = Iterable[tuple[str, str | bytes]]


class TokenFileError(Exception):
    """A file of tokens or of keys can't be read; says where and what to do."""


@dataclass(frozen=True, slots=True)
class CallerTable:
    """What a token file says: callers by the SHA-256 of their token, and the memberships it asks for."""

    callers: Mapping[bytes, Caller]
    memberships: tuple[RelationTuple, ...]


def digest(token: str) -> bytes:
    """Return the form in which a token is kept and looked up."""
    return sha256(token.encode()).digest()


class CallerEntry(BaseModel):
    """One entry of a token file."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    id: Name
    token: Name | None = None
    token_sha256: Annotated[str, StringConstraints(pattern="^[0-9a-fA-F]{64}$")] | None = None
    operator: bool = False
    admin_of: tuple[Name, ...] = Field(default=(), strict=False)
    member_of: tuple[Name, ...] = Field(default=(), strict=False)

    @field_validator("id")
    @classmethod
    def _is_nobody_else(cls, value: str) -> str:
        if value == SYSTEM.id:
            raise ValueError(f"{SYSTEM.id!r} is the server itself; choose another id")
        return value

    @model_validator(mode="after")
    def _has_one_token(self) -> Self:
        if (self.token is None) == (self.token_sha256 is None):
            raise ValueError("give exactly one of token and token_sha256")
        return self

    def key(self) -> bytes:
        """Return the form in which the token is looked up."""
        return bytes.fromhex(self.token_sha256) if self.token_sha256 else digest(self.token or "")

    def memberships(self) -> Iterable[RelationTuple]:
        """Yield the policies that the entry asks for."""
        account = Ref("identity_account", self.id)
        if self.operator:
            yield RelationTuple(account, "operator", PLATFORM)
        for relation, orgs in (("admin", self.admin_of), ("member", self.member_of)):
            for org in orgs:
                yield RelationTuple(account, relation, Ref("organization", org))


class TokenFileContent(BaseModel):
    """A whole token file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    callers: list[CallerEntry] = []


def parse_callers(text: str, where: str) -> CallerTable:
    """Read the text of a token file. Raises TokenFileError naming `where` and the entry."""
    try:
        content = TokenFileContent.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise TokenFileError(f"{where}: {error}") from None
    except ValidationError as error:
        raise TokenFileError(f"{where}: {_told(error)}") from None
    callers: dict[bytes, Caller] = {}
    for number, entry in enumerate(content.callers, 1):
        if entry.key() in callers:
            raise TokenFileError(f"{where}: entry {number}: another entry has the same token; give each its own")
        callers[entry.key()] = Caller(entry.id)
    memberships = tuple(each for entry in content.callers for each in entry.memberships())
    return CallerTable(callers, memberships)


def _told(error: ValidationError) -> str:
    """Say what is wrong first: in which entry (counted from 1), in which field, and what it should be."""
    problem = error.errors()[0]
    names = [f"entry {each + 1}" if isinstance(each, int) else each for each in problem["loc"] if each != "callers"]
    if problem["type"] == "extra_forbidden":
        return f"{': '.join(names)}: is not known; an entry may have {', '.join(CallerEntry.model_fields)}"
    if problem["loc"] == ("callers",):
        return "'callers' must be a list of tables, each begun by [[callers]]"
    return f"{': '.join(names)}: {problem['msg'].removeprefix('Value error, ')}"


class TokenFile:
    """The callers of a token file; `refresh` reads it again when it changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = FollowedFile(path)
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
            text = self._file.text_if_changed()
        except OSError as error:
            raise TokenFileError(f"{self.path}: can't be read: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise TokenFileError(f"{self.path}: can't be read: {error}") from None
        if text is None:
            return False
        self.table = parse_callers(text, str(self.path))
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
