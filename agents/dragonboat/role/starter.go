package role

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/lni/dragonboat/v4"
)

const (
	// sourceTimeout bounds how long the registry and the other hosts are waited for, once a batch.
	sourceTimeout = 2 * time.Second
	// readTimeout bounds one attempt of a linearizable read. A single long attempt made too early runs into
	// its deadline even when the shard is ready long before; short ones do not.
	readTimeout = 100 * time.Millisecond
	// readPause lies between two rounds of attempts, writePause between two rounds of writing to the registry.
	readPause = 100 * time.Millisecond
	// longestPause lies between two reads of a shard that has had no quorum for long.
	longestPause = 2 * time.Second
	writePause   = time.Second
	// retryPause lies between two attempts to start what had to wait.
	retryPause = 2 * time.Second
	// refusedPause lies between two attempts to start what was refused: somebody may have put it right.
	refusedPause = 20 * time.Second
	// fewShards are named one by one when the other hosts are asked; of more, all are asked for.
	fewShards = 100
	// readers is how many shards are read at a time.
	readers = 8
)

// NodeHost is the part of *dragonboat.NodeHost that is needed here.
type NodeHost interface {
	ID() string
	RaftAddress() string
	HasNodeInfo(shard, replica uint64) bool
	SyncGetShardMembership(ctx context.Context, shard uint64) (*dragonboat.Membership, error)
}

// Launch holds the arguments StartReplica has to be called with: Members and Join as they are, NonVoting as
// config.Config.IsNonVoting.
type Launch struct {
	Shard, Replica uint64
	Members        map[uint64]string
	Join           bool
	NonVoting      bool
}

// Options of a Starter.
type Options struct {
	// Deployment is the cluster's name.
	Deployment string
	Records    *Records
	// Registry is the authority; nil if there is none.
	Registry Registry
	// Peers are the agents of the other hosts; nil if there are none.
	Peers Peers
	// Static is what the host's configuration says of a replica; nil if it says nothing.
	Static func(shard, replica uint64) StaticWord
	// Launch calls StartReplica with the host's own state machine and settings.
	Launch func(Launch) error
	// Log is slog.Default() if nil.
	Log *slog.Logger
}

// Outcome of an attempt to start a replica.
type Outcome struct {
	Key      Key
	Decision Decision
	// Err is set if the decision was to start and the start failed.
	Err error
}

// Started tells whether the replica runs.
func (o Outcome) Started() bool {
	return o.Err == nil && (o.Decision.Verdict == Start || o.Decision.Verdict == Probe)
}

func (o Outcome) String() string {
	text := fmt.Sprintf("shard %d replica %d: %s", o.Key.Shard, o.Key.Replica, o.Decision.Verdict)
	if o.Decision.Why != "" {
		text += ": " + o.Decision.Why
	}
	if o.Err != nil {
		text += ": " + o.Err.Error()
	}
	return text
}

// Starter starts the replicas of one NodeHost.
type Starter struct {
	nodeHost NodeHost
	options  Options

	mu       sync.Mutex
	running  map[Key]*replica
	outcomes map[Key]Outcome
	// dirty are those whose outcome has to be written to the registry.
	dirty map[Key]*Membership
	wake  chan struct{}
}

type replica struct {
	kind    Kind
	flag    bool
	started time.Time
	// ready is when the first linearizable read went through; until then one is tried at next, and the time
	// between two tries doubles.
	ready time.Time
	next  time.Time
	pause time.Duration
	// unproven is a voter of unknown origin: if it joined as a voter, it cannot lead as it was started.
	unproven bool
}

// NewStarter for a NodeHost that has just been made.
func NewStarter(nodeHost NodeHost, options Options) *Starter {
	if options.Log == nil {
		options.Log = slog.Default()
	}
	return &Starter{
		nodeHost: nodeHost, options: options, wake: make(chan struct{}, 1),
		running: map[Key]*replica{}, outcomes: map[Key]Outcome{}, dirty: map[Key]*Membership{},
	}
}

// Start gathers what all sources say and starts what may be started. What has to wait is tried again by Run.
// It returns one outcome for each key, in their order.
func (s *Starter) Start(ctx context.Context, keys ...Key) []Outcome {
	gathered := s.gather(ctx, keys)
	outcomes := make([]Outcome, 0, len(keys))
	for _, key := range keys {
		outcome := s.guarded(key, gathered)
		s.keep(outcome)
		outcomes = append(outcomes, outcome)
	}
	s.nudge()
	return outcomes
}

