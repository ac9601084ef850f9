"""Completion of names by the shell: slugs from the server, contexts from their file. It never complains."""

from __future__ import annotations

from contextlib import suppress

import typer

from reference_server.client.contexts import read_contexts
from reference_server.client.failures import ClientError
from reference_server.client.kinds import AGENT, KINDS, Kind
from reference_server.client.resources import Resources
from reference_server.client.server import Server
from reference_server.client.session import endpoint_of

_SECONDS_MAX = 2.0
_NAMES_MAX = 1000


def slugs(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete names of the kind that the command is about: `parity agent get …`."""
    words = {kind.word: kind for kind in KINDS}
    found = words.get(ctx.parent.info_name or "") if ctx.parent is not None else None
    return [] if found is None else _slugs_of(found, ctx, incomplete)


def agents(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete names of agents."""
    return _slugs_of(AGENT, ctx, incomplete)


def _slugs_of(kind: Kind, ctx: typer.Context, incomplete: str) -> list[str]:
    """Ask the server that the command line, or the context, names."""
    with suppress(ClientError):
        options = {**ctx.params, "timeout": _SECONDS_MAX}
        context = read_contexts().get(options.get("context") or "")
        with Server(endpoint_of(options, context)) as server:
            listed = Resources(server, kind).list(options.get("org") or context.org, _NAMES_MAX, context.account)
            return [one.metadata.slug for one in listed if one.metadata.slug.startswith(incomplete)]
    return []


def contexts(incomplete: str) -> list[str]:
    """Complete names of contexts."""
    with suppress(ClientError):
        return [name for name in read_contexts().rows if name.startswith(incomplete)]
    return []
