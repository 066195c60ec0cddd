package agent_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"quorate.dev/agent/go/protocol"
	"quorate.dev/agent/hashicorp-raft/example/node"
	"quorate.dev/agent/hashicorp-raft/startup"
)

// The library answers nil to each of these and loses its quorum, its leader or its way. Where it
// costs nothing the library's own answer is staged beside the agent's.

func TestAccident_06_a_voter_that_is_absent_is_never_added_to_one(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1)
	_, err := c.ask(protocol.AddLearner, "b", "http://127.0.0.1:1")
	if codeOf(err) != "newcomer-silent" {
		t.Fatal(err)
	}
	// One that dies between being asked and being promoted stays a learner.
	c.start("b")
	c.add("b")
	c.stop("b")
	c.refused("not-heard", protocol.Promote, "b")
	if err := c.nodes["a"].Put("k", "v"); err != nil {
		t.Fatal("the cluster does not write any more:", err)
	}
	// What the library itself does with it:
	absent := raft.ServerAddress("127.0.0.1:1")
	if err := c.nodes["a"].Raft.AddVoter("x", absent, 0, time.Second).Error(); err == nil {
		until(t, "the leader steps down for good", func() bool {
			return c.nodes["a"].Raft.State() != raft.Leader
		})
	}
}

func TestAccident_07_a_voter_that_is_absent_is_never_added_to_three(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	c.start("d")
	c.add("d")
	c.stop("d")
	c.refused("not-heard", protocol.Promote, "d")
	c.stop(c.follower())
	leader := c.leader()
	if err := c.nodes[leader].Put("k", "v"); err != nil {
		t.Fatal("two of three voters do not write:", err)
	}
	// With one of three gone, a fourth voter that does answer would leave none to spare: still a
	// majority answers, so it is allowed; to take away another that answers is not.
	c.refused("majority-at-risk", protocol.Demote, c.follower())
	c.refused("majority-at-risk", protocol.Remove, c.follower())
}

func TestAccident_08_the_leader_is_not_demoted_or_removed(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	leader := c.leader()
	c.refused("is-leader", protocol.Demote, leader)
	c.refused("is-leader", protocol.Remove, leader)
	if c.nodes[leader].Raft.State() != raft.Leader {
		t.Fatal("it does not lead any more")
	}
	alone := newCluster(t, 1)
	alone.refused("is-leader", protocol.Remove, "a")
}

func TestAccident_09_leadership_is_not_handed_to_a_learner(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	c.start("d")
	c.add("d")
	leader := c.leader()
	term := c.view(leader).Term
	c.refused("not-a-voter", protocol.Transfer, "d")
	if now := c.view(leader); now.Term != term || !now.ClaimsLeadership {
		t.Fatal("an election was held")
	}
	// The library says done, and somebody else leads, in a term further on.
	learner := raft.ServerAddress(c.nodes["d"].Address)
	c.until("the library says done", func() bool {
		return c.nodes[c.leader()].Raft.LeadershipTransferToServer("d", learner).Error() == nil
	})
	c.until("a voter leads a newer term", func() bool { return c.view(c.leader()).Term > term })
	if c.leader() == "d" {
		t.Fatal("a learner leads")
	}
}

func TestAccident_10_the_address_of_a_transfer_comes_from_the_configuration(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	leader, target := c.leader(), c.follower()
	var other string
	for id := range c.nodes {
		if id != leader && id != target {
			other = id
		}
	}
	receipt, err := c.askOf(leader, protocol.ChangeRequest{
		Action: protocol.Transfer, Member: target, Address: c.nodes[other].Address,
		ExpectedRevision: c.view(leader).Membership.Revision,
	})
	if err != nil || receipt.Outcome != protocol.Done || *receipt.Leader != target {
		t.Fatal(err, receipt)
	}
	if c.leader() != target {
		t.Fatalf("%s leads, not %s", c.leader(), target)
	}
}

func TestAccident_11_an_unknown_member_is_not_removed(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1)
	revision := c.view("a").Membership.Revision
	for _, action := range []protocol.Action{protocol.Remove, protocol.Demote, protocol.Promote, protocol.Transfer} {
		c.refused("member-unknown", action, "nobody")
	}
	if c.view("a").Membership.Revision != revision {
		t.Fatal("the revision moved")
	}
	// The library calls it done and moves the index.
	if err := c.nodes["a"].Raft.RemoveServer("nobody", 0, time.Second).Error(); err != nil {
		t.Fatal(err)
	}
	c.until("the library has moved the index", func() bool {
		return c.view("a").Membership.Revision != revision
	})
}

func TestAccident_12_a_watched_transport_still_asks_before_it_votes(t *testing.T) {
	t.Parallel()
	// A wrapper that hides pre-vote: who was cut off comes back and throws the leader out.
	careless := newCluster(t, 3, func(o *node.Options) { o.HidePreVote = true })
	if stood, followed := careless.comesBack(2); stood < 2 || followed < stood {
		t.Fatalf("nothing was staged: %d terms while it was cut off, %d in all", stood, followed)
	}
	c := newCluster(t, 3)
	var stood, followed uint64
	// On a busy machine the others may hold an election meanwhile, which has nothing to do with who was cut off.
	for range 5 {
		if stood, followed = c.comesBack(0); followed == 0 {
			return
		}
	}
	t.Fatalf("%d terms went by while it was cut off, %d in all", stood, followed)
}

