"""What the client's commands share: the options of the connection, an open server, and how answers are printed.

A command is written with its own options only; `connected` adds the others and hands it a `Session`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer
from google.protobuf.message import Message

from reference_server.client.documents import as_json, as_yaml
from reference_server.client.kinds import Kind
from reference_server.client.resources import Resources
from reference_server.client.server import DEFAULT_ADDRESS, Endpoint, Server
from reference_server.client.table import as_table


class Output(StrEnum):
    """How resources are printed."""

    TABLE = "table"
    YAML = "yaml"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Session:
    """One command under way: the resources of its kind on an open server, and the wanted output."""

    resources: Resources
    output: Output

    def show(self, answers: Iterable[Message], *, one: bool = False) -> None:
        """Print resources; as JSON `one` is an object, several are an array."""
        found = list(answers)
        match self.output:
            case Output.TABLE:
                text = as_table(found, self.resources.kind)
            case Output.YAML:
                text = as_yaml(found)
            case Output.JSON:
                text = as_json(found, one=one)
        typer.echo(text, nl=False)


def _connection(
    *,
    address: Annotated[
        str, typer.Option("--address", "-a", envvar="PARITY_ADDRESS", help="HOST:PORT, grpc(s)://HOST:PORT, unix:PATH.")
    ] = DEFAULT_ADDRESS,
    token: Annotated[
        str, typer.Option("--token", envvar="PARITY_TOKEN", help="Who asks; the oss profile needs none.")
    ] = "",
    tls_ca: Annotated[
        Path | None, typer.Option("--tls-ca", envvar="PARITY_TLS_CA", help="Speak TLS, trusting this PEM file.")
    ] = None,
    timeout: Annotated[float, typer.Option("--timeout", min=0.001, help="Seconds to wait for each answer.")] = 10,
    output: Annotated[Output, typer.Option("--output", "-o", help="How to print.")] = Output.TABLE,
) -> tuple[Endpoint, Output]:
    """The options of every command."""
    return Endpoint(address, token, tls_ca, timeout), output


def connected(kind: Kind, command: Callable[..., None]) -> Callable[..., None]:
    """Return a command for typer: `command` with the connection's options added, run with a Session."""
    shared = inspect.signature(_connection).parameters
    own = list(inspect.signature(command).parameters.values())[1:]  # the first is the session

    def run(**options: Any) -> None:  # noqa: ANN401 - values of any option
        endpoint, output = _connection(**{name: options.pop(name) for name in shared})
        with Server(endpoint) as server:
            command(Session(Resources(server, kind), output), **options)

    hints = get_type_hints(command, include_extras=True) | get_type_hints(_connection, include_extras=True)
    parameters = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[parameter.name])
        for parameter in (*own, *shared.values())
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # functions may carry one
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__doc__ = command.__doc__
    return run
