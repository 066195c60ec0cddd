package role

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lni/dragonboat/v4"
)

// host is a NodeHost that there is not, at the address of the tables above.
type host struct {
	mu      sync.Mutex
	disk    bool
	members *dragonboat.Membership
}

func (*host) ID() string                        { return "nh-4" }
func (*host) RaftAddress() string               { return here }
func (h *host) HasNodeInfo(_, _ uint64) bool    { return h.disk }
func (h *host) become(m *dragonboat.Membership) { h.mu.Lock(); h.members = m; h.mu.Unlock() }
func (h *host) SyncGetShardMembership(context.Context, uint64) (*dragonboat.Membership, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.members == nil {
		return nil, dragonboat.ErrShardNotReady
	}
	return h.members, nil
}

// memory is a registry that can be away and can panic.
type memory struct {
	mu      sync.Mutex
	entries map[Key]Entry
	away    error
	broken  bool
}

func (m *memory) Entries(context.Context) (map[Key]Entry, map[Key]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken {
		panic("a registry of somebody else's")
	}
	copied := map[Key]Entry{}
	for key, entry := range m.entries {
		copied[key] = entry
	}
	return copied, nil, m.away
}

func (m *memory) Write(_ context.Context, key Key, entry Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away != nil {
		return m.away
	}
	if m.entries[key].Version != entry.Version {
		return ErrMoved
	}
	entry.Version++
	m.entries[key] = entry
	return nil
}

func (m *memory) state(key Key) State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.entries[key].State
}

var four = Key{Shard: 9, Replica: 4}

func starter(t *testing.T, h *host, change func(*Options)) (*Starter, *Records) {
	t.Helper()
	records, err := OpenRecords(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	options := Options{Deployment: "orders", Records: records, Launch: func(Launch) error { return nil },
		Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	change(&options)
	return NewStarter(h, options), records
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never seen: " + what)
		}
	}
}

func TestTheRecordIsThereBeforeTheReplicaIsStarted(t *testing.T) {
	var records *Records
	var seen *Record
	s, opened := starter(t, &host{}, func(o *Options) {
		o.Launch = func(l Launch) error {
			seen, _ = records.Read(l.Shard, l.Replica)
			if !l.Join || !l.NonVoting || l.Members != nil {
				t.Errorf("%+v", l)
			}
			return nil
		}
	})
	records = opened
	outcome := s.Join(context.Background(), four, JoinedNonVoting, nonVotingMember())
	if !outcome.Started() || seen == nil || seen.Started || seen.Kind != JoinedNonVoting {
		t.Fatalf("%v, record at the start: %+v", outcome, seen)
	}
	if after, _ := records.Read(9, 4); !after.Started || !after.Flag {
		t.Fatalf("%+v", after)
	}
}

func TestWhatPanicsAroundAStartEndsNobody(t *testing.T) {
	s, _ := starter(t, &host{disk: true}, func(o *Options) {
		o.Registry = &memory{broken: true}
		o.Static = func(uint64, uint64) StaticWord { return StaticWord{JoinedAs: JoinedVoter} }
		o.Launch = func(Launch) error { panic("shard not bootstrapped") }
	})
	outcomes := s.Start(context.Background(), four)
	if outcomes[0].Started() || !strings.Contains(outcomes[0].String(), "the start panicked: shard not bootstrapped") {
		t.Fatal(outcomes[0])
	}
	s.options.Static = func(uint64, uint64) StaticWord { panic("a host that is broken") }
	if outcome := s.Start(context.Background(), four)[0]; !strings.Contains(outcome.Decision.Why, "a host that is broken") {
		t.Fatal(outcome)
	}
}

func TestWhatDragonboatAnswersDecidesWhereNobodyRemembers(t *testing.T) {
	var launches []Launch
	answer := func(l Launch) error {
		launches = append(launches, l)
		if l.Join {
			return dragonboat.ErrInvalidShardSettings
		}
		return nil
	}
	s, records := starter(t, &host{disk: true}, func(o *Options) { o.Launch = answer })
	outcome := s.Start(context.Background(), four)[0]
	if !outcome.Started() || outcome.Decision.Kind != Initial || len(launches) != 2 || launches[1].Join || launches[1].NonVoting {
		t.Fatalf("%v after %+v", outcome, launches)
	}
	if record, _ := records.Read(9, 4); record == nil || record.Kind != Initial {
		t.Fatalf("%+v", record)
	}
}

