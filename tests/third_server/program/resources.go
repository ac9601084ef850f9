package main

import (
	"strings"

	"github.com/oklog/ulid/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	agentv1 "parity/tests/third_server/ai/stigmer/agentic/agent/v1"
	instancev1 "parity/tests/third_server/ai/stigmer/agentic/agentinstance/v1"
	environmentv1 "parity/tests/third_server/ai/stigmer/agentic/environment/v1"
	"parity/tests/third_server/ai/stigmer/commons/apiresource"
)

const (
	system             = "system"
	defaultDescription = "Default instance (auto-created, no custom configuration)"
)

func newID(of *kind) string {
	return of.prefix + "-" + strings.ToLower(ulid.Make().String())
}

// Returns the audit of a resource, made where there is none.
func auditOf(r resource) *apiresource.ApiResourceAudit {
	switch r := r.(type) {
	case *agentv1.Agent:
		if r.Status == nil {
			r.Status = &agentv1.AgentStatus{}
		}
		return made(&r.Status.Audit)
	case *instancev1.AgentInstance:
		return made(&made(&r.Status).Audit)
	case *environmentv1.Environment:
		return made(&made(&r.Status).Audit)
	}
	panic("a kind without audit")
}

func made[T any](place **T) *T {
	if *place == nil {
		*place = new(T)
	}
	return *place
}

// SetDefaults: the client's status counts for nothing; an unused id is kept.
func setDefaults(of *kind, r resource) {
	if r.GetMetadata().GetId() == "" {
		r.GetMetadata().Id = newID(of)
	}
	clearStatus(r)
	now := timestamppb.Now()
	info := func() *apiresource.ApiResourceAuditInfo {
		actor := func() *apiresource.ApiResourceAuditActor { return &apiresource.ApiResourceAuditActor{Id: system} }
		return &apiresource.ApiResourceAuditInfo{
			CreatedBy: actor(), CreatedAt: now, UpdatedBy: actor(), UpdatedAt: now, Event: "created",
		}
	}
	audit := auditOf(r)
	audit.SpecAudit, audit.StatusAudit = info(), info()
}

func clearStatus(r resource) {
	message := r.ProtoReflect()
	message.Clear(message.Descriptor().Fields().ByName("status"))
}

// The create pipeline, from ResolveSlug on.
func (t *transaction) create(of *kind, r resource) (resource, error) {
	if instance, ok := r.(*instancev1.AgentInstance); ok {
		if _, err := t.get(agents, instance.GetSpec().GetAgentId()); err != nil {
			return nil, err
		}
	}
	if err := resolveSlug(r); err != nil {
		return nil, err
	}
	if err := t.checkDuplicate(of, r); err != nil {
		return nil, err
	}
	t.leaveGap(duplicateRace)
	setDefaults(of, r)
	t.put(of, r)
	if agent, ok := r.(*agentv1.Agent); ok {
		return t.giveDefaultInstance(agent)
	}
	return r, nil
}

func (t *transaction) checkDuplicate(of *kind, r resource) error {
	metadata := r.GetMetadata()
	if _, ok := t.bySlug(of, metadata.GetSlug(), any_); ok {
		return taken(of, "slug", metadata.GetSlug())
	}
	if _, ok := t.rows[of][metadata.GetId()]; ok && !t.planted[idOverwritten] {
		return taken(of, "id", metadata.GetId())
	}
	return nil
}

