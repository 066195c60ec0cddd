package agent

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/lni/dragonboat/v4"

	"quorate.dev/agent/dragonboat/role"
	"quorate.dev/agent/go/protocol"
)

// member is another host's agent, which says of itself what it is told to.
type member struct{ view protocol.GroupView }

func (m *member) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	text := `{"group":"group-00001","member":"` + m.view.Member + `","state":"follower","term":2,"membership":{"revision":"3"}`
	if m.view.LastIndex != nil {
		text += `,"last_index":` + number(*m.view.LastIndex)
	}
	if m.view.ReadIndex != nil {
		text += `,"read_index":` + number(*m.view.ReadIndex)
	}
	if ready := m.view.Readiness; ready != nil {
		text += `,"readiness":{"phase":"` + ready.Phase + `","since_ms":` + number(ready.SinceMS) + `}`
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(text + "}"))
}

// leading is a leader of one shard with two followers that answer and a learner, host-4.
func leading(t *testing.T) (*Agent, *madeUp, map[string]*member) {
	t.Helper()
	a, library, _ := withMadeUp(t, 1)
	at := last(1)
	others := map[string]*member{}
	addresses := maps.Clone(voters)
	addresses[4] = "10.0.0.4:63000"
	for replica, name := range map[uint64]string{2: "host-2", 3: "host-3", 4: "host-4"} {
		other := &member{protocol.GroupView{Member: name, LastIndex: &at, ReadIndex: &at}}
		others[name] = other
		server := httptest.NewServer(other)
		t.Cleanup(server.Close)
		host := Host{Name: name, RaftAddress: addresses[replica], AgentAddress: server.URL}
		a.hosts.introduce(host)
	}
	a.options.Limits.Patience = 200 * time.Millisecond
	library.members = &role.Membership{Index: 3, Voters: maps.Clone(voters), NonVotings: map[uint64]string{4: addresses[4]}}
	a.look()
	return a, library, others
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

func promoted(m *role.Membership) {
	m.Index, m.Voters, m.NonVotings = 9, maps.Clone(voters), nil
	m.Voters[4] = "10.0.0.4:63000"
}

func moved9(m *role.Membership) { m.Index = 9 }

// Whatever Raft answers, only what the membership shows is told.
func TestWhatBecameOfAChangeIsLookedUp(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer error
		effect func(*role.Membership)
		code   string
	}{
		{"done", nil, promoted, ""},
		{"done, and the caller was told of a timeout", dragonboat.ErrTimeout, promoted, ""},
		{"done, and the caller was told that the shard is closed", dragonboat.ErrShardClosed, promoted, ""},
		{"dropped by the leader, told to nobody", dragonboat.ErrTimeout, nil, "unknown"},
		{"dropped before the log", dragonboat.ErrShardNotReady, nil, "no-quorum"},
		{"rejected, the membership moved", dragonboat.ErrRejected, moved9, "revision-moved"},
		{"rejected, the membership is the same", dragonboat.ErrRejected, nil, "refused-by-core"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a, library, _ := leading(t)
			library.answer, library.effect = c.answer, c.effect
			receipt, err := a.Change(context.Background(), "group-00001",
				protocol.ChangeRequest{Action: protocol.Promote, Member: "host-4", ExpectedRevision: "3"})
			if got := codeOf(err); got != c.code {
				t.Fatalf("%q instead of %q: %+v", got, c.code, err)
			}
			if library.changes != 1 {
				t.Fatalf("sent %d times", library.changes)
			}
			if c.code == "" && (receipt.Revision != "9" || receipt.Outcome != protocol.Done) {
				t.Fatalf("%+v", receipt)
			}
		})
	}
}

