"""Stores under test: those that a URL opens, and those that a function of somebody else's opens."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from stores.contract import Access, Store
from stores.registry import StoreUrl, open_store, parse_url, scheme_of
from stores.schema import KINDS, Schema
from stores.suite.check import NotProven

_OPEN_AND_CLOSE = """
import sys
from stores.contract import StoreError
from stores.registry import open_store
try:
    open_store(sys.argv[1], create=True).close()
except StoreError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


@dataclass(frozen=True)
class UrlSubject:
    """The store of a URL without path: each database is a path of its own in `folder`."""

    url: StoreUrl
    folder: Path
    opened: set[str] = field(default_factory=set, compare=False)
    """The URLs of what was opened."""

    @classmethod
    def of(cls, url: str, folder: Path) -> UrlSubject:
        """Take a URL; its path is ignored. Raises InvalidStoreUrl."""
        return cls(parse_url(url), folder)

    def url_of(self, name: str) -> str:
        """Return the URL of a database. On a database server it is a PostgreSQL schema of its own."""
        if scheme_of(self.url.scheme).is_remote:
            digest = hashlib.sha256(str(self.folder / name).encode()).hexdigest()[:16]
            return str(StoreUrl(self.url.scheme, self.url.path, {**self.url.options, "schema": f"check_{digest}"}))
        path = str(self.folder / name) if scheme_of(self.url.scheme).needs_path else ""
        return str(StoreUrl(self.url.scheme, path, self.url.options))

    def open(self, name: str) -> Store:
        """See `StoreUnderTest`."""
        return self.open_for(name, Access.CREATE)

    def open_for(self, name: str, access: Access, schema: Schema = KINDS) -> Store:
        """See `StoreUnderTest`."""
        self.opened.add(self.url_of(name))
        return open_store(self.url_of(name), schema, create=access is Access.CREATE, read_only=access is Access.READ)

    def remove(self) -> None:
        """Remove what was opened on a database server; what is in a folder is removed with it."""
        remove = scheme_of(self.url.scheme).remove
        for url in self.opened if remove else ():
            remove(url)  # type: ignore[misc] # not None, as the line above asks
        self.opened.clear()

    def open_command(self, name: str) -> list[str] | None:
        """See `StoreUnderTest`."""
        return [sys.executable, "-c", _OPEN_AND_CLOSE, self.url_of(name)]


@dataclass(frozen=True)
class FunctionSubject:
    """A store that a function opens from a path: for stores without URL, and for stores wrapped on purpose."""

    opener: Callable[[Path], Store]
    folder: Path
    command: Callable[[Path], list[str]] | None = field(default=None)

    def open(self, name: str) -> Store:
        """See `StoreUnderTest`."""
        return self.opener(self.folder / name)

    def open_for(self, name: str, access: Access, schema: Schema = KINDS) -> Store:  # noqa: ARG002 - as `StoreUnderTest`
        """See `StoreUnderTest`: a function has no URL."""
        raise NotProven("the store has no URL, so it can't be opened for reading, or with a schema of one's own")

    def url_of(self, name: str) -> None:  # noqa: ARG002 - as `StoreUnderTest`
        """See `StoreUnderTest`: a function has no URL."""
        return

    def open_command(self, name: str) -> list[str] | None:
        """See `StoreUnderTest`."""
        return self.command(self.folder / name) if self.command else None
