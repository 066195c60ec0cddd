// Package trials runs the example program as real processes, each host one, and puts the agent's words beside
// Dragonboat's own. A process that panics is seen by its end.
package trials

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lni/dragonboat/v4"

	"quorate.dev/agent/dragonboat/consul/standin"
	"quorate.dev/agent/go/protocol"
)

const (
	token    = "a-token-for-tests"
	patience = 30 * time.Second
)

var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "trials-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	program = filepath.Join(dir, "example")
	args := []string{"build", "-tags", "dragonboat_monkeytest", "-o", program}
	if raced { // `go test -race ./trials` looks for races in the hosts too.
		args = append(args, "-race")
	}
	build := exec.Command("go", append(args, "../example")...)
	build.Env = append(os.Environ(), "CGO_ENABLED="+map[bool]string{true: "1", false: "0"}[raced])
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%s\n%v\n", out, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// host is one process, alive or not, and what stays of it.
type host struct {
	number       int
	name         string
	raft, listen string
	dir          string
	command      *exec.Cmd
	ended        chan struct{}
	log          *lines
}

type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text.Len() > 1<<20 {
		l.text.Reset()
	}
	return l.text.Write(data)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (h *host) alive() bool {
	if h.command == nil {
		return false
	}
	select {
	case <-h.ended:
		return false
	default:
		return true
	}
}

func (h *host) origin() string { return "http://" + h.listen }

// cluster is three initial hosts and spare ones.
type cluster struct {
	t      *testing.T
	hosts  map[int]*host
	groups int
	// store is the stand-in for Consul, nil for none; registry its server, nil while it is away.
	store    *standin.Store
	address  string
	registry *httptest.Server
	peer     protocol.Peer
	// alone takes the other hosts out of the directory, so that nobody is asked.
	extra map[int][]string
}

var (
	ports    sync.Mutex
	nextPort = 14000 + os.Getpid()*16%6000
)

// freeAddress is free now, and below those that the system gives to whoever connects somewhere: a host that is
// down must find its address free again.
func freeAddress(t *testing.T) string {
	ports.Lock()
	defer ports.Unlock()
	for range 1000 {
		if nextPort++; nextPort >= 20000 {
			nextPort = 14000
		}
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", nextPort))
		if err == nil {
			_ = listener.Close()
			return listener.Addr().String()
		}
	}
	t.Fatal("no free address")
	return ""
}

// newCluster has three initial hosts and some spare ones; none is started yet.
func newCluster(t *testing.T, spares, groups int, registry bool) *cluster {
	t.Helper()
	c := &cluster{t: t, hosts: map[int]*host{}, groups: groups, peer: protocol.Peer{Token: token}, extra: map[int][]string{}}
	for n := 1; n <= 3+spares; n++ {
		name := fmt.Sprintf("host-%d", n)
		c.hosts[n] = &host{number: n, name: name, raft: freeAddress(t), listen: freeAddress(t), dir: filepath.Join(t.TempDir(), name), log: &lines{}}
	}
	if registry {
		c.store, c.address = &standin.Store{}, freeAddress(t)
		c.registryBack()
	}
	t.Cleanup(c.close)
	return c
}

// running starts the initial hosts and the spare ones, and waits until the default group is led.
func running(t *testing.T, spares, groups int, registry bool) *cluster {
	t.Helper()
	t.Parallel() // Most of a trial is waiting.
	c := newCluster(t, spares, groups, registry)
	for n := range c.hosts {
		c.start(n)
	}
	c.leader()
	return c
}

func (c *cluster) close() {
	for _, host := range c.hosts {
		c.end(host)
	}
	if c.registry != nil {
		c.registry.Close()
	}
	for _, host := range c.hosts {
		if strings.Contains(host.log.String(), "WARNING: DATA RACE") {
			c.t.Errorf("a race in %s: %s", host.name, host.log)
		}
	}
	if c.t.Failed() {
		for _, host := range c.hosts {
			text := host.log.String()
			c.t.Logf("%s: %s", host.name, text[max(len(text)-2500, 0):])
		}
	}
}

