package agent

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lni/dragonboat/v4"

	"quorate.dev/agent/dragonboat/role"
	"quorate.dev/agent/go/protocol"
)

const (
	// fresh is how old a look may be to be answered with again.
	fresh = 50 * time.Millisecond
	// refreshLimit is how long somebody who asks waits for a look.
	refreshLimit = 200 * time.Millisecond
	// doubtPause lies between two reads of a non-voting replica that nobody asks about.
	doubtPause = time.Minute
	// mostDoubts bounds these reads: each wakes a shard that sleeps.
	mostDoubts = 10
	// hanging is how old the last look may be before the NodeHost is said not to answer.
	hanging = 5 * time.Second
	// idle lies between two looks while nobody asks and nothing is heard.
	idle = time.Second
	// gather is how long events are collected before a look: an election of many shards is one look.
	gather = 20 * time.Millisecond
	// commitBudget bounds the time one look spends on commit indexes, at 8 to 30 µs a shard; the other
	// shards have their turn at the next looks.
	commitBudget = 15 * time.Millisecond
	// longPending is how long a replica may replay its log before it is called a fault.
	longPending = 10 * time.Second
)

// row is what is remembered of a replica that runs here.
type row struct {
	info        dragonboat.ShardInfo
	last        uint64
	lastKnown   bool
	commit      *uint64
	commitAt    uint64 // the last index when commit was read
	membership  *role.Membership
	readAt      time.Time // when the last linearizable read that went through began
	readTerm    uint64
	pendingFrom time.Time
	orphanFrom  time.Time // since when it has had no leader
	deafFrom    time.Time // since when no linearizable read has gone through
	triedAt     time.Time // when the last read was tried
	removedSays string    // who says that it was removed
	askedAt     time.Time // when the other hosts were asked about it
	learned     uint64    // the newest membership that was handed on
	wantsRead   bool
	seen        uint64
	// proven is an index that this replica has certainly applied: known to be committed before a linearizable
	// read began that went through here.
	proven uint64
	// witness: Dragonboat refuses it reads. It applies nothing, so it knows no membership and counts as pending
	// for ever; the other hosts know what it is part of.
	witness     bool
	witnessKept bool
}

type shards struct {
	mu    sync.Mutex
	rows  map[uint64]*row
	count uint64
	at    time.Time
	// lookedAt is the same for those who do not wait for the lock.
	lookedAt atomic.Int64
	closed   atomic.Bool
	turn     int // where the sweep of commit indexes goes on
	order    []uint64
}

// watch looks at everything when something is heard, when somebody asks, and once a second.
func (a *Agent) watch(ctx context.Context) {
	timer := time.NewTicker(idle)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case first := <-a.ears.queue:
			a.hear(first)
			pause(ctx, gather)
		}
		a.hearAll()
		a.look()
	}
}

func (a *Agent) hearAll() {
	for {
		select {
		case heard := <-a.ears.queue:
			a.hear(heard)
		default:
			a.ears.overflow.Store(false) // The look that follows sees everything anyway.
			return
		}
	}
}

func (a *Agent) hear(heard event) {
	at := a.attached.Load()
	switch heard.kind {
	case deleted:
		at.starter.Stopped(heard.key, true)
	case unloaded:
		at.starter.Stopped(heard.key, false)
	case moved:
		if heard.leader != 0 && heard.leader == heard.key.Replica {
			at.starter.Proven(heard.key)
		}
	case connected:
		a.board.Tell(protocol.Notice{Kind: "connection-established", Member: a.hosts.at(heard.address).Name})
	case disconnected:
		a.board.Tell(protocol.Notice{Kind: "connection-failed", Member: a.hosts.at(heard.address).Name})
	}
}

// Refresh brings the board up to date before it is shown. It does not wait for a NodeHost that hangs: what is
// known is shown then, and how old it is.
func (a *Agent) Refresh(ctx context.Context) {
	if a.lookedAt() < fresh {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer a.contain("a look")
		if a.looking.TryLock() { // Else one runs already, or hangs.
			defer a.looking.Unlock()
			a.takeAllIn()
		}
	}()
	limit := time.NewTimer(refreshLimit)
	defer limit.Stop()
	select {
	case <-done:
	case <-ctx.Done():
	case <-limit.C:
	}
}

// lookedAt is how long ago the last look at everything ended.
func (a *Agent) lookedAt() time.Duration {
	return time.Since(time.Unix(0, a.shards.lookedAt.Load()))
}

// look takes in the state of every replica that runs here; one look runs at a time.
func (a *Agent) look() {
	a.looking.Lock()
	defer a.looking.Unlock()
	a.takeAllIn()
}

