package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lni/dragonboat/v4/raftio"

	"quorate.dev/agent/dragonboat/role"
	"quorate.dev/agent/go/protocol"
)

// own is a host's own listener, which must miss nothing because an agent listens too.
type own struct{ heard string }

func (o *own) LeaderUpdated(raftio.LeaderInfo)             { o.heard = "LeaderUpdated" }
func (o *own) NodeHostShuttingDown()                       { o.heard = "NodeHostShuttingDown" }
func (o *own) NodeUnloaded(raftio.NodeInfo)                { o.heard = "NodeUnloaded" }
func (o *own) NodeDeleted(raftio.NodeInfo)                 { o.heard = "NodeDeleted" }
func (o *own) NodeReady(raftio.NodeInfo)                   { o.heard = "NodeReady" }
func (o *own) MembershipChanged(raftio.NodeInfo)           { o.heard = "MembershipChanged" }
func (o *own) ConnectionEstablished(raftio.ConnectionInfo) { o.heard = "ConnectionEstablished" }
func (o *own) ConnectionFailed(raftio.ConnectionInfo)      { o.heard = "ConnectionFailed" }
func (o *own) SendSnapshotStarted(raftio.SnapshotInfo)     { o.heard = "SendSnapshotStarted" }
func (o *own) SendSnapshotCompleted(raftio.SnapshotInfo)   { o.heard = "SendSnapshotCompleted" }
func (o *own) SendSnapshotAborted(raftio.SnapshotInfo)     { o.heard = "SendSnapshotAborted" }
func (o *own) SnapshotReceived(raftio.SnapshotInfo)        { o.heard = "SnapshotReceived" }
func (o *own) SnapshotRecovered(raftio.SnapshotInfo)       { o.heard = "SnapshotRecovered" }
func (o *own) SnapshotCreated(raftio.SnapshotInfo)         { o.heard = "SnapshotCreated" }
func (o *own) SnapshotCompacted(raftio.SnapshotInfo)       { o.heard = "SnapshotCompacted" }
func (o *own) LogCompacted(raftio.EntryInfo)               { o.heard = "LogCompacted" }
func (o *own) LogDBCompacted(raftio.EntryInfo)             { o.heard = "LogDBCompacted" }

func TestAHostsOwnListenerHearsEverything(t *testing.T) {
	a, _, _ := withMadeUp(t, 1)
	host := &own{}
	raft, system := reflect.TypeFor[raftio.IRaftEventListener](), reflect.TypeFor[raftio.ISystemEventListener]()
	for _, c := range []struct {
		calls       reflect.Type
		with, alone any
	}{{raft, a.RaftListener(host), a.RaftListener(nil)}, {system, a.SystemListener(host), a.SystemListener(nil)}} {
		for n := range c.calls.NumMethod() {
			call := c.calls.Method(n)
			var arguments []reflect.Value
			for in := range call.Type.NumIn() {
				arguments = append(arguments, reflect.Zero(call.Type.In(in)))
			}
			host.heard = ""
			reflect.ValueOf(c.with).MethodByName(call.Name).Call(arguments)
			if host.heard != call.Name {
				t.Errorf("%s: heard %q", call.Name, host.heard)
			}
			// A host without one misses nothing either.
			reflect.ValueOf(c.alone).MethodByName(call.Name).Call(arguments)
		}
	}
}

// broken is a program whose words fail for a while.
type broken struct {
	program
	now *atomic.Bool
}

func (b broken) GroupName(shard uint64) string {
	if b.now.Load() {
		panic("a program that is broken")
	}
	return b.program.GroupName(shard)
}

// kept is a log that can be read while it is written.
type kept struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (k *kept) Write(data []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.Write(data)
}

func (k *kept) says(what string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return strings.Contains(k.text.String(), what)
}