func (c *cluster) registryAway() {
	c.registry.CloseClientConnections()
	c.registry.Close()
	c.registry = nil
}

func (c *cluster) registryBack() {
	c.t.Helper()
	listener, err := net.Listen("tcp", c.address)
	if err != nil {
		c.t.Fatal(err)
	}
	c.registry = httptest.NewUnstartedServer(c.store)
	c.registry.Listener = listener
	c.registry.Start()
}

func (c *cluster) key(shard, replica int) string {
	return fmt.Sprintf("quorate/dragonboat/c1/%d/%d", shard, replica)
}

func (c *cluster) arguments(h *host) []string {
	var hosts, initial []string
	for n := 1; n <= len(c.hosts); n++ {
		other := c.hosts[n]
		hosts = append(hosts, fmt.Sprintf("%s=%s@%s", other.name, other.raft, other.origin()))
		if n <= 3 {
			initial = append(initial, other.raft)
		}
	}
	args := []string{"host", "--exit-with-input", "--switches", "--name", h.name, "--dir", h.dir, "--raft", h.raft, "--listen", h.listen,
		"--groups", fmt.Sprint(c.groups), "--hosts", strings.Join(hosts, ","), "--initial", strings.Join(initial, ","), "--unordered", "2", "--rtt", "40"}
	if c.store != nil {
		args = append(args, "--consul", "http://"+c.address)
	}
	return append(args, c.extra[h.number]...)
}

// start begins a host's process and waits until it answers.
func (c *cluster) start(n int) *host {
	c.t.Helper()
	h := c.hosts[n]
	if h.alive() {
		c.t.Fatalf("%s runs already", h.name)
	}
	command := exec.Command(program, c.arguments(h)...)
	command.Stderr = h.log
	input, err := command.StdinPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		c.t.Fatal(err)
	}
	h.command, h.ended = command, make(chan struct{})
	line, _ := bufio.NewReader(output).ReadString('\n')
	go func(ended chan struct{}) {
		_, _ = io.Copy(io.Discard, output)
		_ = command.Wait()
		_ = input.Close()
		close(ended)
	}(h.ended)
	if line == "" {
		<-h.ended
		c.t.Fatalf("%s did not start: %s", h.name, h.log)
	}
	return h
}

func (c *cluster) end(h *host) {
	if h.alive() {
		_ = h.command.Process.Kill()
		<-h.ended
	}
}

// kill is kill -9.
func (c *cluster) kill(n int) { c.end(c.hosts[n]) }

func (c *cluster) restart(n int) *host {
	c.t.Helper()
	c.kill(n)
	return c.start(n)
}

func (c *cluster) signal(n int, signal syscall.Signal) {
	c.t.Helper()
	if err := c.hosts[n].command.Process.Signal(signal); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) freeze(n int) { c.t.Helper(); c.signal(n, syscall.SIGSTOP) }
func (c *cluster) thaw(n int)   { c.t.Helper(); c.signal(n, syscall.SIGCONT) }

// partition cuts a host's Raft off from the others; its agent goes on answering.
func (c *cluster) partition(n int, cut bool) {
	c.t.Helper()
	c.must(n, "partition", fmt.Sprintf("cut=%d", map[bool]int{true: 1}[cut]))
}

// view is what the agent says.
func (c *cluster) view(n int, group string) (*protocol.GroupView, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	view, err := c.peer.View(ctx, c.hosts[n].origin(), group)
	return &view, err
}

// truth is what Dragonboat says, past the agent.
type truth struct {
	Info        *dragonboat.ShardInfo
	Leader      uint64
	Term        uint64
	Valid       bool
	First, Last uint64
	Membership  *dragonboat.Membership
	Readable    string
	OnDisk      []uint64
	Count       uint64
}

