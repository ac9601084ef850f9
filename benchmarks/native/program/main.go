// Command native measures the two store designs of the claims in the claims' own language. The benchmark starts it,
// tells it what to do and times nothing itself; see `benchmarks/native/subject.py` for the other end.
//
//	native serve   ENGINE CODEC DURABILITY FOLDER AGENTS        requests as JSON lines on standard input
//	native start   ENGINE CODEC DURABILITY FOLDER ID            open, first read
//	native memory  ENGINE CODEC DURABILITY FOLDER               peak memory; ids on standard input
//	native commits ENGINE CODEC DURABILITY FOLDER AGENTS BEGIN ACKNOWLEDGED   for a trace of its syncs
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	agentv1 "parity/benchmarks/native/ai/stigmer/agentic/agent/v1"
)

const (
	leastArguments   = 6
	agentsArguments  = 7
	commitsArguments = 9
)

func main() {
	running := monotonic()
	if err := run(os.Args, running); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(words []string, running int64) error {
	if len(words) < leastArguments {
		return errors.New("usage: native serve|start|memory|commits ENGINE CODEC DURABILITY FOLDER ...")
	}
	chosen := design{engine: words[2], codec: words[3], durability: words[4], folder: words[5]}
	switch {
	case words[1] == "memory":
		return memory(chosen, os.Stdin, os.Stdout)
	case words[1] == "start" && len(words) == agentsArguments:
		return start(chosen, words[6], running, os.Stdout)
	case words[1] == "serve" && len(words) == agentsArguments:
		return withAgents(words[6], func(agents []*agentv1.Agent) error { return serve(chosen, agents) })
	case words[1] == "commits" && len(words) == commitsArguments:
		begin, errBegin := strconv.Atoi(words[7])
		acknowledged, errAcknowledged := strconv.Atoi(words[8])
		if err := errors.Join(errBegin, errAcknowledged); err != nil {
			return err
		}
		return withAgents(words[6], func(agents []*agentv1.Agent) error {
			return commits(chosen, agents, begin, acknowledged)
		})
	}
	return fmt.Errorf("unknown command or a wrong number of words: %q", words[1:])
}

func withAgents(path string, do func([]*agentv1.Agent) error) error {
	agents, err := readAgents(path)
	if err != nil {
		return err
	}
	return do(agents)
}

func serve(chosen design, agents []*agentv1.Agent) error {
	opened, err := chosen.open()
	if err != nil {
		return err
	}
	served := (&server{opened, agents}).serve(os.Stdin, os.Stdout)
	return errors.Join(served, opened.close())
}
