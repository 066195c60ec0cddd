package trials

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lni/dragonboat/v4"

	"quorate.dev/agent/go/protocol"
)

// view is what the agent says.
func (c *cluster) view(n int, group string) (*protocol.GroupView, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	view, err := c.peer.View(ctx, c.hosts[n].origin(), group)
	return &view, err
}

// truth is what Dragonboat says, past the agent.
type truth struct {
	Info        *dragonboat.ShardInfo
	Leader      uint64
	Term        uint64
	Valid       bool
	First, Last uint64
	Membership  *dragonboat.Membership
	Readable    string
	OnDisk      []uint64
	Count       uint64
}

func (c *cluster) truth(n, shard int) *truth {
	var told truth
	if err := c.raw(n, "truth", fmt.Sprintf("shard=%d", shard), &told); err != nil {
		return nil
	}
	return &told
}

// known waits for an answer.
func (c *cluster) known(n, shard int) *truth {
	c.t.Helper()
	var told *truth
	c.eventually(fmt.Sprintf("the truth about host-%d", n), func() bool {
		told = c.truth(n, shard)
		return told != nil
	})
	return told
}

// ended is whether no replica of the default group runs on a host that answers.
func (c *cluster) ended(n int) bool { c.t.Helper(); return c.known(n, 1).Info == nil }

// gone waits until a removed replica runs no more. Raft tells one that was slow nothing of its own removal: then the
// others know, its agent says so, and it is stopped.
func (c *cluster) gone(n int) {
	c.t.Helper()
	var view *protocol.GroupView
	defer func() {
		if c.t.Failed() && view != nil {
			c.t.Logf("its agent says %+v, Dragonboat %+v", *view, c.truth(n, 1))
		}
	}()
	c.eventually(fmt.Sprintf("the replica on host-%d runs no more", n), func() bool {
		var err error
		view, err = c.view(n, "default")
		if err == nil && view.Fault != nil && strings.Contains(*view.Fault, "was removed from the group") {
			_ = c.stopZombie(n)
		}
		return c.ended(n)
	})
}

var direct = &http.Client{Timeout: 15 * time.Second}

// raw asks Dragonboat itself, past the agent and its rules.
func (c *cluster) raw(n int, what, query string, into any) error {
	response, err := direct.Get(c.hosts[n].origin() + "/switches/" + what + "?" + query)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return errors.New(strings.TrimSpace(string(body)))
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(body, into)
}

func (c *cluster) must(n int, what, query string) {
	c.t.Helper()
	if err := c.raw(n, what, query, nil); err != nil {
		c.t.Fatalf("%s on host-%d: %v", what, n, err)
	}
}

