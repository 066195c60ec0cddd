package trials

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"quorate.dev/agent/go/protocol"
)

// agree puts what the agent of a host says beside what Dragonboat says.
func (c *cluster) agree(n int, group string, shard int) {
	c.t.Helper()
	var difference string
	c.eventually(fmt.Sprintf("host-%d tells of %s what Dragonboat says", n, group), func() bool {
		before := c.truth(n, shard)
		view, err := c.view(n, group)
		after := c.truth(n, shard)
		if err != nil || before == nil || after == nil || after.Info == nil || before.Info == nil || before.Readable != "" || after.Readable != "" ||
			before.Term != after.Term || before.Leader != after.Leader || before.Last != after.Last {
			difference = fmt.Sprintf("it moves: %v, %+v, %+v", err, before, after)
			return false
		}
		difference = differs(view, after, c.hosts[n].raft)
		return difference == ""
	})
	if difference != "" {
		c.t.Fatal(difference)
	}
}

func differs(view *protocol.GroupView, told *truth, raft string) string {
	if view.Term != told.Term || view.LastIndex == nil || *view.LastIndex != told.Last {
		return fmt.Sprintf("term %d and last index %v instead of %d and %d", view.Term, view.LastIndex, told.Term, told.Last)
	}
	if view.Membership.Revision != strconv.FormatUint(told.Membership.ConfigChangeID, 10) {
		return fmt.Sprintf("revision %s instead of %d", view.Membership.Revision, told.Membership.ConfigChangeID)
	}
	if view.CommitIndex == nil || *view.CommitIndex > *view.LastIndex || *view.CommitIndex < told.Membership.ConfigChangeID {
		return fmt.Sprintf("commit index %v", view.CommitIndex)
	}
	leads := told.Valid && told.Leader == told.Info.ReplicaID
	if view.ClaimsLeadership != leads {
		return fmt.Sprintf("claims %t, leads %t", view.ClaimsLeadership, leads)
	}
	roles := map[protocol.Role]map[uint64]string{
		protocol.RoleVoter: told.Membership.Nodes, protocol.RoleLearner: told.Membership.NonVotings, protocol.RoleWitness: told.Membership.Witnesses,
	}
	members := 0
	for role, part := range roles {
		members += len(part)
		for _, member := range view.Membership.Members {
			if member.Role == role && part[member.Replica] != member.Address {
				return fmt.Sprintf("%s is no %s", member.ID, role)
			}
			if view.Leader != nil && member.ID == *view.Leader && member.Replica != told.Leader {
				return fmt.Sprintf("%s leads instead of replica %d", member.ID, told.Leader)
			}
		}
	}
	if members != len(view.Membership.Members) {
		return fmt.Sprintf("%d members instead of %d", len(view.Membership.Members), members)
	}
	if _, votes := told.Membership.Nodes[told.Info.ReplicaID]; votes != view.Voter || told.Membership.Nodes[told.Info.ReplicaID] != raft && votes {
		return fmt.Sprintf("voter %t", view.Voter)
	}
	return ""
}

func (c *cluster) allAgree() {
	c.t.Helper()
	for n, host := range c.hosts {
		if told := c.truth(n, 1); host.alive() && told != nil && told.Info != nil {
			c.agree(n, "default", 1)
		}
	}
}

// verbs adds host 4, promotes it, has it lead, takes a snapshot and removes it; trouble comes after each.
func (c *cluster) verbs(trouble, relief func()) {
	c.t.Helper()
	trouble()
	receipt := c.done(c.add(4))
	if receipt.Note == "" || *receipt.Member != "host-4" {
		c.t.Fatalf("%+v", receipt)
	}
	c.is(4, protocol.Learner)
	relief()
	c.allAgree()
	trouble()
	c.done(c.change(protocol.Promote, "host-4"))
	c.votes(4)
	relief()
	c.allAgree()
	trouble()
	c.leads(4)
	relief()
	c.allAgree()
	trouble()
	c.must(c.leader(), "write", "shard=1&n=2")
	if receipt := c.done(c.change(protocol.Snapshot, "")); receipt.Snapshot == nil || receipt.Snapshot.Index == 0 {
		c.t.Fatalf("%+v", receipt)
	}
	relief()
	c.leads(1)
	trouble()
	c.done(c.change(protocol.Remove, "host-4"))
	relief()
	c.gone(4)
	view, err := c.view(4, "default")
	if err != nil || view.State != protocol.Outside {
		c.t.Fatalf("%v %+v", err, view)
	}
	c.allAgree()
}

func nothing() {}

func TestEveryVerbDoesWhatItSays(t *testing.T) {
	c := running(t, 1, 2, true)
	c.verbs(nothing, nothing)
	// The address is free again; the id is not.
	receipt := c.done(c.add(4))
	if view, _ := c.view(c.leader(), "default"); len(view.Burned) != 1 || view.Burned[0] != "replica-4" {
		t.Fatalf("%+v after %+v", view.Burned, receipt)
	}
	c.is(4, protocol.Learner)
	if told := c.known(4, 1); told.Info == nil || told.Info.ReplicaID != 5 {
		t.Fatalf("%+v", told.Info)
	}
	// A group that Raft does not order is compared by the agent, and that is told.
	view, err := c.view(1, "group-2")
	if err != nil || view.Membership.RevisionSource != "index-compared-by-agent" {
		t.Fatalf("%v %+v", err, view)
	}
}

