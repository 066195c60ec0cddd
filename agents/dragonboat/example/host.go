package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/lni/dragonboat/v4"
	"github.com/lni/dragonboat/v4/config"
	"github.com/lni/dragonboat/v4/logger"

	agent "quorate.dev/agent/dragonboat"
	"quorate.dev/agent/dragonboat/consul"
	"quorate.dev/agent/dragonboat/role"
	"quorate.dev/agent/go/protocol"
)

// settings of one host, from the command line.
type settings struct {
	dir, name, raft, listen string
	token, readToken        string
	cluster, consul         string
	hosts                   []agent.Host
	initial                 map[uint64]string
	groups                  uint64
	// unordered is a group without OrderedConfigChange, 0 for none.
	unordered      uint64
	joinedAs       string
	snapshots, rtt int
	switches       bool
	exitWithInput  bool
	bare           bool
	export         bool
}

func parseHost(args []string) (*settings, error) {
	s := &settings{initial: map[uint64]string{}}
	var hosts, initial string
	flags := flag.NewFlagSet("host", flag.ContinueOnError)
	flags.StringVar(&s.dir, "dir", "", "folder for data")
	flags.StringVar(&s.name, "name", "", "name of this host")
	flags.StringVar(&s.raft, "raft", "", "Raft address, HOST:PORT; stays for the life of the data")
	flags.StringVar(&s.listen, "listen", "127.0.0.1:0", "address of the agent")
	flags.StringVar(&s.token, "token", "a-token-for-tests", "token that may change")
	flags.StringVar(&s.readToken, "read-token", "", "token that may only look")
	flags.StringVar(&s.cluster, "cluster", "c1", "name of the cluster")
	flags.StringVar(&s.consul, "consul", "", "address of Consul's HTTP API; empty for none")
	flags.StringVar(&hosts, "hosts", "", "known hosts: NAME=RAFT@AGENT,…")
	flags.StringVar(&initial, "initial", "", "initial members: RAFT,RAFT,RAFT; their replica ids are 1, 2, 3")
	flags.Uint64Var(&s.groups, "groups", 1, "how many groups there are")
	flags.Uint64Var(&s.unordered, "unordered", 0, "a group without ordered configuration changes")
	flags.StringVar(&s.joinedAs, "joined-as", "", "how replicas of this host joined that nobody else remembers")
	flags.IntVar(&s.snapshots, "snapshots", 0, "entries between two snapshots; 0: on request only")
	flags.IntVar(&s.rtt, "rtt", 20, "RTTMillisecond")
	flags.BoolVar(&s.switches, "switches", false, "serve the switches that stage faults")
	flags.BoolVar(&s.export, "export", false, "export snapshots to a folder instead of keeping them")
	flags.BoolVar(&s.bare, "bare", false, "run without the agent, to measure what it costs")
	flags.BoolVar(&s.exitWithInput, "exit-with-input", false, "end when the standard input does")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	// The example has no TLS, and speaks to this machine only.
	if at, err := net.ResolveTCPAddr("tcp", s.listen); err != nil || !at.IP.IsLoopback() {
		return nil, fmt.Errorf("--listen %s: the example listens on loopback only", s.listen)
	}
	if s.dir == "" || s.name == "" || s.raft == "" {
		return nil, fmt.Errorf("--dir, --name and --raft are needed")
	}
	for n, address := range strings.FieldsFunc(initial, comma) {
		s.initial[uint64(n)+1] = address
	}
	for _, text := range strings.FieldsFunc(hosts, comma) {
		name, rest, _ := strings.Cut(text, "=")
		raft, at, _ := strings.Cut(rest, "@")
		s.hosts = append(s.hosts, agent.Host{Name: name, RaftAddress: raft, AgentAddress: at})
	}
	return s, nil
}

func comma(r rune) bool { return r == ',' }

// host is the program around the NodeHost: what its agent asks.
type host struct {
	settings *settings
	counters counters
	nodeHost *dragonboat.NodeHost
}

var _ agent.Program = (*host)(nil)

// GroupName calls the first group `default` and the others by their number.
func (h *host) GroupName(shard uint64) string {
	if shard == 1 {
		return protocol.DefaultGroup
	}
	return fmt.Sprintf("group-%d", shard)
}

func (h *host) Shard(group string) (uint64, bool) {
	if group == protocol.DefaultGroup {
		return 1, true
	}
	var shard uint64
	if n, err := fmt.Sscanf(group, "group-%d", &shard); n != 1 || err != nil || h.GroupName(shard) != group {
		return 0, false
	}
	return shard, shard >= 2 && shard <= h.settings.groups
}

func (h *host) Timing(uint64) (uint64, uint64) { return 10, 1 }

func (h *host) Ordered(shard uint64) bool { return shard != h.settings.unordered }

func (h *host) Static(uint64, uint64) role.StaticWord {
	return role.StaticWord{InitialMembers: h.settings.initial, JoinedAs: role.Kind(h.settings.joinedAs)}
}

func (h *host) Applied(shard uint64) (uint64, bool) { return h.counters.applied(shard) }

func (h *host) shardConfig(shard, replica uint64) config.Config {
	election, heartbeat := h.Timing(shard)
	return config.Config{
		ShardID: shard, ReplicaID: replica, ElectionRTT: election, HeartbeatRTT: heartbeat, CheckQuorum: true, PreVote: true,
		OrderedConfigChange: h.Ordered(shard), SnapshotEntries: uint64(h.settings.snapshots), CompactionOverhead: 5,
		Quiesce: h.settings.groups > 1 && shard != 1,
	}
}

