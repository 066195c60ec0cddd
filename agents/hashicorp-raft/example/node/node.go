// Package node is one node of a small replicated key-value store: what a program around
// hashicorp/raft looks like with an agent in it, and what the agent's own tests run on.
package node

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	boltdb "github.com/hashicorp/raft-boltdb/v2"

	"quorate.dev/agent/go/protocol"
	agent "quorate.dev/agent/hashicorp-raft"
	"quorate.dev/agent/hashicorp-raft/example/cuts"
	"quorate.dev/agent/hashicorp-raft/startup"
)

// Options of a node.
type Options struct {
	ID        string
	ClusterID string
	Dir       string
	// Raft is the address Raft listens on; the agent is on the next port.
	Raft string
	// Token may change; ReadToken may look and may be empty.
	Token, ReadToken string
	// Bootstrap makes a cluster of this node alone, if it has no data yet.
	Bootstrap bool
	// Timeout is the heartbeat and election time-out; zero means a second.
	Timeout time.Duration
	// Tune changes Raft's configuration before it starts. It may be nil.
	Tune func(*raft.Config)
	// Bare leaves the state machine or the transport unwatched, to see what the agent says then.
	BareFSM, BareTransport bool
	// HidePreVote wraps the transport in a type without it, as careless wrappers do.
	HidePreVote bool
	// PersistEvery is how often the applied index is written; zero means a second.
	PersistEvery time.Duration
	// HandOverAfter has a new leader give leadership away whose barrier takes longer; zero: never.
	HandOverAfter time.Duration
	// OnReady is called when replay is over. It may be nil.
	OnReady func(startup.Start)
	// Log takes Raft's log; nil throws it away.
	Log io.Writer
}

// Node runs.
type Node struct {
	Raft     *raft.Raft
	Agent    *agent.Agent
	Starting *startup.Sync
	Watched  *agent.Watched
	// Persisted is the applied index of the run before.
	Persisted *startup.AppliedFile
	// Origin is where the agent answers, Address where Raft does.
	Origin, Address string

	options Options
	machine *machine
	cuts    *cuts.Transport
	store   *boltdb.BoltStore
	server  *http.Server
	load    atomic.Int64
	// Live counts keys told of as changed after replay.
	Live   atomic.Int64
	ended  chan struct{}
	end    sync.Once
	closed error
}

// Start starts a node on its directory.
func Start(options Options) (*Node, error) {
	if options.Timeout <= 0 {
		options.Timeout = time.Second
	}
	if options.Log == nil {
		options.Log = io.Discard
	}
	n := &Node{options: options, Address: options.Raft, ended: make(chan struct{})}
	if err := n.start(); err != nil {
		_ = n.Close()
		return nil, fmt.Errorf("node %s: %w", options.ID, err)
	}
	return n, nil
}

func (n *Node) start() error {
	if err := n.openFiles(); err != nil {
		return err
	}
	// ---- What an engineer adds begins here.
	n.Starting = startup.New(startup.Options{
		Member: raft.ServerID(n.options.ID), Persisted: n.Persisted, OnReady: n.options.OnReady,
		Applied:      func() (uint64, bool) { return n.Watched.Applied() },
		BarrierLimit: n.options.HandOverAfter, HandOver: n.options.HandOverAfter > 0,
	})
	// ---- and goes on below.
	n.machine = newMachine(n.Starting, func(string) { n.Live.Add(1) })
	config, snapshots, err := n.raftParts()
	if err != nil {
		return err
	}
	// ---- The agent watches the state machine and the transport on their way to Raft,
	n.Watched = agent.Watch(n.machine, n.transport())
	fsm, transport := n.Watched.FSM, n.Watched.Transport
	if n.options.BareFSM || n.options.BareTransport {
		fsm, transport = n.bare(fsm, transport)
	}
	n.Raft, err = raft.NewRaft(config, fsm, n.store, n.store, snapshots, transport)
	if err != nil {
		return err
	}
	if err := n.bootstrap(transport); err != nil {
		return err
	}
	// ---- is made around Raft,
	n.Agent, err = agent.New(n.Raft, n.Watched, agent.Options{
		Member: config.LocalID, Program: "example-store 1.0", ClusterID: n.options.ClusterID,
		AgentAddress: agent.PortOffset("http", 1), Peer: protocol.Peer{Token: n.options.Token},
		Snapshots: snapshots, Directory: filepath.Join(n.options.Dir, "agent"), Startup: n.Starting,
		Server: protocol.Options{
			ReadTokens:   []protocol.Token{protocol.NewToken(n.options.ReadToken)},
			ChangeTokens: []protocol.Token{protocol.NewToken(n.options.Token)},
		},
	})
	if err != nil {
		return err
	}
	// ---- and follows the start.
	n.Starting.Follow(n.Raft, n.Agent)
	return n.serve()
}

