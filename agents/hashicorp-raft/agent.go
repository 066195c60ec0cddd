// Package agent gives a program that embeds hashicorp/raft an admin interface: the Quorate agent
// protocol, version 1.
//
// It answers for telling what this node knows of its group without ever holding Raft up, for
// carrying out membership changes only when they cannot cost the group its quorum, and for keeping
// every failure of its own away from the host. It must not know what the host stores or how its
// nodes reach each other.
//
//	watched := agent.Watch(myFSM, myTransport)
//	r, err := raft.NewRaft(config, watched.FSM, logs, stable, snapshots, watched.Transport)
//	a, err := agent.New(r, watched, agent.Options{
//		Member: config.LocalID, Program: "orders 4.2.0", Snapshots: snapshots,
//		Server: protocol.Options{ChangeTokens: []protocol.Token{protocol.NewToken(secret)}},
//	})
//	mux.Handle(protocol.Base+"/", a.Handler())   // or: address, err := a.Listen("127.0.0.1:7000", nil)
package agent

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"quorate.dev/agent/go/protocol"
	"quorate.dev/agent/hashicorp-raft/internal/applied"
	"quorate.dev/agent/hashicorp-raft/startup"
)

// Version of this agent.
const Version = "0.1.0"

// Options are what the host decides about its agent. Member is needed, and a credential in Server.
type Options struct {
	// Member is this node's raft.Config.LocalID.
	Member raft.ServerID
	// Program is the host's name and version.
	Program string
	// ClusterID is the same on every node of the cluster; empty if the program has none.
	ClusterID string
	// AgentAddress is where the agent of a member answers, `https://10.0.0.4:7000`; the library's
	// configuration does not hold it. Empty for a member whose agent is not known. See [PortOffset].
	AgentAddress func(raft.Server) string
	// Peer asks other agents: newcomers who they are, the leader how far it has committed.
	Peer protocol.Peer
	// Snapshots is the store given to Raft. The index of a configuration that came with a snapshot
	// is read from there; without it such a node compares hashes until the next change.
	Snapshots raft.SnapshotStore
	// Directory is where the agent keeps ids that must never be used again. Empty: in memory only.
	Directory string
	// Startup is the start-up synchronisation of this node, if the host uses it.
	Startup *startup.Sync
	// Limits are what promotions and transfers are measured by.
	Limits protocol.Limits
	// CoreLimit is how long the core may leave a call unanswered before it counts as stopped; zero
	// means a second, or two heartbeat time-outs if those are longer.
	CoreLimit time.Duration
	// ChangeLimit is how long a membership change may take before its outcome is called unknown;
	// zero means 5 s.
	ChangeLimit time.Duration
	// Server says who may come.
	Server protocol.Options
}

// ErrNoMember is an agent that was not told which member it speaks for.
var ErrNoMember = errors.New("give Options.Member: the node's LocalID")

// Agent speaks for one Raft node.
type Agent struct {
	raft     *raft.Raft
	watched  *Watched
	options  Options
	instance string
	server   *protocol.Server
	board    *protocol.Board
	core     *core
	ledger   *ledger
	members  knowledge
	gauge    applied.Gauge
	events   chan raft.Observation
	observer *raft.Observer
	moved    chan struct{}
	ended    chan struct{}
	end      sync.Once
	running  sync.WaitGroup

	stops sync.Mutex
	stop  []func()
}

// New makes the agent of a node. Without `watched`, or with one that has no transport, it tells
// nothing of followers and refuses to promote, demote and transfer; with one that has no state
// machine, changes are compared by a hash of the members.
func New(r *raft.Raft, watched *Watched, options Options) (*Agent, error) {
	if options.Member == "" {
		return nil, ErrNoMember
	}
	if watched == nil {
		watched = &Watched{}
	}
	if options.ChangeLimit <= 0 {
		options.ChangeLimit = 5 * time.Second
	}
	options.Limits = options.Limits.WithDefaults()
	a := &Agent{
		raft: r, watched: watched, options: options, instance: protocol.RandomName(),
		board: protocol.NewBoard(), core: newCore(r, options.CoreLimit),
		events: make(chan raft.Observation, 64),
		moved:  make(chan struct{}, 1), ended: make(chan struct{}),
	}
	var err error
	if a.server, err = protocol.NewServer(a, a.board, options.Server); err != nil {
		return nil, err
	}
	if a.ledger, err = openLedger(options.Directory, watched.machine); err != nil {
		return nil, err
	}
	a.observe()
	a.running.Add(1)
	go a.run()
	return a, nil
}

// Handler serves the protocol below [protocol.Base], to be mounted on a listener of the host's.
func (a *Agent) Handler() http.Handler { return a.server.Handler() }

// Listen serves the protocol on a listener of its own: loopback, or anywhere with TLS. An empty
// address means a free port on loopback.
func (a *Agent) Listen(address string, config *tls.Config) (net.Addr, error) {
	stop, at, err := a.server.Listen(address, config)
	if err != nil {
		return nil, err
	}
	a.stops.Lock()
	defer a.stops.Unlock()
	a.stop = append(a.stop, stop)
	return at, nil
}

// Close ends the agent and its listeners. Raft runs on.
func (a *Agent) Close() {
	a.end.Do(func() {
		close(a.ended)
		a.raft.DeregisterObserver(a.observer)
		a.server.Close()
		a.stops.Lock()
		defer a.stops.Unlock()
		for _, stop := range a.stop {
			stop()
		}
	})
	a.running.Wait()
}

func (a *Agent) agentAddress(server raft.Server) string {
	if a.options.AgentAddress == nil {
		return ""
	}
	return a.options.AgentAddress(server)
}

// libraryVersion is the version of hashicorp/raft this program was built with.
var libraryVersion = sync.OnceValue(func() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "github.com/hashicorp/raft" {
				return module.Version
			}
		}
	}
	return "1.7"
})
