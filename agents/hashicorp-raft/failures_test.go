package agent_test

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"quorate.dev/agent/go/protocol"
	"quorate.dev/agent/hashicorp-raft/example/node"
)

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
