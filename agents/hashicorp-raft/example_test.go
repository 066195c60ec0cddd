package agent_test

import (
	"log"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"quorate.dev/agent/go/manual"
	"quorate.dev/agent/go/protocol"
	agent "quorate.dev/agent/hashicorp-raft"
	"quorate.dev/agent/hashicorp-raft/startup"
)

// What a host has before it has an agent.
var (
	myFSM              raft.FSM
	myTransport        raft.Transport
	config             = raft.DefaultConfig()
	logs               raft.LogStore
	stable             raft.StableStore
	snapshots          raft.SnapshotStore
	dataDir            string
	secret, readSecret string
	mux                = http.NewServeMux()
	read               http.Handler
	handlers           interface {
		Restart(changed []string, everything bool)
	}
)

// As the manual has it.
func Example() {
	watched := agent.Watch(myFSM, myTransport)
	r, err := raft.NewRaft(config, watched.FSM, logs, stable, snapshots, watched.Transport)
	if err != nil {
		log.Fatal(err)
	}
	a, err := agent.New(r, watched, agent.Options{
		Member:       config.LocalID,
		Program:      "orders 4.2.0",
		ClusterID:    "orders-eu",
		Snapshots:    snapshots,
		Directory:    filepath.Join(dataDir, "agent"),
		AgentAddress: agent.PortOffset("https", 10),
		Peer:         protocol.Peer{Token: secret},
		Server: protocol.Options{
			ReadTokens:   []protocol.Token{protocol.NewToken(readSecret)},
			ChangeTokens: []protocol.Token{protocol.NewToken(secret)},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	mux.Handle(protocol.Base+"/", a.Handler())
	address, err := a.Listen("127.0.0.1:7000", nil)
	log.Print(address, err)
}

// As the package's own words have it.
func Example_inShort() {
	watched := agent.Watch(myFSM, myTransport)
	r, err := raft.NewRaft(config, watched.FSM, logs, stable, snapshots, watched.Transport)
	if err != nil {
		log.Fatal(err)
	}
	a, err := agent.New(r, watched, agent.Options{
		Member: config.LocalID, Program: "orders 4.2.0", Snapshots: snapshots,
		Server: protocol.Options{ChangeTokens: []protocol.Token{protocol.NewToken(secret)}},
	})
	if err != nil {
		log.Fatal(err)
	}
	mux.Handle(protocol.Base+"/", a.Handler())
}

// The start-up synchronisation, as the manual has it.
func Example_startup() {
	var (
		watched *agent.Watched
		r       *raft.Raft
		a       *agent.Agent
	)
	file, err := startup.OpenAppliedFile(filepath.Join(dataDir, "applied"), time.Second)
	if err != nil {
		log.Fatal(err)
	}
	starting := startup.New(startup.Options{
		Member: config.LocalID, Applied: func() (uint64, bool) { return watched.Applied() },
		Persisted: file,
		OnReady:   func(start startup.Start) { handlers.Restart(start.Changed, start.Everything) },
	})
	starting.Follow(r, a)
	mux.Handle("GET /ready", starting.ReadyHandler())
	mux.Handle("GET /orders/{id}", starting.Guard(startup.Linearizable(), startup.GuardOptions{})(read))
}

func TestWhatTheManualShowsIsWhatIsCompiled(t *testing.T) {
	manual.IsCompiled(t, "example_test.go", "README.md", "agent.go")
}
