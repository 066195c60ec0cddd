package agent_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"quorate.dev/agent/go/protocol"
	agent "quorate.dev/agent/hashicorp-raft"
)

// lone is one voter in memory with an agent, and a host whose hook is somebody else's to write.
func lone(t *testing.T, agentAddress func(raft.Server) string) (*raft.Raft, *agent.Agent) {
	t.Helper()
	config := raft.DefaultConfig()
	config.LocalID, config.Logger = "a", hclog.New(&hclog.LoggerOptions{Output: io.Discard})
	config.HeartbeatTimeout, config.ElectionTimeout, config.LeaderLeaseTimeout = 200*time.Millisecond, 200*time.Millisecond, 100*time.Millisecond
	address, transport := raft.NewInmemTransport("")
	store, watched := raft.NewInmemStore(), agent.Watch(&counts{}, transport)
	r, err := raft.NewRaft(config, watched.FSM, store, store, raft.NewInmemSnapshotStore(), watched.Transport)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Shutdown().Error() })
	alone := raft.Configuration{Servers: []raft.Server{{ID: "a", Address: address}}}
	if err := r.BootstrapCluster(alone).Error(); err != nil {
		t.Fatal(err)
	}
	until(t, "it leads", func() bool { return r.State() == raft.Leader })
	a, err := agent.New(r, watched, agent.Options{
		Member: "a", AgentAddress: agentAddress,
		Server: protocol.Options{ChangeTokens: []protocol.Token{protocol.NewToken(token)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r, a
}

func TestAnAgentThatHangsHoldsUpNoRaft(t *testing.T) {
	t.Parallel()
	var hangs atomic.Bool
	inside, release := make(chan struct{}, 1000), make(chan struct{})
	r, a := lone(t, func(raft.Server) string {
		if hangs.Load() {
			inside <- struct{}{}
			<-release
		}
		return ""
	})
	t.Cleanup(a.Close)
	hangs.Store(true)
	<-inside
	// Twice as many observations as the agent has room for, and nobody takes them.
	ended := make(chan error, 1)
	go func() {
		for n := range 64 {
			id := raft.ServerID(fmt.Sprint("n", n))
			if err := r.AddNonvoter(id, "nowhere", 0, 0).Error(); err != nil {
				ended <- err
				return
			}
			if err := r.RemoveServer(id, 0, 0).Error(); err != nil {
				ended <- err
				return
			}
		}
		ended <- r.Apply([]byte("x"), 0).Error()
	}()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(longest):
		t.Error("Raft waits for the agent")
	}
	hangs.Store(false)
	close(release)
	until(t, "the agent looks again", func() bool {
		view, known := a.View(context.Background(), protocol.DefaultGroup)
		return known && view.ClaimsLeadership
	})
}

func TestAPanicOfTheHostsOwnHookEndsInTheAgent(t *testing.T) {
	t.Parallel()
	var panics atomic.Bool
	var calls atomic.Int64
	r, a := lone(t, func(raft.Server) string {
		if panics.Load() {
			calls.Add(1)
			panic("a hook of the host's")
		}
		return ""
	})
	t.Cleanup(a.Close)
	ask := func(method, path string) int {
		request := httptest.NewRequest(method, protocol.Base+path, nil)
		request.Header.Set("Authorization", "Bearer "+token)
		request.Header.Set("Content-Type", "application/json")
		if method == http.MethodPost {
			request.Body = io.NopCloser(strings.NewReader(`{"action":"remove","member":"b","expected_revision":"1"}`))
		}
		answer := httptest.NewRecorder()
		a.Handler().ServeHTTP(answer, request)
		return answer.Code
	}
	panics.Store(true)
	// The agent's own loop meets it too, and goes on.
	until(t, "the hook is called in vain, again and again", func() bool { return calls.Load() > 3 })
	for _, c := range []struct{ method, path string }{{"GET", "/groups/default"}, {"POST", "/groups/default/changes"}} {
		if status := ask(c.method, c.path); status != http.StatusInternalServerError {
			t.Errorf("%s %s: %d", c.method, c.path, status)
		}
	}
	if err := r.Apply([]byte("x"), 0).Error(); err != nil {
		t.Error(err)
	}
	panics.Store(false)
	until(t, "it answers again", func() bool { return ask("GET", "/groups/default") == http.StatusOK })
}
