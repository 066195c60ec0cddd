package startup_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"quorate.dev/agent/hashicorp-raft/example/node"
	"quorate.dev/agent/hashicorp-raft/startup"
)

func TestAGuardLetsPassRedirectsOrRefuses(t *testing.T) {
	t.Parallel()
	s := newStore(t, 3, nil)
	id := s.follower()
	leader, follower := s.leader(), s.nodes[id]
	if err := leader.Put("k", "v"); err != nil {
		t.Fatal(err)
	}
	s.until("the follower is ready and has it", func() bool {
		_, known := follower.Get("k")
		return known && follower.Starting.Report().Phase == startup.Ready
	})
	stay := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	read := func(from *node.Node, level string) (int, string, string) {
		response, err := stay.Get(from.Origin + "/kv/k?level=" + level)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(body), response.Header.Get("Location")
	}
	for _, level := range []string{"stale", "bounded", "linearizable"} {
		if status, body, _ := read(follower, level); status != 200 || body != "v" {
			t.Errorf("%s from a follower: %d %s", level, status, body)
		}
	}
	for _, level := range []string{"leader", "verified"} {
		status, _, to := read(follower, level)
		if status != 307 || to != leader.Origin+"/kv/k?level="+level {
			t.Errorf("%s from a follower: %d %s", level, status, to)
		}
		if status, body, _ := read(leader, level); status != 200 || body != "v" {
			t.Errorf("%s from the leader: %d %s", level, status, body)
		}
	}
	response, err := http.Get(follower.Origin + "/ready?sync=1")
	if err != nil || response.StatusCode != 200 {
		t.Fatal(err, response)
	}
	_ = response.Body.Close()
}

func TestALinearizableReadOfAFollowerSeesEveryWriteThatWasAnswered(t *testing.T) {
	t.Parallel()
	s := newStore(t, 3, nil)
	id := s.follower()
	leader, follower := s.leader(), s.nodes[id]
	s.until("the follower is ready", func() bool { return follower.Starting.Report().Phase == startup.Ready })
	for i := range 30 {
		want := fmt.Sprint(i)
		if err := leader.Put("k", want); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		if err := follower.Starting.Check(ctx, startup.Linearizable()); err != nil {
			t.Fatal(err)
		}
		cancel()
		if got, _ := follower.Get("k"); got != want {
			t.Fatalf("read %s after %s was written", got, want)
		}
	}
}

func TestALinearizableReadIsRefusedByALeaderWithoutAMajority(t *testing.T) {
	t.Parallel()
	s := newStore(t, 3, nil)
	// A busy machine may look only when it has stepped down, and that it leads no more proves nothing here.
	var why string
	for range 10 {
		if why = s.refusedWhileLeading(); strings.Contains(why, "majority") {
			return
		}
	}
	t.Fatal("a leader that nobody follows let reads through as long as it led:", why)
}

// refusedWhileLeading cuts the leader off from everybody, and gives the first reason it refuses a read for.
func (s *store) refusedWhileLeading() (why string) {
	s.t.Helper()
	leader := s.leader()
	s.until("its barrier is through", func() bool {
		return leader.Raft.State() != raft.Leader || leader.Starting.Check(context.Background(), startup.OnLeader()) == nil
	})
	var others []raft.ServerID
	for id, running := range s.nodes {
		if running != leader {
			others = append(others, raft.ServerID(id))
		}
	}
	leader.Set(node.Faults{Cut: others})
	defer leader.Set(node.Faults{})
	// What was on its way when the connection was cut may still count, and nothing after.
	s.until("it refuses", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		err := leader.Starting.Check(ctx, startup.Linearizable())
		if err != nil {
			why = err.Error()
		}
		return err != nil
	})
	return why
}

func TestAGuardBeforeRaftRunsRefuses(t *testing.T) {
	t.Parallel()
	early := startup.New(startup.Options{Member: "a"})
	handler := early.Guard(startup.Linearizable(), startup.GuardOptions{Patience: time.Millisecond})(http.NotFoundHandler())
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest("GET", "/", nil))
	if answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") == "" {
		t.Fatal(answer.Code)
	}
	early.Close()
}
