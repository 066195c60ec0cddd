// Package startup follows a node from its start until it may serve: starting, no leader, catching
// up, ready; and puts a guard before reads.
//
// A node that has just started knows of no commit. Its state machine is empty or at the last
// snapshot, "commit minus applied" is zero, and a known leader does not change that yet. So the
// leader is asked once, after the start, how far it has committed; that index has to be in the
// state machine before the node is ready. A new leader writes a barrier instead: VerifyLeader
// proves that it leads, not that its state machine is current.
package startup

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"quorate.dev/agent/hashicorp-raft/internal/applied"
)

// Phase is how far a node has come.
type Phase string

// The phases. Only Ready serves anything but stale reads.
const (
	// Starting: nothing is known yet, or the node belongs to no cluster.
	Starting Phase = "starting"
	NoLeader Phase = "no-leader"
	// CatchingUp: the target is known, or being asked for, and not applied.
	CatchingUp Phase = "catching-up"
	// LeaderPending: elected, and the barrier is not through the state machine.
	LeaderPending Phase = "leader-pending"
	Ready         Phase = "ready"
	// Stale: it was ready, and has not heard of the leader for too long.
	Stale   Phase = "stale"
	Removed Phase = "removed"
	Stopped Phase = "stopped"
)

// TargetSource says who told the index that has to be applied.
type TargetSource string

const (
	// FromLeader: the leader said how far it had committed, after this node's start.
	FromLeader TargetSource = "leader"
	// FromBarrier: this node leads and wrote a barrier.
	FromBarrier TargetSource = "barrier"
	// FromOwnCommit: no channel to the leader; its own commit index stood still for a while. This
	// is weaker: a follower far behind knows only of commits within its own log.
	FromOwnCommit TargetSource = "own-commit"
)

// Committed is what a leader says of itself.
type Committed struct {
	Index uint64
	// Verified is an index confirmed by a majority after the question; nil if that was not so.
	Verified *uint64
	Term     uint64
}

// ErrNoChannel: nobody can be asked for the leader's commit index.
var ErrNoChannel = errors.New("there is no way to ask the leader")

// Others are how a node asks other nodes; the agent is what it should be.
type Others interface {
	// LeaderCommit asks a leader how far it has committed.
	LeaderCommit(context.Context, raft.ServerID, raft.ServerAddress) (Committed, error)
	// RemovedBy is the leader that does not count this node as a member any more; empty if none
	// says so.
	RemovedBy(context.Context) raft.ServerID
}

// Options of a start.
type Options struct {
	// Member is this node's LocalID.
	Member raft.ServerID
	// Applied is what the state machine has finished with, and whether it is inside a call; give
	// the agent's Watched.Applied. Without it, Raft's word is taken, which runs ahead of a slow
	// state machine.
	Applied func() (index uint64, inside bool)
	// Persisted is the applied index of the run before, if the host keeps it.
	Persisted *AppliedFile
	// OnReady is called once, on a goroutine of its own, when replay is over.
	OnReady func(Start)
	// BarrierLimit is how long a new leader's barrier may take; zero means 2 minutes.
	BarrierLimit time.Duration
	// HandOver gives leadership away when the barrier did not end in that time.
	HandOver bool
	// StaleAfter is how old the last contact may be; zero means twice the heartbeat time-out.
	StaleAfter time.Duration
}

// Start is what the hook is told.
type Start struct {
	// Applied is the index the state machine had at least.
	Applied uint64
	// Before is the persisted applied index of the run before; 0 if there was none.
	Before uint64
	// Changed is what was noted during replay beyond Before, each once, in order.
	Changed []string
	// Everything: a snapshot came, or more changed than is kept; look at all of it.
	Everything bool
	// Took is the time from New.
	Took time.Duration
}

// Report is where the node stands.
type Report struct {
	Phase        Phase         `json:"phase"`
	Detail       string        `json:"detail"`
	Leader       raft.ServerID `json:"leader"`
	Target       uint64        `json:"target"`
	TargetSource TargetSource  `json:"target_source"`
	Applied      uint64        `json:"applied"`
	Commit       uint64        `json:"commit"`
	// PerSecond is how fast entries were applied lately.
	PerSecond float64 `json:"per_second"`
	// SinceMS is how long the phase has lasted.
	SinceMS uint64 `json:"since_ms"`
	// LastContactMS is the age of the leader's last sign; 0 on the leader, nil if there was none.
	LastContactMS *uint64 `json:"last_contact_ms"`
}

const (
	// tick before the first ready, and after.
	quickTick = 20 * time.Millisecond
	slowTick  = 100 * time.Millisecond
	// ownCommitFor is how long the own commit index has to stand still where nobody can be asked.
	ownCommitFor = time.Second
	askLimit     = time.Second
	// inquireEvery is how often a node without a leader asks whether it is a member still.
	inquireEvery = 5 * time.Second
)

