"""What every store promises.

A store keeps *resources*: protobuf messages under (kind, id). It changes them in *batches* that take effect as a
whole or not at all, enforces unique index keys inside the commit, and lists in order of creation.

Words used here, one way only:

- *kind*: a resource kind of the schema, for example `agent`; see `stores.schema`.
- *position*: a 64-bit number that a store gives a resource when it is created. Later is larger, numbers are never
  reused, an update keeps it. Listing is by position, and a position is the cursor of a listing.
- *revision*: a number that grows with every write of a resource. `Put(expect=revision)` writes only over what was read.
  Revisions are counted per store, so that a resource deleted and created again never gets an old revision back.
  None can be known before its write has ended: whether a guess at one that the same call gives is refused is open.
- *durable*: what was acknowledged survives the loss of power. *relaxed*: it survives SIGKILL of the process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Literal, NamedTuple, Protocol, Self, runtime_checkable

from google.protobuf.message import Message

Precondition = Literal["any", "absent", "present"]
IndexKey = tuple[str, ...]
"""The value of an index entry: one or more strings, compared as a whole."""
POSITION_MAX = 2**62
"""The highest position that a restore may give: as many numbers are left to go on with."""
Keys = tuple[tuple[str, IndexKey], ...]
"""The index keys of a resource: pairs of an index's name and a key."""


class Durability(StrEnum):
    """What an acknowledged commit survives."""

    DURABLE = "durable"
    RELAXED = "relaxed"


class Access(StrEnum):
    """What a store is opened for."""

    READ = "read"
    """Nothing is made, locked for good, or changed: not a byte of a file."""
    WRITE = "write"
    """A database that is there is read and written."""
    CREATE = "create"
    """As WRITE, and a new database is made where there is none."""


class Put(NamedTuple):
    """Write a resource whole.

    `precondition` speaks of the state that the operation meets, which is the state before the batch changed by the
    batch's earlier operations: `absent` (a create), `present` (an update) or `any`.
    `expect`, a revision, additionally refuses to overwrite anything but what was read under that revision.
    `data` may hold the message's wire bytes, and `keys` its index keys, if the caller has them already; both must be
    those of the message, and are taken at their word. With both there need be no message.
    `position` is for a restore: a resource that is created gets this position, which must be beyond the last one that
    was given out, by earlier operations of the batch too, and at most `POSITION_MAX`; numbers go on from there.
    """

    kind: str
    id: str
    message: Message | None
    precondition: Precondition = "any"
    expect: int | None = None
    data: bytes | None = None
    keys: Keys | None = None
    position: int | None = None


class Delete(NamedTuple):
    """Remove a resource and its index entries. With precondition `any` a missing resource is no error."""

    kind: str
    id: str
    precondition: Precondition = "any"
    expect: int | None = None


@dataclass(frozen=True, slots=True)
class Vacant:
    """Refuse the batch if, after it, an index has an entry under this key, whoever holds it but `unless`.

    Unique indexes need no `Vacant`; it makes a non-unique index unique for one batch (the oss profile's slugs).
    """

    kind: str
    index: str
    key: IndexKey
    unless: str | None = None


class Present(NamedTuple):
    """Refuse the batch unless a resource is there after it (the agent that a new instance belongs to)."""

    kind: str
    id: str


BatchOperation = Put | Delete | Vacant | Present
Batch = Sequence[BatchOperation]


class Record(NamedTuple):
    """A stored resource: its wire bytes (protobuf, whatever the codec), position and revision."""

    kind: str
    id: str
    position: int
    revision: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a store can and can't do; a suite reads this instead of guessing."""

    engine: str
    codec: str
    durability: Durability
    persistent: bool = True
    """Contents outlive the process."""
    keeps_unknown_fields: bool = True
    """Fields of a newer schema survive a round trip (false for the JSON codecs)."""
    exclusive: bool = True
    """A second process that opens the same database is refused."""
    compactable: bool = True
    shared_writers: bool = False
    """Other processes write the same database meanwhile: what was read a moment ago may not be so any more."""
    tunables: dict[str, str] = field(default_factory=dict)
    """Settings of the engine, echoed into benchmark results."""


