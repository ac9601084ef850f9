"""What a server needs beside its store, looked at before the store is opened: a refused command makes no database."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import grpc

from reference_server.authorization.callers import TokenFile
from reference_server.authorization.jwt_callers import JwtCallers
from reference_server.authorization.openfga.address import parse_place
from reference_server.config import EMBEDDED, ConfigError, ServerConfig
from reference_server.events.sink_url import parse_sink
from reference_server.listening import CANNOT, refusal, told
from reference_server.profile import Profile
from reference_server.telemetry import log


class ServerError(Exception):
    """The server can't start; says why and what to do."""


def check_start(config: ServerConfig) -> None:
    """Read the files of tokens, keys and certificates, and bind the addresses for a moment.

    Raises ServerError, ConfigError, TokenFileError.
    """
    if config.profile == Profile.CLOUD.value and config.tokens:
        TokenFile(Path(config.tokens)).refresh()
    if config.jwt_jwks:
        JwtCallers(Path(config.jwt_jwks))
    server_credentials(config)
    for warning in filter(None, _warnings(config)):
        log().warning(warning)
    if config.replicas == 1 and refusal(config.listen):  # replicas share a port, which is taken for them already
        raise ServerError(told(config.listen))
    if config.metrics and refusal(config.metrics):
        raise ServerError(metrics_refused(config.metrics))


def _warnings(config: ServerConfig) -> Iterator[str]:
    if config.authorizer != EMBEDDED:
        yield parse_place(config.authorizer).warning
    if config.sink:
        yield parse_sink(config.sink).warning


def metrics_refused(listen: str) -> str:
    """Say that metrics can't be had at an address, why, and what to do."""
    return f"can't serve metrics on {listen}: {refusal(listen) or CANNOT}; choose another with --metrics"


def server_credentials(config: ServerConfig) -> grpc.ServerCredentials | None:
    """Return the server's certificates, None without TLS. Raises ConfigError that names a file that is none."""
    if not config.tls_cert:
        return None
    try:
        pair = (Path(config.tls_key).read_bytes(), Path(config.tls_cert).read_bytes())
        client_ca = Path(config.tls_client_ca).read_bytes() if config.tls_client_ca else None
    except OSError as error:
        raise ConfigError(f"TLS file {error.filename} can't be read: {error.strerror}") from None
    _check_pem(config)
    return grpc.ssl_server_credentials([pair], client_ca, require_client_auth=client_ca is not None)


def _check_pem(config: ServerConfig) -> None:
    """Raise ConfigError for what gRPC would refuse without saying why."""
    context, said = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ""
    try:
        said = (
            f"tls_cert {config.tls_cert} and tls_key {config.tls_key} are no certificate and its key without a password"
        )
        context.load_cert_chain(config.tls_cert, config.tls_key, password="")
        if config.tls_client_ca:
            said = f"tls_client_ca {config.tls_client_ca} is no certificate"
            context.load_verify_locations(config.tls_client_ca)
    except ssl.SSLError as error:
        raise ConfigError(f"{said}, in PEM: {error.reason or error}") from None
