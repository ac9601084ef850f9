// A second opinion on histories of nemesis runs: reads the lines of one (docs/guides/under-faults.md), asks Porcupine
// whether each resource is linearizable, and prints one line of JSON for each key. It shares nothing with the suite's own
// checker but the format. Lists are left out: they speak of many keys.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"sort"
	"time"

	"github.com/anishathalye/porcupine"
)

// One resource, or none: `present` false.
type register struct {
	present   bool
	id, value string
}

type resource struct {
	ID    string `json:"id"`
	Value string `json:"value"`
}

type row struct {
	Type    string          `json:"type"`
	Process json.RawMessage `json:"process"`
	Time    int64           `json:"time"`
	F       string          `json:"f"`
	Key     string          `json:"key"`
	Value   json.RawMessage `json:"value"`
	Error   string          `json:"error"`
}

type input struct {
	f    string
	sent resource
}

type output struct {
	kind   string // ok, fail, info
	code   string
	answer *resource
}

const (
	held    = "held"
	patient = 20 * time.Second
)

// Refusals that say what is there; all others say nothing, and their calls are left out.
var telling = map[string]bool{"ALREADY_EXISTS": true, "NOT_FOUND": true, "PERMISSION_DENIED": true}

func speaksOf(state register, sent resource) bool {
	return state.present && (sent.ID == "" || sent.ID == state.id)
}

// The resource that was answered can be the one that is there: its id is the one, or nobody has seen that yet.
func fits(state register, in input, answer *resource) bool {
	return answer != nil && speaksOf(state, in.sent) && (state.id == "" || state.id == answer.ID)
}

func step(before, in, out any) (bool, any) {
	state, call, came := before.(register), in.(input), out.(output)
	switch came.kind {
	case "info":
		return true, afterUnknown(state, call)
	case "fail":
		if call.f == "create" || call.f == "grant" {
			return state.present, state
		}
		return !speaksOf(state, call.sent), state
	}
	return afterAnswer(state, call, came.answer)
}

// A call whose end nobody knows takes effect where it can; that it never did is the same as that it did at the very end.
func afterUnknown(state register, call input) register {
	switch call.f {
	case "create":
		if !state.present {
			return register{true, call.sent.ID, call.sent.Value}
		}
	case "update":
		if speaksOf(state, call.sent) {
			return register{true, state.id, call.sent.Value}
		}
	case "delete":
		if speaksOf(state, call.sent) {
			return register{}
		}
	case "grant":
		return register{true, "", held}
	case "revoke":
		return register{}
	}
	return state
}

func afterAnswer(state register, call input, answer *resource) (bool, register) {
	written := answer != nil && answer.Value == call.sent.Value && (call.sent.ID == "" || call.sent.ID == answer.ID)
	switch call.f {
	case "create":
		if state.present || !written {
			return false, state
		}
		return true, register{true, answer.ID, answer.Value}
	case "update":
		if !written || !fits(state, call, answer) {
			return false, state
		}
		return true, register{true, answer.ID, answer.Value}
	case "delete":
		return fits(state, call, answer) && answer.Value == state.value, register{}
	case "grant":
		return true, register{true, "", held}
	case "revoke":
		return true, register{}
	}
	if answer == nil {
		return !speaksOf(state, call.sent), state
	}
	return fits(state, call, answer) && answer.Value == state.value, register{true, answer.ID, answer.Value}
}

var model = porcupine.Model{Init: func() any { return register{} }, Step: step}

var known = map[string]bool{
	"create": true, "update": true, "delete": true, "read": true, "find": true, "grant": true, "revoke": true, "may": true,
}

func isRead(f string) bool { return f == "read" || f == "find" || f == "may" }

// Pairs the lines of a history; returns the calls of each key.
func calls(file *os.File) (map[string][]porcupine.Operation, error) {
	open, found := map[string]row{}, map[string][]porcupine.Operation{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<26)
	add := func(began, ended row) error {
		in := input{f: began.F}
		if err := json.Unmarshal(began.Value, &in.sent); err != nil {
			return err
		}
		out := output{kind: ended.Type, code: ended.Error}
		if ended.Type == "ok" && string(ended.Value) != "null" {
			out.answer = &resource{}
			if err := json.Unmarshal(ended.Value, out.answer); err != nil {
				return err
			}
		}
		if (out.kind == "fail" && !telling[out.code]) || (out.kind != "ok" && isRead(in.f)) {
			return nil
		}
		end := ended.Time
		if out.kind == "info" {
			end = math.MaxInt64
		}
		operation := porcupine.Operation{Input: in, Call: began.Time, Output: out, Return: end}
		found[began.Key] = append(found[began.Key], operation)
		return nil
	}
	for lines.Scan() {
		var line row
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, err
		}
		if !known[line.F] {
			continue
		}
		process := string(line.Process)
		began, is := open[process]
		if line.Type == "invoke" {
			open[process] = line
		} else if is {
			delete(open, process)
			if err := add(began, line); err != nil {
				return nil, err
			}
		}
	}
	for _, began := range open {
		if err := add(began, row{Type: "info"}); err != nil {
			return nil, err
		}
	}
	return found, lines.Err()
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: judge-history FILE")
		os.Exit(2)
	}
	file, err := os.Open(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	found, err := calls(file)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	keys := make([]string, 0, len(found))
	for key := range found {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	answers := json.NewEncoder(os.Stdout)
	for _, key := range keys {
		result := porcupine.CheckOperationsTimeout(model, found[key], patient)
		if err := answers.Encode(map[string]string{"key": key, "result": string(result)}); err != nil {
			os.Exit(2)
		}
	}
}
