package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/lni/dragonboat/v4"

	"quorate.dev/agent/dragonboat/role"
	"quorate.dev/agent/go/protocol"
)

const many = 10_000

// madeUp is a NodeHost with very many shards that there is not: real ones cost 0.6 MB each.
type madeUp struct {
	mu     sync.Mutex
	shards []dragonboat.ShardInfo
	reads  int
	closed bool
	// members is what linearizable reads tell; answer what Raft says to a change, which becomes effective if
	// effect says so.
	members *role.Membership
	answer  error
	effect  func(*role.Membership)
	changes int
}

var voters = map[uint64]string{1: "10.0.0.1:63000", 2: "10.0.0.2:63000", 3: "10.0.0.3:63000"}

func newMadeUp(count int) *madeUp {
	m := &madeUp{}
	for n := range count {
		m.shards = append(m.shards, dragonboat.ShardInfo{
			ShardID: uint64(n) + 1, ReplicaID: 1, LeaderID: uint64(n)%3 + 1, Term: 2 + elections(n), ConfigChangeIndex: 3, Replicas: voters,
		})
	}
	return m
}

// elections: most groups keep their first leader, some have had a few.
func elections(n int) uint64 {
	if n%16 == 0 {
		return uint64(n) % 5
	}
	return 0
}

func (m *madeUp) ID() string                      { return "nh-1" }
func (m *madeUp) RaftAddress() string             { return voters[1] }
func (m *madeUp) HasNodeInfo(uint64, uint64) bool { return true }
func (m *madeUp) SyncGetShardMembership(context.Context, uint64) (*dragonboat.Membership, error) {
	return nil, errors.New("not asked here")
}

func (m *madeUp) Shards() ([]dragonboat.ShardInfo, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]dragonboat.ShardInfo(nil), m.shards...), !m.closed
}

func (m *madeUp) Leader(shard uint64) (uint64, uint64, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := m.shards[shard-1]
	return found.LeaderID, found.Term, found.LeaderID != 0
}

// last spreads the indexes, so that they compress as badly as real ones.
func last(shard uint64) uint64 { return shard * 2_654_435_761 % 1_000_003 }

func (m *madeUp) Range(shard uint64) (uint64, uint64, bool) { return 1, last(shard), true }
func (m *madeUp) Commit(shard uint64) (uint64, bool) {
	// As long as a real one takes.
	for began := time.Now(); time.Since(began) < 15*time.Microsecond; {
		continue
	}
	return last(shard), true
}
func (m *madeUp) Snapshot(uint64) (uint64, uint64, bool) { return 0, 0, false }
func (m *madeUp) Term(uint64, uint64) (uint64, bool)     { return 2, true }
func (m *madeUp) Transfer(uint64, uint64) error          { return nil }
func (m *madeUp) move(shard uint64)                      { m.mu.Lock(); m.shards[shard-1].Term++; m.mu.Unlock() }
func (m *madeUp) close()                                 { m.mu.Lock(); m.closed = true; m.mu.Unlock() }

func (m *madeUp) change() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.changes++
	if m.effect != nil {
		m.effect(m.members)
	}
	return m.answer
}

func (m *madeUp) Promote(context.Context, uint64, uint64, string, uint64) error { return m.change() }
func (m *madeUp) Delete(context.Context, uint64, uint64, uint64) error          { return m.change() }
func (m *madeUp) AddNonVoting(context.Context, uint64, uint64, string, uint64) error {
	return m.change()
}

func (m *madeUp) TakeSnapshot(context.Context, uint64, dragonboat.SnapshotOption) (uint64, error) {
	return 1, nil
}

func (m *madeUp) Membership(context.Context, uint64) (*role.Membership, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	if m.members != nil {
		copied := *m.members
		return &copied, nil
	}
	return &role.Membership{Index: 3, Voters: voters}, nil
}

type program struct{}

func (program) GroupName(shard uint64) string { return fmt.Sprintf("group-%05d", shard) }

func (program) Shard(group string) (uint64, bool) {
	var shard uint64
	_, err := fmt.Sscanf(group, "group-%d", &shard)
	return shard, err == nil && shard > 0
}
func (program) Timing(uint64) (uint64, uint64)        { return 10, 1 }
func (program) Ordered(uint64) bool                   { return true }
func (program) Static(uint64, uint64) role.StaticWord { return role.StaticWord{} }
func (program) Applied(uint64) (uint64, bool)         { return 0, false }
func (program) Launch(role.Launch) error              { return nil }
func (program) Stop(uint64, uint64) error             { return nil }

