package agent_test

import (
	"fmt"
	"testing"

	"github.com/hashicorp/raft"

	"quorate.dev/agent/go/protocol"
	"quorate.dev/agent/hashicorp-raft/example/node"
)

// agrees compares what an agent says with what Raft itself says.
func agrees(c *cluster, id string) {
	c.t.Helper()
	c.until("the agent of "+id+" says what Raft says", func() bool {
		view, words := c.view(id), c.nodes[id].Words()
		states := map[string]protocol.State{
			"Leader": protocol.Leader, "Follower": protocol.Follower, "Candidate": protocol.Candidate,
		}
		want := states[words.Stats["state"]]
		if want == protocol.Follower && !view.Voter {
			want = protocol.Learner
		}
		return view.State == want && fmt.Sprint(view.Term) == words.Stats["term"] &&
			view.Leader != nil && *view.Leader == string(words.Leader) &&
			fmt.Sprint(*view.LastIndex) == words.Stats["last_log_index"] &&
			view.CommitIndex != nil && fmt.Sprint(*view.CommitIndex) == words.Stats["commit_index"] &&
			fmt.Sprint(*view.AppliedIndex) == words.Stats["applied_index"] &&
			sameMembers(view.Membership.Members, words.Servers)
	})
}

func sameMembers(members []protocol.Member, servers []raft.Server) bool {
	if len(members) != len(servers) {
		return false
	}
	for i, server := range servers {
		votes := server.Suffrage == raft.Voter
		if members[i].ID != string(server.ID) || members[i].Address != string(server.Address) ||
			members[i].Role.Votes() != votes || members[i].AgentAddress == nil {
			return false
		}
	}
	return true
}

func TestEveryVerbDoesWhatItSaysUnderLoad(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	leader := c.leader()
	c.nodes[leader].Load(500)
	c.start("d")
	if view := c.view("d"); view.State != protocol.Outside || len(view.Membership.Members) != 0 {
		t.Fatalf("a newcomer is %s", view.State)
	}
	c.add("d")
	c.until("the learner is level", func() bool {
		view := c.view(leader)
		matched := view.Progress["d"].MatchedIndex
		return matched != nil && *view.LastIndex-min(*matched, *view.LastIndex) < 50
	})
	if c.role("d") != protocol.RoleLearner || c.view("d").State != protocol.Learner {
		t.Fatal("the newcomer is no learner")
	}
	promoted := c.done(protocol.Promote, "d")
	if now := c.view(leader).Membership; now.Revision != promoted.Revision || now.RevisionSource != "index" {
		t.Fatalf("the receipt says %s, the membership %s", promoted.Revision, now.Revision)
	}
	c.nodes[leader].Load(0)
	moved := c.done(protocol.Transfer, "d")
	if moved.Outcome != protocol.Done || *moved.Leader != "d" || c.leader() != "d" {
		t.Fatalf("leadership went to %s", *moved.Leader)
	}
	c.done(protocol.Demote, leader)
	if c.role(leader) != protocol.RoleLearner {
		t.Fatal("it still votes")
	}
	for id := range c.nodes {
		agrees(c, id)
	}
	taken, err := c.askOf("d", protocol.ChangeRequest{Action: protocol.Snapshot})
	if err != nil || taken.Snapshot == nil || taken.Snapshot.Index == 0 {
		t.Fatal(err, taken)
	}
	if words := c.nodes["d"].Words(); fmt.Sprint(taken.Snapshot.Index) != words.Stats["last_snapshot_index"] {
		t.Fatal(taken.Snapshot, words.Stats)
	}
	c.done(protocol.Remove, leader)
	if c.role(leader) != "" {
		t.Fatal("it is still there")
	}
	if burned := c.view("d").Burned; len(burned) != 1 || burned[0] != leader {
		t.Fatal("its id is not kept from use", burned)
	}
	if state := c.view(leader).State; state != protocol.Learner && state != protocol.Candidate {
		t.Fatal("the removed node goes on in silence, not as", state)
	}
}

func TestLagIsTheFollowersOwnLogAndNotMore(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	follower := c.follower()
	for _, running := range c.nodes {
		running.Load(1000)
	}
	told := 0
	c.until("progress is told under load", func() bool {
		leader := c.leader()
		if leader == follower {
			follower = c.follower()
		}
		matched := c.view(leader).Progress[follower].MatchedIndex
		own := c.nodes[follower].Raft.LastIndex()
		if matched != nil && *matched > own {
			t.Fatalf("the leader says %d, the follower's log ends at %d", *matched, own)
		}
		if matched != nil {
			told++
		}
		return told >= 50
	})
	for _, running := range c.nodes {
		running.Load(0)
	}
	leader := c.leader()
	c.until("all is level", func() bool {
		leader = c.leader()
		if leader == follower {
			follower = c.follower()
		}
		view := c.view(leader)
		matched := view.Progress[follower].MatchedIndex
		return matched != nil && *matched == c.nodes[follower].Raft.LastIndex() &&
			*view.LastIndex == *matched
	})
	progress := c.view(leader).Progress[follower]
	if progress.RoundTripMicros == nil || *progress.RoundTripMicros > 2_000_000 || progress.LastContactMS == nil {
		t.Fatalf("%+v", progress)
	}
}