func (c *cluster) truth(n, shard int) *truth {
	var told truth
	if err := c.raw(n, "truth", fmt.Sprintf("shard=%d", shard), &told); err != nil {
		return nil
	}
	return &told
}

var direct = &http.Client{Timeout: 5 * time.Second}

// raw asks Dragonboat itself, past the agent and its rules.
func (c *cluster) raw(n int, what, query string, into any) error {
	response, err := direct.Get(c.hosts[n].origin() + "/switches/" + what + "?" + query)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return errors.New(strings.TrimSpace(string(body)))
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(body, into)
}

func (c *cluster) must(n int, what, query string) {
	c.t.Helper()
	if err := c.raw(n, what, query, nil); err != nil {
		c.t.Fatalf("%s on host-%d: %v", what, n, err)
	}
}

// eventually looks until it is so.
func (c *cluster) eventually(what string, holds func() bool) {
	c.t.Helper()
	end := time.Now().Add(patience)
	for !holds() {
		if time.Now().After(end) {
			c.t.Fatalf("never seen: %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// leader of the default group: who claims it with fresh evidence.
func (c *cluster) leader() int {
	c.t.Helper()
	leader := 0
	c.eventually("a leader", func() bool {
		for n, host := range c.hosts {
			if !host.alive() {
				continue
			}
			view, err := c.view(n, "default")
			if err == nil && view.ClaimsLeadership && view.QuorumEvidenceMS != nil && *view.QuorumEvidenceMS <= view.ElectionTimeoutMS {
				leader = n
				return true
			}
		}
		return false
	})
	return leader
}

// follower is a living initial host that does not lead.
func (c *cluster) follower() int {
	c.t.Helper()
	leader := c.leader()
	for n := 1; n <= 3; n++ {
		if n != leader && c.hosts[n].alive() {
			return n
		}
	}
	c.t.Fatal("no follower")
	return 0
}

// change is asked of the leader's agent, on the membership as it is.
func (c *cluster) change(action protocol.Action, member string) (*protocol.Receipt, *protocol.Refusal) {
	c.t.Helper()
	return c.onLeader(action, member, "")
}

// onLeader asks who leads until somebody who does has answered: a node that sends on has changed nothing.
func (c *cluster) onLeader(action protocol.Action, member, address string) (*protocol.Receipt, *protocol.Refusal) {
	c.t.Helper()
	for end := time.Now().Add(patience); ; {
		receipt, refused := c.changeOn(c.leader(), "default", action, member, address)
		if refused == nil || (refused.Code != "not-leader" && refused.Code != "no-quorum") || time.Now().After(end) {
			return receipt, refused
		}
	}
}

func (c *cluster) add(n int) (*protocol.Receipt, *protocol.Refusal) {
	c.t.Helper()
	return c.onLeader(protocol.AddLearner, c.hosts[n].name, c.hosts[n].origin())
}

func (c *cluster) changeOn(n int, group string, action protocol.Action, member, address string) (*protocol.Receipt, *protocol.Refusal) {
	c.t.Helper()
	view, err := c.view(n, group)
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 12*time.Second)
	defer cancel()
	asked := protocol.ChangeRequest{Action: action, Member: member, Address: address, ExpectedRevision: view.Membership.Revision}
	// A client of its own: changes take longer than looks.
	peer := protocol.Peer{Token: token, HTTP: &http.Client{Timeout: 12 * time.Second}}
	receipt, err := peer.Change(ctx, c.hosts[n].origin(), group, asked)
	if err == nil {
		return &receipt, nil
	}
	var refused *protocol.Refusal
	if !errors.As(err, &refused) {
		c.t.Fatalf("%s of %s: %v", action, member, err)
	}
	return nil, refused
}

func (c *cluster) done(receipt *protocol.Receipt, refused *protocol.Refusal) *protocol.Receipt {
	c.t.Helper()
	if refused != nil {
		c.t.Fatal(refused)
	}
	if receipt.Outcome != protocol.Done {
		c.t.Fatalf("%+v", receipt)
	}
	return receipt
}

func (c *cluster) refused(code string, _ *protocol.Receipt, refused *protocol.Refusal) *protocol.Refusal {
	c.t.Helper()
	if refused == nil {
		c.t.Fatalf("done instead of %s", code)
	}
	if refused.Code != code {
		c.t.Fatalf("%v instead of %s", refused, code)
	}
	return refused
}

// is waits until a host has a state and can read.
func (c *cluster) is(n int, state protocol.State) {
	c.t.Helper()
	c.eventually(fmt.Sprintf("host-%d is %s", n, state), func() bool {
		if !c.hosts[n].alive() {
			c.t.Fatalf("host-%d ended: %s", n, c.hosts[n].log)
		}
		view, err := c.view(n, "default")
		return err == nil && view.State == state && view.ReadIndex != nil && view.Fault == nil
	})
}

// votes waits until a host is a voter that follows or leads.
func (c *cluster) votes(n int) {
	c.t.Helper()
	c.eventually(fmt.Sprintf("host-%d votes", n), func() bool {
		if !c.hosts[n].alive() {
			c.t.Fatalf("host-%d ended: %s", n, c.hosts[n].log)
		}
		view, err := c.view(n, "default")
		return err == nil && view.Voter && view.ReadIndex != nil
	})
}

// fault waits until a host says what is wrong.
func (c *cluster) fault(n int, says string) {
	c.t.Helper()
	var last string
	defer func() {
		if c.t.Failed() {
			c.t.Logf("it said %q", last)
		}
	}()
	c.eventually(fmt.Sprintf("host-%d says %q", n, says), func() bool {
		if !c.hosts[n].alive() {
			c.t.Fatalf("host-%d ended: %s", n, c.hosts[n].log)
		}
		view, err := c.view(n, "default")
		if err != nil || view.Fault == nil {
			return false
		}
		last = *view.Fault
		return strings.Contains(last, says)
	})
}

// leads hands leadership to a host, as soon as it has run long enough.
func (c *cluster) leads(n int) {
	c.t.Helper()
	c.eventually(fmt.Sprintf("host-%d leads", n), func() bool {
		leader := c.leader()
		if leader == n {
			return true
		}
		_, refused := c.changeOn(leader, "default", protocol.Transfer, c.hosts[n].name, "")
		if refused != nil && refused.Code != "just-started" && !refused.MayPass() && refused.Code != "not-leader" && refused.Code != "no-quorum" {
			c.t.Fatal(refused)
		}
		return c.leader() == n
	})
}

// stale asks for a removal on a membership that is not so any more.
func (c *cluster) stale(n int, group, revision string) *protocol.Refusal {
	c.t.Helper()
	asked := protocol.ChangeRequest{Action: protocol.Remove, Member: "host-4", ExpectedRevision: revision}
	_, err := c.peer.Change(context.Background(), c.hosts[n].origin(), group, asked)
	var refused *protocol.Refusal
	if !errors.As(err, &refused) {
		c.t.Fatalf("%v", err)
	}
	return refused
}

func (c *cluster) stopZombie(n int) error {
	var answer struct{ Stopped bool }
	return c.peer.Call(context.Background(), http.MethodPost, c.hosts[n].origin(), "dragonboat/groups/default/stop", nil, &answer)
}

// ccid is the configuration index as Dragonboat has it on the leader.
func (c *cluster) ccid() uint64 {
	c.t.Helper()
	var ccid uint64
	c.eventually("the membership can be read", func() bool {
		told := c.truth(c.leader(), 1)
		if told == nil || told.Membership == nil {
			return false
		}
		ccid = told.Membership.ConfigChangeID
		return true
	})
	return ccid
}
