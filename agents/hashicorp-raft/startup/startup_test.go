package startup_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"quorate.dev/agent/go/protocol"
	"quorate.dev/agent/hashicorp-raft/example/node"
	"quorate.dev/agent/hashicorp-raft/startup"
)

const timeout = time.Second

// Clusters mostly wait, so more of them run at once than there are processors.
func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "6")
	os.Exit(m.Run())
}

// hook keeps what the ready hook was told.
type hook struct {
	mutex sync.Mutex
	calls []startup.Start
}

func (h *hook) take(start startup.Start) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.calls = append(h.calls, start)
}

func (h *hook) told() []startup.Start {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return append([]startup.Start(nil), h.calls...)
}

func TestAFollowerIsReadyWhenItHasWhatTheLeaderHadCommitted(t *testing.T) {
	t.Parallel()
	s := newStore(t, 3, nil)
	late := s.follower()
	s.stop(late)
	leader := s.leader()
	if err := leader.PutMany("k", 400); err != nil {
		t.Fatal(err)
	}
	committed := leader.Raft.CommitIndex()
	var ready hook
	node := s.start(late, func(o *node.Options) { o.OnReady = ready.take })
	seen := map[startup.Phase]bool{}
	s.until("it is ready", func() bool {
		report := node.Starting.Report()
		seen[report.Phase] = true
		if report.Phase == startup.Ready {
			if report.Target < committed || report.TargetSource != startup.FromLeader || report.Applied < report.Target {
				t.Fatalf("%+v, and the leader had committed %d", report, committed)
			}
			return true
		}
		return false
	})
	if _, known := node.Get("k-399"); !known {
		t.Fatal("it called itself ready without the last value")
	}
	s.until("the hook was called", func() bool { return len(ready.told()) == 1 })
	start := ready.told()[0]
	if len(start.Changed) == 0 || start.Applied < committed {
		t.Fatalf("%+v", start)
	}
	if err := leader.Put("after", "v"); err != nil {
		t.Fatal(err)
	}
	s.until("what comes later is told one by one", func() bool { return node.Live.Load() == 1 })
	if len(ready.told()) != 1 {
		t.Fatal("the hook was called twice")
	}
}

func TestTheHookIsToldOnlyOfWhatTheRunBeforeHadNotApplied(t *testing.T) {
	t.Parallel()
	s := newStore(t, 3, nil)
	late := s.follower()
	leader := s.leader()
	if err := leader.PutMany("before", 50); err != nil {
		t.Fatal(err)
	}
	s.until("all is applied everywhere", func() bool {
		_, known := s.nodes[late].Get("before-49")
		return known
	})
	s.stop(late)
	if err := leader.PutMany("while-away", 3); err != nil {
		t.Fatal(err)
	}
	var ready hook
	s.start(late, func(o *node.Options) { o.OnReady = ready.take })
	s.until("the hook was called", func() bool { return len(ready.told()) == 1 })
	start := ready.told()[0]
	if fmt.Sprint(start.Changed) != "[while-away-0 while-away-1 while-away-2]" || start.Before == 0 {
		t.Fatalf("%+v", start)
	}
}

func TestASnapshotChangesEverythingUnlessItWasSeenBefore(t *testing.T) {
	t.Parallel()
	s := newStore(t, 2, func(o *node.Options) {
		o.Tune = func(config *raft.Config) { config.TrailingLogs = 1 }
	})
	leader, late := s.leader(), s.follower()
	if err := leader.PutMany("k", 20); err != nil {
		t.Fatal(err)
	}
	s.until("all is applied everywhere", func() bool {
		_, known := s.nodes[late].Get("k-19")
		return known
	})
	if err := s.nodes[late].Raft.Snapshot().Error(); err != nil {
		t.Fatal(err)
	}
	s.stop(late)
	var own hook
	s.start(late, func(o *node.Options) { o.OnReady = own.take })
	s.until("the hook was called", func() bool { return len(own.told()) == 1 })
	if start := own.told()[0]; start.Everything || len(start.Changed) != 0 {
		t.Fatalf("its own snapshot was new to it: %+v", start)
	}
	// Without its data it can only be sent a snapshot; one of two voters commits nothing meanwhile.
	s.stop(late)
	if err := os.RemoveAll(s.given[late].Dir); err != nil {
		t.Fatal(err)
	}
	s.until("the leader steps down", func() bool { return leader.Raft.State() != raft.Leader })
	if err := leader.Raft.Snapshot().Error(); err != nil {
		t.Fatal(err)
	}
	var sent hook
	s.start(late, func(o *node.Options) { o.OnReady, o.Bootstrap = sent.take, false })
	s.until("the hook was called", func() bool { return len(sent.told()) == 1 })
	if start := sent.told()[0]; !start.Everything {
		t.Fatalf("a snapshot that was sent changed nothing: %+v", start)
	}
}

