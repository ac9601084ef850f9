package main

import (
	"context"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	agentv1 "parity/tests/third_server/ai/stigmer/agentic/agent/v1"
	instancev1 "parity/tests/third_server/ai/stigmer/agentic/agentinstance/v1"
	environmentv1 "parity/tests/third_server/ai/stigmer/agentic/environment/v1"
	"parity/tests/third_server/ai/stigmer/commons/apiresource"
	parityv1 "parity/tests/third_server/parity/v1"
)

const (
	pageDefault, pageMax = 20, 100
	listDefault          = 100
)

type service struct {
	store   *store
	planted defects
}

// The methods that the services of all kinds have alike.
type methods[T resource] struct {
	*service
	kind *kind
}

type (
	agentCommands struct {
		agentv1.UnsafeAgentCommandControllerServer
		methods[*agentv1.Agent]
	}
	agentQueries struct {
		agentv1.UnsafeAgentQueryControllerServer
		methods[*agentv1.Agent]
	}
	instanceCommands struct {
		instancev1.UnsafeAgentInstanceCommandControllerServer
		methods[*instancev1.AgentInstance]
	}
	instanceQueries struct {
		instancev1.UnsafeAgentInstanceQueryControllerServer
		methods[*instancev1.AgentInstance]
	}
	environmentCommands struct {
		environmentv1.UnsafeEnvironmentCommandControllerServer
		methods[*environmentv1.Environment]
	}
	environmentQueries struct {
		environmentv1.UnsafeEnvironmentQueryControllerServer
		methods[*environmentv1.Environment]
	}
	lists struct {
		parityv1.UnsafeListServiceServer
		*service
	}
)

func register(server *grpc.Server, s *service) {
	agent := methods[*agentv1.Agent]{s, agents}
	instance := methods[*instancev1.AgentInstance]{s, instances}
	environment := methods[*environmentv1.Environment]{s, environments}
	agentv1.RegisterAgentCommandControllerServer(server, agentCommands{methods: agent})
	agentv1.RegisterAgentQueryControllerServer(server, agentQueries{methods: agent})
	instancev1.RegisterAgentInstanceCommandControllerServer(server, instanceCommands{methods: instance})
	instancev1.RegisterAgentInstanceQueryControllerServer(server, instanceQueries{methods: instance})
	environmentv1.RegisterEnvironmentCommandControllerServer(server, environmentCommands{methods: environment})
	environmentv1.RegisterEnvironmentQueryControllerServer(server, environmentQueries{methods: environment})
	parityv1.RegisterListServiceServer(server, lists{service: s})
}

// Validates a request, then runs it alone in the store.
func (m methods[T]) run(
	ctx context.Context, request proto.Message, do func(*transaction) (resource, error),
) (answer T, err error) {
	if err = validate(request); err != nil {
		return answer, err
	}
	err = m.store.change(ctx, func(t *transaction) error {
		found, err := do(t)
		if err == nil {
			answer = found.(T)
		}
		return err
	})
	return answer, err
}

func (m methods[T]) Create(ctx context.Context, request T) (T, error) {
	return m.run(ctx, request, func(t *transaction) (resource, error) { return t.create(m.kind, request) })
}

func (m methods[T]) Apply(ctx context.Context, request T) (T, error) {
	return m.run(ctx, request, func(t *transaction) (resource, error) { return t.apply(m.kind, request) })
}

func (m methods[T]) Update(ctx context.Context, request T) (T, error) {
	return m.run(ctx, request, func(t *transaction) (resource, error) {
		stored, err := t.loadExisting(m.kind, request)
		if err != nil {
			return nil, err
		}
		return t.replace(m.kind, request, stored)
	})
}

func (m methods[T]) byID(ctx context.Context, request proto.Message, id string) (T, error) {
	return m.run(ctx, request, func(t *transaction) (resource, error) { return t.get(m.kind, id) })
}

func (m methods[T]) deleteByID(ctx context.Context, request proto.Message, id string) (T, error) {
	return m.run(ctx, request, func(t *transaction) (resource, error) { return t.delete(m.kind, id) })
}

func (m methods[T]) GetByReference(ctx context.Context, request *apiresource.ApiResourceReference) (T, error) {
	return m.run(ctx, request, func(t *transaction) (resource, error) {
		if request.GetSlug() == "" {
			return nil, invalid("slug: required")
		}
		if request.GetKind() != 0 && request.GetKind() != m.kind.number {
			return nil, invalid("kind: %s is no %s", request.GetKind(), m.kind.name)
		}
		found, ok := t.bySlug(m.kind, request.GetSlug(), func(r resource) bool {
			metadata := r.GetMetadata()
			return (request.GetOrg() == "" || request.GetOrg() == metadata.GetOrg()) &&
				(request.GetScope() == 0 || request.GetScope() == metadata.GetOwnerScope())
		})
		if !ok {
			return nil, missing(m.kind, request.GetSlug())
		}
		return found, nil
	})
}

