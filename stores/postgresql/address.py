"""Where a PostgreSQL store is: from the path and options of its URL to what libpq connects with.

The registry refuses a URL with a password, so there is nowhere that it could be printed: libpq takes it from PGPASSFILE
(`~/.pgpass`), from a service file, or from a client certificate.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from stores.contract import Access, Durability, InvalidStoreUrl
from stores.postgresql.libpq import LIBPQ_OPTIONS

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 30
LOCK_SECONDS = 10
_IDLE_SECONDS = 60
"""A listing that nobody reads on gives its connection up after so long."""
_UNACKNOWLEDGED_MS = 15_000
"""So long a host may leave what was sent unanswered before the connection counts as broken."""
_SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True)
class Address:
    """A database, and the PostgreSQL schema in it that holds the store."""

    conninfo: str
    schema: str
    shown: str
    """What people are told: no secret is in it."""
    session: str
    """Settings of each session, as the `options` of libpq."""

    @property
    def channel(self) -> str:
        """The channel that says that something was written."""
        return f"parity:{self.schema}"[:63]


def address_of(path: str, options: Mapping[str, str], durability: Durability, access: Access) -> Address:
    """Take apart what stands behind `postgresql:`. Raises InvalidStoreUrl."""
    schema = options["schema"]
    if not _SCHEMA_NAME.fullmatch(schema):
        raise InvalidStoreUrl(f"schema can't be {schema!r}", hint="write small letters, digits and _; at most 63")
    given = {name: options[name] for name in LIBPQ_OPTIONS if options[name]}
    if access is Access.READ and "target_session_attrs" not in given:
        given["target_session_attrs"] = "any"
    settled = {
        "target_session_attrs": "read-write",
        "connect_timeout": str(CONNECT_SECONDS),
        "application_name": "parity",
        "keepalives_idle": "10",
        "keepalives_interval": "5",
        "keepalives_count": "3",
        "tcp_user_timeout": str(_UNACKNOWLEDGED_MS),
        **given,
    }
    query = "&".join(f"{name}={quote(value, safe='/,')}" for name, value in settled.items())
    conninfo = f"postgresql:{path or '//'}?{query}"
    shown = f"postgresql:{path}" + (f" (schema {schema})" if schema != "parity" else "")
    try:
        conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError as error:
        raise InvalidStoreUrl(f"{shown}: {str(error).strip()}", hint="write postgresql://user@host/database") from None
    session = _session(schema, durability, access)
    return Address(make_conninfo(conninfo, options=session), schema, shown, session)


def _session(schema: str, durability: Durability, access: Access) -> str:
    settings = {
        "search_path": schema,
        "synchronous_commit": "on" if durability is Durability.DURABLE else "off",
        "statement_timeout": f"{STATEMENT_SECONDS}s",
        "lock_timeout": f"{LOCK_SECONDS}s",
        "idle_in_transaction_session_timeout": f"{_IDLE_SECONDS}s",
        # So soon the database notices that a process is gone without a word, and lets go of its sessions and locks.
        "tcp_keepalives_idle": "10",
        "tcp_keepalives_interval": "5",
        "tcp_keepalives_count": "3",
        "tcp_user_timeout": str(_UNACKNOWLEDGED_MS),
        "default_transaction_isolation": r"read\ committed",
        **({"default_transaction_read_only": "on"} if access is Access.READ else {}),
        # Every statement looks up few rows by a key; a plan made while a table was small must not read all of it later.
        "enable_seqscan": "off",
        "enable_hashjoin": "off",
        "enable_mergejoin": "off",
        "jit": "off",
    }
    return " ".join(f"-c {name}={value}" for name, value in settings.items())