func (h *host) Launch(launch role.Launch) error {
	settings := h.shardConfig(launch.Shard, launch.Replica)
	settings.IsNonVoting = launch.NonVoting
	return h.nodeHost.StartReplica(launch.Members, launch.Join, h.counters.create, settings)
}

func (h *host) Stop(shard, replica uint64) error { return h.nodeHost.StopReplica(shard, replica) }

// replicas are those this host starts by itself: what belongs here, what is on disk without anybody knowing,
// and its share of the initial members.
func (h *host) replicas(ctx context.Context, a *agent.Agent) ([]role.Key, error) {
	keys, err := a.Assigned(ctx)
	if err != nil {
		return nil, err
	}
	seen := map[uint64]bool{}
	take := func(key role.Key) {
		if !seen[key.Shard] {
			seen[key.Shard], keys = true, append(keys, key)
		}
	}
	for _, key := range keys {
		seen[key.Shard] = true
	}
	for _, node := range h.nodeHost.GetNodeHostInfo(dragonboat.DefaultNodeHostInfoOption).LogInfo {
		take(role.Key{Shard: node.ShardID, Replica: node.ReplicaID})
	}
	for replica, address := range h.settings.initial {
		for shard := uint64(1); shard <= h.settings.groups && address == h.settings.raft; shard++ {
			take(role.Key{Shard: shard, Replica: replica})
		}
	}
	return keys, nil
}

func runHost(args []string) error {
	settings, err := parseHost(args)
	if err != nil {
		return err
	}
	for _, name := range []string{"raft", "rsm", "transport", "grpc", "dragonboat", "logdb", "util", "settings", "order", "registry", "config"} {
		logger.GetLogger(name).SetLevel(logger.ERROR)
	}
	listener, err := net.Listen("tcp", settings.listen)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if settings.exitWithInput {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			stop()
		}()
	}
	if settings.bare {
		return serveBare(ctx, settings, listener)
	}
	return serve(ctx, settings, listener)
}

func (s *settings) nodeHost() config.NodeHostConfig {
	return config.NodeHostConfig{
		NodeHostDir: filepath.Join(s.dir, "data"), RTTMillisecond: uint64(s.rtt), RaftAddress: s.raft,
		Expert: config.ExpertConfig{LogDB: config.GetTinyMemLogDBConfig()},
	}
}

// serveBare is the program without the agent.
func serveBare(ctx context.Context, settings *settings, listener net.Listener) (err error) {
	program := &host{settings: settings}
	if program.nodeHost, err = dragonboat.NewNodeHost(settings.nodeHost()); err != nil {
		return err
	}
	defer program.nodeHost.Close()
	for replica, address := range settings.initial {
		for shard := uint64(1); shard <= settings.groups && address == settings.raft; shard++ {
			if err := program.Launch(role.Launch{Shard: shard, Replica: replica, Members: settings.initial}); err != nil {
				return err
			}
		}
	}
	return listen(ctx, listener, http.NewServeMux(), program)
}

// serve is what an engineer adds to a program, from the first line to the last.
func serve(ctx context.Context, settings *settings, listener net.Listener) error {
	program := &host{settings: settings}
	options := agent.Options{
		Program: "example", Version: "1.0", Cluster: settings.cluster, Member: settings.name,
		AgentAddress: "http://" + listener.Addr().String(), Hosts: settings.hosts,
		Records: filepath.Join(settings.dir, "records"),
		Server:  protocol.Options{ChangeTokens: []protocol.Token{protocol.NewToken(settings.token)}},
		Peer:    protocol.Peer{Token: settings.token},
		Log:     slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	if settings.readToken != "" {
		options.Server.ReadTokens = []protocol.Token{protocol.NewToken(settings.readToken)}
	}
	if settings.export {
		options.Snapshots = filepath.Join(settings.dir, "snapshots")
	}
	if settings.consul != "" {
		registry, err := consul.New(consul.Options{Address: settings.consul, Deployment: settings.cluster})
		if err != nil {
			return err
		}
		options.Registry = registry
	}
	a, err := agent.New(program, options)
	if err != nil {
		return err
	}
	hostConfig := settings.nodeHost()
	hostConfig.RaftEventListener = a.RaftListener(nil)
	hostConfig.SystemEventListener = a.SystemListener(nil)
	if program.nodeHost, err = dragonboat.NewNodeHost(hostConfig); err != nil {
		return err
	}
	defer program.nodeHost.Close()
	if err := a.Attach(program.nodeHost); err != nil {
		return err
	}
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	go a.Run(running)
	replicas, err := program.replicas(ctx, a)
	if err != nil {
		return err
	}
	if _, err := a.Start(ctx, replicas...); err != nil {
		return err
	}
	return listen(ctx, listener, a.Handler(), program)
}

// listen mounts the agent beside the program's own pages.
func listen(ctx context.Context, listener net.Listener, handler http.Handler, program *host) error {
	mux := http.NewServeMux()
	mux.Handle(protocol.Base+"/", handler)
	if program.settings.switches {
		mux.Handle("/switches/", switches(program))
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		<-ctx.Done()
		end, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
		defer cancel()
		if server.Shutdown(end) != nil {
			_ = server.Close()
		}
	}()
	fmt.Printf("%s  http://%s  raft %s  pid %d\n", program.settings.name, listener.Addr(), program.settings.raft, os.Getpid())
	if err := server.Serve(listener); err != http.ErrServerClosed {
		return err
	}
	return nil
}
