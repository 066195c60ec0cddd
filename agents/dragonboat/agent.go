// Package agent is the Quorate agent for programs that embed Dragonboat v4: it tells what this NodeHost
// knows of its shards, carries out membership changes only when they cannot cost a shard its quorum, and
// starts replicas in the role they have to be started in.
//
// It answers for nothing but that. Data, transport and state machines stay the host's; what Dragonboat does
// not know is asked of the Program. No Raft goroutine ever waits for the agent, its memory is bounded by the
// number of shards, and no panic of its own reaches the host.
//
// A few lines embed it; README.md shows them whole:
//
//	a, err := agent.New(program, options)
//	config.RaftEventListener = a.RaftListener(config.RaftEventListener)
//	config.SystemEventListener = a.SystemListener(config.SystemEventListener)
//	nodeHost, err := dragonboat.NewNodeHost(config)
//	err = a.Attach(nodeHost)
//	go a.Run(ctx)
//	outcomes, err := a.Start(ctx, role.Key{Shard: 1, Replica: 1})
//	stop, address, err := a.Listen("127.0.0.1:7000", nil)
package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lni/dragonboat/v4"
	"github.com/lni/dragonboat/v4/raftio"

	"quorate.dev/agent/dragonboat/role"
	"quorate.dev/agent/go/protocol"
)

// Version of the agent.
const Version = "0.1.0"

// Program is what the host knows and Dragonboat does not. All methods but Launch and Stop are called often
// and must answer at once.
type Program interface {
	// GroupName is how people call a shard, Shard the inverse for every shard this host could run.
	GroupName(shard uint64) string
	Shard(group string) (shard uint64, ok bool)
	// Timing is ElectionRTT and HeartbeatRTT of the shard's config.Config.
	Timing(shard uint64) (electionRTT, heartbeatRTT uint64)
	// Ordered tells whether the shard runs with OrderedConfigChange, which cannot be read from Dragonboat.
	Ordered(shard uint64) bool
	// Static is what the host's configuration says of how a replica is started.
	Static(shard, replica uint64) role.StaticWord
	// Applied is the index of the last entry the state machine got; false if nobody counts. That a replica may
	// have applied more than its state machine saw is the agent's to find out.
	Applied(shard uint64) (uint64, bool)
	// Launch calls StartReplica, StartConcurrentReplica or StartOnDiskReplica with the given arguments and the
	// host's own state machine and settings.
	Launch(role.Launch) error
	// Stop ends a replica that is no member any more.
	Stop(shard, replica uint64) error
}

// Options are what the host decides about its agent.
type Options struct {
	// Program and Version of the host: `orders`, `4.2.0`.
	Program, Version string
	// Cluster is the same on every host.
	Cluster string
	// Member is the name of this host. It stays when the host's address changes.
	Member string
	// AgentAddress is the origin under which other hosts reach this agent.
	AgentAddress string
	// Hosts that are known beforehand; others are learned.
	Hosts []Host
	// Records is a folder beside NodeHostDir, for what has to survive: how each replica joined.
	Records string
	// Registry is the authority on that, where there is one.
	Registry role.Registry
	// Snapshots is the folder below which snapshots are exported, one folder a group. If it is empty, a
	// snapshot stays with the NodeHost, and Dragonboat shortens the log by it.
	Snapshots string
	// Limits are what promotions and transfers are measured by.
	Limits protocol.Limits
	// Server says who may come.
	Server protocol.Options
	// Peer asks the agents of the other hosts; its token has to have the right to change there.
	Peer protocol.Peer
	// Log is slog.Default() if nil.
	Log *slog.Logger
}

// Agent of one NodeHost.
type Agent struct {
	program  Program
	options  Options
	instance string
	began    time.Time
	ears     *ears
	board    *protocol.Board
	server   *protocol.Server
	hosts    *directory
	records  *role.Records

	attached atomic.Pointer[attachment]
	shards   shards
	// looking lets one look at everything run at a time.
	looking sync.Mutex
}

// attachment is there from Attach on.
type attachment struct {
	library library
	starter *role.Starter
	rtt     time.Duration
}

// ErrNotAttached is a call before Attach.
var ErrNotAttached = errors.New("the agent has no NodeHost yet")

// New makes an agent. It listens nowhere and asks nobody yet.
func New(program Program, options Options) (*Agent, error) {
	for name, value := range map[string]string{"Cluster": options.Cluster, "Member": options.Member, "Records": options.Records} {
		if value == "" {
			return nil, fmt.Errorf("agent: %s is not given", name)
		}
	}
	if options.Log == nil {
		options.Log = slog.Default()
	}
	options.Limits = options.Limits.WithDefaults()
	records, err := role.OpenRecords(options.Records)
	if err != nil {
		return nil, err
	}
	a := &Agent{
		program: program, options: options, instance: protocol.RandomName(), began: time.Now(), ears: newEars(),
		board: protocol.NewBoard(), hosts: newDirectory(options.Records, options.Hosts), records: records,
	}
	a.shards.rows = map[uint64]*row{}
	options.Server.More = append(options.Server.More, a.calls()...)
	if a.server, err = protocol.NewServer(a, a.board, options.Server); err != nil {
		return nil, err
	}
	return a, nil
}

