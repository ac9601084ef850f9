"""New resources and changes to old ones, as the options of the command line describe them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agentinstance.v1.api_pb2 import AgentInstance
from protos.ai.stigmer.agentic.environment.v1.api_pb2 import Environment
from protos.ai.stigmer.agentic.environment.v1.spec_pb2 import EnvironmentSpec
from protos.ai.stigmer.commons.apiresource.enum_pb2 import ApiResourceOwnerScope
from protos.ai.stigmer.commons.apiresource.metadata_pb2 import ApiResourceMetadata
from reference_server.client.failures import BadInput
from reference_server.client.kinds import API_VERSION


def new_agent(slug: str, name: str, org: str, instructions: str) -> Agent:
    """An agent of the organization, or of the platform where none is given."""
    agent = Agent(api_version=API_VERSION, kind="Agent", metadata=_metadata(slug, name, org))
    agent.metadata.owner_scope = ApiResourceOwnerScope.organization if org else ApiResourceOwnerScope.platform
    agent.spec.instructions = instructions or default_instructions(agent.metadata.name)
    return agent


def default_instructions(name: str) -> str:
    """What an agent is told when its author says nothing yet."""
    return f"You are {name}. Help the person you talk to. Say so when you do not know."


def new_instance(slug: str, name: str, agent: Agent) -> AgentInstance:
    """An instance of the agent, in the agent's own scope."""
    instance = AgentInstance(
        api_version=API_VERSION, kind="AgentInstance", metadata=_metadata(slug, name, agent.metadata.org)
    )
    instance.metadata.owner_scope = agent.metadata.owner_scope
    instance.spec.agent_id = agent.metadata.id
    return instance


def new_environment(slug: str, name: str, org: str) -> Environment:
    """An environment of the organization, or of the caller's own account where none is given."""
    environment = Environment(api_version=API_VERSION, kind="Environment", metadata=_metadata(slug, name, org))
    own = ApiResourceOwnerScope.identity_account
    environment.metadata.owner_scope = ApiResourceOwnerScope.organization if org else own
    return environment


def _metadata(slug: str, name: str, org: str) -> ApiResourceMetadata:
    return ApiResourceMetadata(slug=slug, name=name or slug, org=org)


def rename(resource: Any, name: str) -> None:  # noqa: ANN401 - a resource of any kind
    """Give a resource another name, if one is given; its slug stays."""
    if name:
        resource.metadata.name = name


def describe(spec: Any, **texts: str | None) -> None:  # noqa: ANN401 - the spec of any kind
    """Set those text fields of a spec that were given; None leaves a field as it is, an empty text clears it."""
    for field, text in texts.items():
        if text is not None:
            setattr(spec, field, text)


def change_values(spec: EnvironmentSpec, plain: Iterable[str], secret: Iterable[str], unset: Iterable[str]) -> None:
    """Set and remove values of an environment. Raises BadInput for what is no KEY=VALUE, or isn't there."""
    for key in unset:
        if key not in spec.data:
            raise BadInput(f"--unset {key}: the environment has no such value")
        del spec.data[key]
    for given, is_secret in (*((item, False) for item in plain), *((item, True) for item in secret)):
        key, value = _key_and_value(given, "--secret" if is_secret else "--set")
        spec.data[key].value = value
        spec.data[key].is_secret = is_secret


def _key_and_value(given: str, option: str) -> tuple[str, str]:
    """Split KEY=VALUE. A bare KEY takes the variable of that name: so a secret stays out of the shell's history."""
    key, equals, value = given.partition("=")
    if not key:
        raise BadInput(f"{option} {given}: has no key", hint="Write KEY=VALUE.")
    if equals:
        return key, value
    if key not in os.environ:
        raise BadInput(f"{option} {key}: there is no variable {key}", hint="Write KEY=VALUE, or set the variable.")
    return key, os.environ[key]
