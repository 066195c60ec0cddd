package trials

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"quorate.dev/agent/go/protocol"
)

func TestAccident23ARestartOfAPromotedReplicaDoesNotPanic(t *testing.T) {
	c := running(t, 1, 1, false)
	c.done(c.add(4))
	c.is(4, protocol.Learner)
	c.done(c.change(protocol.Promote, "host-4"))
	// What happens without the helper: started as the voter it is now, the process dies.
	c.must(4, "stop", "shard=1&replica=4")
	c.eventually("Dragonboat panics", func() bool {
		// Refused while the stop has not ended.
		_ = c.raw(4, "start", "shard=1&replica=4&flag=0", nil)
		return !c.hosts[4].alive()
	})
	if !strings.Contains(c.hosts[4].log.String(), "panic") {
		t.Fatal(c.hosts[4].log)
	}
	// With it.
	c.start(4)
	c.votes(4)
	c.leads(4)
}

func TestAccident24AVoterStartedAsNonVotingIsFoundAndSaid(t *testing.T) {
	c := running(t, 1, 1, false)
	leader := c.leader()
	ccid := c.ccid()
	c.must(leader, "add", fmt.Sprintf("shard=1&replica=4&target=%s&ccid=%d", c.hosts[4].raft, ccid))
	c.must(4, "start", "shard=1&replica=4&join=1&flag=1")
	c.votes(4) // It acknowledges and counts.
	refused := c.refused("transfer-not-taken", nil, second(c.change(protocol.Transfer, "host-4")))
	if !strings.Contains(refused.Text, "it may run as non-voting") {
		t.Fatal(refused)
	}
	// The helper, which does not know either, says so; told how it joined it starts it right.
	c.restart(4)
	c.fault(4, "nobody remembers how it joined")
	c.extra[4] = []string{"--joined-as", "joined-voter"}
	c.restart(4)
	c.votes(4)
	c.leads(4)
}

func second(_ *protocol.Receipt, refused *protocol.Refusal) *protocol.Refusal { return refused }

func TestAccident25ARemovalOfAnIdThatNeverExistedIsRefused(t *testing.T) {
	c := running(t, 0, 1, false)
	before := c.ccid()
	for _, stranger := range []string{"host-9", "7", "replica-7", "127.0.0.1:1"} {
		c.refused("member-unknown", nil, second(c.change(protocol.Remove, stranger)))
	}
	if after := c.ccid(); after != before {
		t.Fatalf("the membership moved from %d to %d", before, after)
	}
	// Dragonboat itself burns the id; who comes after it gets a fresh one all the same.
	c.must(c.leader(), "remove", fmt.Sprintf("shard=1&replica=7&ccid=%d", before))
	c.refused("member-unknown", nil, second(c.change(protocol.Remove, "replica-7")))
}

func TestAccident26TheLeaderIsNotRemovedThroughItsOwnHost(t *testing.T) {
	c := running(t, 0, 1, false)
	leader := c.leader()
	c.refused("is-leader", nil, second(c.change(protocol.Remove, c.hosts[leader].name)))
	// What Dragonboat would have said: it fails, and it is done.
	ccid := c.ccid()
	if err := c.raw(leader, "remove", fmt.Sprintf("shard=1&replica=%d&ccid=%d", leader, ccid), nil); err == nil {
		t.Log("this time the caller was told")
	}
	c.eventually("it is gone", func() bool { return c.ended(leader) })
	c.eventually("another leads", func() bool { return c.leader() != leader })
	c.eventually("its agent says so", func() bool {
		view, err := c.view(leader, "default")
		return err == nil && view.State == protocol.Outside
	})
}

func TestAccident27ANonVotingHostsWordOfALeaderIsNoClaim(t *testing.T) {
	c := running(t, 1, 1, false)
	c.done(c.add(4))
	c.is(4, protocol.Learner)
	for n := 1; n <= 3; n++ {
		c.kill(n)
	}
	if told := c.known(4, 1); !told.Valid || told.Leader == 0 {
		t.Fatalf("Dragonboat has changed: %+v", told)
	}
	c.eventually("it is a learner's word without a read", func() bool {
		view, err := c.view(4, "default")
		return err == nil && view.State == protocol.Learner && !view.Voter && !view.ClaimsLeadership && view.ReadIndex == nil
	})
	refused := second(c.changeOn(4, "default", protocol.Promote, "host-4", ""))
	c.refused("not-leader", nil, refused)
}

