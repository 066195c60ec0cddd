package startup_test

import (
	"context"
	"fmt"
	"testing"

	"quorate.dev/agent/hashicorp-raft/example/node"
	"quorate.dev/agent/hashicorp-raft/startup"
)

func TestMoreChangesThanAreNotedAreEverything(t *testing.T) {
	t.Parallel()
	leader := newStore(t, 1, nil).leader()
	const most = 10_000
	for noted, everything := range map[int]bool{most: false, most + 1: true} {
		told := make(chan startup.Start, 1)
		follow := startup.New(startup.Options{Member: "a", Applied: leader.Watched.Applied, OnReady: func(start startup.Start) { told <- start }})
		for n := range noted {
			if follow.Note(uint64(n)+1, fmt.Sprint(n)) || follow.Note(uint64(n)+1, "0") {
				t.Fatal("replay is over before it began")
			}
		}
		follow.Follow(leader.Raft, nil)
		start := <-told
		if start.Everything != everything || everything && len(start.Changed) != 0 || !everything && len(start.Changed) != noted {
			t.Errorf("of %d: everything %v, %d changed", noted, start.Everything, len(start.Changed))
		}
		follow.Close()
	}
}

func TestABoundedReadIsRefusedBeyondItsBound(t *testing.T) {
	t.Parallel()
	s := newStore(t, 3, nil)
	slow := s.nodes[s.follower()]
	s.until("it is ready", func() bool { return slow.Starting.Report().Phase == startup.Ready })
	within := func(entries uint64) bool {
		return slow.Starting.Check(context.Background(), startup.Bounded(0, entries)) == nil
	}
	slow.Set(node.Faults{FreezeApply: true})
	defer slow.Set(node.Faults{})
	s.until("twenty entries are written", func() bool { return s.leader().PutMany("k", 20) == nil })
	s.until("it lies more than five entries behind, and says so", func() bool { return !within(5) })
	if !within(1_000_000) || !within(0) {
		t.Error("what is within the bound is refused")
	}
	slow.Set(node.Faults{})
	s.until("it has caught up", func() bool { return within(5) })
}