func TestWithoutAQuorumANodeIsNeverReady(t *testing.T) {
	t.Parallel()
	s := newStore(t, 3, nil)
	if err := s.leader().Put("k", "v"); err != nil {
		t.Fatal(err)
	}
	for id := range s.given {
		s.stop(id)
	}
	var ready hook
	alone := s.start("a", func(o *node.Options) { o.OnReady = ready.take })
	s.until("it stands for election", func() bool { return alone.Raft.State() == raft.Candidate })
	stats := alone.Raft.Stats()
	if stats["commit_index"] != stats["applied_index"] {
		t.Fatal("nothing was staged", stats)
	}
	if report := alone.Starting.Report(); report.Phase != startup.NoLeader && report.Phase != startup.Starting {
		t.Fatalf("%+v", report)
	}
	for _, level := range []startup.Level{
		startup.Bounded(0, 0), startup.OnLeader(), startup.VerifiedLeader(), startup.Linearizable(),
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		var notYet *startup.NotYet
		if err := alone.Starting.Check(ctx, level); !errors.As(err, &notYet) {
			t.Errorf("%s: %v", level, err)
		}
		cancel()
	}
	if err := alone.Starting.Check(context.Background(), startup.AnyState()); err != nil {
		t.Fatal(err)
	}
	s.start("b", nil)
	s.until("with a second it becomes ready", func() bool {
		return alone.Starting.Report().Phase == startup.Ready && len(ready.told()) == 1
	})
}

func TestANewLeaderServesWhenItsBarrierIsThrough(t *testing.T) {
	t.Parallel()
	s := newStore(t, 3, nil)
	slow := s.follower()
	s.nodes[slow].Set(node.Faults{ApplyDelayMS: 4})
	old := s.leader()
	if err := old.PutMany("k", 400); err != nil {
		t.Fatal(err)
	}
	server := s.nodes[slow]
	err := old.Raft.LeadershipTransferToServer(raft.ServerID(slow), raft.ServerAddress(server.Address)).Error()
	if err != nil {
		t.Fatal(err)
	}
	s.until("it leads, and its state machine lags", func() bool {
		return server.Starting.Report().Phase == startup.LeaderPending
	})
	if err := server.Raft.VerifyLeader().Error(); err != nil {
		t.Fatal(err)
	}
	if server.Applied() >= 400 {
		t.Fatal("nothing was staged: it has applied all")
	}
	if err := server.Starting.Check(context.Background(), startup.OnLeader()); err == nil {
		t.Fatal("a read was let through before the barrier")
	}
	s.until("it serves", func() bool {
		return server.Starting.Check(context.Background(), startup.VerifiedLeader()) == nil
	})
	if server.Applied() < 400 {
		t.Fatal("it served without all that was committed")
	}
}

func TestALeaderWhoseStateMachineDoesNotReturnHandsLeadershipOver(t *testing.T) {
	t.Parallel()
	s := newStore(t, 3, func(o *node.Options) { o.HandOverAfter = 300 * time.Millisecond })
	frozen := s.follower()
	server := s.nodes[frozen]
	server.Set(node.Faults{FreezeApply: true})
	old := s.leader()
	if err := old.Put("k", "v"); err != nil {
		t.Fatal(err)
	}
	err := old.Raft.LeadershipTransferToServer(raft.ServerID(frozen), raft.ServerAddress(server.Address)).Error()
	if err != nil {
		t.Fatal(err)
	}
	s.until("it leads", func() bool { return server.Raft.State() == raft.Leader })
	if s.leader() == server {
		t.Fatal("who cannot serve leads on")
	}
	server.Set(node.Faults{})
}

func TestWithoutAWayToTheLeaderTheOwnCommitIndexHasToStandStill(t *testing.T) {
	t.Parallel()
	s := newStore(t, 2, nil)
	follower := s.nodes[s.follower()]
	weak := startup.New(startup.Options{Member: raft.ServerID(s.follower()), Applied: follower.Watched.Applied})
	began := time.Now()
	weak.Follow(follower.Raft, nil)
	defer weak.Close()
	s.until("it is ready by the weaker rule", func() bool { return weak.Report().Phase == startup.Ready })
	if took := time.Since(began); took < time.Second {
		t.Fatal("it stood still for no longer than", took)
	}
	if report := weak.Report(); report.TargetSource != startup.FromOwnCommit {
		t.Fatalf("%+v", report)
	}
	if err := weak.Check(context.Background(), startup.Linearizable()); err == nil {
		t.Fatal("nobody could have been asked")
	}
}