// CreateDefaultInstance and UpdateAgentStatusWithDefaultInstance.
func (t *transaction) giveDefaultInstance(agent *agentv1.Agent) (resource, error) {
	metadata := agent.GetMetadata()
	instance := &instancev1.AgentInstance{
		ApiVersion: "agentic.stigmer.ai/v1",
		Kind:       "AgentInstance",
		Metadata: &apiresource.ApiResourceMetadata{
			Name:       metadata.GetName() + "-default",
			Slug:       metadata.GetSlug() + "-default",
			OwnerScope: metadata.GetOwnerScope(),
		},
		Spec: &instancev1.AgentInstanceSpec{AgentId: metadata.GetId(), Description: defaultDescription},
	}
	if metadata.GetOwnerScope() == apiresource.ApiResourceOwnerScope_organization {
		instance.Metadata.Org = metadata.GetOrg()
	}
	if t.planted[instanceByName] {
		instance.Metadata.Slug = ""
	}
	created, err := t.create(instances, instance)
	if err != nil {
		return nil, err
	}
	whole := proto.Clone(agent).(*agentv1.Agent)
	made(&whole.Status).DefaultInstanceId = created.GetMetadata().GetId()
	t.put(agents, whole)
	return whole, nil
}

// LoadExisting: by id, else by slug.
func (t *transaction) loadExisting(of *kind, r resource) (resource, error) {
	if id := r.GetMetadata().GetId(); id != "" {
		return t.get(of, id)
	}
	if err := resolveSlug(r); err != nil {
		return nil, err
	}
	slug := r.GetMetadata().GetSlug()
	if stored, ok := t.bySlug(of, slug, any_); ok {
		return stored, nil
	}
	return nil, missing(of, slug)
}

// BuildUpdateState and Persist: spec and names are the request's; id, slug, organization and scope stay.
func (t *transaction) replace(of *kind, r, stored resource) (resource, error) {
	if instance, ok := r.(*instancev1.AgentInstance); ok {
		if _, err := t.get(agents, instance.GetSpec().GetAgentId()); err != nil {
			return nil, err
		}
	}
	kept, metadata := stored.GetMetadata(), r.GetMetadata()
	metadata.Id, metadata.Slug, metadata.Org, metadata.OwnerScope = kept.Id, kept.Slug, kept.Org, kept.OwnerScope
	clearStatus(r)
	audit := auditOf(r)
	proto.Merge(audit, auditOf(proto.Clone(stored).(resource)))
	if agent, ok := r.(*agentv1.Agent); ok {
		agent.Status.DefaultInstanceId = stored.(*agentv1.Agent).GetStatus().GetDefaultInstanceId()
	}
	spec := made(&audit.SpecAudit)
	spec.UpdatedBy = &apiresource.ApiResourceAuditActor{Id: system}
	spec.UpdatedAt = timestamppb.Now()
	spec.Event = "updated"
	t.leaveGap(updateResurrects)
	t.put(of, r)
	return r, nil
}

// Apply: the update of what exists, with its default instance given back where it is gone, or the whole create.
func (t *transaction) apply(of *kind, r resource) (resource, error) {
	stored, ok := t.rows[of][r.GetMetadata().GetId()]
	found := stored.value
	if !ok {
		if err := resolveSlug(r); err != nil {
			return nil, err
		}
		if found, ok = t.bySlug(of, r.GetMetadata().GetSlug(), any_); !ok {
			return t.create(of, r)
		}
	}
	updated, err := t.replace(of, r, found)
	if err != nil {
		return nil, err
	}
	if agent, ok := updated.(*agentv1.Agent); ok && !t.hasDefaultInstance(agent) {
		return t.giveDefaultInstance(agent)
	}
	return updated, nil
}

func (t *transaction) hasDefaultInstance(agent *agentv1.Agent) bool {
	_, ok := t.rows[instances][agent.GetStatus().GetDefaultInstanceId()]
	return ok
}

// Deletes a resource; an agent's instances go with it.
func (t *transaction) delete(of *kind, id string) (resource, error) {
	stored, err := t.get(of, id)
	if err != nil {
		return nil, err
	}
	if of == agents && !t.planted[deleteKeeps] {
		for _, one := range t.list(instances, instanceOf(id)) {
			t.remove(instances, one.value.GetMetadata().GetId())
		}
	}
	t.remove(of, id)
	return stored, nil
}

func instanceOf(agentID string) func(resource) bool {
	return func(r resource) bool { return r.(*instancev1.AgentInstance).GetSpec().GetAgentId() == agentID }
}