func (a agentCommands) Delete(ctx context.Context, request *agentv1.AgentId) (*agentv1.Agent, error) {
	return a.deleteByID(ctx, request, request.GetValue())
}

func (a agentQueries) Get(ctx context.Context, request *agentv1.AgentId) (*agentv1.Agent, error) {
	return a.byID(ctx, request, request.GetValue())
}

func (i instanceCommands) Delete(
	ctx context.Context, request *instancev1.AgentInstanceId,
) (*instancev1.AgentInstance, error) {
	return i.deleteByID(ctx, request, request.GetValue())
}

func (i instanceQueries) Get(
	ctx context.Context, request *instancev1.AgentInstanceId,
) (*instancev1.AgentInstance, error) {
	return i.byID(ctx, request, request.GetValue())
}

func (e environmentCommands) Delete(
	ctx context.Context, request *apiresource.ApiResourceDeleteInput,
) (*environmentv1.Environment, error) {
	return e.deleteByID(ctx, request, request.GetResourceId())
}

func (e environmentQueries) Get(
	ctx context.Context, request *apiresource.ApiResourceId,
) (*environmentv1.Environment, error) {
	return e.byID(ctx, request, request.GetValue())
}

func (i instanceQueries) GetByAgent(
	ctx context.Context, request *instancev1.GetAgentInstancesByAgentRequest,
) (*instancev1.AgentInstanceList, error) {
	if err := validate(request); err != nil {
		return nil, err
	}
	answer := &instancev1.AgentInstanceList{}
	err := i.store.change(ctx, func(t *transaction) error {
		if i.planted[byAgentEmpty] {
			return nil
		}
		found := t.list(instances, instanceOf(request.GetAgentId()))
		answer.TotalCount = int32(len(found))
		if !i.planted[byAgentUnpaged] {
			found = page(found, int(request.GetPageInfo().GetNum()), int(request.GetPageInfo().GetSize()))
		}
		answer.Items = values[*instancev1.AgentInstance](found)
		return nil
	})
	return answer, err
}

// Returns one page, counted from 1.
func page(rows []row, number, size int) []row {
	if size <= 0 {
		size = pageDefault
	}
	size = min(size, pageMax)
	start := min((max(number, 1)-1)*size, len(rows))
	return rows[start:min(start+size, len(rows))]
}

func values[T resource](rows []row) []T {
	found := make([]T, len(rows))
	for n, one := range rows {
		found[n] = one.value.(T)
	}
	return found
}

// Returns the page after a token, which is a place in the order of creation, and the token of the next.
func listed[T resource](ctx context.Context, s *service, of *kind, request *parityv1.ListRequest) ([]T, string, error) {
	if err := validate(request); err != nil {
		return nil, "", err
	}
	after, err := strconv.ParseInt("0"+request.GetPage().GetPageToken(), 10, 64)
	if err != nil {
		return nil, "", invalid("page.page_token: %q is none of this server's", request.GetPage().GetPageToken())
	}
	var found []row
	err = s.store.change(ctx, func(t *transaction) error {
		found = t.list(of, func(r resource) bool {
			metadata := r.GetMetadata()
			inOrg := request.GetOrg() == "" || request.GetOrg() == metadata.GetOrg()
			return inOrg && t.rows[of][metadata.GetId()].number > after
		})
		return nil
	})
	size, next := int(request.GetPage().GetSize()), ""
	if size == 0 {
		size = listDefault
	}
	if len(found) > size {
		found = found[:size]
		next = strconv.FormatInt(found[size-1].number, 10)
	}
	return values[T](found), next, err
}

func (l lists) ListAgents(ctx context.Context, r *parityv1.ListRequest) (*parityv1.ListAgentsResponse, error) {
	items, next, err := listed[*agentv1.Agent](ctx, l.service, agents, r)
	return &parityv1.ListAgentsResponse{Items: items, NextPageToken: next}, err
}

func (l lists) ListAgentInstances(
	ctx context.Context, r *parityv1.ListRequest,
) (*parityv1.ListAgentInstancesResponse, error) {
	items, next, err := listed[*instancev1.AgentInstance](ctx, l.service, instances, r)
	return &parityv1.ListAgentInstancesResponse{Items: items, NextPageToken: next}, err
}

func (l lists) ListEnvironments(
	ctx context.Context, r *parityv1.ListRequest,
) (*parityv1.ListEnvironmentsResponse, error) {
	items, next, err := listed[*environmentv1.Environment](ctx, l.service, environments, r)
	return &parityv1.ListEnvironmentsResponse{Items: items, NextPageToken: next}, err
}