func TestAReplicaThatDragonboatKnowsAsRemovedIsLeftAlone(t *testing.T) {
	s, records := starter(t, &host{disk: true}, func(o *Options) {
		o.Launch = func(Launch) error { return dragonboat.ErrReplicaRemoved }
	})
	if err := records.Write(Record{Deployment: "orders", NodeHostID: "nh-4", Shard: 9, Replica: 4, Kind: JoinedNonVoting, Target: here, Started: true}); err != nil {
		t.Fatal(err)
	}
	if outcome := s.Start(context.Background(), four)[0]; outcome.Started() || !outcome.Decision.Left {
		t.Fatal(outcome)
	}
	if record, _ := records.Read(9, 4); !record.Removed || len(s.Outcomes()) != 0 {
		t.Fatalf("%+v, %v", record, s.Outcomes())
	}
}

// From the first start to the removal, the registry away in between.
func TestTheRegistryLearnsWhatBecameOfAReplica(t *testing.T) {
	h, m := &host{}, &memory{entries: map[Key]Entry{four: {Kind: JoinedNonVoting, Target: here, State: Added, Index: 8, Version: 1}}}
	s, records := starter(t, h, func(o *Options) { o.Registry = m })
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	defer func() { cancel(); <-done }()
	if outcome := s.Start(ctx, four)[0]; !outcome.Started() {
		t.Fatal(outcome)
	}
	if c := s.Condition(four); !c.Running || c.Ready || !c.Flag {
		t.Fatalf("ready before anything was read: %+v", c)
	}
	h.become(&dragonboat.Membership{ConfigChangeID: 8, Nodes: three, NonVotings: map[uint64]string{4: here}})
	eventually(t, "it is ready", func() bool { return s.Condition(four).Ready })
	eventually(t, "started is told", func() bool { return m.state(four) == Started })
	m.mu.Lock()
	m.away = errors.New("no route")
	m.mu.Unlock()
	s.Learn(four, votingMember())
	m.mu.Lock()
	m.away = nil
	m.mu.Unlock()
	eventually(t, "its promotion is told later", func() bool { return m.state(four) == Voter })
	s.Learn(four, nonVotingMember()) // Older: neither kept nor told.
	if record, _ := records.Read(9, 4); record.Membership.Index != 12 || record.Kind != JoinedNonVoting {
		t.Fatalf("%+v", record)
	}
	s.Stopped(four, true)
	eventually(t, "its removal is told", func() bool { return m.state(four) == Removed })
	if record, _ := records.Read(9, 4); !record.Removed {
		t.Fatalf("it may be started again: %+v", record)
	}
}

func TestARegistryThatSaysOtherwiseIsLeftAsItIs(t *testing.T) {
	added := Entry{Kind: JoinedNonVoting, Target: here, State: Added, Index: 8, Version: 1}
	for _, c := range []struct {
		name   string
		change func(*Entry)
		want   State
	}{
		{"it agrees", func(*Entry) {}, Voter},
		{"another kind", func(e *Entry) { e.Kind = JoinedVoter }, Added},
		{"a later configuration", func(e *Entry) { e.Index = 13 }, Added},
	} {
		m := &memory{entries: map[Key]Entry{four: added}}
		s, _ := starter(t, &host{}, func(o *Options) { o.Registry = m })
		if outcome := s.Start(context.Background(), four)[0]; !outcome.Started() {
			t.Fatal(outcome)
		}
		// Somebody has changed it since.
		entry := added
		c.change(&entry)
		m.entries[four] = entry
		s.Learn(four, votingMember())
		s.writeBack(context.Background())
		if now := m.entries[four]; now.State != c.want || now.Kind != entry.Kind {
			t.Errorf("%s: %+v", c.name, now)
		}
	}
}

func TestABrokenRecordIsAnExplanation(t *testing.T) {
	s, records := starter(t, &host{disk: true}, func(*Options) {})
	path := filepath.Join(records.dir, "shard-9-replica-4.json")
	for _, content := range []string{"", "{", `{"kind":7}`, strings.Repeat("x", maxRecord+1)} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if outcome := s.Start(context.Background(), four)[0]; outcome.Started() || !strings.Contains(outcome.Decision.Why, "cannot be read") {
			t.Fatal(outcome)
		}
	}
}
