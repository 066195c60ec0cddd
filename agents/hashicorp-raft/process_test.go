package agent_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"quorate.dev/agent/go/protocol"
	"quorate.dev/agent/hashicorp-raft/example/node"
)

// process is a node in a process of its own, which can be stopped, frozen and killed.
type process struct {
	command *exec.Cmd
	stdin   io.Closer
	origin  string
	raft    string
}

// processes is a cluster of them.
type processes struct {
	t       testing.TB
	dir     string
	running map[string]*process
	peer    protocol.Peer
}

func newProcesses(t testing.TB, voters int) *processes {
	t.Helper()
	p := &processes{
		t: t, dir: t.TempDir(), running: map[string]*process{},
		peer: protocol.Peer{Token: token, HTTP: &http.Client{Timeout: 15 * time.Second}},
	}
	if err := os.WriteFile(filepath.Join(p.dir, "token"), []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, each := range p.running {
			each.end()
		}
	})
	for i := range voters {
		id := string(rune('a' + i))
		if i == 0 {
			p.start(id, "-bootstrap")
			p.leader()
			continue
		}
		p.start(id)
		p.done(protocol.ChangeRequest{Action: protocol.AddLearner, Address: p.running[id].origin})
		p.done(protocol.ChangeRequest{Action: protocol.Promote, Member: id})
	}
	return p
}

func (p *processes) start(id string, more ...string) {
	p.t.Helper()
	address := freePort(p.t)
	arguments := append([]string{
		"serve", "-id", id, "-dir", filepath.Join(p.dir, id), "-raft", address,
		"-token-file", filepath.Join(p.dir, "token"), "-timeout", timeout.String(), "-with-parent",
	}, more...)
	command := exec.Command(os.Args[0], arguments...)
	command.Env = append(os.Environ(), "QUORATE_TEST_NODE=1")
	command.Stderr = os.Stderr
	stdin, err := command.StdinPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		p.t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || len(strings.Fields(line)) < 2 {
		p.t.Fatalf("%s did not start: %q %v", id, line, err)
	}
	p.running[id] = &process{command, stdin, strings.Fields(line)[1], address}
}

func (p *process) signal(signal syscall.Signal) { _ = p.command.Process.Signal(signal) }

func (p *process) end() {
	p.signal(syscall.SIGKILL)
	p.signal(syscall.SIGCONT)
	_ = p.stdin.Close()
	_ = p.command.Wait()
}

func (p *processes) look(id string) (protocol.GroupView, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return p.peer.View(ctx, p.running[id].origin, protocol.DefaultGroup)
}

func (p *processes) leader() string {
	p.t.Helper()
	var found string
	until(p.t, "a leader", func() bool {
		for id := range p.running {
			view, err := p.look(id)
			if err == nil && view.ClaimsLeadership && view.Membership.Committed &&
				*view.QuorumEvidenceMS < view.ElectionTimeoutMS/2 {
				found = id
				return true
			}
		}
		return false
	})
	return found
}

func (p *processes) followers() []string {
	leader := p.leader()
	var others []string
	for id := range p.running {
		if id != leader {
			others = append(others, id)
		}
	}
	return others
}

func (p *processes) ask(asked protocol.ChangeRequest) (protocol.Receipt, error) {
	p.t.Helper()
	var receipt protocol.Receipt
	var err error
	for range 5 {
		receipt, err = p.askOnce(asked)
		if code := codeOf(err); code != "not-leader" && code != "no-quorum" {
			break
		}
	}
	return receipt, err
}

func (p *processes) askOnce(asked protocol.ChangeRequest) (protocol.Receipt, error) {
	p.t.Helper()
	leader := p.leader()
	view, err := p.look(leader)
	if err != nil {
		return protocol.Receipt{}, err
	}
	asked.ExpectedRevision = view.Membership.Revision
	ctx, cancel := context.WithTimeout(context.Background(), 12*time.Second)
	defer cancel()
	return p.peer.Change(ctx, p.running[leader].origin, protocol.DefaultGroup, asked)
}

func (p *processes) done(asked protocol.ChangeRequest) protocol.Receipt {
	p.t.Helper()
	receipt, err := p.ask(asked)
	if err != nil {
		p.t.Fatalf("%+v: %v", asked, err)
	}
	return receipt
}

// set switches faults of one node's program.
func (p *processes) set(id string, faults node.Faults) {
	p.t.Helper()
	body, err := json.Marshal(faults)
	if err != nil {
		p.t.Fatal(err)
	}
	request, err := http.NewRequest(http.MethodPost, p.running[id].origin+"/faults", bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		p.t.Fatal(response.Status)
	}
}

// fail takes a member out in one of three ways, and gives what brings it back.
func (p *processes) fail(how, victim string) (heal func()) {
	p.t.Helper()
	switch how {
	case "killed":
		p.running[victim].end()
		return func() { p.again(victim) }
	case "frozen":
		p.running[victim].signal(syscall.SIGSTOP)
		return func() { p.running[victim].signal(syscall.SIGCONT) }
	default:
		var others []raft.ServerID
		for id := range p.running {
			if id != victim {
				others = append(others, raft.ServerID(id))
				p.set(id, node.Faults{Cut: []raft.ServerID{raft.ServerID(victim)}})
			}
		}
		p.set(victim, node.Faults{Cut: others})
		return func() {
			for id := range p.running {
				p.set(id, node.Faults{})
			}
		}
	}
}

func (p *processes) again(id string) {
	p.t.Helper()
	address := p.running[id].raft
	p.start(id, "-raft", address)
}