@dataclass(frozen=True, slots=True)
class SizeOnDisk:
    """Bytes that a store takes: as the files say (`apparent`) and as the file system allocates (`allocated`)."""

    apparent_bytes: int
    allocated_bytes: int


class StoreError(Exception):
    """Root of everything that a store raises on purpose. `hint` says what to do about it."""

    hint: str = ""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint


class Conflict(StoreError):
    """A precondition didn't hold, or a unique key is taken. Nothing of the batch was written.

    `index` is the index whose key is taken, or None when it is the resource itself (its presence or revision);
    `holder_id` is the id that stands in the way, or None when the resource is missing.
    """

    def __init__(self, kind: str, key: str | IndexKey, holder_id: str | None, *, index: str | None = None) -> None:
        what = f"{index} {key!r}" if index else f"id {key!r}"
        state = f"is held by {holder_id!r}" if holder_id is not None else "is not there"
        super().__init__(f"{kind}: {what} {state}")
        self.kind = kind
        self.key = key
        self.holder_id = holder_id
        self.index = index


class RevisionConflict(Conflict):
    """The resource changed since it was read (`expect` no longer matches). Read it again and decide again."""


class InvalidOperation(StoreError):
    """The batch itself is wrong (unknown kind or index, empty id, a message of another type). Fix the caller."""


class StoreReadOnly(InvalidOperation):
    """The store was opened for reading."""

    def __init__(self) -> None:
        super().__init__("the store was opened for reading only", hint="open it without read_only")


class InvalidStoreUrl(StoreError):
    """A store URL that names no store: unknown scheme, unknown option, a value that the option doesn't have."""


class StoreClosed(StoreError):
    """The store was closed. Open it again."""


class StoreUnavailable(StoreError):
    """The store can't be opened or written: driver missing, path not writable, disk full, I/O error."""


class OutcomeUnknown(StoreUnavailable):
    """A write was sent and nobody can be asked what became of it: it was done whole, or not at all."""


class StoreNotFound(StoreUnavailable):
    """There is no database where the URL says, and the store wasn't opened to make one. Nothing was made."""

    hint = "check the path; new databases are made by `parity serve` and `parity stores import`"


class StoreDamaged(StoreUnavailable):
    """Files of the database are missing, cut short or changed, so that not all that was stored can be read.

    Nothing was changed. Whether one record or the whole database is concerned, the message says.
    """

    hint = "save what can be read with `parity stores salvage URL --to NEW-URL`, or restore a backup"


class StoreLocked(StoreUnavailable):
    """Another process has the database open."""


class FormatMismatch(StoreUnavailable):
    """The database was written by a newer format, another codec, or isn't a database of ours."""


class CorruptRecord(StoreError):
    """A stored record can't be read back. Names kind and id; nothing else is affected."""

    def __init__(
        self, kind: str, record_id: str, reason: str, hint: str = "restore it from a backup, or delete it by its id"
    ) -> None:
        super().__init__(f"{kind} {record_id!r} is corrupt: {reason}", hint=hint)
        self.kind = kind
        self.id = record_id


