"""What the client's commands share: the options of the connection, an open server, and how answers are printed.

A command is written with its own options only; `connected` adds the others and hands it a `Session`.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer
from google.protobuf.message import Message

from reference_server.client.contexts import Context, read_contexts
from reference_server.client.failures import BadInput
from reference_server.client.kinds import Kind, name_of
from reference_server.client.output import FORMS, Output, output_of
from reference_server.client.resources import Resources
from reference_server.client.server import DEFAULT_ADDRESS, Endpoint, Server

DEFAULT_TIMEOUT_S = 10.0
Address = Annotated[
    str, typer.Option("--address", "-a", envvar="PARITY_ADDRESS", help="HOST:PORT, grpc(s)://HOST:PORT, unix:PATH.")
]
Token = Annotated[str, typer.Option("--token", envvar="PARITY_TOKEN", help="Who asks; the oss profile needs none.")]
TlsCa = Annotated[
    Path | None, typer.Option("--tls-ca", envvar="PARITY_TLS_CA", help="Speak TLS, trusting this PEM file.")
]
ContextName = Annotated[
    str, typer.Option("--context", envvar="PARITY_CONTEXT", help="The context that fills in what isn't given.")
]


@dataclass(frozen=True, slots=True)
class Session:
    """One command under way: an open server, the kind it is about, the wanted output, and the context."""

    server: Server
    output: Output
    context: Context
    kind: Kind | None = None
    _unshown: list[tuple[Kind, Message]] = field(default_factory=list)

    @property
    def account(self) -> str:
        """The identity account that asks, if the person has said it: no method of the contract tells it."""
        return os.environ.get("PARITY_ACCOUNT", "") or self.context.account

    @property
    def resources(self) -> Resources:
        """The resources of the command's own kind."""
        if self.kind is None:
            raise TypeError("this command is about no kind of its own")
        return self.of(self.kind)

    def of(self, kind: Kind) -> Resources:
        """The resources of a kind."""
        return Resources(self.server, kind)

    def show(self, answers: Iterable[Message], *, one: bool = False) -> None:
        """Print resources of the command's kind; as JSON `one` is an object, several are an array."""
        typer.echo(self.output.text(list(answers), self.resources.kind, one=one), nl=False)

    def report(self, kind: Kind, resource: Message, done: str) -> None:
        """Say what was done with a resource: a line for people at once, else the resource when the command ends."""
        if self.output.is_for_people:
            typer.echo(f"{name_of(kind, resource)} {done}")
        else:
            self._unshown.append((kind, resource))

    def show_reported(self, *, one: bool) -> None:
        """Print the resources that were reported and are not for people, kind by kind."""
        kinds = {kind.word: kind for kind, _ in self._unshown}
        for kind in kinds.values():
            resources = [resource for each, resource in self._unshown if each is kind]
            typer.echo(self.output.text(resources, kind, one=one and len(self._unshown) == 1), nl=False)


def _connection(
    *,
    address: Address = "",
    token: Token = "",
    tls_ca: TlsCa = None,
    context: ContextName = "",
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.001, help="Seconds to wait for each answer.")
    ] = DEFAULT_TIMEOUT_S,
    output: Annotated[str, typer.Option("--output", "-o", help=f"How to print: {FORMS}.")] = "table",
) -> None:
    """The options of every command; their values are read by `opened`."""


def endpoint_of(options: Mapping[str, Any], context: Context) -> Endpoint:
    """Return where to call and as whom: what options and variables say, else the context. Raises BadInput."""
    ca = options.get("tls_ca") or (Path(context.tls_ca).expanduser() if context.tls_ca else None)
    address = options.get("address") or context.address or DEFAULT_ADDRESS
    timeout = options.get("timeout") or DEFAULT_TIMEOUT_S
    return Endpoint(address, options.get("token") or context.secret(), ca, timeout)


def connected(command: Callable[..., None], kind: Kind | None = None, *, prints: bool = True) -> Callable[..., None]:
    """Return a command for typer: `command` with the connection's options added, run with a Session.

    An option that the command has of its own stands for the connection's of the same name. One that `prints` no
    resources has no -o.
    """
    own = dict(list(inspect.signature(command).parameters.items())[1:])  # the first is the session
    left_out = {*own} if prints else {*own, "output"}
    shared = {name: row for name, row in inspect.signature(_connection).parameters.items() if name not in left_out}

    def run(**options: Any) -> None:  # noqa: ANN401 - values of any option
        given = {name: options.pop(name) for name in shared}
        context = read_contexts().get(given["context"])
        if "org" in options:
            options["org"] = options["org"] or context.org
        output = output_of(given.get("output", "table"))
        with Server(endpoint_of(given, context)) as server:
            command(Session(server, output, context, kind), **options)

    hints = get_type_hints(command, include_extras=True) | get_type_hints(_connection, include_extras=True)
    hints |= get_type_hints(command, include_extras=True)
    parameters = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[parameter.name])
        for parameter in (*own.values(), *shared.values())
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # functions may carry one
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.__doc__ = command.__doc__
    return run


def account_of(session: Session, given: str) -> str:
    """Return the identity account that a command is about. Raises BadInput if nobody has said it."""
    found = given or session.account
    if not found:
        raise BadInput(
            "a token doesn't say whose it is, so the account has to be named",
            hint="Give --as ACCOUNT, PARITY_ACCOUNT, or parity context set NAME --account ACCOUNT.",
        )
    return found