func TestAPanicOfTheProgramEndsInTheAgent(t *testing.T) {
	var now atomic.Bool
	log := &kept{}
	a, err := New(broken{now: &now}, Options{
		Cluster: "c1", Member: "host-1", Records: t.TempDir(), Log: slog.New(slog.NewTextHandler(log, nil)),
		Server: protocol.Options{ChangeTokens: []protocol.Token{protocol.NewToken("secret")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	library := newMadeUp(1)
	if err := a.attach(library, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	now.Store(true)
	ctx, end := context.WithCancel(context.Background())
	ran := make(chan struct{})
	go func() { defer close(ran); a.Run(ctx) }()
	defer func() { end(); <-ran }()
	eventually(t, "the part that failed begins anew", func() bool { return log.says("begins anew") })
	if answer := asked(a, http.MethodGet, "groups/group-00001", ""); answer.Code != http.StatusInternalServerError {
		t.Error(answer.Code)
	}
	now.Store(false)
	eventually(t, "the group is told", func() bool { return len(a.board.Since("").Groups) == 1 })
	if answer := asked(a, http.MethodGet, "groups/group-00001", ""); answer.Code != http.StatusOK {
		t.Error(answer.Code, answer.Body)
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never seen: " + what)
		}
	}
}

// asked is what the agent's handler answers to whoever may change.
func asked(a *Agent, method, path, body string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, protocol.Base+"/"+path, strings.NewReader(body))
	request.Header.Set("Authorization", "Bearer secret")
	answer := httptest.NewRecorder()
	a.Handler().ServeHTTP(answer, request)
	return answer
}

func TestAnotherAgentIsAnsweredOnlyAboutWhatIsOurs(t *testing.T) {
	a, _, _ := withMadeUp(t, 1)
	a.look()
	at := func(address string) string { return `"membership":{"ccid":4,"non_votings":{"7":"` + address + `"}}` }
	for _, c := range []struct{ method, path, body, says string }{
		{"GET", "dragonboat/words?cluster=c2", "", "newcomer-other-cluster"},
		{"GET", "dragonboat/words?cluster=c1&shard=x", "", "malformed"},
		{"GET", "dragonboat/words?cluster=c1&shard=1", "", `"member":"host-1"`},
		{"POST", "dragonboat/groups/nothing/join", "{}", "unknown-group"},
		{"POST", "dragonboat/groups/group-00001/join", "{", "malformed"},
		{"POST", "dragonboat/groups/group-00001/join", `{"kind":"joined-non-voting"}`, "malformed"},
		{"POST", "dragonboat/groups/group-00001/join", `{"replica":7,"kind":"witness",` + at(voters[1]) + `}`, "malformed"},
		{"POST", "dragonboat/groups/group-00001/join", `{"replica":7,"kind":"joined-non-voting"}`, "newcomer-other-id"},
		{"POST", "dragonboat/groups/group-00001/join", `{"replica":7,"kind":"joined-non-voting",` + at("10.9.9.9:1") + `}`, "newcomer-other-id"},
		{"POST", "dragonboat/groups/group-00001/join", `{"replica":8,"kind":"joined-non-voting",` + at(voters[1]) + `}`, "newcomer-other-id"},
		{"POST", "dragonboat/groups/group-00001/stop", "", "not-removed"},
	} {
		if answer := asked(a, c.method, c.path, c.body); !strings.Contains(answer.Body.String(), c.says) {
			t.Errorf("%s %s: %s", c.path, c.body, answer.Body)
		}
	}
}

// noted is a registry that holds what it is given.
type noted struct {
	entries map[role.Key]role.Entry
	away    error
	refuses error
}

func (n *noted) Entries(context.Context) (map[role.Key]role.Entry, map[role.Key]string, error) {
	return n.entries, nil, n.away
}

func (n *noted) Write(_ context.Context, key role.Key, entry role.Entry) error {
	if n.refuses == nil {
		n.entries[key] = entry
	}
	return n.refuses
}

func TestAFreshReplicaHasANumberThatNobodyHasEverHad(t *testing.T) {
	const target = "10.0.0.9:63000"
	a, _, _ := withMadeUp(t, 1)
	c := &change{agent: a, at: a.attached.Load(), shard: 1, ctx: context.Background()}
	fresh := func() (uint64, string) {
		t.Helper()
		replica, refused := c.freshReplica(target)
		if refused != nil {
			return 0, refused.Code
		}
		return replica, ""
	}
	for _, m := range []struct {
		seen *role.Membership
		want uint64
	}{
		{&role.Membership{Voters: voters}, 4},
		{&role.Membership{Voters: voters, NonVotings: map[uint64]string{5: ""}}, 6},
		{&role.Membership{Voters: voters, Witnesses: map[uint64]string{6: ""}}, 7},
		{&role.Membership{Voters: voters, NonVotings: map[uint64]string{5: ""}, Removed: []uint64{9, 4}}, 10},
	} {
		c.seen = m.seen
		if replica, code := fresh(); replica != m.want {
			t.Errorf("%d %s instead of %d", replica, code, m.want)
		}
	}
	// The registry remembers what the shard has forgotten, and is told before Raft is.
	registry := &noted{entries: map[role.Key]role.Entry{{Shard: 1, Replica: 11}: {State: role.Removed}, {Shard: 2, Replica: 40}: {}}}
	a.options.Registry = registry
	if replica, code := fresh(); replica != 12 {
		t.Fatal(replica, code)
	}
	if planned := registry.entries[role.Key{Shard: 1, Replica: 12}]; planned.State != role.Planned || planned.Target != target || planned.Kind != role.JoinedNonVoting {
		t.Fatalf("%+v", planned)
	}
	registry.refuses = role.ErrMoved
	if replica, code := fresh(); code != "registry-away" {
		t.Fatal(replica, code)
	}
	registry.away = errors.New("no route")
	if replica, code := fresh(); code != "registry-away" {
		t.Fatal(replica, code)
	}
}

type unordered struct{ program }

func (unordered) Ordered(uint64) bool { return false }

func TestWhereRaftDoesNotCompareTheAgentDoesJustBefore(t *testing.T) {
	a, library, _ := leading(t)
	c := &change{agent: a, at: a.attached.Load(), shard: 1, ctx: context.Background(), seen: &role.Membership{Index: 3}}
	sent := 0
	hand := func() error {
		return c.hand(func(_ context.Context, revision uint64) error {
			if sent++; revision != 3 {
				t.Errorf("sent with %d", revision)
			}
			return nil
		})
	}
	a.program = unordered{}
	if err := hand(); err != nil || sent != 1 {
		t.Fatal(err, sent)
	}
	// It moves between the look and the sending.
	moved9(library.members)
	if err := hand(); !errors.Is(err, errMoved) || sent != 1 {
		t.Fatal(err, sent)
	}
	// An ordered shard refuses by itself.
	a.program = program{}
	if err := hand(); err != nil || sent != 2 {
		t.Fatal(err, sent)
	}
}

func TestASnapshotStaysBelowItsFolderWhateverAGroupIsCalled(t *testing.T) {
	a, _, _ := withMadeUp(t, 1)
	a.options.Snapshots = t.TempDir()
	seen := map[string]string{}
	for _, group := range []string{"default", ".", "..", "../up", "/etc", "a/b", "a%2Fb", "..."} {
		option, folder, refused := a.snapshotPlace(group)
		if refused != nil || filepath.Dir(folder) != a.options.Snapshots || option.ExportPath != folder || !option.Exported {
			t.Errorf("%s: %s %v", group, folder, refused)
		}
		if other, used := seen[folder]; used {
			t.Errorf("%s and %s share %s", group, other, folder)
		}
		seen[folder] = group
	}
}

func TestTheDirectoryOfHostsIsBounded(t *testing.T) {
	d := newDirectory(t.TempDir(), nil)
	var crowd []Host
	for n := range 2 * mostHosts {
		crowd = append(crowd, Host{Name: fmt.Sprint("host-", n), RaftAddress: fmt.Sprint("10.0.0.1:", n)})
	}
	d.learn(crowd)
	d.introduce(Host{Name: "one-more", RaftAddress: "10.0.0.2:1"})
	if known := len(d.all()); known != mostHosts {
		t.Fatal(known)
	}
}

func TestNobodyIsStartedBeforeThereIsANodeHost(t *testing.T) {
	a, err := New(program{}, Options{
		Cluster: "c1", Member: "host-1", Records: t.TempDir(), Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Server: protocol.Options{ChangeTokens: []protocol.Token{protocol.NewToken("secret")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Start(context.Background(), role.Key{Shard: 1, Replica: 1}); !errors.Is(err, ErrNotAttached) {
		t.Error(err)
	}
	if _, err := a.Assigned(context.Background()); !errors.Is(err, ErrNotAttached) {
		t.Error(err)
	}
	a.Run(context.Background()) // Ends at once.
	for path, status := range map[string]int{"identity": 200, "groups": 200, "groups/group-00001": 404} {
		if answer := asked(a, http.MethodGet, path, ""); answer.Code != status {
			t.Errorf("%s: %d", path, answer.Code)
		}
	}
}

// A voter that was removed and missed it may go on naming its leader; only its reads fail.
func TestARemovedVoterThatNamesALeaderIsFound(t *testing.T) {
	a, _, _ := withMadeUp(t, 1)
	a.look()
	gone := &role.Membership{Index: 9, Voters: map[uint64]string{2: voters[2], 3: voters[3]}, Removed: []uint64{1}}
	said := func() string { now, _ := a.row(1); return now.removedSays }
	if a.wasRemoved(1, 1, "host-2", gone); said() != "" {
		t.Fatal("it can read, and was called removed")
	}
	a.tried(1, time.Now().Add(-2*orphaned), false)
	a.wasRemoved(1, 1, "host-2", gone)
	if a.look(); !strings.Contains(said(), "host-2") {
		t.Fatal("it is not found, or forgotten at the next look")
	}
	// Whoever reads is a member.
	a.tried(1, time.Now(), true)
	if a.look(); said() != "" {
		t.Fatal(said())
	}
}
