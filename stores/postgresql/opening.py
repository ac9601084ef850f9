"""Making and checking the tables of a PostgreSQL store."""

from __future__ import annotations

from contextlib import closing
from importlib.resources import files

from psycopg import errors, sql

from stores.contract import Access, FormatMismatch, StoreNotFound
from stores.format import PRODUCT, check_format
from stores.postgresql.address import Address
from stores.postgresql.connections import Connections, Session

MIGRATIONS: tuple[str, ...] = ("tables.sql",)
"""Scripts in the order in which they are run; a database of format N has had the first N. They run in the store's
PostgreSQL schema, in one transaction with the new format, and whoever migrates keeps the others waiting meanwhile."""
FORMAT_VERSION = len(MIGRATIONS)
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"


def open_tables(connection: Session, address: Address, codec: str, access: Access) -> None:
    """Check the store's tables; with `Access.CREATE` make them, and bring an older format up to date.

    Raises StoreNotFound, FormatMismatch, and the driver's errors.
    """
    found = _meta(connection, address)
    if access is Access.CREATE and int(found.get("format", "0")) < FORMAT_VERSION:
        with connection.transaction():
            connection.execute(_LOCK, (f"parity {address.schema}",))
            found = _meta(connection, address)
            _migrate(connection, address, codec, int(found.get("format", "0")))
        found = _meta(connection, address)
    if not found:
        raise StoreNotFound(f"{address.shown}: no store was ever made there")
    check_format(found.get("product"), int(found["format"]), found.get("codec"), codec, FORMAT_VERSION)


def _meta(connection: Session, address: Address) -> dict[str, str]:
    """Return what the tables say of themselves; nothing if there are none."""
    row = connection.execute(
        "SELECT 1 FROM pg_tables WHERE schemaname = %s AND tablename = 'meta'", (address.schema,)
    ).fetchone()
    if row is None:
        return {}
    try:
        rows = connection.execute("SELECT name, value FROM meta").fetchall()
    except (errors.UndefinedTable, errors.UndefinedColumn):
        rows = []
    found = {str(name): str(value) for name, value in rows}
    if not found.get("format", "").isdecimal():
        raise FormatMismatch(f"{address.shown} holds tables that aren't ours", hint="choose another with ?schema=NAME")
    return found


def _migrate(connection: Session, address: Address, codec: str, version: int) -> None:
    try:
        if version == 0:
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(address.schema)))
        for script in MIGRATIONS[version:]:
            text = files("stores.postgresql").joinpath(script).read_text(encoding="utf-8")
            connection.execute(text.encode(), prepare=False)
    except (errors.DuplicateTable, errors.DuplicateFunction, errors.DuplicateObject) as error:
        raise FormatMismatch(
            f"{address.shown} holds tables that aren't ours: {' '.join(str(error).split())}",
            hint="choose another with ?schema=NAME",
        ) from error
    if version == 0:
        values = {"product": PRODUCT, "codec": codec, "format": str(FORMAT_VERSION)}
        for pair in values.items():
            connection.execute("INSERT INTO meta (name, value) VALUES (%s, %s)", pair)
    else:
        connection.execute("UPDATE meta SET value = %s WHERE name = 'format'", (str(FORMAT_VERSION),))


def drop_tables(address: Address) -> None:
    """Remove a store with all that it holds. Raises StoreUnavailable."""
    connections = Connections(address)
    with closing(connections), connections.borrowed() as connection:
        connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(address.schema)))
