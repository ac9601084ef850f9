"""`parity context`: the servers that you work with, by name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reference_server.client.completion import contexts
from reference_server.client.contexts import Context, Contexts, read_contexts
from reference_server.client.failures import BadInput
from reference_server.client.session import Address
from reference_server.client.table import as_rows, printable

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Servers by name: where, as whom, and which is used."
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The context's name.", autocompletion=contexts)]
_HEADINGS = ("USED", "NAME", "ADDRESS", "ORG", "ACCOUNT", "TOKEN")


@app.command("list")
def list_contexts() -> None:
    """List all contexts; a star marks the one in use. Tokens aren't shown."""
    found = read_contexts()
    rows = [
        ("*" if name == found.current else "", name, row.address, row.org, row.account, _kept(row))
        for name, row in found.rows.items()
    ]
    typer.echo(as_rows(_HEADINGS, [[printable(cell) for cell in row] for row in rows]), nl=False)


def _kept(context: Context) -> str:
    return f"in {context.token_file}" if context.token_file else "kept" if context.token else ""


@app.command("show")
def show() -> None:
    """Print the name of the context in use; ends with 1 if there is none."""
    found = read_contexts()
    if not found.current:
        typer.echo(f"{found.path}: no context is in use", err=True)
        raise typer.Exit(1)
    typer.echo(printable(found.current))


@app.command("use")
def use(name: Name) -> None:
    """Use a context from now on, in every command that doesn't name another."""
    _save(read_contexts().with_current(name), f"{name} is in use")


@app.command("set")
def set_context(
    name: Name,
    address: Address = "",
    org: Annotated[str | None, typer.Option("--org", help="The organization of commands that name none.")] = None,
    account: Annotated[str | None, typer.Option("--account", help="The identity account that the token is of.")] = None,
    token: Annotated[str | None, typer.Option("--token", help="The token itself; better is --token-file.")] = None,
    token_file: Annotated[Path | None, typer.Option("--token-file", help="A file whose first line is it.")] = None,
    tls_ca: Annotated[Path | None, typer.Option("--tls-ca", help="Speak TLS, trusting this PEM file.")] = None,
) -> None:
    """Make a context, or change what is named of one; the first that is made is in use. An empty text clears."""
    found = read_contexts()
    known = found.rows.get(name, Context())
    given = {
        "address": address or None,
        "org": org,
        "account": account,
        "token": token,
        "token_file": None if token_file is None else str(token_file.absolute()),
        "tls_ca": None if tls_ca is None else str(tls_ca.absolute()),
    }
    if token and token_file:
        raise BadInput("both a token and its file were given", hint="Give one of them.")
    if token or token_file:
        known = known.model_copy(update={"token": "", "token_file": ""})
    changed = known.model_copy(update={key: value for key, value in given.items() if value is not None})
    kept = found.with_context(name, changed)
    made = "made, and in use" if kept.current == name else "made"
    _save(kept, f"{name} {'changed' if name in found.rows else made}")


@app.command("delete")
def delete(name: Name) -> None:
    """Forget a context."""
    _save(read_contexts().without(name), f"{name} deleted")


def _save(contexts: Contexts, done: str) -> None:
    contexts.save()
    typer.echo(printable(done))
