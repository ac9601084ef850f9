"""plyvel, or its fork plyvel-next for Pythons that plyvel has no wheels for: the same driver under two names."""

import sys

if sys.version_info < (3, 13):
    from plyvel import DB, CorruptionError, Error
else:
    from plyvel_next import DB, CorruptionError, Error

__all__ = ["DB", "CorruptionError", "Error"]