func (n *Node) openFiles() error {
	if err := os.MkdirAll(n.options.Dir, 0o700); err != nil {
		return err
	}
	var err error
	n.store, err = boltdb.New(boltdb.Options{Path: filepath.Join(n.options.Dir, "raft.db"), NoSync: true})
	if err != nil {
		return err
	}
	n.Persisted, err = startup.OpenAppliedFile(filepath.Join(n.options.Dir, "applied"), n.options.PersistEvery)
	return err
}

func (n *Node) raftParts() (*raft.Config, raft.SnapshotStore, error) {
	config := raft.DefaultConfig()
	config.LocalID = raft.ServerID(n.options.ID)
	config.HeartbeatTimeout, config.ElectionTimeout = n.options.Timeout, n.options.Timeout
	config.LeaderLeaseTimeout = n.options.Timeout / 2
	config.Logger = hclog.New(&hclog.LoggerOptions{Name: n.options.ID, Output: n.options.Log})
	// A node that is removed or demoted goes on as a quiet follower, instead of ending its Raft.
	config.ShutdownOnRemove = false
	if n.options.Tune != nil {
		n.options.Tune(config)
	}
	snapshots, err := raft.NewFileSnapshotStore(n.options.Dir, 2, n.options.Log)
	if err != nil {
		return nil, nil, err
	}
	tcp, err := raft.NewTCPTransport(n.options.Raft, nil, 3, time.Second, n.options.Log)
	if err != nil {
		return nil, nil, err
	}
	n.cuts = &cuts.Transport{NetworkTransport: tcp}
	return config, snapshots, nil
}

// hidden is a wrapper that has lost the optional interfaces of what it wraps.
type hidden struct{ raft.Transport }

func (n *Node) transport() raft.Transport {
	if n.options.HidePreVote {
		return hidden{n.cuts}
	}
	return n.cuts
}

func (n *Node) bare(fsm raft.FSM, transport raft.Transport) (raft.FSM, raft.Transport) {
	var watchedFSM raft.FSM = n.machine
	var watchedTransport raft.Transport = n.cuts
	if n.options.BareFSM {
		fsm, watchedFSM = n.machine, nil
	}
	if n.options.BareTransport {
		transport, watchedTransport = n.cuts, nil
	}
	n.Watched = agent.Watch(watchedFSM, watchedTransport)
	if n.Watched.FSM != nil {
		fsm = n.Watched.FSM
	}
	if n.Watched.Transport != nil {
		transport = n.Watched.Transport
	}
	return fsm, transport
}

func (n *Node) bootstrap(transport raft.Transport) error {
	if !n.options.Bootstrap {
		return nil
	}
	own := raft.Server{ID: raft.ServerID(n.options.ID), Address: transport.LocalAddr()}
	err := n.Raft.BootstrapCluster(raft.Configuration{Servers: []raft.Server{own}}).Error()
	if errors.Is(err, raft.ErrCantBootstrap) {
		return nil
	}
	return err
}

// agentAddress is the port after Raft's, as agent.PortOffset has it.
func agentAddress(address string) (string, error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(host, strconv.Itoa(port+1)), nil
}

func (n *Node) serve() error {
	address, err := agentAddress(n.options.Raft)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	n.Origin = "http://" + listener.Addr().String()
	n.server = &http.Server{Handler: n.routes(), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = n.server.Serve(listener) }()
	go n.write()
	return nil
}

// Close stops everything, a frozen state machine too.
func (n *Node) Close() error {
	n.end.Do(func() {
		close(n.ended)
		if n.server != nil {
			_ = n.server.Close()
		}
		if n.machine != nil {
			n.machine.freeze(false, 0)
		}
		if n.Agent != nil {
			n.Agent.Close()
		}
		if n.Starting != nil {
			n.Starting.Close()
		}
		if n.Raft != nil {
			n.closed = n.Raft.Shutdown().Error()
		}
		if n.cuts != nil {
			_ = n.cuts.Close()
		}
		if n.store != nil {
			_ = n.store.Close()
		}
	})
	return n.closed
}