func TestAccident28AZombieIsFoundAndStopped(t *testing.T) {
	c := running(t, 1, 1, false)
	c.done(c.add(4))
	c.is(4, protocol.Learner)
	c.kill(4)
	c.done(c.change(protocol.Remove, "host-4"))
	// The helper asks the others and does not start it.
	c.start(4)
	c.eventually("it is outside", func() bool {
		view, err := c.view(4, "default")
		return err == nil && view.State == protocol.Outside
	})
	// Started past the helper it runs and hears of nobody.
	c.must(4, "start", "shard=1&replica=4&flag=1")
	c.fault(4, "was removed from the group while this host was away")
	if told := c.known(4, 1); told.Info == nil || told.Leader != 0 || told.Readable == "" {
		t.Fatalf("no zombie: %+v", told)
	}
	if err := c.stopZombie(4); err != nil {
		t.Fatal(err)
	}
	if !c.ended(4) {
		t.Fatal("it runs on")
	}
	if err := c.stopZombie(1); err == nil {
		t.Fatal("a member was stopped")
	}
	if c.ended(1) {
		t.Fatal("a member was stopped")
	}
}

func TestAccident28AZombieThatStillNamesALeaderIsFound(t *testing.T) {
	c := running(t, 1, 1, false)
	c.done(c.add(4))
	c.is(4, protocol.Learner)
	c.partition(4, true)
	c.done(c.change(protocol.Remove, "host-4"))
	c.partition(4, false)
	c.fault(4, "was removed from the group while this host was away")
	if told := c.known(4, 1); !told.Valid || told.Leader == 0 {
		t.Fatalf("Dragonboat has changed: %+v", told)
	}
	if err := c.stopZombie(4); err != nil {
		t.Fatal(err)
	}
	// Its host is free for a new replica.
	c.done(c.add(4))
	c.is(4, protocol.Learner)
}

func TestAccident29ADeadOrJustStartedVoterIsNotHandedTheLeadership(t *testing.T) {
	c := running(t, 0, 1, false)
	victim := c.follower()
	c.kill(victim)
	began := time.Now()
	c.refused("not-heard", nil, second(c.change(protocol.Transfer, c.hosts[victim].name)))
	if time.Since(began) > 10*time.Second {
		t.Fatal("the refusal took", time.Since(began))
	}
	// Nothing was offered, so nothing stands still.
	c.eventually("writes go on", func() bool { return c.raw(c.leader(), "write", "shard=1", nil) == nil })
	c.start(victim)
	c.votes(victim)
	refused := second(c.change(protocol.Transfer, c.hosts[victim].name))
	if refused == nil || (refused.Code != "just-started" && refused.Code != "not-heard") {
		t.Fatal(refused)
	}
	if c.leader() == victim {
		t.Fatal("it leads")
	}
	c.leads(victim)
}

func TestAccident39AnAnswerThatIsLostOnItsWayIsLookedUp(t *testing.T) {
	c := running(t, 1, 1, false)
	role := func(view *protocol.GroupView) protocol.Role {
		for _, member := range view.Membership.Members {
			if member.ID == "host-4" {
				return member.Role
			}
		}
		return ""
	}
	// Whoever asked is gone as soon as the request is there: the newcomer is added all the same, and started.
	added := c.lost(true, protocol.ChangeRequest{Action: protocol.AddLearner, Member: "host-4", Address: c.hosts[4].origin()},
		func(view *protocol.GroupView) bool { return role(view) == protocol.RoleLearner })
	c.is(4, protocol.Learner)
	c.again(added, "already-member")
	// The change is done, and its answer ends on the wire.
	promoted := c.lost(false, protocol.ChangeRequest{Action: protocol.Promote, Member: "host-4"},
		func(view *protocol.GroupView) bool { return role(view) == protocol.RoleVoter })
	c.votes(4)
	c.again(promoted, "already-voter")
	// What the agents tell now is what Dragonboat has: one replica on host 4, and nobody twice.
	c.allAgree()
	if view, err := c.view(c.leader(), "default"); err != nil || len(view.Membership.Members) != 4 || len(view.Burned) != 0 {
		t.Fatalf("%v %+v", err, view)
	}
}

func TestAccident40TheSecondOfTwoChangesDecidedAtOnceIsRefused(t *testing.T) {
	c := running(t, 1, 2, false)
	for _, group := range []string{"default", "group-2"} { // The second is not ordered by Raft.
		leader := 0
		c.eventually(group+" is led", func() bool {
			for n := 1; n <= 3; n++ {
				if view, err := c.view(n, group); err == nil && view.ClaimsLeadership {
					leader = n
				}
			}
			return leader != 0
		})
		stale, err := c.view(leader, group)
		if err != nil {
			t.Fatal(err)
		}
		c.done(c.changeOn(leader, group, protocol.AddLearner, "host-4", c.hosts[4].origin()))
		refused := c.stale(leader, group, stale.Membership.Revision)
		if refused == nil || refused.Code != "revision-moved" || refused.Revision == nil || *refused.Revision == stale.Membership.Revision {
			t.Fatal(refused)
		}
	}
}