// comesBack cuts a follower off until it has stood for election for so many terms, and lets it come back. It counts
// the terms that had gone by for it before that, and when it followed somebody again.
func (c *cluster) comesBack(terms uint64) (stood, followed uint64) {
	c.t.Helper()
	lonely := c.follower()
	others := c.everybodyBut(lonely)
	for _, id := range others {
		c.nodes[string(id)].Set(node.Faults{Cut: []raft.ServerID{raft.ServerID(lonely)}})
	}
	c.nodes[lonely].Set(node.Faults{Cut: others})
	first := c.view(lonely).Term
	c.until("who is cut off stands for election", func() bool {
		view := c.view(lonely)
		stood = view.Term - first
		return view.State == protocol.Candidate && stood >= terms
	})
	for _, running := range c.nodes {
		running.Set(node.Faults{})
	}
	c.until("who was cut off follows or leads again", func() bool {
		view := c.view(lonely)
		followed = view.Term - first
		return view.State != protocol.Candidate && view.Leader != nil
	})
	return stood, followed
}

func (c *cluster) everybodyBut(id string) []raft.ServerID {
	var others []raft.ServerID
	for other := range c.nodes {
		if other != id {
			others = append(others, raft.ServerID(other))
		}
	}
	return others
}

func TestAccident_13_applied_is_what_the_state_machine_has_done(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	leader, slow := c.leader(), c.follower()
	c.nodes[slow].Set(node.Faults{ApplyDelayMS: 5})
	if err := c.nodes[leader].PutMany("k", 500); err != nil {
		t.Fatal(err)
	}
	seenApart := false
	c.until("the slow node has done all", func() bool {
		view, done := c.view(slow), c.nodes[slow].Applied()
		raftSays := c.nodes[slow].Raft.AppliedIndex()
		if *view.AppliedIndex+50 < raftSays {
			seenApart = true
		}
		// Its machine may have gone on since the view was taken; it never lies behind it.
		if *view.AppliedIndex > done+uint64(20) {
			t.Fatalf("the agent says %d, the machine has done %d", *view.AppliedIndex, done)
		}
		return done >= 500 && *view.AppliedIndex == raftSays
	})
	if !seenApart {
		t.Fatal("the library's word never ran ahead; nothing was staged")
	}
	// A node that has just started and hears nobody: no difference, and no health.
	c.stop(slow)
	c.stop(leader)
	c.stop(c.only())
	fresh := c.restart(slow)
	view := c.view(slow)
	if words := fresh.Words(); words.Stats["commit_index"] != words.Stats["applied_index"] {
		t.Fatal("nothing was staged", words.Stats)
	}
	if view.CommitIndex != nil && *view.CommitIndex == 0 {
		t.Fatal("a commit that is not known is told as 0")
	}
	if view.Readiness == nil || view.Readiness.Phase == string(startup.Ready) {
		t.Fatal("a node that knows of nothing calls itself ready")
	}
}

func (c *cluster) only() string {
	for id := range c.nodes {
		return id
	}
	c.t.Fatal("nobody is left")
	return ""
}

func TestAccident_39_an_answer_that_is_lost_is_unknown_and_not_refused(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	c.start("d")
	c.add("d")
	leader := c.leader()
	// Everybody who could confirm it is cut off, while the evidence of a majority is still fresh.
	asked := protocol.ChangeRequest{
		Action: protocol.Remove, Member: "d", ExpectedRevision: c.view(leader).Membership.Revision,
	}
	c.nodes[leader].Set(node.Faults{Cut: c.everybodyBut(leader)})
	_, err := c.nodes[leader].Agent.Change(context.Background(), protocol.DefaultGroup, asked)
	switch code := codeOf(err); code {
	case "unknown":
		// It was handed to Raft, and leadership was lost before its end was seen.
	case "no-quorum", "not-leader":
		// A machine so busy that leadership was lost before it was asked: nothing was tried.
	default:
		t.Fatal(code)
	}
	c.nodes[leader].Set(node.Faults{})
	// Looking tells.
	c.until("the members agree on what became of it", func() bool {
		now := c.leader()
		first := fmt.Sprint(c.nodes[now].Words().Servers)
		for id := range c.nodes {
			if id != "d" && fmt.Sprint(c.nodes[id].Words().Servers) != first {
				return false
			}
		}
		return true
	})
}

func TestAccident_40_of_two_who_change_at_once_one_is_refused(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1)
	c.start("b")
	c.start("c")
	c.add("b")
	c.add("c")
	revision := c.view("a").Membership.Revision
	codes := make(chan string, 2)
	for _, member := range []string{"b", "c"} {
		go func() {
			_, err := c.askOf("a", protocol.ChangeRequest{
				Action: protocol.Promote, Member: member, ExpectedRevision: revision,
			})
			codes <- codeOf(err)
		}()
	}
	first, second := <-codes, <-codes
	if (first == "done") == (second == "done") {
		t.Fatal(first, second)
	}
	for _, code := range []string{first, second} {
		if code != "done" && code != "change-in-progress" && code != "revision-moved" {
			t.Fatal(code)
		}
	}
}
