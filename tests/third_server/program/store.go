package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"parity/tests/third_server/ai/stigmer/commons/apiresource"
	"parity/tests/third_server/ai/stigmer/commons/apiresource/apiresourcekind"
)

// As long as a slow disk takes between a look and a write, for the defects that leave the two apart.
const gap = 25 * time.Millisecond

type resource interface {
	proto.Message
	GetMetadata() *apiresource.ApiResourceMetadata
}

type kind struct {
	name, prefix string
	number       apiresourcekind.ApiResourceKind
}

var (
	agents       = &kind{"agent", "agt", apiresourcekind.ApiResourceKind_agent}
	instances    = &kind{"agent instance", "ain", apiresourcekind.ApiResourceKind_agent_instance}
	environments = &kind{"environment", "env", apiresourcekind.ApiResourceKind_environment}
)

// What the store has to say against a request.
type storeError struct {
	code codes.Code
	text string
}

func (e *storeError) Error() string { return e.text }

func missing(of *kind, what string) error {
	return &storeError{codes.NotFound, fmt.Sprintf("%s %q not found", of.name, what)}
}

func taken(of *kind, what, value string) error {
	return &storeError{codes.AlreadyExists, fmt.Sprintf("%s with %s %q exists", of.name, what, value)}
}

// A resource with its place in the order of creation. What is stored is never changed, only replaced.
type row struct {
	number int64
	value  resource
}

// All resources by kind and id, under one lock.
type store struct {
	lock    sync.Mutex
	rows    map[*kind]map[string]row
	last    int64
	planted defects
}

func newStore(planted defects) *store {
	rows := map[*kind]map[string]row{agents: {}, instances: {}, environments: {}}
	return &store{rows: rows, planted: planted}
}

// One request's view of the store, alone in it: what it did is undone when it is refused.
type transaction struct {
	*store
	undo []func()
}

// Runs a request's changes: all of them or, where it returns an error or comes too late, none.
func (s *store) change(ctx context.Context, run func(*transaction) error) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	t := &transaction{store: s}
	err := run(t)
	if err == nil && ctx.Err() != nil {
		err = status.FromContextError(ctx.Err()).Err()
	}
	if err != nil && !s.planted[noRollback] {
		for _, undone := range slices.Backward(t.undo) {
			undone()
		}
	}
	return err
}

// Lets others in between a look and a write, where this defect is planted.
func (t *transaction) leaveGap(defect string) {
	if t.planted[defect] {
		t.lock.Unlock()
		time.Sleep(gap)
		t.lock.Lock()
	}
}

func (t *transaction) get(of *kind, id string) (resource, error) {
	found, ok := t.rows[of][id]
	if !ok {
		return nil, missing(of, id)
	}
	return found.value, nil
}

func (t *transaction) put(of *kind, value resource) {
	id := value.GetMetadata().GetId()
	before, existed := t.rows[of][id]
	number := before.number
	if !existed {
		t.last++
		number = t.last
	}
	t.rows[of][id] = row{number, value}
	t.undo = append(t.undo, func() { t.restore(of, id, before, existed) })
}

func (t *transaction) remove(of *kind, id string) {
	before, existed := t.rows[of][id]
	delete(t.rows[of], id)
	t.undo = append(t.undo, func() { t.restore(of, id, before, existed) })
}

func (t *transaction) restore(of *kind, id string, before row, existed bool) {
	if existed {
		t.rows[of][id] = before
	} else {
		delete(t.rows[of], id)
	}
}

// Returns the rows that are wanted, in order of creation.
func (t *transaction) list(of *kind, wanted func(resource) bool) []row {
	found := []row{}
	for _, one := range t.rows[of] {
		if wanted(one.value) {
			found = append(found, one)
		}
	}
	slices.SortFunc(found, func(a, b row) int { return cmp.Compare(a.number, b.number) })
	return found
}

// Returns the first resource with a slug that is wanted for other reasons too.
func (t *transaction) bySlug(of *kind, slug string, wanted func(resource) bool) (resource, bool) {
	found := t.list(of, func(r resource) bool { return r.GetMetadata().GetSlug() == slug && wanted(r) })
	if len(found) == 0 {
		return nil, false
	}
	return found[0].value, true
}

func any_(resource) bool { return true }
