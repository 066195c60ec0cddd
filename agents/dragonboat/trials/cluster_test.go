// Package trials runs the example program as real processes, each host one, and puts the agent's words beside
// Dragonboat's own. A process that panics is seen by its end.
package trials

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"quorate.dev/agent/dragonboat/consul/standin"
	"quorate.dev/agent/go/protocol"
)

const (
	token    = "a-token-for-tests"
	patience = 60 * time.Second
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
	// A trial is mostly waiting: more of them at once than there are processors.
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f != nil && f.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		_ = f.Value.Set("3")
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
	t      testing.TB
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

const lowest, highest = 61000, 63500

var (
	ports    sync.Mutex
	nextPort = lowest + os.Getpid()*16%(highest-lowest)
)

// freeAddress is free now, and above those that the system gives to whoever connects somewhere: a host that is
// down must find its address free again.
func freeAddress(t testing.TB) string {
	ports.Lock()
	defer ports.Unlock()
	for range 1000 {
		if nextPort++; nextPort >= highest {
			nextPort = lowest
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
func newCluster(t testing.TB, spares, groups int, registry bool) *cluster {
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
	c := prepared(t, spares, groups, registry)
	c.startAll()
	c.leader()
	return c
}

// prepared is the same before the start.
func prepared(t *testing.T, spares, groups int, registry bool) *cluster {
	t.Helper()
	t.Parallel() // Most of a trial is waiting.
	return newCluster(t, spares, groups, registry)
}

func (c *cluster) startAll() {
	c.t.Helper()
	for n := range c.hosts {
		c.start(n)
	}
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