func TestVerbsWithAFollowerKilled(t *testing.T) {
	c := running(t, 1, 1, false)
	victim := 0
	c.verbs(func() { victim = c.victim(); c.kill(victim) }, func() { c.start(victim); c.votes(victim) })
}

func TestVerbsWithAFollowerFrozen(t *testing.T) {
	c := running(t, 1, 1, false)
	victim := 0
	c.verbs(func() { victim = c.victim(); c.freeze(victim) }, func() { c.thaw(victim); c.votes(victim) })
}

func TestVerbsWithAFollowerPartitioned(t *testing.T) {
	c := running(t, 1, 1, false)
	victim := 0
	c.verbs(func() {
		victim = c.victim()
		c.partition(victim, true)
		c.eventually("it is alone", func() bool {
			view, err := c.view(victim, "default")
			return err == nil && view.ReadIndex == nil && view.Leader == nil && !view.ClaimsLeadership
		})
	}, func() { c.partition(victim, false); c.votes(victim) })
}

// victim is an initial host that neither leads nor is needed to: with four voters one may be missing.
func (c *cluster) victim() int {
	leader := c.leader()
	if leader == 2 {
		return 3
	}
	return 2
}

func TestALeaderThatIsCutOffClaimsNothingWithFreshEvidence(t *testing.T) {
	c := running(t, 0, 1, false)
	old := c.leader()
	c.partition(old, true)
	c.eventually("it has lost its evidence", func() bool {
		view, err := c.view(old, "default")
		return err == nil && (!view.ClaimsLeadership || view.QuorumEvidenceMS == nil || *view.QuorumEvidenceMS > view.ElectionTimeoutMS)
	})
	c.eventually("another leads", func() bool { return c.leader() != old })
	_, refused := c.changeOn(old, "default", protocol.Remove, c.hosts[c.leader()].name, "")
	if refused == nil || (refused.Code != "not-leader" && refused.Code != "no-quorum") {
		t.Fatal(refused)
	}
	c.partition(old, false)
	c.votes(old)
	c.allAgree()
}

func TestAFrozenLeaderIsReplacedAndTakesItsPlaceAgain(t *testing.T) {
	c := running(t, 0, 1, false)
	old := c.leader()
	c.freeze(old)
	c.eventually("another leads", func() bool {
		for n := 1; n <= 3; n++ {
			if n == old {
				continue
			}
			if view, err := c.view(n, "default"); err == nil && view.ClaimsLeadership {
				return true
			}
		}
		return false
	})
	c.thaw(old)
	c.is(old, protocol.Follower)
	c.allAgree()
}

func TestTwoHundredGroupsAreToldAsDragonboatHasThem(t *testing.T) {
	c := running(t, 1, 200, false)
	for _, shard := range []int{1, 2, 57, 200} {
		for n := 1; n <= 3; n++ {
			group := map[bool]string{true: "default", false: fmt.Sprintf("group-%d", shard)}[shard == 1]
			c.agree(n, group, shard)
		}
	}
}

func TestSnapshotsAreExportedBelowTheConfiguredFolder(t *testing.T) {
	c := prepared(t, 0, 1, false)
	for n := 1; n <= 3; n++ {
		c.extra[n] = []string{"--export"}
	}
	c.startAll()
	leader := c.leader()
	c.must(leader, "write", "shard=1&n=3")
	receipt := c.done(c.changeOn(leader, "default", protocol.Snapshot, "../../elsewhere", "/elsewhere"))
	folder := filepath.Join(c.hosts[leader].dir, "snapshots", "default", fmt.Sprintf("snapshot-%016X", receipt.Snapshot.Index))
	if found, err := filepath.Glob(filepath.Join(folder, "*.gbsnap")); err != nil || len(found) != 1 || !strings.Contains(receipt.Note, folder) {
		t.Fatalf("%v %v: %s", found, err, receipt.Note)
	}
}

func TestALookIsOneRightAndAChangeAnother(t *testing.T) {
	c := prepared(t, 0, 1, false)
	c.extra[1] = []string{"--read-token", "a-token-to-look"}
	c.startAll()
	c.leader()
	looker := protocol.Peer{Token: "a-token-to-look"}
	if _, err := looker.View(context.Background(), c.hosts[1].origin(), "default"); err != nil {
		t.Fatal(err)
	}
	_, err := looker.Change(context.Background(), c.hosts[1].origin(), "default", protocol.ChangeRequest{Action: protocol.Snapshot})
	for _, path := range []string{"dragonboat/words", "dragonboat/groups/default/join", "dragonboat/groups/default/stop"} {
		method := map[bool]string{true: http.MethodGet, false: http.MethodPost}[path == "dragonboat/words"]
		err = errors.Join(err, looker.Call(context.Background(), method, c.hosts[1].origin(), path, nil, &struct{}{}))
	}
	if err == nil || strings.Count(err.Error(), "not-allowed") != 4 {
		t.Fatal(err)
	}
}
