"""The server's configuration: typed, frozen, the same whether it comes from a file, the environment or flags."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from reference_server.authorization.openfga.address import SCHEME, parse_place
from reference_server.events.sink_url import parse_sink
from reference_server.listening import malformed
from reference_server.profile import Profile
from reference_server.telemetry import LEVELS
from stores.registry import check_secrets
from terminal.system_errors import reason_of

EMBEDDED = "embedded"
ENVIRONMENT_PREFIX = "PARITY_SERVER_"


class ConfigError(Exception):
    """A setting is wrong; says which one, where it came from, and what it may be."""


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """All settings of a server.

    Each is a flag of `parity serve`, a key of the configuration file (TOML), and an environment variable
    (`PARITY_SERVER_` and the name in capitals). Flags win over the environment, the environment over the file.
    """

    store: str = "memory:"
    profile: str = Profile.OSS.value
    listen: str = "127.0.0.1:50051"
    """host:port (port 0: any free one), or unix:PATH."""
    tokens: str = ""
    """The token file; the cloud profile needs one (or jwt_jwks)."""
    jwt_jwks: str = ""
    """A JWKS file: callers may also send a JWT signed by one of its keys; the caller's id is the claim `sub`."""
    jwt_issuer: str = ""
    jwt_audience: str = ""
    """Where given, the claims `iss` and `aud` must equal them."""
    authorizer: str = "embedded"
    """Who decides: `embedded`, or OpenFGA too, `openfga:http://HOST:PORT?store=ID` (extra `openfga`)."""
    tls_cert: str = ""
    tls_key: str = ""
    tls_client_ca: str = ""
    """Ask clients for a certificate signed by this CA (mTLS)."""
    max_message_bytes: int = 10 * 1024 * 1024
    max_concurrent_requests: int = 1000
    """More at once are answered RESOURCE_EXHAUSTED. Room that watches may take and don't is theirs too."""
    max_watches: int = 1000
    """So many watches may be open, beside the requests; one more is answered RESOURCE_EXHAUSTED."""
    grace_seconds: float = 10.0
    """How long requests in flight may take after SIGTERM."""
    client_ping_seconds: float = 10.0
    """So often an idle client may ping (gRPC keepalive). One that pings more often is cut off: "too many pings"."""
    events_max: int = 100_000
    """So many events stay in the outbox for watchers that resume; older ones are cleared once they are delivered."""
    watch_send_seconds: float = 30.0
    """A watcher that leaves a message unread for so long is cut off."""
    event_log: str = ""
    """Deliver events to this file too, a line of JSON each, at least once."""
    sink: str = ""
    """Deliver events to NATS JetStream too, `nats://host:4222/STREAM`, in order, at least once (extra `nats`)."""
    metrics: str = ""
    """host:port for Prometheus; empty: no metrics."""
    otlp_endpoint: str = ""
    """Send traces there (OTLP over gRPC, http://host:4317); empty: no traces."""
    log_level: str = "info"
    reflection: bool = True
    replicas: int = 1
    """So many processes serve on one port, over one store of a database server; each has metrics on the next port."""
    fast_paths: bool = True
    """Answer as fast as this server can; off: as plainly as it reads. The answers are the same."""

    def checked(self) -> ServerConfig:
        """Return the configuration itself if it makes sense as a whole. Raises ConfigError, InvalidStoreUrl."""
        check_secrets(self.store)
        for broken, problem in self._rules():
            if broken:
                raise ConfigError(problem)
        return self

    def _rules(self) -> Iterator[tuple[bool, str]]:
        cloud = self.profile == Profile.CLOUD.value
        yield (
            self.profile not in {profile.value for profile in Profile},
            f"profile: {self.profile!r} is not cloud or oss",
        )
        yield (
            cloud and not (self.tokens or self.jwt_jwks),
            "tokens: the cloud profile asks callers for tokens; give a token file with --tokens FILE",
        )
        for name in ("tokens", "jwt_jwks"):
            told = f"{name}: the oss profile lets everybody in, without tokens; add --profile cloud, or leave it out"
            yield bool(getattr(self, name)) and not cloud, told
        yield (
            bool(self.jwt_issuer or self.jwt_audience) and not self.jwt_jwks,
            "jwt_issuer and jwt_audience: they say what JWTs must have, and none is taken without jwt_jwks",
        )
        yield bool(self.event_log) and not cloud, "event_log: the oss profile has no events"
        yield bool(malformed(self.listen)), f"listen: {self.listen!r} {malformed(self.listen)}"
        if self.authorizer != EMBEDDED:
            yield not cloud, "authorizer: the oss profile has no permissions"
            yield bool(_authorizer_problem(self.authorizer)), f"authorizer: {_authorizer_problem(self.authorizer)}"
        port = self.metrics.rpartition(":")[2]
        yield bool(self.metrics) and not port.isdigit(), f"metrics: {self.metrics!r} is no host:port"
        yield bool(self.tls_cert) != bool(self.tls_key), "tls_cert and tls_key: give both or neither"
        yield (
            bool(self.tls_client_ca) and not self.tls_cert,
            "tls_client_ca: asking clients for certificates needs tls_cert and tls_key too",
        )
        if self.sink:
            yield not cloud, "sink: the oss profile has no events"
            yield bool(_sink_problem(self.sink)), f"sink: {_sink_problem(self.sink)}"
        yield self.log_level not in LEVELS, f"log_level: {self.log_level!r} is none of {', '.join(LEVELS)}"
        for name in ("max_message_bytes", "max_concurrent_requests", "max_watches", "events_max", "replicas"):
            yield getattr(self, name) < 1, f"{name}: must be 1 or more"
        yield self.grace_seconds < 0, "grace_seconds: must be 0 or more"
        for name in ("watch_send_seconds", "client_ping_seconds"):
            yield getattr(self, name) <= 0, f"{name}: must be more than 0"