// RaftListener goes into NodeHostConfig before NewNodeHost; next is the host's own listener or nil.
func (a *Agent) RaftListener(next raftio.IRaftEventListener) raftio.IRaftEventListener {
	return raftListener{ears: a.ears, next: next}
}

// SystemListener goes into NodeHostConfig before NewNodeHost; next is the host's own listener or nil.
func (a *Agent) SystemListener(next raftio.ISystemEventListener) raftio.ISystemEventListener {
	return systemListener{ears: a.ears, next: next}
}

// Attach gives the agent its NodeHost, once.
func (a *Agent) Attach(host *dragonboat.NodeHost) error {
	return a.attach(nodeHost{host}, time.Duration(host.NodeHostConfig().RTTMillisecond)*time.Millisecond)
}

func (a *Agent) attach(library library, rtt time.Duration) error {
	starter := role.NewStarter(library, role.Options{
		Deployment: a.options.Cluster, Records: a.records, Registry: a.options.Registry, Peers: words{a},
		Static: a.program.Static, Launch: a.program.Launch, Log: a.options.Log,
	})
	if !a.attached.CompareAndSwap(nil, &attachment{library: library, starter: starter, rtt: rtt}) {
		return errors.New("agent: a NodeHost is attached already")
	}
	a.hosts.introduce(a.self())
	return nil
}

func (a *Agent) self() Host {
	host := Host{Name: a.options.Member, AgentAddress: a.options.AgentAddress}
	if at := a.attached.Load(); at != nil {
		host.RaftAddress = at.library.RaftAddress()
	}
	return host
}

// Start decides for each replica how it has to be started, and starts those that may be. What has to wait is
// tried again by Run. What is refused stands in the group's view as its fault.
func (a *Agent) Start(ctx context.Context, replicas ...role.Key) ([]role.Outcome, error) {
	at := a.attached.Load()
	if at == nil {
		return nil, ErrNotAttached
	}
	outcomes := at.starter.Start(ctx, replicas...)
	a.look()
	return outcomes, nil
}

// Assigned are the replicas that belong on this host, as records, registry and the other hosts have it: what
// a program starts again that keeps no list of its own.
func (a *Agent) Assigned(ctx context.Context) ([]role.Key, error) {
	at := a.attached.Load()
	if at == nil {
		return nil, ErrNotAttached
	}
	return at.starter.Assigned(ctx)
}

// Run watches the NodeHost until the context ends. It has to run for the agent to be any use.
func (a *Agent) Run(ctx context.Context) {
	at := a.attached.Load()
	if at == nil {
		a.options.Log.Error("the agent has no NodeHost and does nothing")
		return
	}
	var parts sync.WaitGroup
	for _, part := range []func(context.Context){at.starter.Run, a.watch, a.keepUp} {
		parts.Go(func() { a.guard(ctx, part) })
	}
	parts.Wait()
}

// contain ends a panic on a goroutine of the agent's, so that it does not end the host.
func (a *Agent) contain(what string) {
	if caught := recover(); caught != nil {
		a.options.Log.Error("a part of the agent failed", "part", what, "cause", fmt.Sprint(caught))
	}
}

// guard runs a part of the agent again if it panics; the host goes on.
func (a *Agent) guard(ctx context.Context, part func(context.Context)) {
	for ctx.Err() == nil {
		func() {
			defer func() {
				if caught := recover(); caught != nil {
					a.options.Log.Error("a part of the agent failed and begins anew", "cause", fmt.Sprint(caught))
				}
			}()
			part(ctx)
		}()
		pause(ctx, time.Second)
	}
}

// Handler serves the protocol below protocol.Base, for a listener of the host's.
func (a *Agent) Handler() http.Handler { return a.server.Handler() }

// Listen serves the protocol on a listener of its own; without TLS on loopback only.
func (a *Agent) Listen(address string, config *tls.Config) (stop func(), at net.Addr, err error) {
	return a.server.Listen(address, config)
}

// Identity is who answers, and what it can do.
func (a *Agent) Identity() protocol.Identity {
	note := func(text string) *string { return &text }
	identity := protocol.Identity{
		Implementation: "dragonboat", LibraryVersion: libraryVersion(), AgentVersion: Version,
		Program: a.options.Program, ClusterID: &a.options.Cluster, Member: a.options.Member, Instance: a.instance,
		Capabilities: []protocol.Capability{
			{Action: protocol.AddLearner, Supported: true, Target: true, Note: note("The newcomer's agent is asked to start the replica.")},
			{Action: protocol.Promote, Supported: true, Target: true},
			{Action: protocol.Demote, Target: true, Note: note("Dragonboat has no demotion: remove the member and add it again as a learner; it gets a fresh replica id.")},
			{Action: protocol.Remove, Supported: true, Target: true},
			{Action: protocol.Transfer, Supported: true, Target: true},
			{Action: protocol.Snapshot, Supported: true, Target: false, Note: note("Taken by the node that is asked, of its own replica.")},
		},
	}
	if a.options.Version != "" {
		identity.Program = a.options.Program + " " + a.options.Version
	}
	if at := a.attached.Load(); at != nil {
		identity.RaftAddress = protocol.Known(at.library.RaftAddress())
	}
	return identity
}

func pause(ctx context.Context, duration time.Duration) {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
