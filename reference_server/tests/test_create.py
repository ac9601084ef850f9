"""The steps of create, seen from outside the pipeline."""

from __future__ import annotations

import pytest

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agent.v1.io_pb2 import AgentId
from protos.ai.stigmer.agentic.agentinstance.v1.io_pb2 import AgentInstanceId, GetAgentInstancesByAgentRequest
from protos.ai.stigmer.commons.apiresource.enum_pb2 import identity_account, platform
from protos.ai.stigmer.iam.iampolicy.v1.io_pb2 import CheckAuthorizationInput
from protos.parity.v1.event_pb2 import CloudEvent
from reference_server.errors import AlreadyExists, InvalidArgument, PermissionDenied, Unauthenticated
from reference_server.pipelines import OPERATIONS
from reference_server.profile import Profile
from reference_server.tests.conftest import Bench, agent, policy

STEPS = (
    "ValidateFieldConstraints",
    "Authorize",
    "ResolveSlug",
    "CheckDuplicate",
    "SetDefaults",
    "Persist",
    "CreateIamPolicies",
    "CreateDefaultInstance",
    "UpdateAgentStatusWithDefaultInstance",
    "Publish",
    "TransformResponse",
    "SendResponse",
)
CLOUD_ONLY = {"Authorize", "CreateIamPolicies", "Publish", "TransformResponse"}


def test_the_steps_of_create_are_the_twelve_in_order() -> None:
    create = OPERATIONS["agent-create"]
    assert tuple(step.name for step in create.for_profile(Profile.CLOUD).steps) == STEPS
    oss = tuple(name for name in STEPS if name not in CLOUD_ONLY)
    assert tuple(step.name for step in create.for_profile(Profile.OSS).steps) == oss


def test_oss_create_has_id_slug_audit_status_and_instance(oss: Bench) -> None:
    created = oss.call("agent-create", agent("My Cool Agent"))
    assert created.metadata.id == "agt-" + f"{1:026d}"
    assert created.metadata.slug == "my-cool-agent"
    audit = created.status.audit
    assert audit.spec_audit == audit.status_audit
    assert audit.spec_audit.created_by.id == audit.spec_audit.updated_by.id == "system"
    assert audit.spec_audit.event == "created"
    instance = oss.call("agent-instance-get", AgentInstanceId(value=created.status.default_instance_id))
    assert instance.metadata.name == "My Cool Agent-default"
    assert instance.metadata.slug == "my-cool-agent-default"
    assert instance.metadata.org == "acme"
    assert instance.spec.agent_id == created.metadata.id
    assert instance.spec.description == "Default instance (auto-created, no custom configuration)"
    assert oss.call("agent-get", AgentId(value=created.metadata.id)) == created
    assert oss.counts() == {"agent": 1, "agent_instance": 1, "iam_policy": 0, "event": 0}


def test_client_status_is_dropped_and_client_id_kept(oss: Bench) -> None:
    request = agent(id="agt-mine")
    request.status.default_instance_id = "forged"
    request.status.audit.spec_audit.created_by.id = "forged"
    created = oss.call("agent-create", request)
    assert created.metadata.id == "agt-mine"
    assert created.status.default_instance_id != "forged"
    assert created.status.audit.spec_audit.created_by.id == "system"


def test_duplicates_are_refused_and_change_nothing(oss: Bench) -> None:
    first = oss.call("agent-create", agent())
    with pytest.raises(AlreadyExists, match="slug"):
        oss.call("agent-create", agent(org="globex"))
    with pytest.raises(AlreadyExists, match="id"):
        oss.call("agent-create", agent("Other", id=first.metadata.id))
    assert oss.counts()["agent"] == 1
    assert oss.call("agent-get", AgentId(value=first.metadata.id)) == first


def test_a_name_without_anything_for_a_slug_is_refused(oss: Bench) -> None:
    with pytest.raises(InvalidArgument, match=r"metadata\.name"):
        oss.call("agent-create", agent("智能体"))
    assert oss.call("agent-create", agent("智能体", slug="zhi-neng-ti")).metadata.slug == "zhi-neng-ti"
    assert oss.call("agent-create", agent("智能体", slug="two")).metadata.slug == "two"


def test_invalid_requests_name_the_field(oss: Bench) -> None:
    request = agent()
    request.spec.instructions = "short"
    request.spec.sub_agents.add(name="", instructions="long enough to pass")
    with pytest.raises(InvalidArgument) as caught:
        oss.call("agent-create", request)
    assert {violation.field for violation in caught.value.violations} == {
        "spec.instructions",
        "spec.sub_agents[0].name",
    }
    assert oss.counts()["agent"] == 0


