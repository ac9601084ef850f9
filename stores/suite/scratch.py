"""Where the suite makes the databases that it tries a store with: beside the one that a URL names."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stores.registry import parse_url, scheme_of
from stores.suite.subject import UrlSubject


@contextmanager
def scratch(url: str) -> Iterator[UrlSubject]:
    """Make new databases in a folder beside the URL's path, or on its database server; remove them afterwards."""
    parsed = parse_url(url)
    beside = Path(parsed.path or ".").absolute() if scheme_of(parsed.scheme).needs_path else Path.cwd()
    folder = beside.with_name(f"{beside.name}.check-{secrets.token_hex(4)}")
    folder.mkdir(parents=True)
    subject = UrlSubject(parsed, folder)
    try:
        yield subject
    finally:
        subject.remove()
        shutil.rmtree(folder, ignore_errors=True)
