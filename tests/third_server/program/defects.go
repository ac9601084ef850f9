package main

import (
	"fmt"
	"slices"
	"strings"
)

// What a server of this API was found to do wrong. Planted by name; their sentences are in `tests/third_server`.
const (
	byAgentEmpty        = "by-agent-empty"
	byAgentUnpaged      = "by-agent-unpaged"
	refusalsUnknown     = "refusals-unknown"
	storeErrorsNotFound = "store-errors-not-found"
	idOverwritten       = "id-overwritten"
	duplicateRace       = "duplicate-race"
	deleteKeeps         = "delete-keeps-instances"
	noRollback          = "no-rollback"
	instanceByName      = "instance-by-name"
	olderSubAgents      = "older-sub-agents"
	updateResurrects    = "update-resurrects"
)

var known = []string{
	byAgentEmpty, byAgentUnpaged, refusalsUnknown, storeErrorsNotFound, idOverwritten, duplicateRace, deleteKeeps,
	noRollback, instanceByName, olderSubAgents, updateResurrects,
}

type defects map[string]bool

func (planted defects) String() string {
	names := []string{}
	for name := range planted {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ",")
}

func (planted defects) Set(name string) error {
	if !slices.Contains(known, name) {
		return fmt.Errorf("no such defect; there are: %s", strings.Join(known, ", "))
	}
	planted[name] = true
	return nil
}
