package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	agentv1 "parity/benchmarks/native/ai/stigmer/agentic/agent/v1"
)

// started says what a fresh process did and when, in nanoseconds of the machine's monotonic clock.
type started struct {
	Running  int64  `json:"running"`
	Opened   int64  `json:"opened"`
	Answered int64  `json:"answered"`
	Opening  int64  `json:"opening"`
	Agent    string `json:"agent"` // wire form in hexadecimal digits
}

// start opens a store and reads one agent.
func start(d design, id string, running int64, out io.Writer) error {
	opening := monotonic()
	opened, err := d.open()
	if err != nil {
		return err
	}
	said := started{Running: running, Opening: opening, Opened: monotonic()}
	agent, err := opened.get(id)
	said.Answered = monotonic()
	if err != nil {
		return err
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(agent)
	if err != nil {
		return err
	}
	said.Agent = hex.EncodeToString(data)
	if err := opened.close(); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(said)
}

// memory opens a store, reads the agents whose ids come in one a line, one at a time, and says the most memory that
// this process held.
func memory(d design, ids io.Reader, out io.Writer) error {
	opened, err := d.open()
	if err != nil {
		return err
	}
	found := 0
	lines := bufio.NewScanner(ids)
	for lines.Scan() {
		stored, err := opened.get(lines.Text())
		if err != nil {
			return err
		}
		if stored != nil {
			found++
		}
	}
	peak, err := peakKiB()
	if err := errors.Join(lines.Err(), err, opened.close()); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(map[string]int{"agents": found, "peak_kib": peak})
}

// commits puts agents one by one and marks the beginning and each acknowledgement by syncs of files that can't be
// there: they change nothing and stand in a trace of system calls exactly where they happened.
func commits(d design, agents []*agentv1.Agent, beginMark, acknowledgedMark int) error {
	opened, err := d.open()
	if err != nil {
		return err
	}
	_ = unix.Fsync(beginMark)
	for _, agent := range agents {
		if err := opened.put(agent); err != nil {
			return err
		}
		_ = unix.Fsync(acknowledgedMark)
	}
	return opened.close()
}

func peakKiB() (int, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for _, line := range bytes.Split(status, []byte("\n")) {
		if words := bytes.Fields(line); len(words) > 1 && string(words[0]) == "VmHWM:" {
			return strconv.Atoi(string(words[1]))
		}
	}
	return 0, fmt.Errorf("/proc/self/status has no VmHWM")
}

func monotonic() int64 {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // fails for unknown clocks only
	return now.Nano()
}
