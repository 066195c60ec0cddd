// Command vault is Vault's own core, HTTP interface and Raft storage, and nothing else of it: no plugins, no web
// interface, no other storage. It reads Vault's configuration file as Vault does: `vault server -config=FILE`.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/command/server"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/physical/raft"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/vault"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("vault server", flag.ContinueOnError)
	file := flags.String("config", "", "Vault's configuration file")
	if len(args) == 0 || args[0] != "server" {
		return errors.New("usage: vault server -config=FILE")
	}
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	config, err := server.LoadConfigFile(*file)
	if err != nil {
		return err
	}
	core, err := newCore(config)
	if err != nil {
		return err
	}
	return serve(core, config)
}

func newCore(config *server.Config) (*vault.Core, error) {
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Info})
	storage, err := raft.NewRaftBackend(config.Storage.Config, logger.Named("storage.raft"))
	if err != nil {
		return nil, fmt.Errorf("storage: %w", err)
	}
	core, err := vault.NewCore(&vault.CoreConfig{
		RawConfig: config, Logger: logger, Physical: storage, HAPhysical: storage.(*raft.RaftBackend), StorageType: config.Storage.Type,
		RedirectAddr: config.Storage.RedirectAddr, ClusterAddr: config.Storage.ClusterAddr, ClusterName: config.ClusterName,
		BuiltinRegistry: noPlugins{}, DisableMlock: true,
		EnableResponseHeaderRaftNodeID: config.EnableResponseHeaderRaftNodeID,
	})
	if err != nil {
		return nil, fmt.Errorf("core: %w", err)
	}
	return core, nil
}

// serve answers until it is told to end, and seals before it does, as Vault does.
func serve(core *vault.Core, config *server.Config) error {
	if len(config.Listeners) != 1 {
		return errors.New("one listener is needed")
	}
	at := config.Listeners[0]
	cluster, err := net.ResolveTCPAddr("tcp", at.ClusterAddress)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", at.Address)
	if err != nil {
		return err
	}
	core.SetClusterListenerAddrs([]*net.TCPAddr{cluster})
	core.SetClusterHandler(vaulthttp.Handler.Handler(&vault.HandlerProperties{Core: core}))
	if err := core.InitiateRetryJoin(context.Background()); err != nil {
		return err
	}
	handler := vaulthttp.Handler.Handler(&vault.HandlerProperties{Core: core, ListenerConfig: at})
	answering := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- answering.Serve(listener) }()
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, os.Interrupt, syscall.SIGTERM)
	select {
	case err := <-ended:
		return err
	case <-asked:
		return core.ShutdownWait()
	}
}

// noPlugins are built in.
type noPlugins struct{}

func (noPlugins) Contains(string, consts.PluginType) bool { return false }

func (noPlugins) Get(string, consts.PluginType) (func() (any, error), bool) { return nil, false }

func (noPlugins) Keys(consts.PluginType) []string { return nil }

func (noPlugins) DeprecationStatus(string, consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Unknown, false
}
