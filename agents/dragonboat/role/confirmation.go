package role

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/lni/dragonboat/v4"
)

// Run confirms what was started by a linearizable read, writes the outcome to the registry and tries again
// what had to wait, until the context ends.
func (s *Starter) Run(ctx context.Context) {
	lastWrite, lastRetry, lastRefused := time.Time{}, time.Now(), time.Now()
	for ctx.Err() == nil {
		open := s.confirm(ctx)
		if time.Since(lastWrite) > writePause {
			lastWrite = time.Now()
			s.writeBack(ctx)
		}
		if time.Since(lastRetry) > retryPause {
			lastRetry = time.Now()
			again := []Verdict{Wait}
			if time.Since(lastRefused) > refusedPause {
				lastRefused = time.Now()
				again = append(again, Refuse)
			}
			s.retry(ctx, again)
		}
		pause := readPause
		if !open {
			pause = writePause
		}
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-time.After(pause):
		}
	}
}

// confirm reads those replicas that have not been read yet and whose turn it is. It tells whether any is left.
func (s *Starter) confirm(ctx context.Context) bool {
	var open []Key
	left := false
	now := time.Now()
	s.mu.Lock()
	for key, replica := range s.running {
		if !replica.ready.IsZero() {
			continue
		}
		left = true
		if now.Before(replica.next) {
			continue
		}
		replica.pause = min(max(2*replica.pause, readPause), longestPause)
		replica.next = now.Add(replica.pause)
		open = append(open, key)
	}
	s.mu.Unlock()
	slots := make(chan struct{}, readers)
	var reading sync.WaitGroup
	for _, key := range open {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		reading.Go(func() {
			defer func() { <-slots }()
			defer s.contain("a read")
			s.read(ctx, key)
		})
	}
	reading.Wait()
	return left
}

func (s *Starter) read(ctx context.Context, key Key) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	found, err := s.nodeHost.SyncGetShardMembership(ctx, key.Shard)
	if err != nil {
		return
	}
	s.mu.Lock()
	if replica := s.running[key]; replica != nil {
		replica.ready = time.Now()
	}
	s.mu.Unlock()
	s.Learn(key, FromRaft(found))
}

// FromRaft turns Dragonboat's membership into ours.
func FromRaft(m *dragonboat.Membership) *Membership {
	removed := make([]uint64, 0, len(m.Removed))
	for replica := range m.Removed {
		removed = append(removed, replica)
	}
	slices.Sort(removed)
	return &Membership{Index: m.ConfigChangeID, Voters: m.Nodes, NonVotings: m.NonVotings, Witnesses: m.Witnesses, Removed: removed}
}

// Learn keeps a membership that came from a linearizable read on this host, and has the registry told.
func (s *Starter) Learn(key Key, membership *Membership) {
	s.resolve(key, membership)
	if err := s.options.Records.Learn(key.Shard, key.Replica, membership); err != nil {
		s.options.Log.Warn("a membership cannot be kept", "shard", key.Shard, "error", err)
	}
	s.mu.Lock()
	if s.options.Registry != nil {
		s.dirty[key] = membership
	}
	s.mu.Unlock()
}

// KeepWitness has it on record that a replica which runs here is a witness, so that it is not taken for something
// else at the next start. What is on record already stays.
func (s *Starter) KeepWitness(key Key) error {
	known, err := s.options.Records.Read(key.Shard, key.Replica)
	if err != nil || known != nil {
		return err
	}
	return s.options.Records.Write(Record{
		Deployment: s.options.Deployment, NodeHostID: s.nodeHost.ID(), Shard: key.Shard, Replica: key.Replica,
		Kind: Witness, Target: s.nodeHost.RaftAddress(), Started: true,
	})
}

// resolve finds out how a probed replica joined: who is non-voting now, joined as non-voting.
func (s *Starter) resolve(key Key, membership *Membership) {
	s.mu.Lock()
	replica := s.running[key]
	_, nonVoting := membership.NonVotings[key.Replica]
	known := replica != nil && replica.kind == Unknown && nonVoting
	s.mu.Unlock()
	if known {
		s.Proven(key)
	}
}

