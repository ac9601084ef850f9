"""The operations that agents, instances and environments share."""

from __future__ import annotations

import time
from typing import Any

import grpc

from protos.ai.stigmer.agentic.agent.v1.api_pb2 import Agent
from protos.ai.stigmer.agentic.agentinstance.v1.api_pb2 import AgentInstance
from protos.ai.stigmer.agentic.environment.v1.api_pb2 import Environment
from protos.ai.stigmer.commons.apiresource.apiresourcekind.api_resource_kind_pb2 import ApiResourceKind
from protos.ai.stigmer.commons.apiresource.enum_pb2 import organization, platform
from protos.ai.stigmer.iam.iampolicy.v1.api_pb2 import IamPolicy
from tests.second_server.access import Access
from tests.second_server.state import Refused, State, Tuple, new_id, now, redacted, restore_secrets, slug_of

TYPES: dict[str, Any] = {"agent": Agent, "agent_instance": AgentInstance, "environment": Environment}
INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND
EXISTS = grpc.StatusCode.ALREADY_EXISTS


class Resources:
    """Create, update, apply, delete and the reads, for the three kinds with metadata."""

    def __init__(self, state: State, access: Access) -> None:
        self.state = state
        self.access = access

    # reads

    def get(self, kind: str, request: Any, caller: str) -> Any:
        """One resource by id."""
        self.state.validate(request)
        named = "Agent Instance" if kind == "agent_instance" else kind
        self.access.require(caller, "can_view", kind, request.value, f"unauthorized to get {named}")
        return self.shown(self.load(kind, request.value))

    def get_by_reference(self, kind: str, request: Any, caller: str) -> Any:
        """One resource by slug; organization and scope narrow."""
        self.state.validate(request)
        if not request.slug:
            raise Refused(INVALID, "slug: required")
        if request.kind and request.kind != ApiResourceKind.Value(kind):
            raise Refused(INVALID, f"kind: this service keeps {kind}")
        for resource in self.state.resources[kind].values():
            metadata = resource.metadata
            if metadata.slug != request.slug or (request.scope and request.scope != metadata.owner_scope):
                continue
            if request.org and request.org != metadata.org and not self.state.has("reference_ignores_org"):
                continue
            self.access.require(caller, "can_view", kind, metadata.id, f"unauthorized to get {kind}")
            return self.shown(resource)
        raise Refused(NOT_FOUND, f"{kind} with slug {request.slug!r} not found")

    def load(self, kind: str, resource_id: str) -> Any:
        """Return the stored resource. Raises Refused."""
        try:
            return self.state.resources[kind][resource_id]
        except KeyError:
            raise Refused(NOT_FOUND, f"{kind} {resource_id!r} not found") from None

    def shown(self, resource: Any) -> Any:
        """The resource as callers see it."""
        if not self.state.cloud or self.state.has("secret_in_response"):
            return resource
        return redacted(resource, self.state.stars)

    # create

    def create(self, kind: str, request: Any, caller: str) -> Any:
        """The create pipeline of the contract's table."""
        planted = self.state.has
        if planted("persist_before_validate") and request.metadata.id:
            self.state.resources[kind].setdefault(request.metadata.id, request)
        if planted("duplicate_before_authorize"):
            self.resolve_slug(request)
            self.check_duplicate(kind, request)
        self.state.validate(request)
        self.authorize_create(kind, request, caller)
        if kind == "agent_instance" and not planted("orphans_accepted"):
            self.load_parent(request.spec.agent_id)
        return self.create_authorized(kind, request, caller)

    def load_parent(self, agent_id: str) -> None:
        """Refuse an instance of an agent that isn't there. Raises Refused."""
        if not (self.state.has("late_instance") and self.state.a_moment_ago("deleted", agent_id)):
            self.load("agent", agent_id)

    def authorize_create(self, kind: str, request: Any, caller: str) -> None:
        """An instance belongs to its agent; the others to their scope. Raises Refused."""
        if kind == "agent_instance":
            message = "unauthorized to create agent instance"
            self.access.require(caller, "can_create_instance", "agent", request.spec.agent_id, message)
        else:
            self.access.require_create(caller, kind, request.metadata)

    def create_authorized(self, kind: str, request: Any, caller: str) -> Any:
        """From ResolveSlug to SendResponse."""
        if self.state.has("slug_invented") and not request.metadata.slug and not slug_of(request.metadata.name):
            request.metadata.slug = new_id(kind)
        self.resolve_slug(request)
        existing = self.check_duplicate(kind, request)
        if existing is not None:
            return existing
        self.set_defaults(kind, request, caller)
        resource_id = request.metadata.id
        self.state.resources[kind][resource_id] = request
        self.state.moments["made", request.metadata.slug] = time.monotonic()
        self.link(kind, request, caller)
        if kind == "agent" and not self.state.has("no_default_instance"):
            instance = self.create_authorized("agent_instance", self.default_instance(request), "system")
            if not self.state.has("status_not_written"):
                request.status.default_instance_id = instance.metadata.id
        self.state.announce(kind, request, "created")
        return self.shown(request)

    def default_instance(self, agent: Any) -> Any:
        """The request for an agent's default instance."""
        instance = default_instance(agent)
        if self.state.has("half_named"):
            instance.metadata.slug = slug_of(instance.metadata.name)
        return instance

    def resolve_slug(self, request: Any) -> None:
        """Keep the client's slug or make one of the name. Raises Refused."""
        metadata = request.metadata
        if not metadata.slug:
            made = slug_of(metadata.name)
            metadata.slug = made[:40] if self.state.has("slug_cut") else made
        if not metadata.slug:
            raise Refused(INVALID, "metadata.name: nothing in it to make a slug of")

    def check_duplicate(self, kind: str, request: Any) -> Any | None:
        """Refuse a taken id or slug key. Raises Refused."""
        metadata = request.metadata
        if self.state.has("persist_before_validate") and self.state.resources[kind].get(metadata.id) is request:
            return None
        taken = self.state.by_slug(kind, metadata, whole_kind=not self.state.cloud or self.state.has("slug_global"))
        if taken is not None and self.state.has("duplicate_answered_ok"):
            return self.shown(taken)
        if taken is not None and not self.state.races("creates", "made", metadata.slug.removesuffix("-default")):
            raise Refused(EXISTS, f"{kind} with slug {metadata.slug!r} exists")
        if metadata.id in self.state.resources[kind] and not self.state.has("id_overwritten"):
            raise Refused(EXISTS, f"{kind} with id {metadata.id!r} exists")
        return None

    def set_defaults(self, kind: str, request: Any, caller: str) -> None:
        """Drop the client's status, set id and audit."""
        metadata = request.metadata
        if not metadata.id or self.state.has("client_id_replaced"):
            metadata.id = new_id(kind)
        if not self.state.has("client_status_kept"):
            request.ClearField("status")
        self.stamp(request, caller)

    def stamp(self, resource: Any, caller: str) -> None:
        """Write both audits of something new."""
        for audit in (resource.status.audit.spec_audit, resource.status.audit.status_audit):
            audit.created_by.id = audit.updated_by.id = "" if self.state.has("no_actor") else caller
            stamp = now()
            audit.created_at.CopyFrom(stamp)
            audit.updated_at.CopyFrom(stamp)
            audit.event = "created"

    def link(self, kind: str, resource: Any, caller: str) -> None:
        """Write ownership and the relation to the parent."""
        if not self.state.cloud or self.state.has("no_policies"):
            return
        metadata = resource.metadata
        self.write_policy("identity_account", caller, "owner", kind, metadata.id, by=caller)
        if metadata.owner_scope == organization:
            self.write_policy("organization", metadata.org, "organization", kind, metadata.id, by=caller)
        if metadata.owner_scope == platform:
            self.write_policy("platform", "stigmer", "platform", kind, metadata.id, by=caller)
        if kind == "agent_instance":
            self.write_policy("agent", resource.spec.agent_id, "agent", kind, metadata.id, by=caller)

    def write_policy(self, *policy: str, by: str) -> Any:
        """Store one policy and return it."""
        principal_kind, principal_id, relation, kind, resource_id = policy
        made = IamPolicy(api_version="iam.stigmer.ai/v1", kind="IamPolicy")
        made.metadata.id = new_id("iam_policy")
        made.spec.principal.kind = principal_kind
        made.spec.principal.id, _, made.spec.principal.relation = principal_id.partition("\0")
        made.spec.resource.kind, made.spec.resource.id = kind, resource_id
        made.spec.relation = relation
        self.stamp(made, by)
        return self.state.policies.setdefault((principal_kind, principal_id, relation, kind, resource_id), made)

    # update, apply, delete

    def update(self, kind: str, request: Any, caller: str) -> Any:
        """Replace the spec; keep id, slug, organization and status."""
        self.state.validate(request)
        resource_id = request.metadata.id
        if not resource_id:
            found = self.find_same_slug(kind, request)
            if found is None:
                raise Refused(NOT_FOUND, f"{kind} with slug {request.metadata.slug!r} not found")
            resource_id = found.metadata.id
        message = f"unauthorized to update {kind.replace('_', ' ')}"
        if not (self.state.has("claimed_org_admin") and self.access.org_role(caller, request.metadata.org) == "admin"):
            self.access.require(caller, "can_edit", kind, resource_id, message)
        back = self.state.races("deletes", "deleted", resource_id)
        stored = self.state.removed[resource_id] if back else self.load(kind, resource_id)
        if kind == "agent_instance" and request.spec.agent_id != stored.spec.agent_id:
            self.authorize_create(kind, request, caller)
            self.load_parent(request.spec.agent_id)
        self.build_update(request, stored, caller)
        self.state.drawn.pop(("updates", resource_id), None)
        if not self.state.races("updates", "updated", resource_id):
            self.state.resources[kind][resource_id] = request
        self.state.moments["updated", resource_id] = time.monotonic()
        self.state.announce(kind, request, "updated")
        return self.shown(request)

    def find_same_slug(self, kind: str, request: Any) -> Any | None:
        """The resource that has the request's slug key. Raises Refused where there is no slug."""
        self.resolve_slug(request)
        return self.state.by_slug(kind, request.metadata, whole_kind=not self.state.cloud)

    def build_update(self, request: Any, stored: Any, caller: str) -> None:
        """Make the request the new state."""
        planted = self.state.has
        kept = stored.metadata
        request.metadata.id = kept.id
        if not planted("update_changes_slug"):
            request.metadata.slug = kept.slug
        request.metadata.org = kept.org
        request.metadata.owner_scope = kept.owner_scope
        restore_secrets(request, stored, self.state.stars)
        request.ClearField("status")
        if not planted("update_loses_status"):
            request.status.CopyFrom(stored.status)
        audit = request.status.audit.spec_audit
        audit.updated_by.id = caller
        audit.updated_at.CopyFrom(now())
        audit.event = "updated"

    def apply(self, kind: str, request: Any, caller: str) -> Any:
        """The create or the update that the request turns into."""
        self.state.validate(request)
        if request.metadata.id and request.metadata.id in self.state.resources[kind]:
            if not self.state.has("apply_overwrites_id") or self.find_same_slug(kind, request) is not None:
                return self.update_whole(kind, request, caller)
            del self.state.resources[kind][request.metadata.id]
        found = self.find_same_slug(kind, request)
        if self.state.races("applies", "made", request.metadata.slug):
            request.metadata.slug += new_id(kind)
            found = None
        if found is None or self.state.has("apply_always_creates"):
            return self.create(kind, request, caller)
        request.metadata.id = found.metadata.id
        return self.update_whole(kind, request, caller)

    def update_whole(self, kind: str, request: Any, caller: str) -> Any:
        """Update, and give an agent its default instance back where that is gone."""
        answer = self.update(kind, request, caller)
        resource = self.state.resources[kind][request.metadata.id]
        named = resource.status.default_instance_id if kind == "agent" else ""
        if not named or named in self.state.resources["agent_instance"] or self.state.has("halves_stay"):
            return answer
        instance = self.create_authorized("agent_instance", self.default_instance(resource), "system")
        resource.status.default_instance_id = instance.metadata.id
        return self.shown(resource)

    def delete(self, kind: str, resource_id: str, permission: str, caller: str) -> Any:
        """Remove the resource and all that belongs to it."""
        message = f"unauthorized to delete {kind.replace('_', ' ')}"
        self.access.require(caller, permission, kind, resource_id, message)
        resource = self.load(kind, resource_id)
        if kind == "agent" and not self.state.has("delete_leaves_instances"):
            for instance_id in [i for i, r in self.state.resources["agent_instance"].items() if belongs(r, resource)]:
                if self.state.has("cascade_event_stale"):
                    self.state.resources["agent_instance"][instance_id] = self._as_first_told(instance_id)
                if instance_id == resource.status.default_instance_id or not self.state.has("instances_stay"):
                    self.remove("agent_instance", instance_id)
        self.remove(kind, resource_id)
        return self.shown(resource)

    def _as_first_told(self, instance_id: str) -> AgentInstance:
        first = AgentInstance()
        next(event for event in self.state.events if event.subject == instance_id).data.Unpack(first)
        return first

    def remove(self, kind: str, resource_id: str) -> None:
        """Remove one resource and its policies, and announce it."""
        resource = self.state.resources[kind].pop(resource_id)
        self.state.removed[resource_id] = resource
        self.state.moments["deleted", resource_id] = time.monotonic()
        self.state.announce(kind, resource, "deleted")
        if not self.state.has("delete_leaves_policies") and not self.state.has("policies_stay"):
            gone = (kind, resource_id)
            kept = {p: made for p, made in self.state.policies.items() if gone not in (p[3:], _principal(p))}
            self.state.policies = kept


def _principal(policy: Tuple) -> tuple[str, str]:
    """The thing that a policy gives something to, or of which it gives a set something."""
    return policy[0], policy[1].partition("\0")[0]


def belongs(instance: Any, agent: Any) -> bool:
    """Whether an instance is one of this agent's."""
    return bool(instance.spec.agent_id == agent.metadata.id)


def default_instance(agent: Any) -> Any:
    """The request for an agent's default instance."""
    instance = AgentInstance(api_version="agentic.stigmer.ai/v1", kind="AgentInstance")
    instance.metadata.name = f"{agent.metadata.name}-default"
    instance.metadata.slug = f"{agent.metadata.slug}-default"
    instance.metadata.owner_scope = agent.metadata.owner_scope
    if agent.metadata.owner_scope == organization:
        instance.metadata.org = agent.metadata.org
    instance.spec.agent_id = agent.metadata.id
    instance.spec.description = "Default instance (auto-created, no custom configuration)"
    return instance
