"""Whether what a command writes would fall on the files of the database that it reads."""

from __future__ import annotations

from pathlib import Path

from stores.contract import InvalidStoreUrl
from stores.registry import StoreUrl, scheme_of
from stores.sqlite.files import companions


def check_not_within(target: Path, source: StoreUrl) -> None:
    """Raise InvalidStoreUrl if a path is that of a database, one of its files, or in its folder.

    Links are followed, so another name of the same place is the same place.
    """
    if not scheme_of(source.scheme).needs_path:
        return
    database = Path(source.path).resolve()
    place = target.resolve()
    own = (database, *companions(database)) if source.scheme == "sqlite" else (database,)
    if any(place == file or place.is_relative_to(file) for file in own):
        raise InvalidStoreUrl(
            f"{target} is part of the database {source.path}, which is only to be read", hint="choose another path"
        )
