package trials

import (
	"fmt"
	"path/filepath"
	"testing"

	"quorate.dev/agent/go/protocol"
)

// witnessed is three hosts and, on a fourth, a witness of the default group. No verb of the agent makes one: the
// program does.
func witnessed(t *testing.T) *cluster {
	t.Helper()
	c := running(t, 1, 1, false)
	c.must(c.leader(), "add-witness", fmt.Sprintf("shard=1&replica=4&target=%s&ccid=%d", c.hosts[4].raft, c.ccid()))
	c.must(4, "start-witness", "shard=1&replica=4&join=1")
	c.witness(4)
	return c
}

// witness waits until a host knows that it is one, and of what. It reads nothing, so `is` would wait in vain.
func (c *cluster) witness(n int) {
	c.t.Helper()
	c.eventually(fmt.Sprintf("host-%d is a witness", n), func() bool {
		view, err := c.view(n, "default")
		return err == nil && view.State == protocol.Witness && view.Voter && view.Leader != nil && view.Fault == nil &&
			!view.ClaimsLeadership && view.ReadIndex == nil && view.AppliedIndex == nil && len(view.Membership.Members) == 4
	})
}

func TestAWitnessIsShownAndCountedAndLeftAlone(t *testing.T) {
	c := witnessed(t)
	c.eventually("every member has it as a witness that votes", func() bool {
		for n := 1; n <= 3; n++ {
			view, err := c.view(n, "default")
			if err != nil || len(view.Membership.Configs) != 1 || len(view.Membership.Configs[0]) != 4 {
				return false
			}
			for _, member := range view.Membership.Members {
				if (member.Role == protocol.RoleWitness) != (member.ID == "host-4") {
					return false
				}
			}
		}
		return true
	})
	c.refused("not-supported", nil, second(c.change(protocol.Promote, "host-4")))
	c.refused("not-a-voter", nil, second(c.change(protocol.Transfer, "host-4")))
	c.refused("not-supported", nil, second(c.change(protocol.Demote, "host-4")))
	// Its vote counts: of four, three are a majority, and one of them is the witness.
	leader := c.leader()
	victim := c.follower()
	c.kill(victim)
	c.must(leader, "write", "shard=1&n=3")
	c.eventually("a removal that would need its vote is refused", func() bool {
		other := 6 - c.leader() - victim // Leadership may have moved since.
		refused := second(c.change(protocol.Remove, c.hosts[other].name))
		return c.refusedAtAll(refused) && refused.Code == "majority-at-risk"
	})
	c.start(victim)
	c.votes(victim)
	// The one thing that may be done to it.
	c.done(c.change(protocol.Remove, "host-4"))
	c.gone(4)
}

func TestAWitnessIsNotStartedAsSomethingElse(t *testing.T) {
	c := witnessed(t)
	c.eventually("it is on record", func() bool {
		kept, err := filepath.Glob(filepath.Join(c.hosts[4].records(), "shard-*"))
		return err == nil && len(kept) == 1
	})
	c.restart(4)
	c.fault(4, "the replica is a witness, as the local record says")
	// Without the record the others know.
	c.kill(4)
	c.forget(4)
	c.start(4)
	c.fault(4, "the replica is a witness, as host-")
	// The program starts it as what it is.
	c.must(4, "start-witness", "shard=1&replica=4")
	c.witness(4)
}

func TestAGroupNobodyWritesToIsNotBehind(t *testing.T) {
	c := running(t, 0, 3, false)
	level := func() bool {
		for n := 1; n <= 3; n++ {
			for _, group := range []string{"default", "group-3"} {
				view, err := c.view(n, group)
				if err != nil || view.AppliedIndex == nil || view.CommitIndex == nil || *view.AppliedIndex != *view.CommitIndex {
					return false
				}
			}
		}
		return true
	}
	c.eventually("all have applied what is committed", level)
	c.must(c.leader(), "write", "shard=1&n=5")
	c.eventually("and so it is after a few entries", level)
	// A voter that is cut off proves nothing more, and claims nothing more.
	cut := c.follower()
	c.partition(cut, true)
	c.must(c.leader(), "write", "shard=1&n=5")
	view, err := c.view(cut, "default")
	if err != nil || view.AppliedIndex == nil || view.LastIndex == nil || *view.AppliedIndex > *view.LastIndex {
		t.Fatalf("%v %+v", err, view)
	}
	c.partition(cut, false)
	c.eventually("it has caught up", level)
}
