"""Where things are kept that can be made again."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """Return the folder of what was built or computed, in the user's cache; PARITY_CACHE names another."""
    if chosen := os.environ.get("PARITY_CACHE"):
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "agent-parity"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "agent-parity"
