package agent_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
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

func TestAMemberFailsInTheMiddleOfEveryVerb(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"killed", "frozen", "cut off"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			p := newProcesses(t, 3)
			p.start("d")
			p.done(protocol.ChangeRequest{Action: protocol.AddLearner, Address: p.running["d"].origin})
			learnerFails(p, how)
			followerFails(p, how)
			leaderFails(p, how)
		})
	}
}

// learnerFails: it is not promoted, and harms nobody.
func learnerFails(p *processes, how string) {
	p.t.Helper()
	heal := p.fail(how, "d")
	_, err := p.ask(protocol.ChangeRequest{Action: protocol.Promote, Member: "d"})
	if codeOf(err) != "not-heard" {
		p.t.Fatalf("promote a learner that is %s: %v", how, err)
	}
	heal()
	until(p.t, "the learner is promoted once it is back", func() bool {
		_, err := p.ask(protocol.ChangeRequest{Action: protocol.Promote, Member: "d"})
		if code := codeOf(err); code != "done" && code != "not-heard" && code != "not-level" {
			p.t.Fatal(code)
		}
		return err == nil
	})
	p.done(protocol.ChangeRequest{Action: protocol.Demote, Member: "d"})
}

// followerFails: leadership is not handed to it; taking another voter away would end the quorum,
// taking itself away does not.
func followerFails(p *processes, how string) {
	p.t.Helper()
	leader := p.leader()
	var victim, other string
	for _, id := range p.followers() {
		switch {
		case id == "d":
		case victim == "":
			victim = id
		default:
			other = id
		}
	}
	heal := p.fail(how, victim)
	for _, c := range []struct {
		action protocol.Action
		member string
		code   string
	}{
		{protocol.Transfer, victim, "not-heard"},
		{protocol.Demote, other, "majority-at-risk"},
		{protocol.Remove, other, "majority-at-risk"},
		{protocol.Demote, victim, "done"},
	} {
		_, err := p.ask(protocol.ChangeRequest{Action: c.action, Member: c.member})
		if codeOf(err) != c.code {
			p.t.Fatalf("%s %s while %s is %s: %v", c.action, c.member, victim, how, err)
		}
	}
	view, err := p.look(leader)
	if err != nil || !view.ClaimsLeadership {
		p.t.Fatal("the leader was lost over it", err)
	}
	silent := false
	for _, line := range view.Activity {
		silent = silent || line.Member == victim && line.State == "silent"
	}
	if !silent {
		p.t.Fatalf("nobody says that %s is silent: %+v", victim, view.Activity)
	}
	heal()
	until(p.t, "it is a voter again once it is back", func() bool {
		_, err := p.ask(protocol.ChangeRequest{Action: protocol.Promote, Member: victim})
		return err == nil
	})
}

// leaderFails: another leads, and the old one claims nothing that a majority would deny.
func leaderFails(p *processes, how string) {
	p.t.Helper()
	old := p.leader()
	heal := p.fail(how, old)
	until(p.t, "another leads", func() bool { return p.leader() != old })
	if how == "cut off" {
		until(p.t, "who was cut off claims nothing", func() bool {
			view, err := p.look(old)
			return err == nil && !view.ClaimsLeadership
		})
	}
	heal()
	until(p.t, "the old leader follows the new one", func() bool {
		view, err := p.look(old)
		return err == nil && view.State == protocol.Follower && view.Leader != nil && *view.Leader == p.leader()
	})
	_, err := p.ask(protocol.ChangeRequest{Action: protocol.Snapshot})
	if err != nil {
		p.t.Fatal(err)
	}
}

func TestWithoutAQuorumNothingIsChangedAndASnapshotIsTaken(t *testing.T) {
	t.Parallel()
	p := newProcesses(t, 3)
	leader := p.leader()
	view, err := p.look(leader)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range p.followers() {
		p.running[id].signal(syscall.SIGSTOP)
	}
	ask := func(action protocol.Action, member string) string {
		ctx, cancel := context.WithTimeout(context.Background(), 12*time.Second)
		defer cancel()
		_, err := p.peer.Change(ctx, p.running[leader].origin, protocol.DefaultGroup, protocol.ChangeRequest{
			Action: action, Member: member, ExpectedRevision: view.Membership.Revision,
		})
		return codeOf(err)
	}
	began := time.Now()
	for _, id := range []string{"a", "b", "c"} {
		switch code := ask(protocol.Demote, id); code {
		case "no-quorum", "not-leader", "majority-at-risk", "is-leader":
		default:
			t.Fatalf("demote %s without a quorum: %s", id, code)
		}
	}
	if took := time.Since(began); took > 8*time.Second {
		t.Fatal("refusals took", took)
	}
	if code := ask(protocol.Snapshot, ""); code != "done" {
		t.Fatal(code)
	}
	until(t, "the leader claims nothing any more", func() bool {
		view, err := p.look(leader)
		return err == nil && !view.ClaimsLeadership
	})
}

func TestACoreThatIsDeadIsFoundOutAndTold(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	frozen := c.follower()
	// A state machine that does not return stops the main loop once its line is full.
	c.nodes[frozen].Set(node.Faults{FreezeApply: true})
	c.until("a core that hangs is found out", func() bool {
		// The line is 128 batches long; entries one by one fill it.
		c.put("k", fmt.Sprint(time.Now()))
		view := c.view(frozen)
		return view.Fault != nil && view.State == protocol.Stopped && !view.ClaimsLeadership
	})
	if view := c.view(c.leader()); view.Fault != nil {
		t.Fatal("a healthy leader was called faulty:", *view.Fault)
	}
	c.nodes[frozen].Set(node.Faults{})
	c.until("it goes on once it is let", func() bool { return c.view(frozen).Fault == nil })

	c.nodes[frozen].Set(node.Faults{StopCore: true})
	c.until("a core that was shut down is told", func() bool {
		view := c.view(frozen)
		return view.Fault != nil && view.State == protocol.Stopped
	})
	_, err := c.askOf(frozen, protocol.ChangeRequest{Action: protocol.Snapshot})
	if codeOf(err) != "core-stopped" {
		t.Fatal(err)
	}
}

func TestALeaderWhoseMainLoopHangsClaimsNothing(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	leader := c.leader()
	c.nodes[leader].Set(node.Faults{FreezeApply: true})
	go c.nodes[leader].Load(5000)
	c.until("it is found out, although it still sends heartbeats", func() bool {
		view := c.view(leader)
		return view.Fault != nil && !view.ClaimsLeadership && view.State == protocol.Stopped
	})
	if c.nodes[leader].Raft.State() != raft.Leader {
		t.Fatal("nothing was staged: Raft itself noticed")
	}
	c.nodes[leader].Set(node.Faults{})
}
