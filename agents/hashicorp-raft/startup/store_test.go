package startup_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"quorate.dev/agent/hashicorp-raft/example/node"
	"quorate.dev/agent/hashicorp-raft/startup"
)

// store is a cluster that is put together by Raft itself.
type store struct {
	t     *testing.T
	dir   string
	given map[string]node.Options
	nodes map[string]*node.Node
}

func newStore(t *testing.T, voters int, change func(*node.Options)) *store {
	t.Helper()
	s := &store{t: t, dir: t.TempDir(), given: map[string]node.Options{}, nodes: map[string]*node.Node{}}
	t.Cleanup(func() {
		for _, running := range s.nodes {
			_ = running.Close()
		}
	})
	for i := range voters {
		id := string(rune('a' + i))
		options := node.Options{
			ID: id, ClusterID: "c", Dir: filepath.Join(s.dir, id), Raft: freePort(t),
			Token: "t", Timeout: timeout, Bootstrap: i == 0, PersistEvery: 20 * time.Millisecond,
		}
		if change != nil {
			change(&options)
		}
		s.given[id] = options
		s.start(id, nil)
		leader := s.leader()
		if i > 0 {
			address := raft.ServerAddress(options.Raft)
			if err := leader.Raft.AddVoter(raft.ServerID(id), address, 0, 0).Error(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return s
}

// nextPort begins anywhere: no port is used twice by these tests, since Raft does not tell a node of
// another cluster from one of its own.
var nextPort = func() *atomic.Int64 {
	var next atomic.Int64
	next.Store(2 * rand.Int64N(3000))
	return &next
}()

// freePort is a port whose successor is free too, below those the system gives out.
func freePort(t *testing.T) string {
	t.Helper()
	for range 3000 {
		port := 12000 + nextPort.Add(2)%6000
		if isFree(port) && isFree(port+1) {
			return fmt.Sprintf("127.0.0.1:%d", port)
		}
	}
	t.Fatal("no two free ports in a row")
	return ""
}

func isFree(port int64) bool {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

func (s *store) start(id string, change func(*node.Options)) *node.Node {
	s.t.Helper()
	options := s.given[id]
	if change != nil {
		change(&options)
	}
	var running *node.Node
	s.until(id+" starts", func() bool {
		var err error
		running, err = node.Start(options)
		return err == nil
	})
	s.nodes[id] = running
	return running
}

func (s *store) stop(id string) {
	_ = s.nodes[id].Close()
	delete(s.nodes, id)
}

func (s *store) until(what string, holds func() bool) {
	s.t.Helper()
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if holds() {
			return
		}
	}
	s.t.Fatal("never seen: " + what)
}

func (s *store) leader() *node.Node {
	s.t.Helper()
	var found *node.Node
	s.until("a ready leader", func() bool {
		for _, running := range s.nodes {
			if running.Starting.Check(context.Background(), startup.OnLeader()) == nil {
				found = running
				return true
			}
		}
		return false
	})
	return found
}

func (s *store) follower() string {
	s.t.Helper()
	leader := s.leader()
	for id, running := range s.nodes {
		if running != leader {
			return id
		}
	}
	s.t.Fatal("no follower")
	return ""
}