func TestAnIsolatedNodeBecomesStaleAndARemovedOneSaysSo(t *testing.T) {
	t.Parallel()
	var calls hook
	s := newStore(t, 3, func(o *node.Options) { o.OnReady = calls.take })
	id := s.follower()
	lonely, leader := s.nodes[id], s.leader()
	s.until("it is ready", func() bool { return lonely.Starting.Report().Phase == startup.Ready })
	for other, running := range s.nodes {
		if other != id {
			running.Set(node.Faults{Cut: []raft.ServerID{raft.ServerID(id)}})
		}
	}
	s.until("it is stale", func() bool { return lonely.Starting.Report().Phase == startup.Stale })
	if err := lonely.Starting.Check(context.Background(), startup.Bounded(timeout, 0)); err == nil {
		t.Fatal("a read beyond the bound was let through")
	}
	for _, running := range s.nodes {
		running.Set(node.Faults{})
	}
	s.until("it is ready again", func() bool { return lonely.Starting.Report().Phase == startup.Ready })
	// While replication to it still backs off, a removal does not reach it, and it would not know.
	if err := leader.Put("k", "v"); err != nil {
		t.Fatal(err)
	}
	s.until("entries reach it again", func() bool {
		_, known := lonely.Get("k")
		return known
	})
	if err := leader.Raft.RemoveServer(raft.ServerID(id), 0, 0).Error(); err != nil {
		t.Fatal(err)
	}
	s.until("it is removed", func() bool { return lonely.Starting.Report().Phase == startup.Removed })
	if told := len(calls.told()); told > 3 {
		t.Fatalf("three nodes were ready, and the hook was called %d times", told)
	}
}

func TestANodeThatWasRemovedWhileItWasCutOffFindsOut(t *testing.T) {
	t.Parallel()
	s := newStore(t, 3, nil)
	id := s.follower()
	lonely, leader := s.nodes[id], s.leader()
	s.until("it is ready", func() bool { return lonely.Starting.Report().Phase == startup.Ready })
	var others []raft.ServerID
	for other, running := range s.nodes {
		if other != id {
			others = append(others, raft.ServerID(other))
			running.Set(node.Faults{Cut: []raft.ServerID{raft.ServerID(id)}})
		}
	}
	lonely.Set(node.Faults{Cut: others})
	if err := leader.Raft.RemoveServer(raft.ServerID(id), 0, 0).Error(); err != nil {
		t.Fatal(err)
	}
	s.until("it is removed, by the leader's word", func() bool {
		return lonely.Starting.Report().Phase == startup.Removed
	})
	if len(lonely.Words().Servers) != 3 {
		t.Fatal("nothing was staged: Raft itself knows")
	}
}

func TestThePersistedIndexIsWrittenOncePerIntervalAndAtTheEnd(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "applied")
	file, err := startup.OpenAppliedFile(path, time.Hour)
	if err != nil || file.Before() != 0 {
		t.Fatal(err)
	}
	s := newStore(t, 1, nil)
	leader := s.leader()
	follow := startup.New(startup.Options{Member: "a", Applied: leader.Watched.Applied, Persisted: file})
	follow.Follow(leader.Raft, nil)
	s.until("it is ready", func() bool { return follow.Report().Phase == startup.Ready })
	s.until("it is written", func() bool { return file.Writes() == 1 })
	if err := leader.PutMany("k", 100); err != nil {
		t.Fatal(err)
	}
	s.until("all is seen", func() bool { return follow.Report().Applied >= leader.Raft.CommitIndex() })
	if file.Writes() != 1 {
		t.Fatal("written more often than once in an interval")
	}
	follow.Close()
	again, err := startup.OpenAppliedFile(path, time.Hour)
	if err != nil || again.Before() != leader.Raft.AppliedIndex() {
		t.Fatal(err, again.Before(), leader.Raft.AppliedIndex())
	}
	if err := os.WriteFile(path, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := startup.OpenAppliedFile(path, 0); err == nil {
		t.Fatal("nonsense was taken for an index")
	}
}

func TestTheLeadersAgentConfirmsAnIndexOnlyWithAMajority(t *testing.T) {
	t.Parallel()
	s := newStore(t, 3, nil)
	leader := s.leader()
	view, known := leader.Agent.View(context.Background(), protocol.DefaultGroup)
	if !known || view.ReadIndex == nil || *view.ReadIndex == 0 {
		t.Fatalf("%+v", view)
	}
	follower, _ := s.nodes[s.follower()].Agent.View(context.Background(), protocol.DefaultGroup)
	if follower.ReadIndex != nil {
		t.Fatal("a follower confirms nothing")
	}
	var others []raft.ServerID
	for id, running := range s.nodes {
		if running != leader {
			others = append(others, raft.ServerID(id))
		}
	}
	leader.Set(node.Faults{Cut: others})
	// What was on its way when the connection was cut may still count.
	s.until("nothing is confirmed any more", func() bool {
		view, _ := leader.Agent.View(context.Background(), protocol.DefaultGroup)
		return view.ReadIndex == nil
	})
	leader.Set(node.Faults{})
}
