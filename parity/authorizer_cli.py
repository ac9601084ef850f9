"""`parity authorizer`: OpenFGA as authorizer, before and beside a server that asks it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from enum import StrEnum
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from parity.problems import Problem
from reference_server.authorization.model import default_model
from reference_server.authorization.openfga.address import OpenFgaPlace, parse_place
from reference_server.authorization.openfga.rendering import Types, model_dsl, model_json, same_model, types_of
from stores.registry import open_store
from terminal.lines import print_error

if TYPE_CHECKING:
    from reference_server.authorization.openfga.client import OpenFgaClient

app = typer.Typer(no_args_is_help=True, help="OpenFGA as authorizer: the model, its installation, drift.")
T = TypeVar("T")
STORE_NAME = "parity"
_DRIFTED = 1
_SHOWN_MAX = 20


class Form(StrEnum):
    """What `-o` takes."""

    DSL = "dsl"
    JSON = "json"


@app.command()
def model(
    output: Annotated[Form, typer.Option("--output", "-o", help="dsl, or json as OpenFGA's API takes it.")] = Form.DSL,
) -> None:
    """Print the server's permission model as a model of OpenFGA."""
    types = types_of(default_model())
    text = model_dsl(types) if output is Form.DSL else json.dumps(model_json(types), indent=2) + "\n"
    typer.echo(text, nl=False)


@app.command()
def install(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="http://HOST:PORT, or with ?store=ID a store that is there.")
    ],
    name: Annotated[str, typer.Option(help="What a store that is made is called.")] = STORE_NAME,
) -> None:
    """Make a store in OpenFGA (unless the URL names one), give it the model unless it has it, print the setting."""
    place = _place(url, needs_store=False)
    typer.echo(_ask(place, lambda client: _installed(client, name)).setting)


@app.command()
def verify(
    store: Annotated[str, typer.Argument(metavar="STORE", help="Store URL; an embedded store's server is stopped.")],
    url: Annotated[str, typer.Argument(metavar="URL", help="openfga:http://HOST:PORT?store=ID.")],
    repair: Annotated[bool, typer.Option("--repair", help="Make OpenFGA hold what the policies say.")] = False,
) -> None:
    """Compare the policies of a store with the tuples in OpenFGA; ends with 1 if they differ.

    What a server that runs hasn't delivered yet counts as a difference.
    """
    types = types_of(default_model())
    _need_packages()
    from reference_server.authorization.openfga.drift import drift_between, mend  # noqa: PLC0415 - needs an extra

    async def compared(client: OpenFgaClient) -> bool:
        with open_store(store, read_only=True) as opened:
            drift = await drift_between(opened, client, types)
        for what, keys in (("missing", drift.missing), ("extra", drift.extra)):
            for key in keys[:_SHOWN_MAX]:
                typer.echo(f"{what}: {key.user} {key.relation} {key.object}")
            if len(keys) > _SHOWN_MAX:
                typer.echo(f"{what}: and {len(keys) - _SHOWN_MAX} more")
        typer.echo(f"{drift.policies} policies: {len(drift.missing)} tuples missing, {len(drift.extra)} extra")
        if not drift.is_none and repair:
            await mend(drift, client, await _our_model(client, types))
            typer.echo("repaired")
        return bool(drift.is_none or repair)

    if not _ask(_place(url), compared):
        raise typer.Exit(_DRIFTED)


async def _installed(client: OpenFgaClient, name: str) -> OpenFgaPlace:
    types, place = types_of(default_model()), client.place
    if not place.store:
        place = replace(place, store=await client.make_store(name))
    elif found := await _our_model(client, types, missing_is_fine=True):
        return replace(place, model=found)
    return replace(place, model=await client.write_model(place.store, model_json(types)))


async def _our_model(client: OpenFgaClient, types: Types, *, missing_is_fine: bool = False) -> str:
    """Return the id of the store's model if it is ours. Raises OpenFgaError, Problem."""
    latest = await client.latest_model()
    if latest is not None and same_model(latest, model_json(types)):
        return str(latest["id"])
    if missing_is_fine:
        return ""
    raise Problem("the model in that store isn't this server's; make it so with `parity authorizer install`")


def _place(url: str, *, needs_store: bool = True) -> OpenFgaPlace:
    try:
        place = parse_place(url, needs_store=needs_store)
    except ValueError as error:
        raise Problem(str(error)) from None
    if place.warning:
        print_error(f"warning: {place.warning}")
    return place


def _ask(place: OpenFgaPlace, asking: Callable[[OpenFgaClient], Awaitable[T]]) -> T:
    """Run something with a client of OpenFGA."""
    _need_packages()
    from reference_server.authorization.openfga.client import OpenFgaClient  # noqa: PLC0415 - needs an extra

    client = OpenFgaClient(place)

    async def run() -> T:
        try:
            return await asking(client)
        finally:
            await client.close()

    return asyncio.run(run())


def _need_packages() -> None:
    if find_spec("aiohttp") is None:
        raise Problem("the package aiohttp is needed: pip install 'agent-parity[openfga]'")