// guarded makes an outcome of a panic, whoever's it is: a log that cannot be read, a broken host.
func (s *Starter) guarded(key Key, g gathered) (outcome Outcome) {
	defer func() {
		if fault := recover(); fault != nil {
			outcome = Outcome{Key: key, Decision: refuse("the start failed: %v", fault)}
		}
	}()
	return s.startOne(key, s.facts(key, g))
}

// contain ends a panic on a goroutine of ours, so that it does not end the host.
func (s *Starter) contain(what string) {
	if fault := recover(); fault != nil {
		s.options.Log.Error("a part of the role at start failed", "part", what, "cause", fmt.Sprint(fault))
	}
}

// Join writes down how a replica joins and starts it. The caller vouches that the addition was committed:
// it is the agent of the leader that has just carried it out.
func (s *Starter) Join(ctx context.Context, key Key, kind Kind, membership *Membership) Outcome {
	facts := s.facts(key, s.gather(ctx, []Key{key}))
	facts.Peers = append(facts.Peers, PeerWord{Host: "the leader", Kind: kind, Membership: membership})
	facts.PeersAsked++
	// The leader has just written to the registry or has decided to go on without it.
	facts.Registry.Away = ""
	if facts.Registry.Entry == nil {
		facts.Registry.Configured = false
	}
	outcome := s.startOne(key, facts)
	s.keep(outcome)
	s.nudge()
	return outcome
}

// Assigned are the replicas that belong on this host: those recorded here, those the registry has here, and
// those the other hosts know as members at this address. It needs no list of the host's own.
func (s *Starter) Assigned(ctx context.Context) ([]Key, error) {
	records, err := s.options.Records.All()
	if err != nil {
		return nil, err
	}
	own := s.nodeHost.RaftAddress()
	byShard := map[uint64]Key{}
	// Of a shard this host runs one replica at most: the newest that was not removed.
	take := func(key Key) {
		if key.Replica > byShard[key.Shard].Replica {
			byShard[key.Shard] = key
		}
	}
	for _, record := range records {
		if record.Target == own && !record.Removed {
			take(Key{record.Shard, record.Replica})
		}
	}
	gathered := s.gather(ctx, nil)
	for key, entry := range gathered.entries {
		if entry.Target == own && entry.State != Removed && entry.State != Planned {
			take(key)
		}
	}
	for key, words := range gathered.words {
		for _, word := range words {
			if address, member := word.Membership.Address(key.Replica); member && address == own {
				take(key)
			}
		}
	}
	keys := make([]Key, 0, len(byShard))
	for _, key := range byShard {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b Key) int { return cmp.Compare(a.Shard, b.Shard) })
	return keys, nil
}

type gathered struct {
	registry RegistryWord
	entries  map[Key]Entry
	faults   map[Key]string
	words    map[Key][]PeerWord
	asked    int
}

