"""`parity serve`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from reference_server.authorization.callers import TokenFileError
from reference_server.config import ConfigError, config_text, load_config
from reference_server.replicas import ReplicasFailed
from reference_server.server import run
from reference_server.start_check import ServerError
from reference_server.telemetry import configure_logging
from stores.contract import InvalidStoreUrl, StoreError
from stores.registry import parse_url
from terminal.lines import print_error

_USAGE = 2
_CANNOT_START = 3
_MEMORY = "memory"
_IN_MEMORY = "in memory: nothing of it is kept when the server ends; --store sqlite:agents.db keeps it in a file"
_WRONG_VALUES = (ConfigError, TokenFileError, InvalidStoreUrl)


class Switch(StrEnum):
    """A setting that is on or off."""

    ON = "on"
    OFF = "off"


def serve(
    store: Annotated[
        str | None,
        typer.Option(help="Store URL, for example leveldb:DIR or sqlite:FILE; without one all is kept in memory only."),
    ] = None,
    profile: Annotated[str | None, typer.Option(help="cloud or oss.")] = None,
    listen: Annotated[str | None, typer.Option(help="host:port (port 0: any free one) or unix:PATH.")] = None,
    tokens: Annotated[str | None, typer.Option(help="Token file; the cloud profile needs one.")] = None,
    jwt_jwks: Annotated[str | None, typer.Option(help="JWKS file: also take JWTs signed by its keys.")] = None,
    jwt_issuer: Annotated[str | None, typer.Option(help="The issuer that JWTs must have.")] = None,
    jwt_audience: Annotated[str | None, typer.Option(help="The audience that JWTs must have.")] = None,
    authorizer: Annotated[
        str | None, typer.Option(help="embedded, or OpenFGA as well: openfga:http://HOST:PORT?store=ID.")
    ] = None,
    tls_cert: Annotated[str | None, typer.Option(help="Certificate chain (PEM).")] = None,
    tls_key: Annotated[str | None, typer.Option(help="Private key (PEM).")] = None,
    tls_client_ca: Annotated[str | None, typer.Option(help="CA (PEM) that client certificates must come from.")] = None,
    max_message_bytes: Annotated[int | None, typer.Option(help="Largest request.")] = None,
    max_concurrent_requests: Annotated[int | None, typer.Option(help="More are refused.")] = None,
    max_watches: Annotated[int | None, typer.Option(help="More watches are refused.")] = None,
    grace_seconds: Annotated[float | None, typer.Option(help="Time for requests in flight at the end.")] = None,
    client_ping_seconds: Annotated[float | None, typer.Option(help="Idle clients may ping so often.")] = None,
    events_max: Annotated[int | None, typer.Option(help="Events kept for watchers that resume.")] = None,
    watch_send_seconds: Annotated[float | None, typer.Option(help="Patience with watchers that don't read.")] = None,
    event_log: Annotated[str | None, typer.Option(help="Also deliver events to this file, as lines of JSON.")] = None,
    sink: Annotated[str | None, typer.Option(help="Also deliver events to NATS JetStream: nats://HOST/STREAM.")] = None,
    metrics: Annotated[str | None, typer.Option(help="host:port of a Prometheus endpoint.")] = None,
    otlp_endpoint: Annotated[str | None, typer.Option(help="Send traces to this OTLP collector.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
    reflection: Annotated[bool | None, typer.Option("--reflection/--no-reflection", help="Server reflection.")] = None,
    fast_paths: Annotated[Switch | None, typer.Option(help="off: answer as plainly as the server reads.")] = None,
    replicas: Annotated[int | None, typer.Option(help="Processes that share the port, over postgresql://….")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="Configuration file (TOML).")] = None,
    print_config: Annotated[bool, typer.Option("--print-config", help="Print the settings in force and end.")] = False,
) -> None:
    """Serve the agent API over a store until SIGTERM. Logs go to stderr, the address to stdout."""
    flags = {name: value for name, value in locals().items() if name not in {"config", "print_config"}}
    flags["fast_paths"] = None if fast_paths is None else fast_paths is Switch.ON
    try:
        settings = load_config(flags, config)
    except (ConfigError, InvalidStoreUrl) as error:
        _refuse(error)
    if print_config:
        typer.echo(config_text(settings), nl=False)
        return
    configure_logging(settings.log_level)
    try:
        run(settings, lambda address: _say_ready(address, settings.store))
    except (ServerError, ReplicasFailed, ConfigError, TokenFileError, StoreError) as error:
        _refuse(error)


def _refuse(error: Exception) -> NoReturn:
    """Say why the server can't start, and end."""
    hint = getattr(error, "hint", "")
    print_error(f"parity serve: {error}" + (f"; {hint}" if hint else ""))
    raise typer.Exit(_USAGE if isinstance(error, _WRONG_VALUES) else _CANNOT_START) from None


def _say_ready(address: str, store: str) -> None:
    """Print where the server listens, a line that programs read; and, behind it, whether anything stays."""
    said = [f"listening on {address}"]
    if parse_url(store).scheme == _MEMORY:
        said.append(_IN_MEMORY)
    typer.echo("\n".join(said))
