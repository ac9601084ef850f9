"""The one place where a server is put together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from opentelemetry.trace import Tracer

from reference_server.audit import Instant
from reference_server.authorization.authorizer import Authorizer
from reference_server.authorization.callers import KnowsCallers, TokenFile
from reference_server.authorization.jwt_callers import JwtCallers
from reference_server.authorization.model import SYSTEM, RelationTuple
from reference_server.authorization.openfga.address import parse_place
from reference_server.authorization.policies import StoredPolicies, grant
from reference_server.clock import Clock
from reference_server.config import EMBEDDED, ServerConfig
from reference_server.execution.executor import RUNS_MAX, Executor
from reference_server.execution.write_queue import WriteQueue
from reference_server.fast import with_fast_paths
from reference_server.pipeline import Operation, ServerContext
from reference_server.pipelines import OPERATIONS
from reference_server.profile import Profile
from reference_server.store_health import StoreHealth
from reference_server.telemetry import log
from reference_server.tracing import Tracing, start_tracing
from reference_server.transport.servicers import CallerOf, caller_source
from reference_server.unit_of_work import UnitOfWork
from stores.contract import BatchOperation, Conflict, Store

if TYPE_CHECKING:
    from reference_server.authorization.openfga.authorizer import OpenFgaAuthorizer


_NOBODY = "write [[callers]] with id, token and operator = true into it; it is read again when it changes"


@dataclass(frozen=True, slots=True)
class Application:
    """A server without its sockets."""

    executor: Executor
    tokens: TokenFile | None
    signed: JwtCallers | None
    caller_of: CallerOf
    tracing: Tracing | None
    openfga: OpenFgaAuthorizer | None = None
    """The authorizer, where it is OpenFGA's."""

    @property
    def store(self) -> Store:
        """The store; it stays its opener's to close."""
        return self.executor.store

    @property
    def queue(self) -> WriteQueue:
        """What everything that writes goes through."""
        return self.executor.queue

    @property
    def health(self) -> StoreHealth:
        """What is known of the store."""
        return self.executor.health

    @property
    def context(self) -> ServerContext:
        """What is the same for every request."""
        return self.executor.context

    def operations(self) -> Iterable[Operation]:
        """Return the operations that the profile offers."""
        return self.context.operations.values()

    async def refresh_callers(self) -> bool:
        """Read the files of tokens and keys that changed, and make sure of memberships; say whether any had.

        Raises TokenFileError, StoreError.
        """
        new_keys = self.signed is not None and self.signed.refresh()
        if self.tokens is None or not self.tokens.refresh():
            return new_keys
        if self.signed is None and not self.tokens.table.callers:
            log().warning(
                "nobody can call: the token file has no [[callers]]", file=str(self.tokens.path), hint=_NOBODY
            )
        memberships = self.tokens.table.memberships
        for left in reversed(range(RUNS_MAX)):
            missing = await self.queue.reading(lambda: missing_policies(self.store, self.context.clock, memberships))
            try:
                if missing:
                    await self.queue.commit(missing)
                break
            except Conflict:  # another replica has just made the same
                if not left:
                    raise
        return True

    def close(self) -> None:
        """Finish the write under way and send the last traces; the store stays open."""
        self.queue.close()
        if self.tracing is not None:
            self.tracing.close()


def build(
    config: ServerConfig,
    store: Store,
    *,
    clock: Clock | None = None,
    operations: Mapping[str, Operation] = OPERATIONS,
    tracer: Tracer | None = None,
) -> Application:
    """Put an application together over an open store; it has no callers before `refresh_callers`.

    `tracer` is for tests; a configuration with an `otlp_endpoint` makes its own. Raises TokenFileError, ConfigError.
    """
    profile = Profile(config.profile)
    offered = {name: each.for_profile(profile) for name, each in operations.items() if profile in each.profiles}
    tracing = start_tracing(config.otlp_endpoint)
    openfga = _openfga(config) if profile is Profile.CLOUD else None
    tracer = tracing.tracer if tracing else tracer
    context = ServerContext(profile, offered, clock or Clock(), openfga or Authorizer(), tracer)
    if config.fast_paths:
        context = with_fast_paths(context, store)
    tokens = TokenFile(Path(config.tokens)) if profile is Profile.CLOUD and config.tokens else None
    signed = JwtCallers(Path(config.jwt_jwks), config.jwt_issuer, config.jwt_audience) if config.jwt_jwks else None
    sources: list[KnowsCallers] = [source for source in (tokens, signed) if source is not None]
    executor = Executor(store, context, WriteQueue(store, context))
    return Application(executor, tokens, signed, caller_source(profile, sources), tracing, openfga)


def _openfga(config: ServerConfig) -> OpenFgaAuthorizer | None:
    if config.authorizer == EMBEDDED:
        return None
    # Its packages are an extra, which the configuration has looked for.
    module = import_module("reference_server.authorization.openfga.authorizer")
    authorizer: OpenFgaAuthorizer = module.OpenFgaAuthorizer(parse_place(config.authorizer))
    return authorizer


def missing_policies(store: Store, clock: Clock, memberships: Iterable[RelationTuple]) -> list[BatchOperation]:
    """Return what stores a policy for each membership that none says yet."""
    work = UnitOfWork(store, Instant(clock))
    for each in dict.fromkeys(memberships):
        if not StoredPolicies(work).holds(each):
            grant(work, clock, SYSTEM, each.resource, ((each.principal, each.relation),))
    return work.batch()
