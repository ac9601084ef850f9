"""Upper bounds of the existing record keys: what sorts behind them isn't there, and needs no read to know that.

Ids that a server gives out grow, so nearly every record that it creates sorts behind all that are there.
"""

from __future__ import annotations

from collections.abc import Mapping

from stores.keyvalue import layout
from stores.keyvalue.engine import Engine, FindsLastKey

_BEHIND_ALL = b"\xff"
"""Behind every record: nothing is known of the kind."""


class UpperBounds(dict[str, bytes]):
    """By kind, an upper bound of the existing record keys. Found on first use; where the engine can't say, none.

    A removal leaves it as it is: it may be too great, never too small.
    """

    def __init__(self, engine: Engine, layouts: Mapping[str, layout.KindLayout]) -> None:
        super().__init__()
        self._last_key = engine.last_key if isinstance(engine, FindsLastKey) else None
        self._layouts = layouts

    def __missing__(self, kind: str) -> bytes:
        """Ask the engine. Raises what a read raises, KeyError for no kind."""
        records = self._layouts[kind].records
        self[kind] = top = _BEHIND_ALL if self._last_key is None else self._last_key(*records) or b""
        return top

    def raise_to(self, greatest: Mapping[str, bytes]) -> None:
        """Take note of the greatest keys of what was created, once it is in the engine."""
        for kind, key in greatest.items():
            if key > self.get(kind, _BEHIND_ALL):
                self[kind] = key