func TestARevisionIsTheConfigurationsIndexOnEveryNode(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	leader := c.leader()
	revision := c.view(leader).Membership.Revision
	for id := range c.nodes {
		c.until(id+" tells the same revision", func() bool {
			return c.view(id).Membership.Revision == revision
		})
	}
	// Raft itself takes it, and refuses the one before.
	index := uint64(0)
	if _, err := fmt.Sscan(revision, &index); err != nil {
		t.Fatal(err)
	}
	c.start("d")
	err := c.nodes[leader].Raft.AddNonvoter("d", raft.ServerAddress(c.nodes["d"].Address), index-1, 0).Error()
	if err == nil {
		t.Fatal("an older index was taken")
	}
	err = c.nodes[leader].Raft.AddNonvoter("d", raft.ServerAddress(c.nodes["d"].Address), index, 0).Error()
	if err != nil {
		t.Fatal(err)
	}
}

func TestARevisionOutlivesARestartFromASnapshot(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, func(o *node.Options) {
		o.Tune = func(config *raft.Config) { config.TrailingLogs = 1 }
	})
	leader, follower := c.leader(), c.follower()
	revision := c.view(leader).Membership.Revision
	if err := c.nodes[leader].PutMany("k", 50); err != nil {
		t.Fatal(err)
	}
	c.until("the follower has a snapshot", func() bool {
		_, err := c.askOf(follower, protocol.ChangeRequest{Action: protocol.Snapshot})
		return err == nil
	})
	c.stop(follower)
	c.restart(follower)
	c.until("it tells the same revision again", func() bool {
		view := c.view(follower)
		return view.Membership.Revision == revision && view.Membership.RevisionSource == "index"
	})
	// A learner fed by a snapshot is told of no configuration either.
	if _, err := c.askOf(leader, protocol.ChangeRequest{Action: protocol.Snapshot}); err != nil {
		t.Fatal(err)
	}
	c.start("d")
	c.add("d")
	c.until("the learner tells the leader's revision", func() bool {
		return c.view("d").Membership.Revision == c.view(leader).Membership.Revision
	})
}

func TestWithoutTheStateMachineMembersAreComparedByAHash(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, func(o *node.Options) { o.BareFSM = true })
	before := c.view("a").Membership
	if before.RevisionSource != "hash" || before.Revision[0] != 'h' {
		t.Fatal(before)
	}
	c.start("b", func(o *node.Options) { o.BareFSM = true })
	c.add("b")
	_, err := c.askOf("a", protocol.ChangeRequest{
		Action: protocol.Promote, Member: "b", ExpectedRevision: before.Revision,
	})
	if codeOf(err) != "revision-moved" {
		t.Fatal(err)
	}
	c.done(protocol.Promote, "b")
	// The library will not take a snapshot until something is applied; the leader's agent cures it.
	taken, err := c.ask(protocol.Snapshot, "", "")
	if err != nil || taken.Snapshot == nil {
		t.Fatal(err, taken)
	}
}

func TestWithoutTheTransportNobodyIsPromoted(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, func(o *node.Options) { o.BareTransport = true })
	view := c.view("a")
	if !view.ClaimsLeadership || view.QuorumEvidenceMS == nil {
		t.Fatal("a call that a majority confirmed is evidence too")
	}
	for _, can := range c.nodes["a"].Agent.Identity().Capabilities {
		blind := can.Action == protocol.Promote || can.Action == protocol.Demote || can.Action == protocol.Transfer
		if can.Supported == blind {
			t.Errorf("%s: supported is %v", can.Action, can.Supported)
		}
	}
}

func TestSnapshotsThatCannotBeTakenYetAreToldApart(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 0)
	c.start("a")
	_, err := c.askOf("a", protocol.ChangeRequest{Action: protocol.Snapshot})
	if codeOf(err) != "nothing-applied" {
		t.Fatal(err)
	}
	bare := newCluster(t, 2, func(o *node.Options) { o.BareFSM = true })
	if err := bare.nodes[bare.leader()].Put("k", "v"); err != nil {
		t.Fatal(err)
	}
	follower := bare.follower()
	bare.start("c", func(o *node.Options) { o.BareFSM = true })
	bare.add("c")
	bare.until("a follower waits for the configuration entry", func() bool {
		_, err := bare.askOf(follower, protocol.ChangeRequest{Action: protocol.Snapshot})
		return codeOf(err) == "snapshot-waits"
	})
}
