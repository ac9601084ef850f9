"""The servers that a mutant runs as: what one of them leaves out of the source, another reaches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from conformance.credentials import ROLES, Credentials, Role
from conformance.run_context import Profile
from protos.parity.v1.event_pb2 import Cursor
from stores.contract import IndexKey, Put, Record, Store

ORGANIZATION, OTHER_ORGANIZATION = "acme", "globex"
ROLES_GIVEN = Credentials({role: Role(role, id=f"ida-{role}", token=f"token-{role}") for role in ROLES})
MEMBERS_GIVEN = Credentials(ROLES_GIVEN.roles, ORGANIZATION, OTHER_ORGANIZATION)
_MEMBERSHIPS = {
    "operator": "operator = true",
    "org_admin": f'admin_of = ["{ORGANIZATION}"]',
    "org_member": f'member_of = ["elsewhere", "{ORGANIZATION}"]',
    "other_org_member": f'member_of = ["{OTHER_ORGANIZATION}"]',
    "nobody": "",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to run the server, and what the suite is told of it."""

    name: str
    profile: Profile
    fast_paths: bool
    """Without them each request takes its steps."""
    by_file: bool = False
    """The memberships stand in the token file, beside hashes instead of tokens; old events were cleared; and the store
    is one over a network."""

    @property
    def credentials(self) -> Credentials:
        """Who the suite may act as."""
        return MEMBERS_GIVEN if self.by_file else ROLES_GIVEN

    @contextmanager
    def served(self) -> Iterator[str]:
        """Serve in this process, by whatever source is imported now; yield the address."""
        hosting: Any = import_module("tests.mutants.hosting")
        with TemporaryDirectory(prefix="mutant-") as folder:
            settings = dict[str, Any]()
            if self.by_file:
                tokens = Path(folder) / "tokens.toml"
                tokens.write_text(_token_file(), encoding="utf-8")
                settings["tokens"] = str(tokens)
            around = _over_a_network if self.by_file else lambda store: store
            with hosting.reference(
                self.profile, fast_paths=self.fast_paths, settings=settings, around=around
            ) as address:
                yield address


SETTINGS = (
    Setting("cloud", "cloud", fast_paths=False),
    Setting("oss, with fast paths", "oss", fast_paths=True),
    Setting("cloud, with memberships by file", "cloud", fast_paths=True, by_file=True),
)
"""In the order in which a mutant meets them."""


def _token_file() -> str:
    return "\n".join(
        f'[[callers]]\nid = "{role.id}"\ntoken_sha256 = "{sha256(role.token.encode()).hexdigest()}"\n'
        f"{_MEMBERSHIPS[name]}\n"
        for name, role in MEMBERS_GIVEN.roles.items()
    )


def _over_a_network(store: Store) -> Store:
    """Leave the cursor of a server that has cleared old events, written without the source that is changed."""
    store.commit([Put("cursor", "cleared", Cursor(name="cleared", position=1))])
    return cast("Store", _ReadsTogether(store))


class _ReadsTogether:
    """A store as one over a network is: others may write to it, and it takes several questions at once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.capabilities = replace(store.capabilities, shared_writers=True)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def read_together(
        self, kind: str, keys: Sequence[tuple[str, IndexKey]]
    ) -> dict[tuple[str, IndexKey], list[Record]]:
        """See `stores.contract.ReadsTogether`."""
        return {(index, key): list(self._store.scan(kind, index=index, key=key)) for index, key in keys}