func (a *Agent) takeAllIn() {
	at := a.attached.Load()
	if at == nil {
		return
	}
	list, open := at.library.Shards()
	s := &a.shards
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = time.Now()
	s.lookedAt.Store(s.at.UnixNano())
	s.closed.Store(!open)
	s.count++
	if !open {
		a.showClosed()
		return
	}
	s.order = s.order[:0]
	for _, info := range list {
		s.order = append(s.order, info.ShardID)
		a.takeIn(at, info)
	}
	slices.Sort(s.order)
	a.sweepCommits(at)
	for _, shard := range s.order {
		a.board.Put(a.summary(at, s.rows[shard]))
	}
	a.dropGone()
	a.showUnstarted(at)
}

func (a *Agent) takeIn(at *attachment, info dragonboat.ShardInfo) {
	s := &a.shards
	now := s.rows[info.ShardID]
	if now == nil || now.info.ReplicaID != info.ReplicaID {
		now = &row{wantsRead: true}
		s.rows[info.ShardID] = now
	}
	if info.ConfigChangeIndex != now.info.ConfigChangeIndex {
		now.wantsRead = true
	}
	now.info, now.seen = info, s.count
	first, last, ok := at.library.Range(info.ShardID)
	now.last, now.lastKnown = max(last, max(first, 1)-1), ok
	now.pendingFrom = since(now.pendingFrom, info.Pending, s.at)
	if info.Pending {
		now.proven = 0 // It applies its log anew.
	}
	if now.witness {
		now.info.LeaderID, now.info.Term, _ = at.library.Leader(info.ShardID)
	}
	now.orphanFrom = since(now.orphanFrom, !info.Pending && info.LeaderID == 0, s.at)
	if info.LeaderID != 0 && !info.IsNonVoting && now.deafFrom.IsZero() {
		now.removedSays = "" // Voters that follow somebody, and can read, are members.
	}
}

// since keeps the moment from which something has held.
func since(from time.Time, holds bool, now time.Time) time.Time {
	switch {
	case !holds:
		return time.Time{}
	case from.IsZero():
		return now
	}
	return from
}

// sweepCommits reads commit indexes where the log has moved or the commit index was behind, within a budget.
func (a *Agent) sweepCommits(at *attachment) {
	s := &a.shards
	began := time.Now()
	for n := range s.order {
		position := (s.turn + n) % len(s.order)
		now := s.rows[s.order[position]]
		if !now.lastKnown || now.info.Pending || now.witness || (now.commit != nil && now.commitAt == now.last && *now.commit >= now.last) {
			continue
		}
		if time.Since(began) > commitBudget {
			s.turn = position
			return
		}
		a.readCommit(at, now)
	}
}

func (a *Agent) readCommit(at *attachment, now *row) {
	commit, ok := at.library.Commit(now.info.ShardID)
	if !ok {
		return
	}
	if now.commit == nil || commit > *now.commit {
		now.commit = &commit
	}
	now.commitAt = now.last
}

func (a *Agent) dropGone() {
	for shard, now := range a.shards.rows {
		if now.seen != a.shards.count {
			delete(a.shards.rows, shard)
			a.board.Drop(a.program.GroupName(shard))
		}
	}
}

// showUnstarted puts those on the board that should run here and were not started, with the reason.
func (a *Agent) showUnstarted(at *attachment) {
	for _, outcome := range at.starter.Outcomes() {
		if a.shards.rows[outcome.Key.Shard] == nil {
			view := a.unstarted(at, outcome)
			a.board.Put(protocol.Summary(&view))
		}
	}
}

func (a *Agent) showClosed() {
	for shard := range a.shards.rows {
		a.board.Put(protocol.GroupSummary{
			Group: a.program.GroupName(shard), Member: a.options.Member, State: protocol.Stopped,
			Fault: protocol.Known("the NodeHost is closed"),
		})
	}
}

// keepUp reads memberships that have changed and looks into replicas that nobody speaks to, at a bounded
// rate: a linearizable read is a round trip of a quorum.
func (a *Agent) keepUp(ctx context.Context) {
	const atOnce, most = 4, 200
	for ctx.Err() == nil {
		todo := a.toRead(most)
		slots := make(chan struct{}, atOnce)
		var reading sync.WaitGroup
		for _, shard := range todo {
			slots <- struct{}{}
			reading.Go(func() {
				defer func() { <-slots }()
				defer a.contain("a read")
				_, _ = a.read(ctx, shard, 200*time.Millisecond)
			})
		}
		reading.Wait()
		a.lookForOrphans(ctx)
		a.keepWitnesses()
		if len(todo) > 0 {
			pause(ctx, 100*time.Millisecond)
		} else {
			pause(ctx, 500*time.Millisecond)
		}
	}
}

