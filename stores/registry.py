"""From a store URL to an open store: `scheme:path?option=value&…`. A new store is one row of `SCHEMES`.

A package of somebody else's adds its own by an entry point in the group `parity.stores` whose name is the scheme and
whose value is a `Scheme`. Drivers are imported when a store is opened, so a missing one harms only its own scheme.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qsl

from stores.codecs import CODECS, codec_of
from stores.contract import (
    Access,
    Durability,
    InvalidOperation,
    InvalidStoreUrl,
    Store,
    StoreNotFound,
    StoreUnavailable,
)
from stores.files import unreadable
from stores.postgresql.libpq import LIBPQ_OPTIONS
from stores.schema import KINDS, Schema

ENTRY_POINT_GROUP = "parity.stores"

Options = Mapping[str, str]
Opener = Callable[[str, Options, Schema, Access], Store]
"""Gets path, checked options, schema, and what the store is opened for."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a store URL: its name, its values (empty: any text), and the one it has when left out."""

    name: str
    choices: tuple[str, ...]
    default: str


@dataclass(frozen=True, slots=True)
class Scheme:
    """One kind of store: what it is, its options, how it is opened, and which module must be there for it."""

    name: str
    summary: str
    open: Opener
    options: tuple[Option, ...] = ()
    needs_path: bool = True
    is_remote: bool = False
    """Of a database server: the path says where that is, and may be left out."""
    place: str = "PATH"
    """What stands for the path where people are told of it."""
    remove: Callable[[str], None] | None = None
    """Removes the store that a URL names from a database server, with all that it holds: for suites."""
    driver_options: tuple[str, ...] = ()
    """Options that are the driver's own: any text, none when left out."""
    driver: str | None = None
    """Import name of the driver."""
    install: str = ""
    """What to install when the driver is missing."""
    missing: Callable[[], str | None] | None = None
    """Says why a driver that isn't a Python package can't be used and what changes that, or None."""


@dataclass(frozen=True, slots=True)
class StoreUrl:
    """A store URL taken apart."""

    scheme: str
    path: str
    options: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        options = "&".join(f"{name}={value}" for name, value in self.options.items())
        return f"{self.scheme}:{self.path}" + (f"?{options}" if options else "")


def parse_url(url: str) -> StoreUrl:
    """Take a store URL apart. Raises InvalidStoreUrl; a URL with a password isn't shown.

    The path goes up to the first `?` and is taken as it stands, but for a `~` that it begins with: no shell puts the
    home folder for one that stands behind a scheme.
    """
    check_secrets(url)
    scheme, colon, rest = url.partition(":")
    if not colon or not scheme:
        raise InvalidStoreUrl(
            f"{url!r} is no store URL", hint="write scheme:path, for example leveldb:/var/lib/agents or memory:"
        )
    path, _, query = rest.partition("?")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True) if query else []
    except ValueError as error:
        raise InvalidStoreUrl(f"the options of {url!r} can't be read", hint="write ?name=value&name=value") from error
    options = dict(pairs)
    if len(options) != len(pairs):
        raise InvalidStoreUrl(f"{url!r} gives an option twice")
    return StoreUrl(scheme, _from_home(path), options)


def check_secrets(url: str) -> None:
    """Raise InvalidStoreUrl, which doesn't show it, if a URL holds a password: it would be seen wherever the URL is."""
    place = url.partition("://")[2].partition("?")[0]
    has_password = ":" in place.rpartition("@")[0] and "@" in place
    if has_password or re.search(r"[?&](password|passwd|sslpassword)=", url):
        raise InvalidStoreUrl(
            "a store URL takes no password: other users see it in the list of processes",
            hint="leave it out, and put it into ~/.pgpass, the file that PGPASSFILE names, or a service file",
        )


def _from_home(path: str) -> str:
    if not path.startswith("~"):
        return path
    try:
        return str(Path(path).expanduser())
    except RuntimeError as error:
        raise InvalidStoreUrl(f"{path!r} names no home folder: {error}", hint="write ./~… for a name with ~") from error