def test_cloud_create_makes_policies_and_events(cloud: Bench) -> None:
    before = cloud.counts()
    created = cloud.call("agent-create", agent(), "max")
    after = cloud.counts()
    assert after["agent"] - before["agent"] == after["agent_instance"] - before["agent_instance"] == 1
    assert after["iam_policy"] - before["iam_policy"] == 5
    events = [CloudEvent.FromString(record.data) for record in cloud.store.scan("event")]
    assert [(event.type, event.subject) for event in events] == [
        ("ai.stigmer.agentic.agentinstance.v1.created", created.status.default_instance_id),
        ("ai.stigmer.agentic.agent.v1.created", created.metadata.id),
    ]
    assert Agent.FromString(events[1].data.value) == created
    assert created.status.audit.spec_audit.created_by.id == "max"
    for statement, expected in (
        (("identity_account:max", "owner", f"agent:{created.metadata.id}"), True),
        (("identity_account:eve", "owner", f"agent:{created.metadata.id}"), False),
        (("organization:acme", "organization", f"agent:{created.metadata.id}"), True),
        ((f"agent:{created.metadata.id}", "agent", f"agent_instance:{created.status.default_instance_id}"), True),
    ):
        answer = cloud.call("iam-policy-check-authorization", CheckAuthorizationInput(policy=policy(*statement)), "max")
        assert answer.is_authorized is expected, statement


def test_two_organizations_may_use_one_slug_in_the_cloud(cloud: Bench) -> None:
    cloud.call("agent-create", agent(org="acme"), "max")
    cloud.call("agent-create", agent(org="globex"), "eve")
    with pytest.raises(AlreadyExists):
        cloud.call("agent-create", agent(org="acme"), "ada")


@pytest.mark.parametrize("caller", ["eve", "nobody"])
def test_who_is_no_member_is_refused_in_the_words_of_the_option(cloud: Bench, caller: str) -> None:
    before = cloud.counts()
    with pytest.raises(PermissionDenied, match="unauthorized to create agent in this organization"):
        cloud.call("agent-create", agent(), caller)
    with pytest.raises(Unauthenticated):
        cloud.call("agent-create", agent())
    assert cloud.counts() == before


def test_platform_scope_needs_an_operator(cloud: Bench) -> None:
    request = agent(org="", owner_scope=platform)
    with pytest.raises(PermissionDenied):
        cloud.call("agent-create", request, "ada")
    created = cloud.call("agent-create", request, "root")
    check = CheckAuthorizationInput(policy=policy("platform:stigmer", "platform", f"agent:{created.metadata.id}"))
    assert cloud.call("iam-policy-check-authorization", check, "root").is_authorized


def test_organization_scope_without_an_organization_is_named(cloud: Bench) -> None:
    with pytest.raises(InvalidArgument, match=r"metadata\.org"):
        cloud.call("agent-create", agent(org=""), "root")


def test_scope_of_an_account_is_no_scope_of_agents(oss: Bench) -> None:
    with pytest.raises(InvalidArgument, match="metadata"):
        oss.call("agent-create", agent(owner_scope=identity_account))


def test_secrets_leave_neither_in_the_response_nor_in_the_event(cloud: Bench) -> None:
    request = agent()
    request.spec.env_spec.data["KEY"].value = "hunter2"
    request.spec.env_spec.data["KEY"].is_secret = True
    request.spec.env_spec.data["PLAIN"].value = "visible"
    created = cloud.call("agent-create", request, "max")
    assert created.spec.env_spec.data["KEY"].value == "***"
    assert created.spec.env_spec.data["PLAIN"].value == "visible"
    assert b"hunter2" in (cloud.store.get_bytes("agent", created.metadata.id) or b"")
    assert not any(b"hunter2" in record.data for record in cloud.store.scan("event"))
    assert cloud.call("agent-get", AgentId(value=created.metadata.id), "max") == created
    assert (
        cloud.call("agent-delete", AgentId(value=created.metadata.id), "max").spec.env_spec.data["KEY"].value == "***"
    )


def test_instances_page_by_agent(oss: Bench) -> None:
    created = oss.call("agent-create", agent())
    listed = oss.call("agent-instance-get-by-agent", GetAgentInstancesByAgentRequest(agent_id=created.metadata.id))
    assert listed.total_count == 1
    assert listed.items[0].metadata.id == created.status.default_instance_id