// keepWitnesses has it on record which replicas here are witnesses, which this agent must never start.
func (a *Agent) keepWitnesses() {
	var found []role.Key
	s := &a.shards
	s.mu.Lock()
	for shard, now := range s.rows {
		if now.witness && !now.witnessKept {
			now.witnessKept = true
			found = append(found, role.Key{Shard: shard, Replica: now.info.ReplicaID})
		}
	}
	s.mu.Unlock()
	for _, key := range found {
		if err := a.attached.Load().starter.KeepWitness(key); err != nil {
			a.options.Log.Warn("it cannot be kept that a replica is a witness", "shard", key.Shard, "error", err)
		}
	}
}

// isWitness: Dragonboat refuses this operation to witnesses alone.
func (a *Agent) isWitness(shard uint64) {
	a.shards.mu.Lock()
	defer a.shards.mu.Unlock()
	if now := a.shards.rows[shard]; now != nil {
		now.witness, now.wantsRead = true, false
	}
}

// tried keeps since when reads have failed.
func (a *Agent) tried(shard uint64, began time.Time, read bool) {
	s := &a.shards
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.rows[shard]; now != nil {
		now.triedAt = began
		now.deafFrom = since(now.deafFrom, !read, began)
	}
}

// alone tells whether a replica has heard of nobody for a while: most voters know no leader then. A non-voting
// replica never forgets one, nor does a voter that was removed and could not stop: only its reads fail.
func (n *row) alone() bool {
	orphan := !n.orphanFrom.IsZero() && time.Since(n.orphanFrom) > orphaned
	deaf := !n.deafFrom.IsZero() && time.Since(n.deafFrom) > orphaned
	return orphan || deaf
}

// doubtful is a non-voting replica whose leader may be long gone.
func (n *row) doubtful() bool {
	pause := doubtPause
	if !n.deafFrom.IsZero() {
		pause = orphaned
	}
	return n.info.IsNonVoting && time.Since(n.triedAt) > pause
}

// unclear is a replica that has been pending for a while: a witness, or one with a long log to replay.
func (n *row) unclear() bool {
	return !n.witness && !n.pendingFrom.IsZero() && time.Since(n.pendingFrom) > gather
}

func (a *Agent) toRead(most int) []uint64 {
	s := &a.shards
	s.mu.Lock()
	defer s.mu.Unlock()
	var todo []uint64
	doubts := 0
	for shard, now := range s.rows {
		if len(todo) == most || !now.unclear() && (now.info.Pending || now.info.LeaderID == 0) {
			continue
		}
		switch {
		case now.unclear():
			if doubts < mostDoubts && time.Since(now.triedAt) > orphaned {
				todo, doubts = append(todo, shard), doubts+1
			}
		case now.wantsRead:
			todo = append(todo, shard)
		case doubts < mostDoubts && now.doubtful():
			todo, doubts = append(todo, shard), doubts+1
		}
	}
	slices.SortFunc(todo, func(x, y uint64) int { return cmp.Compare(x, y) })
	return todo
}

// read asks for the membership by a linearizable read on this host and keeps it. While it goes through, a
// majority follows the leader and this replica is caught up with what was committed before.
func (a *Agent) read(ctx context.Context, shard uint64, limit time.Duration) (*role.Membership, error) {
	at := a.attached.Load()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	_, termBefore, _ := at.library.Leader(shard)
	committed, _ := at.library.Commit(shard)
	began := time.Now()
	membership, err := at.library.Membership(ctx, shard)
	a.tried(shard, began, err == nil)
	if errors.Is(err, dragonboat.ErrInvalidOperation) {
		a.isWitness(shard)
	}
	if err != nil {
		return nil, err
	}
	_, termAfter, _ := at.library.Leader(shard)
	s := &a.shards
	s.mu.Lock()
	now := s.rows[shard]
	var key role.Key
	if now != nil {
		key = role.Key{Shard: shard, Replica: now.info.ReplicaID}
		if termBefore == termAfter {
			now.readAt, now.readTerm = began, termAfter
		}
		now.wantsRead = false
		now.proven = max(now.proven, committed)
		if now.membership == nil || membership.Index >= now.membership.Index {
			now.membership = membership
		}
	}
	news := now != nil && membership.Index > now.learned
	if news {
		now.learned = membership.Index
	}
	s.mu.Unlock()
	if news {
		at.starter.Learn(key, membership)
	}
	return membership, nil
}