// Proven records that a replica of unknown origin joined as non-voting: it was seen non-voting, or it led,
// which one that joined as a voter could not as it was started.
func (s *Starter) Proven(key Key) {
	s.mu.Lock()
	replica := s.running[key]
	if replica == nil || replica.kind != Unknown {
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	err := s.options.Records.Write(Record{
		Deployment: s.options.Deployment, NodeHostID: s.nodeHost.ID(), Shard: key.Shard, Replica: key.Replica,
		Kind: JoinedNonVoting, Target: s.nodeHost.RaftAddress(), Started: true, Flag: true,
	})
	if err != nil {
		s.options.Log.Warn("the record of a running replica cannot be written", "shard", key.Shard, "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	replica.kind, replica.unproven = JoinedNonVoting, false // Once it is kept.
}

// Stopped forgets that a replica runs; removed is kept for good.
func (s *Starter) Stopped(key Key, removed bool) {
	s.mu.Lock()
	delete(s.running, key)
	s.mu.Unlock()
	if !removed {
		return
	}
	err := s.options.Records.Update(key.Shard, key.Replica, func(r *Record) bool {
		changed := !r.Removed
		r.Removed = true
		return changed
	})
	if err != nil {
		s.options.Log.Warn("a removal cannot be kept", "shard", key.Shard, "error", err)
	}
	s.mu.Lock()
	if s.options.Registry != nil {
		s.dirty[key] = &Membership{Removed: []uint64{key.Replica}}
	}
	s.mu.Unlock()
	s.nudge()
}

// writeBack tells the registry what became of the replicas of this host. What it cannot write now, it
// writes later.
func (s *Starter) writeBack(ctx context.Context) {
	s.mu.Lock()
	todo := make(map[Key]*Membership, len(s.dirty))
	for key, membership := range s.dirty {
		todo[key] = membership
	}
	s.mu.Unlock()
	if len(todo) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	entries, faults, err := s.options.Registry.Entries(ctx)
	if err != nil {
		s.options.Log.Warn("the registry is away", "error", err)
		return
	}
	for key, membership := range todo {
		if faults[key] != "" {
			s.options.Log.Warn("the registry's entry is left as it is", "fault", faults[key])
		} else if err := s.writeOne(ctx, key, membership, entries[key]); err != nil {
			if !errors.Is(err, ErrMoved) {
				s.options.Log.Warn("the registry cannot be written", "error", err)
				return
			}
			continue
		}
		s.mu.Lock()
		if s.dirty[key] == membership {
			delete(s.dirty, key)
		}
		s.mu.Unlock()
	}
}

func (s *Starter) writeOne(ctx context.Context, key Key, membership *Membership, now Entry) error {
	record, err := s.options.Records.Read(key.Shard, key.Replica)
	if err != nil || record == nil {
		return nil // Of a replica of unknown origin there is nothing to tell.
	}
	if now.Version != 0 && now.Kind != record.Kind {
		s.options.Log.Warn("the registry has another kind and is left as it is", "shard", key.Shard, "registry", now.Kind, "here", record.Kind)
		return nil
	}
	state := stateIn(membership, key.Replica)
	index := max(membership.Index, now.Index)
	if state == "" || (now.State == state && now.Target == record.Target) || (now.Index > membership.Index && state != Removed) {
		return nil
	}
	return s.options.Registry.Write(ctx, key, Entry{Kind: record.Kind, Target: record.Target, State: state, Index: index, Version: now.Version})
}

func stateIn(m *Membership, replica uint64) State {
	if _, ok := m.Voters[replica]; ok {
		return Voter
	}
	if _, ok := m.Address(replica); ok {
		return Started
	}
	if m.HasRemoved(replica) {
		return Removed
	}
	return ""
}

// retry starts what was not started with one of these verdicts.
func (s *Starter) retry(ctx context.Context, verdicts []Verdict) {
	var waiting []Key
	s.mu.Lock()
	for key, outcome := range s.outcomes {
		if slices.Contains(verdicts, outcome.Decision.Verdict) && !outcome.Decision.Left {
			waiting = append(waiting, key)
		}
	}
	s.mu.Unlock()
	if len(waiting) > 0 {
		s.Start(ctx, waiting...)
	}
}

// Condition of a replica that was started here.
type Condition struct {
	Running bool
	Kind    Kind
	// Flag is what it was started with.
	Flag bool
	// Age is how long it has run; Ready whether a linearizable read has gone through since.
	Age   time.Duration
	Ready bool
	// ReadyFor is how long ago that was.
	ReadyFor time.Duration
	// Unproven is set for a replica of unknown origin until it is known to have joined as non-voting.
	Unproven bool
}

// Condition of a replica; the zero value for one that was not started here.
func (s *Starter) Condition(key Key) Condition {
	s.mu.Lock()
	defer s.mu.Unlock()
	replica := s.running[key]
	if replica == nil {
		return Condition{}
	}
	condition := Condition{Running: true, Kind: replica.kind, Flag: replica.flag, Age: time.Since(replica.started),
		Ready: !replica.ready.IsZero(), Unproven: replica.unproven}
	if condition.Ready {
		condition.ReadyFor = time.Since(replica.ready)
	}
	return condition
}

// Outcomes of the last attempts, for those that should run and do not.
func (s *Starter) Outcomes() []Outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	var left []Outcome
	for _, outcome := range s.outcomes {
		if !outcome.Started() && !outcome.Decision.Left {
			left = append(left, outcome)
		}
	}
	slices.SortFunc(left, func(a, b Outcome) int { return cmp.Compare(a.Key.Shard, b.Key.Shard) })
	return left
}