def _authorizer_problem(text: str) -> str:
    if not text.startswith(SCHEME):
        return f"{text!r} is neither {EMBEDDED} nor openfga:http://HOST:PORT?store=ID"
    try:
        parse_place(text)
    except ValueError as error:
        return str(error)
    if find_spec("aiohttp") is None or find_spec("greenlet") is None:
        return "the packages aiohttp and greenlet are needed: pip install 'agent-parity[openfga]'"
    return ""


def _sink_problem(text: str) -> str:
    try:
        parse_sink(text)
    except ValueError as error:
        return str(error)
    if find_spec("nats") is None:
        return "the package nats-py is needed: pip install 'agent-parity[nats]'"
    return ""


_SETTINGS: TypeAdapter[ServerConfig] = TypeAdapter(with_config(ConfigDict(extra="forbid"))(ServerConfig))


def load_config(
    flags: Mapping[str, Any], file: Path | None = None, environment: Mapping[str, str] | None = None
) -> ServerConfig:
    """Merge file, environment and flags (None: not given) over the defaults. Raises ConfigError."""
    environment = os.environ if environment is None else environment
    settings: dict[str, Any] = {}
    if file is not None:
        settings |= _from_file(file)
    for field in fields(ServerConfig):
        variable = ENVIRONMENT_PREFIX + field.name.upper()
        if variable in environment:
            settings |= _typed({field.name: environment[variable]}, variable)
    settings |= {name: value for name, value in flags.items() if value is not None}
    return ServerConfig(**settings).checked()


def config_text(config: ServerConfig) -> str:
    """Return a configuration as TOML that `--config` takes."""
    lines = []
    for name, value in asdict(config).items():
        text = str(value).lower() if isinstance(value, bool) else _quoted(value) if isinstance(value, str) else value
        lines.append(f"{name} = {text}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _from_file(file: Path) -> dict[str, Any]:
    try:
        settings = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{file}: {reason_of(error)}") from None
    return _typed(settings, str(file))


def _typed(settings: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return settings with the types of their fields, to which texts are converted. Raises ConfigError."""
    try:
        config = _SETTINGS.validate_python(settings)
    except ValidationError as error:
        problem = error.errors()[0]
        name = str(problem["loc"][0])
        if name not in {field.name for field in fields(ServerConfig)}:
            known = ", ".join(field.name for field in fields(ServerConfig))
            raise ConfigError(f"{where}: {name!r} is no setting; there are: {known}") from None
        raise ConfigError(f"{where}: {name}: {problem['input']!r} won't do: {problem['msg']}") from None
    return {name: getattr(config, name) for name in settings}
