package agent_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"quorate.dev/agent/go/protocol"
	"quorate.dev/agent/hashicorp-raft/example/command"
	"quorate.dev/agent/hashicorp-raft/example/node"
)

type nodeOptions = node.Options

const (
	token   = "a-token-for-tests"
	looking = "a-token-to-look"
	// timeout of heartbeats and elections: short, and long enough for a busy machine.
	timeout = time.Second
	longest = 60 * time.Second
)

// TestMain lets the test binary be a node of its own, so that tests can stop its process.
func TestMain(m *testing.M) {
	if os.Getenv("QUORATE_TEST_NODE") == "cost" {
		fmt.Fprintln(os.Stderr, runCosted(os.Args[1:]))
		os.Exit(1)
	}
	if os.Getenv("QUORATE_TEST_NODE") != "" {
		if err := command.Run(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	// Clusters mostly wait, so more of them run at once than there are processors.
	flag.Parse()
	_ = flag.Set("test.parallel", "6")
	os.Exit(m.Run())
}

// cluster is some nodes in this process, over real TCP and real files.
type cluster struct {
	t     testing.TB
	dir   string
	nodes map[string]*node.Node
	given map[string]node.Options
	peer  protocol.Peer
}

// newCluster starts voters a, b, c … and puts them together through their agents.
func newCluster(t testing.TB, voters int, change ...func(*node.Options)) *cluster {
	t.Helper()
	c := &cluster{
		t: t, dir: t.TempDir(), nodes: map[string]*node.Node{}, given: map[string]node.Options{},
		peer: protocol.Peer{Token: token, HTTP: &http.Client{Timeout: 15 * time.Second}},
	}
	t.Cleanup(func() {
		for _, running := range c.nodes {
			_ = running.Close()
		}
	})
	for i := range voters {
		id := string(rune('a' + i))
		c.start(id, append([]func(*node.Options){func(o *node.Options) { o.Bootstrap = i == 0 }}, change...)...)
		if i == 0 {
			c.leader()
			continue
		}
		c.add(id)
		c.promote(id)
	}
	if voters > 0 {
		c.leader()
	}
	return c
}

// nextPort begins anywhere: no port is used twice by these tests, since Raft does not tell a node of
// another cluster from one of its own.
var nextPort = func() *atomic.Int64 {
	var next atomic.Int64
	next.Store(2 * rand.Int64N(3000))
	return &next
}()

// freePort is a port whose successor is free too, below those the system gives out.
func freePort(t testing.TB) string {
	t.Helper()
	for range 3000 {
		port := 20000 + nextPort.Add(2)%6000
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

// start starts a new node; it belongs to no cluster yet.
func (c *cluster) start(id string, change ...func(*node.Options)) *node.Node {
	c.t.Helper()
	options := node.Options{
		ID: id, ClusterID: "c1", Dir: filepath.Join(c.dir, id), Raft: freePort(c.t),
		Token: token, ReadToken: looking, Timeout: timeout,
	}
	for _, each := range change {
		each(&options)
	}
	running, err := node.Start(options)
	if err != nil {
		c.t.Fatal(err)
	}
	c.nodes[id], c.given[id] = running, options
	return running
}

// stop ends a node as a kill would, but for its files.
func (c *cluster) stop(id string) {
	c.t.Helper()
	_ = c.nodes[id].Close()
	delete(c.nodes, id)
}

func (c *cluster) restart(id string, change ...func(*node.Options)) *node.Node {
	c.t.Helper()
	options := c.given[id]
	options.Bootstrap = false
	for _, each := range change {
		each(&options)
	}
	var running *node.Node
	c.until("the node starts again", func() bool {
		var err error
		running, err = node.Start(options)
		return err == nil
	})
	c.nodes[id] = running
	return running
}

func (c *cluster) until(what string, holds func() bool) {
	c.t.Helper()
	until(c.t, what, holds)
}

func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(longest); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatal("never seen: " + what)
}

// view is what a node's agent answers.
func (c *cluster) view(id string) protocol.GroupView {
	c.t.Helper()
	view, err := c.look(id)
	if err != nil {
		c.t.Fatal(err)
	}
	return view
}

func (c *cluster) look(id string) (protocol.GroupView, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return c.peer.View(ctx, c.nodes[id].Origin, protocol.DefaultGroup)
}

// leader is who leads with fresh evidence and a settled membership.
func (c *cluster) leader() string {
	c.t.Helper()
	var found string
	c.until("a leader", func() bool {
		for id := range c.nodes {
			view, err := c.look(id)
			if err == nil && view.ClaimsLeadership && view.Membership.Committed &&
				*view.QuorumEvidenceMS < view.ElectionTimeoutMS/2 {
				found = id
				return true
			}
		}
		return false
	})
	return found
}

// follower is a voter that does not lead.
func (c *cluster) follower() string {
	c.t.Helper()
	leader := c.leader()
	for _, voter := range c.view(leader).Membership.Configs[0] {
		if voter != leader && c.nodes[voter] != nil {
			return voter
		}
	}
	c.t.Fatal("there is no follower")
	return ""
}

func (c *cluster) role(id string) protocol.Role {
	c.t.Helper()
	for _, member := range c.view(c.leader()).Membership.Members {
		if member.ID == id {
			return member.Role
		}
	}
	return ""
}

// ask asks the leader for a change, decided on a fresh look. On a machine that is too busy for
// heartbeats leadership moves by itself; then it is asked again, as anybody would.
func (c *cluster) ask(action protocol.Action, member, address string) (protocol.Receipt, error) {
	c.t.Helper()
	var receipt protocol.Receipt
	var err error
	for range 5 {
		leader := c.leader()
		receipt, err = c.askOf(leader, protocol.ChangeRequest{
			Action: action, Member: member, Address: address,
			ExpectedRevision: c.view(leader).Membership.Revision,
		})
		if code := codeOf(err); code != "not-leader" && code != "no-quorum" {
			break
		}
	}
	return receipt, err
}

// put writes one value, to whoever leads.
func (c *cluster) put(key, value string) {
	c.t.Helper()
	c.until(key+" is written", func() bool { return c.nodes[c.leader()].Put(key, value) == nil })
}

func (c *cluster) askOf(id string, asked protocol.ChangeRequest) (protocol.Receipt, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 12*time.Second)
	defer cancel()
	return c.peer.Change(ctx, c.nodes[id].Origin, protocol.DefaultGroup, asked)
}

// done asks for a change that has to succeed.
func (c *cluster) done(action protocol.Action, member string) protocol.Receipt {
	c.t.Helper()
	receipt, err := c.ask(action, member, "")
	if err != nil {
		c.t.Fatalf("%s %s: %v", action, member, err)
	}
	return receipt
}

// add asks until a node is a learner. Where a busy machine lost its leader in the middle of a change, nobody knows
// whether it happened; looking tells.
func (c *cluster) add(id string) {
	c.t.Helper()
	c.until(id+" is added", func() bool {
		_, err := c.ask(protocol.AddLearner, "", c.nodes[id].Origin)
		return c.settled(err, "already-member", "newcomer-not-empty") && c.role(id) != ""
	})
}

// promote asks until a learner votes.
func (c *cluster) promote(id string) {
	c.t.Helper()
	c.until(id+" is promoted", func() bool {
		_, err := c.ask(protocol.Promote, id, "")
		return c.settled(err, "already-voter")
	})
}

// settled is whether a change has happened, by its receipt or since there is nothing left to change.
func (c *cluster) settled(err error, already ...string) bool {
	c.t.Helper()
	code := codeOf(err)
	passing := []string{"unknown", "revision-moved", "change-in-progress", "not-leader", "no-quorum", "not-heard", "not-level", "majority-at-risk"}
	if code != "done" && !slices.Contains(append(passing, already...), code) {
		c.t.Fatal(err)
	}
	return code == "done" || slices.Contains(already, code)
}

// refused asks for a change that has to be refused with a code, and leave the membership alone.
func (c *cluster) refused(code string, action protocol.Action, member string) {
	c.t.Helper()
	leader := c.leader()
	before := c.nodes[leader].Words()
	_, err := c.ask(action, member, "")
	if got := codeOf(err); got != code {
		c.t.Fatalf("%s %s: %v instead of %s", action, member, err, code)
	}
	after := c.nodes[leader].Words()
	if fmt.Sprint(before.Servers) != fmt.Sprint(after.Servers) || before.Leader != after.Leader {
		c.t.Fatalf("%s %s was refused, and changed something: %v %v", action, member, before, after)
	}
}

func codeOf(err error) string {
	var refused *protocol.Refusal
	if errors.As(err, &refused) {
		return refused.Code
	}
	if err == nil {
		return "done"
	}
	return err.Error()
}
