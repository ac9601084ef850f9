"""Makes a store known by an entry point, as an installed package would, to this process and its children."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

WRONG = "wrong = stores.suite.mutants.durability:SCHEME"


def install(folder: Path, patch: pytest.MonkeyPatch, entry_point: str = WRONG, modules: Path | None = None) -> None:
    """Put the metadata of a package with the entry point into a folder; that and its modules on the search path."""
    metadata = folder / "somebodys_store-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: somebodys-store\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[parity.stores]\n{entry_point}\n")
    places = [str(place) for place in (folder, modules) if place]
    for place in places:
        patch.syspath_prepend(place)
    patch.setenv("PYTHONPATH", os.pathsep.join([*places, *filter(None, [os.environ.get("PYTHONPATH")])]))
