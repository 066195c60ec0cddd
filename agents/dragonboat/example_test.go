package agent_test

import (
	"context"
	"log"
	"testing"

	"github.com/lni/dragonboat/v4"
	"github.com/lni/dragonboat/v4/config"

	agent "quorate.dev/agent/dragonboat"
	"quorate.dev/agent/dragonboat/role"
	"quorate.dev/agent/go/manual"
	"quorate.dev/agent/go/protocol"
)

// What a host has before it has an agent.
var (
	program agent.Program
	options agent.Options
	hosts   []agent.Host
	secret  string
	ctx     = context.Background()
)

// As the manual has it.
func Example() {
	var config config.NodeHostConfig
	a, err := agent.New(program, agent.Options{
		Program: "orders", Version: "4.2.0", Cluster: "orders-eu", Member: "host-1",
		AgentAddress: "https://10.0.0.1:7000",
		Records:      "/var/lib/orders/records",
		Server:       protocol.Options{ChangeTokens: []protocol.Token{protocol.NewToken(secret)}},
		Peer:         protocol.Peer{Token: secret},
		Hosts:        hosts,
	})
	if err != nil {
		log.Fatal(err)
	}
	config.RaftEventListener = a.RaftListener(config.RaftEventListener)
	config.SystemEventListener = a.SystemListener(config.SystemEventListener)
	nodeHost, err := dragonboat.NewNodeHost(config)
	if err != nil {
		log.Fatal(err)
	}
	err = a.Attach(nodeHost)
	if err != nil {
		log.Fatal(err)
	}
	go a.Run(ctx)
	replicas, err := a.Assigned(ctx)
	if err != nil {
		log.Fatal(err)
	}
	outcomes, err := a.Start(ctx, replicas...)
	if err != nil {
		log.Fatal(err)
	}
	stop, address, err := a.Listen("127.0.0.1:7000", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer stop()
	log.Print(outcomes, address)
}

// As the package's own words have it.
func Example_inShort() {
	a, err := agent.New(program, options)
	if err != nil {
		log.Fatal(err)
	}
	outcomes, err := a.Start(ctx, role.Key{Shard: 1, Replica: 1})
	log.Print(outcomes, err)
}

func TestWhatTheManualShowsIsWhatIsCompiled(t *testing.T) {
	manual.IsCompiled(t, "example_test.go", "README.md", "agent.go")
}