class CorruptIndex(CorruptRecord):
    """What leads to records of a kind can't be read back, so their ids aren't known."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(kind, "?", reason, "see what is damaged with `parity stores verify URL`")


@runtime_checkable
class Recovers(Protocol):
    """The ability of a store to take writes again, after one has failed, without being closed and opened."""

    def recover(self) -> None:
        """Make sure that writes are taken: at once if they are, else by opening the database again behind the store.

        What was acknowledged is there afterwards; of batches that ended with StoreUnavailable, all or nothing. Listings
        that are under way while it is opened again end with StoreUnavailable, and so does whatever is asked meanwhile.
        Raises StoreUnavailable while the medium refuses writes, StoreClosed.
        """
        ...


@runtime_checkable
class SharedWriters(Protocol):
    """The ability of a store with `shared_writers` to say that something was written, by whatever process."""

    def listen(self, on_change: Callable[[], None], on_away: Callable[[str], None]) -> Callable[[], None]:
        """Call a function, in another thread, soon after something was written; return what ends that.

        It is a hint: a call may be missing (read now and then all the same), or come for nothing. `on_away` hears,
        again and again, why the database can't be asked; while it is silent, all else raises StoreUnavailable at once.
        """
        ...

    def try_lead(self) -> bool:
        """Say whether this process leads those that share the store; if nobody does, it leads from now on.

        Another takes over when the leader ends or loses its connection. For a moment two may lead. Raises
        StoreUnavailable.
        """
        ...


@runtime_checkable
class ReadsTogether(Protocol):
    """The ability of a store over a network to answer several questions in one round trip."""

    def read_together(
        self, kind: str, keys: Sequence[tuple[str, IndexKey]]
    ) -> dict[tuple[str, IndexKey], list[Record]]:
        """Return the resources under pairs of index and key, by position, all of one state.

        A key under which there are many is left out; `scan` reads those. Raises as `Store.scan`.
        """
        ...


@runtime_checkable
class Store(Protocol):
    """The contract. Safe to use from many threads; see the module's words for position, revision, durability.

    Every method raises `StoreClosed` after `close`, `InvalidOperation` for a kind or index that the schema
    doesn't know, and `StoreUnavailable` when the medium fails.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What this store can do."""
        ...

    def commit(self, batch: Batch) -> int:
        """Apply all operations or none, and return when the mode's durability holds.

        Puts and deletes see the effects of earlier ones in the same batch. Unique keys, then `Vacant` and `Present`,
        are checked against the state after the whole batch. An empty batch does nothing. Returns the position of the
        last resource that was created, or 0. Raises `Conflict`, `RevisionConflict`, `InvalidOperation`: then nothing
        was written. After `StoreUnavailable` the outcome is unknown until the store was opened again, and a store may
        refuse further commits until then, or until it has recovered (see `Recovers`).
        """
        ...

    def commit_many(self, batches: Sequence[Batch]) -> list[int | StoreError]:
        """Apply several independent batches in order with one durable write.

        A batch that fails leaves no trace and fails alone: its place in the answer holds the error. When the
        medium itself fails, nothing is applied and `StoreUnavailable` is raised.
        """
        ...

    def get(self, kind: str, id: str) -> Message | None:  # noqa: A002 - the field's name in the wire contract
        """Return the resource as a message of the kind's type that the caller may change, or None."""
        ...

    def get_bytes(self, kind: str, id: str) -> bytes | None:  # noqa: A002
        """Return the resource as protobuf wire bytes, or None. Free of decoding where the codec is protobuf."""
        ...

    def get_record(self, kind: str, id: str) -> Record | None:  # noqa: A002
        """Return the resource with its position and revision, or None."""
        ...

    def find(self, kind: str, index: str, key: IndexKey) -> str | None:
        """Return the id of the first resource, by position, under an index key, or None."""
        ...

    def scan(
        self,
        kind: str,
        *,
        index: str | None = None,
        key: IndexKey | None = None,
        after: int = 0,
        limit: int | None = None,
    ) -> Iterator[Record]:
        """Yield resources of a kind by position, those after `after`; with `index` and `key`, those under the key.

        The iterator reads one consistent state: that at the call, whatever is committed or compacted meanwhile, and
        however many others are under way. `after` and `limit` may be any numbers: one below 0 is 0.
        """
        ...

    def count(self, kind: str, *, index: str | None = None, key: IndexKey | None = None) -> int:
        """Return how many resources a kind, or an index key, has.

        Doesn't cost more as they grow, except for an index that the schema doesn't count: its entries are read.
        """
        ...

    def last_position(self) -> int:
        """Return the highest position ever given out, 0 in a new store."""
        ...

    def size_on_disk(self) -> SizeOnDisk:
        """Return the bytes taken on disk; zero for a store without files."""
        ...

    def compact(self) -> None:
        """Give back the space of overwritten and deleted resources, where the engine can."""
        ...

    def close(self) -> None:
        """Release everything. Closing twice is no error."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