// eventually looks until it is so.
func (c *cluster) eventually(what string, holds func() bool) {
	c.t.Helper()
	end := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(end) {
			c.t.Fatalf("never seen: %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// leader of the default group: who claims it with fresh evidence.
func (c *cluster) leader() int {
	c.t.Helper()
	leader := 0
	c.eventually("a leader", func() bool {
		for n, host := range c.hosts {
			if !host.alive() {
				continue
			}
			view, err := c.view(n, "default")
			if err == nil && view.ClaimsLeadership && view.QuorumEvidenceMS != nil && *view.QuorumEvidenceMS <= view.ElectionTimeoutMS {
				leader = n
				return true
			}
		}
		return false
	})
	return leader
}

// follower is a living initial host that does not lead.
func (c *cluster) follower() int {
	c.t.Helper()
	leader := c.leader()
	for n := 1; n <= 3; n++ {
		if n != leader && c.hosts[n].alive() {
			return n
		}
	}
	c.t.Fatal("no follower")
	return 0
}

// change is asked of the leader's agent, on the membership as it is.
func (c *cluster) change(action protocol.Action, member string) (*protocol.Receipt, *protocol.Refusal) {
	c.t.Helper()
	return c.onLeader(action, member, "")
}

// onLeader asks who leads until somebody who does has answered: a node that sends on has changed nothing.
func (c *cluster) onLeader(action protocol.Action, member, address string) (*protocol.Receipt, *protocol.Refusal) {
	c.t.Helper()
	for end := time.Now().Add(patience); ; {
		receipt, refused := c.changeOn(c.leader(), "default", action, member, address)
		if refused == nil || (refused.Code != "not-leader" && refused.Code != "no-quorum") || time.Now().After(end) {
			return receipt, refused
		}
	}
}

func (c *cluster) add(n int) (*protocol.Receipt, *protocol.Refusal) {
	c.t.Helper()
	return c.onLeader(protocol.AddLearner, c.hosts[n].name, c.hosts[n].origin())
}

func (c *cluster) changeOn(n int, group string, action protocol.Action, member, address string) (*protocol.Receipt, *protocol.Refusal) {
	c.t.Helper()
	view, err := c.view(n, group)
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), longestChange)
	defer cancel()
	asked := protocol.ChangeRequest{Action: action, Member: member, Address: address, ExpectedRevision: view.Membership.Revision}
	receipt, err := patient().Change(ctx, c.hosts[n].origin(), group, asked)
	if err == nil {
		return &receipt, nil
	}
	var refused *protocol.Refusal
	if !errors.As(err, &refused) {
		c.t.Fatalf("%s of %s: %v", action, member, err)
	}
	return nil, refused
}

func (c *cluster) done(receipt *protocol.Receipt, refused *protocol.Refusal) *protocol.Receipt {
	c.t.Helper()
	if refused != nil {
		c.t.Fatal(refused)
	}
	if receipt.Outcome != protocol.Done {
		c.t.Fatalf("%+v", receipt)
	}
	return receipt
}

func (c *cluster) refused(code string, _ *protocol.Receipt, refused *protocol.Refusal) *protocol.Refusal {
	c.t.Helper()
	if refused == nil {
		c.t.Fatalf("done instead of %s", code)
	}
	if refused.Code != code {
		c.t.Fatalf("%v instead of %s", refused, code)
	}
	return refused
}

func (c *cluster) refusedAtAll(refused *protocol.Refusal) bool {
	c.t.Helper()
	if refused == nil {
		c.t.Fatal("done instead of refused")
	}
	return true
}

// is waits until a host has a state and can read.
func (c *cluster) is(n int, state protocol.State) {
	c.t.Helper()
	c.eventually(fmt.Sprintf("host-%d is %s", n, state), func() bool {
		if !c.hosts[n].alive() {
			c.t.Fatalf("host-%d ended: %s", n, c.hosts[n].log)
		}
		view, err := c.view(n, "default")
		return err == nil && view.State == state && view.ReadIndex != nil && view.Fault == nil
	})
}

// votes waits until a host is a voter that follows or leads.
func (c *cluster) votes(n int) {
	c.t.Helper()
	c.eventually(fmt.Sprintf("host-%d votes", n), func() bool {
		if !c.hosts[n].alive() {
			c.t.Fatalf("host-%d ended: %s", n, c.hosts[n].log)
		}
		view, err := c.view(n, "default")
		return err == nil && view.Voter && view.ReadIndex != nil
	})
}

// fault waits until a host says what is wrong.
func (c *cluster) fault(n int, says string) {
	c.t.Helper()
	var last string
	defer func() {
		if c.t.Failed() {
			c.t.Logf("it said %q", last)
		}
	}()
	c.eventually(fmt.Sprintf("host-%d says %q", n, says), func() bool {
		if !c.hosts[n].alive() {
			c.t.Fatalf("host-%d ended: %s", n, c.hosts[n].log)
		}
		view, err := c.view(n, "default")
		if err != nil || view.Fault == nil {
			return false
		}
		last = *view.Fault
		return strings.Contains(last, says)
	})
}

// leads hands leadership to a host, as soon as it has run long enough.
func (c *cluster) leads(n int) {
	c.t.Helper()
	c.eventually(fmt.Sprintf("host-%d leads", n), func() bool {
		leader := c.leader()
		if leader == n {
			return true
		}
		_, refused := c.changeOn(leader, "default", protocol.Transfer, c.hosts[n].name, "")
		passing := []string{"just-started", "not-leader", "no-quorum", "transfer-not-taken", "not-heard", "not-level"}
		if refused != nil && !slices.Contains(passing, refused.Code) {
			c.t.Fatal(refused)
		}
		return c.leader() == n
	})
}

// stale asks for a removal on a membership that is not so any more.
func (c *cluster) stale(n int, group, revision string) *protocol.Refusal {
	c.t.Helper()
	asked := protocol.ChangeRequest{Action: protocol.Remove, Member: "host-4", ExpectedRevision: revision}
	_, err := patient().Change(context.Background(), c.hosts[n].origin(), group, asked)
	var refused *protocol.Refusal
	if !errors.As(err, &refused) {
		c.t.Fatalf("%v", err)
	}
	return refused
}

func (c *cluster) stopZombie(n int) error {
	var answer struct{ Stopped bool }
	return c.peer.Call(context.Background(), http.MethodPost, c.hosts[n].origin(), "dragonboat/groups/default/stop", nil, &answer)
}

// ccid is the configuration index as Dragonboat has it on the leader.
func (c *cluster) ccid() uint64 {
	c.t.Helper()
	var ccid uint64
	c.eventually("the membership can be read", func() bool {
		told := c.truth(c.leader(), 1)
		if told == nil || told.Membership == nil {
			return false
		}
		ccid = told.Membership.ConfigChangeID
		return true
	})
	return ccid
}
