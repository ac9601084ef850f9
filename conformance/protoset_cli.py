"""`parity protoset`: the contract as a file for grpcurl and others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from conformance.protoset import PROTOSET_FILE, write_protoset


def protoset(
    out: Annotated[Path, typer.Option(help="where to write it: a file, or a folder that exists")] = Path(PROTOSET_FILE),
) -> None:
    """Write the contract as descriptors, to call a server without reflection: grpcurl -protoset FILE ..."""
    typer.echo(write_protoset(out))
