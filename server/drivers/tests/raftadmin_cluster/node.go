package main

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/Jille/raftadmin"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	boltdb "github.com/hashicorp/raft-boltdb/v2"
	"google.golang.org/grpc"
	"quorate.dev/agent/hashicorp-raft/example/cuts"
)

type options struct {
	id, dir                   string
	listen, admin, control    string
	certificate, key, clients string
	bootstrap                 bool
	timeout                   time.Duration
	log                       io.Writer
}

type node struct {
	options                                   options
	raft                                      *raft.Raft
	raftAddress, adminAddress, controlAddress string

	store   *boltdb.BoltStore
	machine *machine
	shared  *shared
	cuts    *cuts.Transport
	grpc    *grpc.Server
	// operations counts the futures that raftadmin has made and not forgotten.
	operations *operations
	load       atomic.Int64
	ended      chan struct{}
	end        sync.Once
}

func start(options options) (*node, error) {
	n := &node{options: options, machine: &machine{}, operations: &operations{}, ended: make(chan struct{})}
	if err := n.start(); err != nil {
		_ = n.close()
		return nil, err
	}
	return n, nil
}

func (n *node) start() error {
	if err := os.MkdirAll(n.options.dir, 0o700); err != nil {
		return err
	}
	var err error
	n.store, err = boltdb.New(boltdb.Options{Path: filepath.Join(n.options.dir, "raft.db"), NoSync: true})
	if err != nil {
		return err
	}
	snapshots, err := raft.NewFileSnapshotStore(n.options.dir, 2, n.options.log)
	if err != nil {
		return err
	}
	n.shared, err = share(n.options.listen)
	if err != nil {
		return err
	}
	n.raftAddress = n.shared.Addr().String()
	n.cuts = &cuts.Transport{NetworkTransport: raft.NewNetworkTransport(n.shared.forRaft(), 3, time.Second, n.options.log)}
	n.raft, err = raft.NewRaft(n.config(), n.machine, n.store, n.store, snapshots, n.cuts)
	if err != nil {
		return err
	}
	if err := n.form(); err != nil {
		return err
	}
	if err := n.administer(); err != nil {
		return err
	}
	go n.write()
	return n.serveControl()
}

func (n *node) config() *raft.Config {
	config := raft.DefaultConfig()
	config.LocalID = raft.ServerID(n.options.id)
	config.HeartbeatTimeout, config.ElectionTimeout = n.options.timeout, n.options.timeout
	config.LeaderLeaseTimeout = n.options.timeout / 2
	config.Logger = hclog.New(&hclog.LoggerOptions{Name: n.options.id, Output: n.options.log})
	config.ShutdownOnRemove = false
	return config
}

// form makes a cluster of this node alone.
func (n *node) form() error {
	if !n.options.bootstrap {
		return nil
	}
	own := raft.Server{ID: raft.ServerID(n.options.id), Address: n.cuts.LocalAddr()}
	err := n.raft.BootstrapCluster(raft.Configuration{Servers: []raft.Server{own}}).Error()
	if errors.Is(err, raft.ErrCantBootstrap) {
		return nil
	}
	return err
}

// administer is all that a program does to be administered by raftadmin.
func (n *node) administer() error {
	server, err := n.options.credentials()
	if err != nil {
		return err
	}
	n.grpc = grpc.NewServer(append(server, grpc.UnaryInterceptor(n.operations.count))...)
	raftadmin.Register(n.grpc, n.raft)
	listener := n.shared.forOthers()
	n.adminAddress = n.raftAddress
	if n.options.admin != "" {
		if listener, err = net.Listen("tcp", n.options.admin); err != nil {
			return err
		}
		n.adminAddress = listener.Addr().String()
		n.shared.alone.Store(true)
	}
	go func() { _ = n.grpc.Serve(listener) }()
	return nil
}

// write has this node write as many entries a second as are asked for, while it leads.
func (n *node) write() {
	every := time.NewTicker(20 * time.Millisecond)
	defer every.Stop()
	var owed float64
	for {
		select {
		case <-n.ended:
			return
		case <-every.C:
		}
		if n.raft.State() != raft.Leader {
			owed = 0
			continue
		}
		for owed += float64(n.load.Load()) / 50; owed >= 1; owed-- {
			n.raft.Apply([]byte("a value"), time.Second)
		}
	}
}

func (n *node) close() error {
	n.end.Do(func() {
		close(n.ended)
		n.machine.slow(0)
		if n.grpc != nil {
			n.grpc.Stop()
		}
		if n.raft != nil {
			_ = n.raft.Shutdown().Error()
		}
		if n.cuts != nil {
			_ = n.cuts.Close()
		}
		if n.shared != nil {
			_ = n.shared.Close()
		}
		if n.store != nil {
			_ = n.store.Close()
		}
	})
	return nil
}