def open_store(url: str, schema: Schema = KINDS, *, create: bool = False, read_only: bool = False) -> Store:
    """Open the store that a URL names.

    Args:
        url: `scheme:path?option=value&…`.
        schema: The kinds and their indexes.
        create: Make a new database where there is none. Without it nothing is made, not even a folder.
        read_only: Change nothing at all: no file is made, written or removed, and no lock outlives the store.
            Commits are refused with StoreReadOnly.

    Raises:
        InvalidStoreUrl: The URL names no store.
        StoreNotFound: There is no database, and `create` wasn't asked for.
        StoreDamaged: Files of the database are missing, cut short or changed.
        StoreLocked: Another process has the database open for writing.
        FormatMismatch: A newer format, another codec, or somebody else's files.
        StoreUnavailable: Root of the four above; the driver is missing, the path can't be used.
    """
    if create and read_only:
        raise InvalidOperation("a store that is opened for reading only can't be made", hint="leave one of the two out")
    access = Access.READ if read_only else Access.CREATE if create else Access.WRITE
    parsed = parse_url(url)
    scheme = scheme_of(parsed.scheme)
    if scheme.needs_path and not parsed.path:
        raise InvalidStoreUrl(f"{url!r} names no path", hint=f"write {scheme.name}:PATH")
    if not (scheme.needs_path or scheme.is_remote) and parsed.path:
        raise InvalidStoreUrl(f"{scheme.name}: takes no path, but {url!r} gives one", hint=f"write {scheme.name}:")
    options = _checked(scheme, parsed.options)
    try:
        reason = unavailable(scheme)
        if reason:
            raise StoreUnavailable(f"{scheme.name}: {reason}", hint=scheme.install)
        return scheme.open(parsed.path, options, schema, access)
    except OSError as error:
        raise unreadable(parsed.path or url, error) from error


def unavailable(scheme: Scheme) -> str | None:
    """Say why a scheme can't be opened here, or None."""
    if scheme.driver and find_spec(scheme.driver) is None:
        return f"the Python package {scheme.driver!r} is not installed; {scheme.install}"
    return scheme.missing() if scheme.missing else None


def scheme_of(name: str) -> Scheme:
    """Return the scheme of this name, built in or from an entry point. Raises InvalidStoreUrl."""
    found = _own_schemes().get(name) or schemes().get(name)
    if found is None:
        raise InvalidStoreUrl(f"unknown store {name!r}", hint=f"there are: {', '.join(sorted(schemes()))}")
    return found


def schemes() -> dict[str, Scheme]:
    """Return all schemes: ours and those of entry points, which can't replace them. Raises StoreUnavailable."""
    found = _own_schemes()
    for point in entry_points(group=ENTRY_POINT_GROUP):
        if point.name not in found:
            scheme = point.load()
            if not isinstance(scheme, Scheme):
                raise StoreUnavailable(
                    f"the entry point {point.name!r} of {point.value} is no Scheme",
                    hint="correct or remove its package",
                )
            found[point.name] = scheme
    return found


def _own_schemes() -> dict[str, Scheme]:
    return {scheme.name: scheme for scheme in (*SCHEMES, *REMOTE_SCHEMES)}


def _checked(scheme: Scheme, given: Options) -> Options:
    """Return the options with defaults filled in. Raises InvalidStoreUrl."""
    known = {option.name: option for option in scheme.options}
    known |= {name: Option(name, (), "") for name in scheme.driver_options}
    for name, value in given.items():
        if name not in known:
            there = ", ".join(known) or "none"
            raise InvalidStoreUrl(f"{scheme.name}: has no option {name!r}", hint=f"its options: {there}")
        if known[name].choices and value not in known[name].choices:
            choices = ", ".join(known[name].choices)
            raise InvalidStoreUrl(f"{scheme.name}: {name} can't be {value!r}", hint=f"it can be: {choices}")
    return {name: given.get(name, option.default) for name, option in known.items()}


# ---- the stores of this package


def _open_memory(path: str, options: Options, schema: Schema, access: Access) -> Store:  # noqa: ARG001 - it has neither path nor options
    from stores.memory import MemoryStore  # noqa: PLC0415 - imported when opened, like all stores

    if access is Access.READ:
        raise StoreNotFound("memory: is empty whenever it is opened, so there is nothing to read")

    return MemoryStore(schema)


def _open_sqlite(path: str, options: Options, schema: Schema, access: Access) -> Store:
    from stores.sqlite.store import SqliteStore  # noqa: PLC0415

    return SqliteStore(Path(path), codec_of(options["codec"]), Durability(options["durability"]), schema, access)


def _open_badger(path: str, options: Options, schema: Schema, access: Access) -> Store:
    from stores.engines.badger.engine import open_badger  # noqa: PLC0415

    return open_badger(path, options, schema, access)


def _open_postgresql(path: str, options: Options, schema: Schema, access: Access) -> Store:
    from stores.postgresql.address import address_of  # noqa: PLC0415
    from stores.postgresql.store import PostgresqlStore  # noqa: PLC0415

    durability = Durability(options["durability"])
    address = address_of(path, options, durability, access)
    return PostgresqlStore(address, codec_of(options["codec"]), durability, schema, access)