func codeOf(err error) string {
	var refused *protocol.Refusal
	if errors.As(err, &refused) {
		return refused.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// starts has host-2 tell how far its start has come.
func starts(phase string, sinceMS uint64) func(*Agent, map[string]*member) {
	return func(_ *Agent, m map[string]*member) {
		m["host-2"].view.Readiness = &protocol.Readiness{Phase: phase, SinceMS: sinceMS}
	}
}

// Nothing is sent to Raft that a rule forbids.
func TestWhatARuleForbidsIsNotSent(t *testing.T) {
	far := last(1) - 200
	for _, c := range []struct {
		name     string
		trouble  func(*Agent, map[string]*member)
		action   protocol.Action
		member   string
		revision string
		code     string
	}{
		{"an older membership", nil, protocol.Promote, "host-4", "2", "revision-moved"},
		{"a learner that hears nobody", func(_ *Agent, m map[string]*member) { m["host-4"].view.ReadIndex = nil }, protocol.Promote, "host-4", "3", "not-heard"},
		{"a learner far behind", func(_ *Agent, m map[string]*member) { m["host-4"].view.LastIndex = &far }, protocol.Promote, "host-4", "3", "not-level"},
		{"somebody else at its address", func(_ *Agent, m map[string]*member) { m["host-4"].view.Member = "host-9" }, protocol.Promote, "host-4", "3", "not-heard"},
		{"a voter", nil, protocol.Promote, "host-2", "3", "already-voter"},
		{"a stranger", nil, protocol.Remove, "host-9", "3", "member-unknown"},
		{"the leader", nil, protocol.Remove, "host-1", "3", "is-leader"},
		{"one of two that answer", func(_ *Agent, m map[string]*member) { m["host-2"].view.ReadIndex = nil }, protocol.Remove, "host-3", "3", "majority-at-risk"},
		{"leadership to a learner", nil, protocol.Transfer, "host-4", "3", "not-a-voter"},
		{"leadership to the leader", nil, protocol.Transfer, "host-1", "3", "already-leader"},
		{"leadership to one behind", func(_ *Agent, m map[string]*member) { m["host-2"].view.LastIndex = &far }, protocol.Transfer, "host-2", "3", "not-level"},
		{"leadership to one that has just started", starts("ready", 2900), protocol.Transfer, "host-2", "3", "just-started"},
		{"leadership to one that is not ready", starts("catching-up", 60_000), protocol.Transfer, "host-2", "3", "just-started"},
		{"leadership that is not taken", starts("ready", 3000), protocol.Transfer, "host-2", "3", "transfer-not-taken"},
		{"a demotion", nil, protocol.Demote, "host-2", "3", "not-supported"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a, library, members := leading(t)
			if c.trouble != nil {
				c.trouble(a, members)
			}
			_, err := a.Change(context.Background(), "group-00001",
				protocol.ChangeRequest{Action: c.action, Member: c.member, ExpectedRevision: c.revision})
			if got := codeOf(err); got != c.code || library.changes != 0 {
				t.Fatalf("%q instead of %q, %d changes sent: %v", got, c.code, library.changes, err)
			}
		})
	}
}

func TestAHostWhoseAgentHasMovedSaysSo(t *testing.T) {
	d := newDirectory(t.TempDir(), []Host{{Name: "host-2", RaftAddress: "10.0.0.2:1", AgentAddress: "http://127.0.0.1:1"}})
	d.learn([]Host{{Name: "host-2", RaftAddress: "10.0.0.2:1", AgentAddress: "http://127.0.0.1:2"}})
	if d.at("10.0.0.2:1").AgentAddress != "http://127.0.0.1:1" {
		t.Fatal("hearsay was believed")
	}
	d.introduce(Host{Name: "host-9", RaftAddress: "10.0.0.2:1", AgentAddress: "http://127.0.0.1:3"})
	if d.at("10.0.0.2:1").AgentAddress != "http://127.0.0.1:1" {
		t.Fatal("somebody else was believed")
	}
	d.introduce(Host{Name: "host-2", RaftAddress: "10.0.0.2:1", AgentAddress: "http://127.0.0.1:3"})
	if d.at("10.0.0.2:1").AgentAddress != "http://127.0.0.1:3" {
		t.Fatal("the host itself was not believed")
	}
	if name := d.at("10.0.0.7:1").Name; name != "10.0.0.7:1" {
		t.Fatal(name)
	}
}