// gather asks registry and agents about some replicas, or all.
func (s *Starter) gather(ctx context.Context, keys []Key) gathered {
	var shards []uint64
	if len(keys) <= fewShards {
		for _, key := range keys {
			shards = append(shards, key.Shard)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, sourceTimeout)
	defer cancel()
	var g gathered
	var asking sync.WaitGroup
	if s.options.Registry != nil {
		g.registry.Configured = true
		g.registry.Away = "it did not answer"
		asking.Go(func() {
			defer s.contain("the registry")
			var err error
			if g.entries, g.faults, err = s.options.Registry.Entries(ctx); err != nil {
				g.registry.Away = err.Error()
				return
			}
			g.registry.Away = ""
		})
	}
	if s.options.Peers != nil {
		asking.Go(func() {
			defer s.contain("asking the other hosts")
			g.words, g.asked = s.options.Peers.Words(ctx, shards)
		})
	}
	asking.Wait()
	return g
}

func (s *Starter) facts(key Key, g gathered) Facts {
	facts := Facts{
		Deployment: s.options.Deployment, NodeHostID: s.nodeHost.ID(), Target: s.nodeHost.RaftAddress(),
		Shard: key.Shard, Replica: key.Replica, OnDisk: s.nodeHost.HasNodeInfo(key.Shard, key.Replica),
		Registry: g.registry, Peers: g.words[key], PeersAsked: g.asked,
	}
	facts.Peers = slices.Clone(facts.Peers)
	if entry, ok := g.entries[key]; ok {
		facts.Registry.Entry = &entry
	}
	facts.Registry.Fault = g.faults[key]
	record, err := s.options.Records.Read(key.Shard, key.Replica)
	if err != nil {
		facts.LocalFault = err.Error()
	}
	facts.Local = record
	if s.options.Static != nil {
		facts.Static = s.options.Static(key.Shard, key.Replica)
	}
	return facts
}

func (s *Starter) startOne(key Key, facts Facts) Outcome {
	s.mu.Lock()
	already := s.running[key]
	s.mu.Unlock()
	if already != nil {
		return Outcome{Key: key, Decision: Decision{Verdict: Start, Kind: already.kind, NonVoting: already.flag, Why: "it runs already"}}
	}
	decision := Decide(facts)
	outcome := Outcome{Key: key, Decision: decision}
	switch decision.Verdict {
	case Start:
		outcome.Err = s.launch(facts, decision)
	case Probe:
		outcome.Decision, outcome.Err = s.probe(facts, decision)
	}
	if errors.Is(outcome.Err, dragonboat.ErrReplicaRemoved) {
		outcome.Decision = left("Dragonboat has this replica marked as removed; add a new one under a fresh id")
		outcome.Err = nil
		_ = s.options.Records.Update(key.Shard, key.Replica, func(r *Record) bool { r.Removed = true; return true })
	}
	return outcome
}

func (s *Starter) launch(facts Facts, decision Decision) error {
	record := Record{
		Deployment: facts.Deployment, NodeHostID: facts.NodeHostID, Shard: facts.Shard, Replica: facts.Replica,
		Kind: decision.Kind, Target: facts.Target, Flag: decision.NonVoting,
	}
	if facts.Local != nil {
		record.Membership, record.Started = facts.Local.Membership, facts.Local.Started
	}
	// Of thousands of replicas that start again nothing is new.
	if old := facts.Local; old != nil && old.Started && old.Flag == record.Flag {
		err := s.call(facts, decision)
		if err == nil {
			s.runs(Key{facts.Shard, facts.Replica}, decision, false)
		}
		return err
	}
	// Before the start: a crash right after it must find the kind.
	if err := s.options.Records.Write(record); err != nil {
		return err
	}
	if err := s.call(facts, decision); err != nil {
		return err
	}
	record.Started = true
	if err := s.options.Records.Write(record); err != nil {
		s.options.Log.Warn("the record of a running replica cannot be written", "shard", facts.Shard, "error", err)
	}
	s.runs(Key{facts.Shard, facts.Replica}, decision, false)
	return nil
}

// probe starts a replica whose origin nobody remembers. No record is written before somebody knows.
func (s *Starter) probe(facts Facts, decision Decision) (Decision, error) {
	err := s.call(facts, decision)
	if errors.Is(err, dragonboat.ErrInvalidShardSettings) {
		decision = Decision{Verdict: Start, Kind: Initial, Source: "Dragonboat", Warnings: decision.Warnings,
			Why: "nobody remembered how it joined; Dragonboat knows it as an initial member"}
		return decision, s.launch(facts, decision)
	}
	if err == nil {
		s.runs(Key{facts.Shard, facts.Replica}, decision, true)
	}
	return decision, err
}

func (s *Starter) call(facts Facts, decision Decision) (err error) {
	defer func() {
		// What Dragonboat panics about on the caller's own goroutine must not end the host.
		if fault := recover(); fault != nil {
			err = fmt.Errorf("the start panicked: %v", fault)
		}
	}()
	return s.options.Launch(Launch{Shard: facts.Shard, Replica: facts.Replica, Members: decision.Members,
		Join: decision.Join, NonVoting: decision.NonVoting})
}

func (s *Starter) runs(key Key, decision Decision, unproven bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running[key] = &replica{kind: decision.Kind, flag: decision.NonVoting, started: time.Now(), unproven: unproven}
}

func (s *Starter) keep(outcome Outcome) {
	s.mu.Lock()
	before, known := s.outcomes[outcome.Key]
	s.outcomes[outcome.Key] = outcome
	s.mu.Unlock()
	if known && before.String() == outcome.String() {
		return // Tried again with the same result: said once.
	}
	for _, warning := range outcome.Decision.Warnings {
		s.options.Log.Warn(warning, "shard", outcome.Key.Shard, "replica", outcome.Key.Replica)
	}
	if !outcome.Started() {
		s.options.Log.Warn("a replica was not started", "outcome", outcome.String())
	}
}

func (s *Starter) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
