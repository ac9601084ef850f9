"""The one place where a server is put together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from reference_server.authorization.callers import KnowsCallers, TokenFile
from reference_server.authorization.jwt_callers import JwtCallers
from reference_server.authorization.model import Authorizer, Statement
from reference_server.authorization.policies import StoredPolicies, grant
from reference_server.call import SYSTEM, Clock, Profile, Rules, State
from reference_server.config import ServerConfig
from reference_server.events.watch import Wakeup
from reference_server.executor import Committer, Executor, committer_for
from reference_server.pipeline import Operation
from reference_server.pipelines import OPERATIONS
from reference_server.servicers import CallerOf, caller_source
from reference_server.tracing import Tracing, start_tracing
from reference_server.unit_of_work import UnitOfWork
from stores.contract import Store


@dataclass(frozen=True, slots=True)
class Application:
    """A server without its sockets."""

    store: Store
    rules: Rules
    executor: Executor
    committer: Committer
    wakeup: Wakeup
    tokens: TokenFile | None
    caller_of: CallerOf
    tracing: Tracing | None

    def operations(self) -> Iterable[Operation]:
        """Return the operations that the profile offers."""
        return self.rules.operations.values()

    def refresh_callers(self) -> bool:
        """Read the token file if it changed and make sure of its memberships. Raises TokenFileError."""
        if self.tokens is None or not self.tokens.refresh():
            return False
        ensure_statements(self.store, self.rules, self.tokens.table.statements)
        return True

    def close(self) -> None:
        """Finish the commits under way and send the last traces; the store stays open, it is its opener's."""
        self.committer.close()
        if self.tracing is not None:
            self.tracing.close()


def build(
    config: ServerConfig,
    store: Store,
    *,
    clock: Clock | None = None,
    operations: Mapping[str, Operation] = OPERATIONS,
) -> Application:
    """Put an application together over an open store. Raises TokenFileError, ConfigError."""
    profile = Profile(config.profile)
    offered = {name: each.for_profile(profile) for name, each in operations.items() if profile in each.profiles}
    tracing = start_tracing(config.otlp_endpoint)
    rules = Rules(profile, offered, clock or Clock(), Authorizer(), tracing.tracer if tracing else None)
    wakeup = Wakeup()
    committer = committer_for(store, wakeup.set)
    tokens = TokenFile(Path(config.tokens)) if profile is Profile.CLOUD and config.tokens else None
    sources: list[KnowsCallers] = [tokens] if tokens is not None else []
    if config.jwt_jwks:
        sources.append(JwtCallers(Path(config.jwt_jwks), config.jwt_issuer, config.jwt_audience))
    application = Application(
        store=store,
        rules=rules,
        executor=Executor(store, rules, committer),
        committer=committer,
        wakeup=wakeup,
        tokens=tokens,
        caller_of=caller_source(profile, sources),
        tracing=tracing,
    )
    application.refresh_callers()
    return application


def ensure_statements(store: Store, rules: Rules, statements: Iterable[Statement]) -> None:
    """Store a policy for each statement that none makes yet."""
    bootstrap = rules.operations["iam-policy-bootstrap"]
    work = UnitOfWork(store)
    state = State(rules, bootstrap, None, SYSTEM)
    for statement in dict.fromkeys(statements):
        if not StoredPolicies(work).holds(statement):
            principal, relation, resource = statement
            grant(state, work, resource, ((principal, relation),))
    store.commit(work.batch())