// Sync follows one node.
type Sync struct {
	raft    *raft.Raft
	others  Others
	options Options
	// following is closed when there is a Raft to follow.
	following chan struct{}
	gauge     applied.Gauge
	began     time.Time

	mutex  sync.Mutex
	report Report
	since  time.Time
	// wasReady: the hook has been called, replay is over.
	wasReady bool
	target   uint64
	from     TargetSource
	asking   bool
	// barred is the term whose barrier is through; barring the one whose barrier is under way.
	barred, barring uint64
	barringSince    time.Time
	stood           standing
	// inquired is when the others were asked last whether this node is a member still; removedBy
	// is who said no.
	inquired  time.Time
	removedBy raft.ServerID
	rate      rate
	notes     notes
	changed   chan struct{}

	ended chan struct{}
	end   sync.Once
	runs  sync.WaitGroup
}

// standing is how long the own commit index has stood still.
type standing struct {
	at    uint64
	since time.Time
}

// New is made before Raft is, so that the host's state machine can note what replay changes.
func New(options Options) *Sync {
	if options.BarrierLimit <= 0 {
		options.BarrierLimit = 2 * time.Minute
	}
	s := &Sync{
		options: options, began: time.Now(), since: time.Now(),
		report:    Report{Phase: Starting, Detail: "Raft is not running yet"},
		following: make(chan struct{}), changed: make(chan struct{}), ended: make(chan struct{}),
	}
	if options.Persisted != nil {
		s.notes.before = options.Persisted.Before()
	}
	return s
}

// Follow follows a node from now on; once only. While others is nil, or answers ErrNoChannel, the
// weaker rule holds.
func (s *Sync) Follow(r *raft.Raft, others Others) {
	s.raft, s.others = r, others
	if s.options.StaleAfter <= 0 {
		s.options.StaleAfter = 2 * r.ReloadableConfig().HeartbeatTimeout
	}
	s.mutex.Lock()
	snapshot, _ := strconv.ParseUint(r.Stats()["last_snapshot_index"], 10, 64)
	if s.notes.restored && snapshot > s.notes.before {
		s.notes.all()
	}
	close(s.following)
	s.mutex.Unlock()
	s.runs.Add(1)
	go s.run()
}

func (s *Sync) follows() bool {
	select {
	case <-s.following:
		return true
	default:
		return false
	}
}

// Close ends the following, and writes the applied index a last time.
func (s *Sync) Close() {
	s.end.Do(func() { close(s.ended) })
	s.runs.Wait()
	if s.options.Persisted != nil && s.follows() {
		_ = s.options.Persisted.write(s.applied(), true)
	}
}

func (s *Sync) run() {
	defer s.runs.Done()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-s.ended:
			return
		case <-timer.C:
		}
		contained(s.step)
		wait := slowTick
		if s.Report().Phase != Ready {
			wait = quickTick
		}
		timer.Reset(wait)
	}
}

// contained keeps a panic from the host; the next step tries again.
func contained(work func()) {
	defer func() { _ = recover() }()
	work()
}

// step looks once and moves the phase.
func (s *Sync) step() {
	seen := s.look()
	s.mutex.Lock()
	phase, detail := s.judge(seen)
	if phase != s.report.Phase {
		s.since = time.Now()
	}
	seen.Phase, seen.Detail, seen.Target, seen.TargetSource = phase, detail, s.target, s.from
	seen.PerSecond = s.rate.take(seen.Applied)
	first := phase == Ready && !s.wasReady
	moved := phase != s.report.Phase || seen.Applied != s.report.Applied
	s.report = seen
	var start Start
	if first {
		s.wasReady = true
		start = s.notes.end(seen.Applied, time.Since(s.began))
	}
	if moved {
		close(s.changed)
		s.changed = make(chan struct{})
	}
	s.mutex.Unlock()
	if first && s.options.OnReady != nil {
		go contained(func() { s.options.OnReady(start) })
	}
	if s.options.Persisted != nil && s.ready() {
		_ = s.options.Persisted.write(seen.Applied, false)
	}
}

func (s *Sync) ready() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.wasReady
}

// look reads what the node says of itself; phase and target are judged from it.
func (s *Sync) look() Report {
	_, leader := s.raft.LeaderWithID()
	seen := Report{Leader: leader, Applied: s.applied(), Commit: s.raft.CommitIndex()}
	if s.raft.State() == raft.Leader {
		var zero uint64
		seen.LastContactMS = &zero
	} else if last := s.raft.LastContact(); !last.IsZero() {
		age := uint64(max(0, time.Since(last).Milliseconds()))
		seen.LastContactMS = &age
	}
	return seen
}

// applied is what the state machine certainly has done.
func (s *Sync) applied() uint64 {
	stats := s.raft.Stats()
	handed, _ := strconv.ParseUint(stats["applied_index"], 10, 64)
	pending := stats["fsm_pending"] != "0"
	if s.options.Applied == nil {
		return s.gauge.Read(handed, pending, 0, false)
	}
	finished, inside := s.options.Applied()
	return s.gauge.Read(handed, pending, finished, inside)
}

// Report is where the node stands now.
func (s *Sync) Report() Report {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	report := s.report
	report.SinceMS = uint64(time.Since(s.since).Milliseconds())
	return report
}

// Wait returns when the node is ready, or with the context's error.
func (s *Sync) Wait(ctx context.Context) error {
	for {
		s.mutex.Lock()
		phase, changed := s.report.Phase, s.changed
		s.mutex.Unlock()
		if phase == Ready {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
