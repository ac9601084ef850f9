"""Update, apply, delete, reads, policies: what the contract says beyond create."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agent.v1.io_pb2 import AgentId
from protos.ai.stigmer.agentic.agentinstance.v1.api_pb2 import AgentInstance
from protos.ai.stigmer.agentic.agentinstance.v1.io_pb2 import AgentInstanceId, GetAgentInstancesByAgentRequest
from protos.ai.stigmer.agentic.environment.v1.api_pb2 import Environment
from protos.ai.stigmer.commons.apiresource.apiresourcekind.api_resource_kind_pb2 import ApiResourceKind
from protos.ai.stigmer.commons.apiresource.enum_pb2 import identity_account, organization
from protos.ai.stigmer.commons.apiresource.io_pb2 import ApiResourceDeleteInput, ApiResourceId, ApiResourceReference
from protos.ai.stigmer.iam.iampolicy.v1.io_pb2 import (
    CheckAuthorizationInput,
    IamPolicyId,
    ListAuthorizedPrincipalIdsInput,
    ListAuthorizedResourceIdsInput,
)
from protos.ai.stigmer.iam.iampolicy.v1.spec_pb2 import ApiResourceRef
from protos.parity.v1.list_pb2 import ListRequest
from reference_server.errors import AlreadyExists, InvalidArgument, NotFound, PermissionDenied
from reference_server.tests.conftest import Bench, agent, policy
from stores.contract import Record, Store


def instance(agent_id: str, name: str) -> AgentInstance:
    message = AgentInstance(api_version="agentic.stigmer.ai/v1", kind="AgentInstance")
    message.metadata.name = name
    message.metadata.org = "acme"
    message.metadata.owner_scope = organization
    message.spec.agent_id = agent_id
    return message


def environment(name: str = "Env") -> Environment:
    message = Environment(api_version="agentic.stigmer.ai/v1", kind="Environment")
    message.metadata.name = name
    message.metadata.org = "acme"
    message.metadata.owner_scope = organization
    message.spec.data["PASSWORD"].value = "hunter2"
    message.spec.data["PASSWORD"].is_secret = True
    return message


def test_update_replaces_the_spec_and_keeps_what_is_the_servers(oss: Bench) -> None:
    created = oss.call("agent-create", agent())
    request = agent("New Name", id=created.metadata.id, slug="other", org="globex")
    request.spec.instructions = "Entirely new instructions."
    request.status.default_instance_id = "forged"
    changed = oss.call("agent-update", request)
    assert changed.metadata.name == "New Name"
    assert (changed.metadata.slug, changed.metadata.org) == (created.metadata.slug, created.metadata.org)
    assert changed.spec == request.spec
    assert changed.status.default_instance_id == created.status.default_instance_id
    assert changed.status.audit.status_audit == created.status.audit.status_audit
    before, after = created.status.audit.spec_audit, changed.status.audit.spec_audit
    assert (after.created_at, after.created_by) == (before.created_at, before.created_by)
    assert after.updated_at.seconds > before.updated_at.seconds
    assert after.event == "updated"
    assert oss.call("agent-get", AgentId(value=created.metadata.id)) == changed


def test_update_finds_by_slug_and_names_what_is_missing(oss: Bench) -> None:
    created = oss.call("agent-create", agent())
    assert oss.call("agent-update", agent()).metadata.id == created.metadata.id
    with pytest.raises(NotFound):
        oss.call("agent-update", agent("Unknown"))
    with pytest.raises(NotFound):
        oss.call("agent-update", agent(id="agt-unknown"))
    with pytest.raises(InvalidArgument, match="metadata"):
        oss.call("agent-update", agent(""))


def test_a_secret_sent_back_masked_is_kept(cloud: Bench) -> None:
    request = agent()
    request.spec.env_spec.data["KEY"].value = "hunter2"
    request.spec.env_spec.data["KEY"].is_secret = True
    seen = cloud.call("agent-create", request, "max")
    cloud.call("agent-update", seen, "max")
    stored = Agent.FromString(cloud.store.get_bytes("agent", seen.metadata.id) or b"")
    assert stored.spec.env_spec.data["KEY"].value == "hunter2"


def test_apply_creates_then_updates(oss: Bench) -> None:
    first = oss.call("agent-apply", agent())
    second = oss.call("agent-apply", agent())
    assert first.metadata == second.metadata
    assert first.spec == second.spec
    assert first.status.default_instance_id == second.status.default_instance_id
    assert second.status.audit.spec_audit.event == "updated"
    assert oss.counts()["agent"] == 1


def test_delete_takes_instances_policies_and_frees_the_slug(cloud: Bench) -> None:
    before = cloud.counts()
    created = cloud.call("agent-create", agent(), "max")
    deleted = cloud.call("agent-delete", AgentId(value=created.metadata.id), "max")
    assert deleted == created
    after = cloud.counts()
    assert {kind: after[kind] for kind in ("agent", "agent_instance", "iam_policy")} == {
        kind: before[kind] for kind in ("agent", "agent_instance", "iam_policy")
    }
    with pytest.raises(PermissionDenied):
        cloud.call("agent-delete", AgentId(value=created.metadata.id), "max")
    with pytest.raises(NotFound):
        cloud.call("agent-delete", AgentId(value=created.metadata.id), "root")
    again = cloud.call("agent-create", agent(), "max")
    assert again.metadata.slug == created.metadata.slug
    assert again.metadata.id != created.metadata.id


def test_an_instance_is_given_to_an_agent_as_if_it_were_made_there(cloud: Bench) -> None:
    first, second = (cloud.call("agent-create", agent(name), "max").metadata.id for name in ("First", "Second"))
    moved = cloud.call("agent-instance-create", instance(first, "Moved"), "max")
    moved.spec.agent_id = second
    cloud.call("agent-instance-update", moved, "max")
    assert [_hangs_below(cloud, each, moved) for each in (first, second)] == [False, True]
    moved.spec.agent_id = first
    cloud.call("iam-policy-create", policy(f"agent:{first}", "agent", f"agent_instance:{moved.metadata.id}"), "max")
    cloud.call("agent-instance-update", moved, "max")
    assert [_hangs_below(cloud, each, moved) for each in (first, second)] == [True, False]


def _hangs_below(cloud: Bench, agent_id: str, moved: AgentInstance) -> bool:
    said = policy(f"agent:{agent_id}", "agent", f"agent_instance:{moved.metadata.id}")
    answer = cloud.call("iam-policy-check-authorization", CheckAuthorizationInput(policy=said), "root")
    return bool(answer.is_authorized)


def test_an_instance_is_not_given_to_an_agent_of_others_nor_does_that_tell_whether_it_is_there(cloud: Bench) -> None:
    others = cloud.call("agent-create", agent(), "max").metadata.id
    own = cloud.call("agent-create", agent("Own", "globex"), "eve").metadata.id
    request = instance(own, "Mine")
    request.metadata.org = "globex"
    mine = cloud.call("agent-instance-create", request, "eve")
    answers = set()
    for wanted in (others, "agt-unknown"):
        mine.spec.agent_id = wanted
        for operation in ("agent-instance-update", "agent-instance-apply"):
            with pytest.raises(PermissionDenied) as caught:
                cloud.call(operation, mine, "eve")
            answers.add(caught.value.message)
    assert len(answers) == 1
    with pytest.raises(NotFound):
        cloud.call("agent-instance-update", mine, "root")
    assert cloud.call("agent-instance-get", AgentInstanceId(value=mine.metadata.id), "eve").spec.agent_id == own


def test_existence_is_not_leaked(cloud: Bench) -> None:
    created = cloud.call("agent-create", agent(), "max")
    answers = set()
    for wanted in (created.metadata.id, "agt-unknown"):
        with pytest.raises(PermissionDenied) as caught:
            cloud.call("agent-get", AgentId(value=wanted), "eve")
        answers.add(caught.value.message)
    for slug in (created.metadata.slug, "unknown"):
        with pytest.raises(PermissionDenied):
            cloud.call("agent-get-by-reference", ApiResourceReference(slug=slug), "eve")
    assert len(answers) == 1
    with pytest.raises(NotFound):
        cloud.call("agent-get", AgentId(value="agt-unknown"), "root")


def test_roles_decide_who_edits(cloud: Bench) -> None:
    created = cloud.call("agent-create", agent(), "ada")
    request = agent(id=created.metadata.id)
    assert cloud.call("agent-get", AgentId(value=created.metadata.id), "max") == created
    with pytest.raises(PermissionDenied, match="unauthorized to update agent"):
        cloud.call("agent-update", request, "max")
    own = cloud.call("agent-create", agent("Of Max"), "max")
    assert cloud.call("agent-update", agent("Of Max", id=own.metadata.id), "ada").metadata.id == own.metadata.id
    assert cloud.call("agent-delete", AgentId(value=own.metadata.id), "root").metadata.id == own.metadata.id


def test_references_are_narrowed(cloud: Bench) -> None:
    mine = cloud.call("agent-create", agent(org="acme"), "max")
    theirs = cloud.call("agent-create", agent(org="globex"), "eve")
    find = "agent-get-by-reference"
    slug = mine.metadata.slug
    assert cloud.call(find, ApiResourceReference(slug=slug), "max") == mine
    assert cloud.call(find, ApiResourceReference(slug=slug), "eve") == theirs
    assert cloud.call(find, ApiResourceReference(slug=slug, org="globex", scope=organization), "root") == theirs
    with pytest.raises(InvalidArgument, match="slug"):
        cloud.call(find, ApiResourceReference(), "max")
    with pytest.raises(InvalidArgument, match="kind"):
        cloud.call(find, ApiResourceReference(slug=slug, kind=ApiResourceKind.skill), "max")


def test_instances_belong_to_an_agent(cloud: Bench) -> None:
    created = cloud.call("agent-create", agent(), "max")
    made = [cloud.call("agent-instance-create", instance(created.metadata.id, f"i {n}"), "max") for n in range(5)]
    with pytest.raises(NotFound):
        cloud.call("agent-instance-create", instance("agt-unknown", "x"), "root")
    with pytest.raises(PermissionDenied):
        cloud.call("agent-instance-create", instance("agt-unknown", "x"), "max")
    with pytest.raises(PermissionDenied):
        cloud.call("agent-instance-create", instance(created.metadata.id, "x"), "eve")
    request = GetAgentInstancesByAgentRequest(agent_id=created.metadata.id)
    request.page_info.num, request.page_info.size = 2, 4
    page = cloud.call("agent-instance-get-by-agent", request, "max")
    assert page.total_count == 6
    assert [item.metadata.id for item in page.items] == [each.metadata.id for each in made[3:]]
    assert cloud.call("agent-instance-get-by-agent", request, "eve").total_count == 0
    cloud.call("agent-instance-delete", AgentInstanceId(value=made[0].metadata.id), "max")
    assert cloud.call("agent-instance-get-by-agent", request, "max").total_count == 5
    request.page_info.size = -1
    with pytest.raises(InvalidArgument, match=r"page_info\.size"):
        cloud.call("agent-instance-get-by-agent", request, "max")


def test_environments_hide_their_secrets(cloud: Bench) -> None:
    created = cloud.call("environment-create", environment(), "max")
    assert created.spec.data["PASSWORD"].value == "***"
    assert cloud.call("environment-get", ApiResourceId(value=created.metadata.id), "ada") == created
    with pytest.raises(PermissionDenied):
        cloud.call("environment-get", ApiResourceId(value=created.metadata.id), "eve")
    own = environment("Own")
    own.metadata.owner_scope = identity_account
    own.metadata.org = ""
    mine = cloud.call("environment-create", own, "eve")
    assert cloud.call("environment-delete", ApiResourceDeleteInput(resource_id=mine.metadata.id), "eve") == mine


@pytest.mark.parametrize("by_slug", [False, True])
@pytest.mark.parametrize("verb", ["update", "apply"])
@pytest.mark.parametrize("kind", ["agent", "environment"])
def test_stars_that_come_back_keep_the_stored_secret_however_it_is_named(
    cloud: Bench, kind: str, verb: str, by_slug: bool
) -> None:
    made = environment() if kind == "environment" else agent()
    values = made.spec.env_spec.data if isinstance(made, Agent) else made.spec.data
    for name in ("KEPT", "UNMASKED"):
        values[name].value, values[name].is_secret = "hunter2", True
    created = cloud.call(f"{kind}-create", made, "max")
    made.metadata.id = "" if by_slug else created.metadata.id
    values["KEPT"].value = values["UNMASKED"].value = "***"
    values["UNMASKED"].is_secret = False
    cloud.call(f"{kind}-{verb}", made, "max")
    stored = type(made).FromString(cloud.store.get_bytes(kind, created.metadata.id) or b"")
    kept = stored.spec.env_spec.data if isinstance(stored, Agent) else stored.spec.data
    assert [kept[name].value for name in ("KEPT", "UNMASKED")] == ["hunter2", "***"]


def test_lists_page_by_position(oss: Bench) -> None:
    made = [oss.call("agent-create", agent(f"Agent {n}")).metadata.id for n in range(5)]
    request = ListRequest(org="acme")
    request.page.size = 2
    seen = []
    for deleted in (made[0], made[3], None):
        page = oss.call("agent-list", request)
        seen += [item.metadata.id for item in page.items]
        request.page.page_token = page.next_page_token
        if deleted:
            oss.call("agent-delete", AgentId(value=deleted))
    assert seen == made
    assert not request.page.page_token
    assert not oss.call("agent-list", ListRequest(org="nobodys")).items
    request.page.page_token = "garbage"
    with pytest.raises(InvalidArgument, match="page_token"):
        oss.call("agent-list", request)


def test_lists_hold_only_what_the_caller_may_view(cloud: Bench) -> None:
    cloud.call("agent-create", agent(), "max")
    assert len(cloud.call("agent-list", ListRequest(), "ada").items) == 1
    assert not cloud.call("agent-list", ListRequest(), "eve").items


def test_a_list_reads_what_its_page_needs(cloud: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = [cloud.call("agent-create", agent("First"), "max").metadata.id]
    for n in range(5):
        cloud.call("agent-create", agent(f"Hidden {n}", org="globex"), "eve")
    shown.append(cloud.call("agent-create", agent("Last"), "max").metadata.id)
    limits: list[int | None] = []
    scan = type(cloud.store).scan

    def counted(store: Store, kind: str, **wanted: Any) -> Iterator[Record]:
        if kind == "agent":
            limits.append(wanted.get("limit"))
        return scan(store, kind, **wanted)

    monkeypatch.setattr(type(cloud.store), "scan", counted)
    request = ListRequest()
    request.page.size = 2
    assert [item.metadata.id for item in cloud.call("agent-list", request, "ada").items] == shown
    assert limits == [3, 3, 3], "7 agents in portions of a page and one row more"


def test_policies_are_granted_and_revoked(cloud: Bench) -> None:
    created = cloud.call("agent-create", agent(), "max")
    statement = policy("identity_account:eve", "can_view", f"agent:{created.metadata.id}")
    with pytest.raises(PermissionDenied, match="unauthorized to grant access"):
        cloud.call("iam-policy-create", statement, "eve")
    granted = cloud.call("iam-policy-create", statement, "max")
    assert granted.metadata.id.startswith("iamp-")
    with pytest.raises(AlreadyExists):
        cloud.call("iam-policy-create", statement, "max")
    assert cloud.call("agent-get", AgentId(value=created.metadata.id), "eve") == created
    assert cloud.call("iam-policy-get", IamPolicyId(value=granted.metadata.id), "max") == granted
    cloud.call("iam-policy-delete", statement, "max")
    with pytest.raises(PermissionDenied):
        cloud.call("agent-get", AgentId(value=created.metadata.id), "eve")
    with pytest.raises(NotFound):
        cloud.call("iam-policy-delete", statement, "max")
    with pytest.raises(PermissionDenied):
        cloud.call("iam-policy-create", policy("identity_account:max", "operator", "platform:stigmer"), "ada")


def test_authorized_ids_are_listed(cloud: Bench) -> None:
    created = cloud.call("agent-create", agent(), "max")
    account = ApiResourceRef(kind="identity_account", id="ada")
    wanted = ListAuthorizedResourceIdsInput(principal=account, resource_kind="agent", relation="can_edit")
    assert list(cloud.call("iam-policy-list-authorized-resource-ids", wanted, "ada").resource_ids) == [
        created.metadata.id
    ]
    with pytest.raises(PermissionDenied):
        cloud.call("iam-policy-list-authorized-resource-ids", wanted, "eve")
    resource = ApiResourceRef(kind="agent", id=created.metadata.id)
    who = ListAuthorizedPrincipalIdsInput(resource=resource, principal_kind="identity_account", relation="can_view")
    answer = cloud.call("iam-policy-list-authorized-principal-ids", who, "max")
    assert set(answer.principal_ids) == {"max", "ada", "root"}


def test_bootstrap_is_idempotent_and_cleanup_removes(cloud: Bench) -> None:
    statement = policy("identity_account:new", "member", "organization:acme")
    first = cloud.call("iam-policy-bootstrap", statement, "root")
    assert cloud.call("iam-policy-bootstrap", statement, "root") == first
    with pytest.raises(PermissionDenied, match="operator permission required"):
        cloud.call("iam-policy-bootstrap", statement, "ada")
    before = cloud.counts()["iam_policy"]
    cloud.call("iam-policy-cleanup", ApiResourceRef(kind="identity_account", id="new"), "root")
    assert cloud.counts()["iam_policy"] == before - 1


def test_a_membership_that_was_revoked_is_forgotten(cloud: Bench) -> None:
    cloud.call("agent-create", agent(), "max")
    membership = policy("identity_account:max", "member", "organization:acme")
    cloud.call("iam-policy-delete", membership, "ada")
    with pytest.raises(PermissionDenied):
        cloud.call("agent-create", agent("Too Late"), "max")
    cloud.call("iam-policy-create", membership, "ada")
    cloud.call("agent-create", agent("Welcome Back"), "max")