func withMadeUp(t testing.TB, count int) (*Agent, *madeUp, *httptest.Server) {
	t.Helper()
	a, err := New(program{}, Options{
		Program: "test", Cluster: "c1", Member: "host-1", Records: t.TempDir(),
		Hosts:  []Host{{Name: "host-2", RaftAddress: voters[2]}, {Name: "host-3", RaftAddress: voters[3]}},
		Server: protocol.Options{ChangeTokens: []protocol.Token{protocol.NewToken("secret")}},
		Log:    slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	library := newMadeUp(count)
	if err := a.attach(library, 20*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(a.Handler())
	t.Cleanup(server.Close)
	return a, library, server
}

// fetch gives the answer and how many bytes came over the wire.
func fetch(t testing.TB, url string, into any) int {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer secret")
	if into == nil {
		request.Header.Set("Accept-Encoding", "gzip")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatal(response.Status, err)
	}
	if into != nil {
		if err := json.Unmarshal(body, into); err != nil {
			t.Fatal(err)
		}
	}
	return len(body)
}

func TestTenThousandGroupsAreTensOfKilobytesAndADeltaIsWhatChanged(t *testing.T) {
	a, library, server := withMadeUp(t, many)
	url := server.URL + protocol.Base + "/groups"
	var all, since protocol.Groups
	a.look() // Who asks does not wait for the first look of so many.
	fetch(t, url, &all)
	if !all.Complete || len(all.Groups) != many {
		t.Fatalf("%d groups, complete %t", len(all.Groups), all.Complete)
	}
	for known := 0; known < many; { // Commit indexes come in by turns.
		a.look()
		known = 0
		fetch(t, url, &all)
		for _, group := range all.Groups {
			if group.CommitIndex != nil {
				known++
			}
		}
	}
	if bytes := fetch(t, url, nil); bytes > 100_000 {
		t.Fatalf("%d bytes", bytes)
	}
	for shard := uint64(1); shard <= 7; shard++ {
		library.move(shard * 100)
	}
	a.look()
	fetch(t, url+"?since="+all.Revision, &since)
	if since.Complete || len(since.Groups) != 7 {
		t.Fatalf("%d groups, complete %t", len(since.Groups), since.Complete)
	}
	if library.reads != 0 {
		t.Fatalf("%d linearizable reads for the bulk state", library.reads)
	}
}

func TestAClosedNodeHostIsTold(t *testing.T) {
	a, library, server := withMadeUp(t, 2)
	a.look()
	library.close()
	a.look()
	var all protocol.Groups
	fetch(t, server.URL+protocol.Base+"/groups", &all)
	if len(all.Groups) != 2 || all.Groups[0].State != protocol.Stopped || all.Groups[0].Fault == nil {
		t.Fatalf("%+v", all)
	}
	var view protocol.GroupView
	fetch(t, server.URL+protocol.Base+"/groups/group-00001", &view)
	if view.Fault == nil || view.State != protocol.Stopped || view.ClaimsLeadership {
		t.Fatalf("%+v", view)
	}
}

func TestEventsNeverHoldUpWhoTellsThem(t *testing.T) {
	a, _, _ := withMadeUp(t, 2)
	done := make(chan struct{})
	go func() {
		defer close(done)
		listener := a.RaftListener(nil)
		for n := range uint64(3 * mostEvents) {
			listener.LeaderUpdated(leaderInfo(n%2+1, 1))
		}
	}()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatal("a callback waits for a queue that nobody empties")
	}
	if !a.ears.overflow.Load() || len(a.ears.queue) != mostEvents {
		t.Fatal("the queue has no bound")
	}
}

// BenchmarkLook is what the agent itself does for 10,000 shards, once a second while nothing happens, and what it
// holds in memory for them.
func BenchmarkLook(b *testing.B) {
	held := func() float64 {
		var memory runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&memory)
		return float64(memory.HeapAlloc)
	}
	a, library, _ := withMadeUp(b, many)
	before := held()
	for range 20 {
		a.look()
	}
	holds := held() - before
	for b.Loop() {
		a.look()
	}
	runtime.KeepAlive(library)
	b.ReportMetric(holds/1e6, "MB")
}

// BenchmarkBulkState is the whole way of 10,000 groups, a look included, to compressed bytes on the wire.
func BenchmarkBulkState(b *testing.B) {
	a, _, server := withMadeUp(b, many)
	for range 20 {
		a.look()
	}
	bytes := 0
	for b.Loop() {
		a.look()
		bytes = fetch(b, server.URL+protocol.Base+"/groups", nil)
	}
	b.ReportMetric(float64(bytes), "compressed-B")
}

// BenchmarkDelta is the same for ten groups of 10,000 that moved.
func BenchmarkDelta(b *testing.B) {
	a, library, server := withMadeUp(b, many)
	for range 20 {
		a.look()
	}
	bytes := 0
	for b.Loop() {
		revision := a.board.Since("").Revision
		for shard := uint64(1); shard <= 10; shard++ {
			library.move(shard)
		}
		a.look()
		bytes = fetch(b, server.URL+protocol.Base+"/groups?since="+revision, nil)
	}
	b.ReportMetric(float64(bytes), "compressed-B")
}