def _remove_postgresql(url: str) -> None:
    from stores.postgresql.address import address_of  # noqa: PLC0415
    from stores.postgresql.opening import drop_tables  # noqa: PLC0415

    parsed = parse_url(url)
    options = _checked(scheme_of(parsed.scheme), parsed.options)
    drop_tables(address_of(parsed.path, options, Durability.DURABLE, Access.WRITE))


def _badger_missing() -> str | None:
    from stores.engines.badger.build import missing  # noqa: PLC0415

    return missing()


def _open_lmdb(path: str, options: Options, schema: Schema, access: Access) -> Store:
    from stores.engines.lmdb import LmdbEngine  # noqa: PLC0415
    from stores.keyvalue.reopening import Reopening  # noqa: PLC0415
    from stores.keyvalue.store import KeyValueStore  # noqa: PLC0415

    durability = Durability(options["durability"])
    is_durable = durability is Durability.DURABLE
    reopening = Reopening(Path(path), lambda access: LmdbEngine(Path(path), access, durable=is_durable))
    return KeyValueStore(reopening.open(access), codec_of(options["codec"]), durability, schema, access, reopening)


def _key_value(module: str, engine: str) -> Opener:
    """Return an opener of an engine class over a path. See `stores.engines.trial` for what it tries first."""

    def opener(path: str, options: Options, schema: Schema, access: Access) -> Store:
        from stores.engines.trial import is_vouched_for  # noqa: PLC0415
        from stores.keyvalue.layout import meta_value  # noqa: PLC0415
        from stores.keyvalue.reopening import Reopening  # noqa: PLC0415
        from stores.keyvalue.store import KeyValueStore  # noqa: PLC0415

        codec, durability, folder = codec_of(options["codec"]), Durability(options["durability"]), Path(path)
        make = partial(getattr(import_module(module), engine), folder, strict=durability is Durability.DURABLE)

        def opened(access: Access) -> Store:
            reopening = Reopening(folder, make)
            return KeyValueStore(reopening.open(access), codec, durability, schema, access, reopening)

        if access is not Access.READ and not is_vouched_for(folder, meta_value(codec.name)):
            with suppress(StoreNotFound):  # it is empty: to be made, or to be refused by what follows
                opened(Access.READ).close()
        return opened(access)

    return opener


def _options(codec: str) -> tuple[Option, ...]:
    return (
        Option("codec", tuple(CODECS), codec),
        Option("durability", tuple(mode.value for mode in Durability), Durability.DURABLE.value),
    )


SCHEMES: tuple[Scheme, ...] = (
    Scheme("memory", "in the process's memory; ends with it", _open_memory, needs_path=False),
    Scheme(
        "leveldb",
        "LevelDB, an embedded log-structured store",
        _key_value("stores.engines.leveldb", "LevelDbEngine"),
        _options("protobuf"),
        driver="plyvel" if sys.version_info < (3, 13) else "plyvel_next",
        install="pip install plyvel (from CPython 3.13 on: plyvel-next)",
    ),
    Scheme(
        "lmdb",
        "LMDB, an embedded memory-mapped tree",
        _open_lmdb,
        _options("protobuf"),
        driver="lmdb",
        install="pip install 'agent-parity[lmdb]', or pip install lmdb",
    ),
    Scheme(
        "rocksdb",
        "RocksDB, an embedded log-structured store",
        _key_value("stores.engines.rocksdb", "RocksDbEngine"),
        _options("protobuf"),
        driver="rocksdict",
        install="pip install 'agent-parity[rocksdb]', or pip install rocksdict",
    ),
    Scheme(
        "badger",
        "BadgerDB v4.5.0, an embedded log-structured store in Go",
        _open_badger,
        (*_options("protobuf"), Option("verify", ("open", "off"), "open")),
        install="make badger",
        missing=_badger_missing,
    ),
    Scheme("sqlite", "SQLite tables that any SQLite tool opens", _open_sqlite, _options("json-orjson")),
)
"""The embedded stores: each in a folder or file of its own, or in memory."""

REMOTE_SCHEMES: tuple[Scheme, ...] = (
    Scheme(
        "postgresql",
        "PostgreSQL tables that several servers share",
        _open_postgresql,
        (*_options("protobuf"), Option("schema", (), "parity")),
        needs_path=False,
        is_remote=True,
        remove=_remove_postgresql,
        place="//HOST/DB",
        driver_options=LIBPQ_OPTIONS,
        driver="psycopg",
        install="pip install 'agent-parity[postgresql]', or pip install 'psycopg[binary]'",
    ),
)
"""The stores of a database server: the path says where that is, and an option which of its stores is meant."""
