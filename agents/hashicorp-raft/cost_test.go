package agent_test

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	boltdb "github.com/hashicorp/raft-boltdb/v2"

	"quorate.dev/agent/go/cost"
	"quorate.dev/agent/go/protocol"
	agent "quorate.dev/agent/hashicorp-raft"
)

// BenchmarkWhatTheAgentCosts measures a program of three nodes that syncs every write to the disk: without the
// agent, without it once more, with it, and with it while a console looks. Once is enough: `-benchtime 1x`.
func BenchmarkWhatTheAgentCosts(b *testing.B) {
	for b.Loop() {
		looked := newCosted(b, true)
		end := looked.lookedAt()
		variants := []cost.Variant{
			newCosted(b, false).variant("without the agent"), newCosted(b, false).variant("without it, once more"),
			newCosted(b, true).variant("with the agent"), looked.variant("with it, and a console that looks twice a second"),
		}
		variants[1].Twin = true
		plan := cost.Plan{Settle: 5 * time.Second, Rest: 20 * time.Second, Rounds: 24, Proposals: 400, Limit: 5 * time.Minute}
		err := cost.Measure(os.Stdout, "hashicorp/raft, the leader of three", variants, plan)
		end()
		if err != nil {
			b.Fatal(err)
		}
	}
}

// costed is three processes, and which of them leads.
type costed struct {
	leader  string
	pids    map[string]int
	origins []string
}

func newCosted(b *testing.B, watched bool) *costed {
	dir, members, listen := b.TempDir(), []string{}, map[string]string{}
	for _, id := range []string{"a", "b", "c"} {
		members = append(members, id+"="+freePort(b))
		listen[id] = freePort(b)
	}
	c := &costed{pids: map[string]int{}}
	for id, at := range listen {
		command := exec.Command(os.Args[0], "-id", id, "-dir", filepath.Join(dir, id), "-listen", at,
			"-members", strings.Join(members, ","), "-watched="+strconv.FormatBool(watched))
		command.Env = append(os.Environ(), "QUORATE_TEST_NODE=cost")
		command.Stderr = os.Stderr
		stdin, err := command.StdinPipe()
		if err != nil {
			b.Fatal(err)
		}
		stdout, err := command.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		if err := command.Start(); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			_ = command.Process.Kill()
			_ = stdin.Close()
			_ = command.Wait()
		})
		if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
			b.Fatalf("%s did not start: %v", id, err)
		}
		c.pids["http://"+at] = command.Process.Pid
		c.origins = append(c.origins, "http://"+at)
	}
	until(b, "a leader", c.led)
	return c
}

// led looks who takes a proposal: that is the leader.
func (c *costed) led() bool {
	for _, origin := range c.origins {
		if _, err := proposals(origin, 1); err == nil {
			c.leader = origin
			return true
		}
	}
	return false
}

func (c *costed) variant(name string) cost.Variant {
	return cost.Variant{Name: name, Leader: c.pids[c.leader], Round: func(n int) ([]int64, error) {
		took, err := proposals(c.leader, n)
		if err != nil {
			c.led() // For the next round.
		}
		return took, err
	}}
}

func proposals(origin string, n int) ([]int64, error) {
	patient := &http.Client{Timeout: 30 * time.Second}
	response, err := patient.Get(fmt.Sprintf("%s/proposals?n=%d", origin, n))
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s", response.Status)
	}
	var took []int64
	return took, json.NewDecoder(response.Body).Decode(&took)
}

// lookedAt is a console that asks every node twice a second.
func (c *costed) lookedAt() func() {
	ctx, cancel := context.WithCancel(context.Background())
	peer := protocol.Peer{Token: token}
	for _, origin := range c.origins {
		go func() {
			for ctx.Err() == nil {
				_, _ = peer.View(ctx, origin, protocol.DefaultGroup)
				time.Sleep(500 * time.Millisecond)
			}
		}()
	}
	return cancel
}

// runCosted is one process: a node as small as one can be, with the agent or without.
func runCosted(arguments []string) error {
	flags := flag.NewFlagSet("cost", flag.ContinueOnError)
	id := flags.String("id", "", "the member's id")
	dir := flags.String("dir", "", "where it keeps its data")
	listen := flags.String("listen", "", "where it listens for whoever measures")
	members := flags.String("members", "", "ID=RAFT,… of all")
	watched := flags.Bool("watched", false, "with the agent")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	mux, err := costedNode(*id, *dir, *members, *watched)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	go func() {
		// Whoever started this holds the other end; when it is gone, so is this.
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	return (&http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}).Serve(listener)
}

func costedNode(id, dir, members string, watched bool) (*http.ServeMux, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	config := raft.DefaultConfig()
	config.LocalID = raft.ServerID(id)
	config.Logger = hclog.NewNullLogger()
	var all raft.Configuration
	var own string
	for _, member := range strings.Split(members, ",") {
		name, address, _ := strings.Cut(member, "=")
		all.Servers = append(all.Servers, raft.Server{ID: raft.ServerID(name), Address: raft.ServerAddress(address)})
		if name == id {
			own = address
		}
	}
	store, err := boltdb.NewBoltStore(filepath.Join(dir, "raft.db"))
	if err != nil {
		return nil, err
	}
	snapshots, err := raft.NewFileSnapshotStore(dir, 1, io.Discard)
	if err != nil {
		return nil, err
	}
	tcp, err := raft.NewTCPTransport(own, nil, 3, time.Second, io.Discard)
	if err != nil {
		return nil, err
	}
	var machine raft.FSM = &counts{}
	var transport raft.Transport = tcp
	var eyes *agent.Watched
	if watched {
		eyes = agent.Watch(machine, transport)
		machine, transport = eyes.FSM, eyes.Transport
	}
	running, err := raft.NewRaft(config, machine, store, store, snapshots, transport)
	if err != nil {
		return nil, err
	}
	if err := running.BootstrapCluster(all).Error(); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /proposals", func(w http.ResponseWriter, r *http.Request) { serveProposals(w, r, running) })
	if watched {
		a, err := agent.New(running, eyes, agent.Options{
			Member: config.LocalID, ClusterID: "costed", AgentAddress: agent.PortOffset("http", 1),
			Peer: protocol.Peer{Token: token}, Directory: filepath.Join(dir, "agent"),
			Server: protocol.Options{ChangeTokens: []protocol.Token{protocol.NewToken(token)}},
		})
		if err != nil {
			return nil, err
		}
		mux.Handle(protocol.Base+"/", a.Handler())
	}
	return mux, nil
}

// serveProposals proposes one entry after the other and tells how long each took, in microseconds.
func serveProposals(w http.ResponseWriter, r *http.Request, running *raft.Raft) {
	n, _ := strconv.Atoi(r.URL.Query().Get("n"))
	took := make([]int64, 0, n)
	for range n {
		began := time.Now()
		if err := running.Apply([]byte("an entry"), 5*time.Second).Error(); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		took = append(took, time.Since(began).Microseconds())
	}
	_ = json.NewEncoder(w).Encode(took)
}
