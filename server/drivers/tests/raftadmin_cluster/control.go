package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/Jille/raftadmin/proto"
	"github.com/hashicorp/raft"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// credentials are TLS for raftadmin, if asked for.
func (o options) credentials() ([]grpc.ServerOption, error) {
	if o.certificate == "" {
		return nil, nil
	}
	own, err := tls.LoadX509KeyPair(o.certificate, o.key)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12}
	if o.clients != "" {
		authority, err := os.ReadFile(o.clients)
		if err != nil {
			return nil, err
		}
		config.ClientCAs = x509.NewCertPool()
		if !config.ClientCAs.AppendCertsFromPEM(authority) {
			return nil, fmt.Errorf("no certificate in %s", o.clients)
		}
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return []grpc.ServerOption{grpc.Creds(credentials.NewTLS(config))}, nil
}

// operations are the futures that were given out, by token, and every method that was called.
type operations struct {
	mutex  sync.Mutex
	open   map[string]bool
	called map[string]int
}

func (o *operations) count(ctx context.Context, asked any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	answer, err := handle(ctx, asked)
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if o.open == nil {
		o.open, o.called = map[string]bool{}, map[string]int{}
	}
	o.called[info.FullMethod]++
	if future, ok := answer.(*proto.Future); ok && err == nil {
		o.open[future.GetOperationToken()] = true
	}
	if future, ok := asked.(*proto.Future); ok && info.FullMethod == "/RaftAdmin/Forget" {
		delete(o.open, future.GetOperationToken())
	}
	return answer, err
}

// words are what Raft itself says, past raftadmin, and what has been asked of raftadmin.
type words struct {
	Stats   map[string]string `json:"stats"`
	Servers []raft.Server     `json:"servers"`
	Leader  raft.ServerID     `json:"leader"`
	Applied uint64            `json:"applied_by_machine"`
	Open    int               `json:"open_operations"`
	Called  map[string]int    `json:"called"`
}

func (n *node) words() words {
	told := words{Stats: n.raft.Stats(), Applied: n.machine.applied(), Called: map[string]int{}}
	_, told.Leader = n.raft.LeaderWithID()
	if future := n.raft.GetConfiguration(); future.Error() == nil {
		told.Servers = future.Configuration().Servers
	}
	n.operations.mutex.Lock()
	defer n.operations.mutex.Unlock()
	told.Open = len(n.operations.open)
	for method, times := range n.operations.called {
		told.Called[method] = times
	}
	return told
}

// switches are the faults and the load of a node; all that is not given is off.
type switches struct {
	// Cut drops everything this node sends to these members.
	Cut []raft.ServerID `json:"cut"`
	// ApplyDelayMS slows each entry down.
	ApplyDelayMS int `json:"apply_delay_ms"`
	// PerSecond is how many entries this node writes while it leads.
	PerSecond int64 `json:"per_second"`
}

func (n *node) set(asked switches) {
	n.cuts.Set(asked.Cut)
	n.machine.slow(time.Duration(asked.ApplyDelayMS) * time.Millisecond)
	n.load.Store(asked.PerSecond)
}

// serveControl answers tests, on a port of its own.
func (n *node) serveControl() error {
	listener, err := net.Listen("tcp", n.options.control)
	if err != nil {
		return err
	}
	n.controlAddress = listener.Addr().String()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /words", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(n.words())
	})
	mux.HandleFunc("POST /switches", func(w http.ResponseWriter, request *http.Request) {
		var asked switches
		if err := json.NewDecoder(request.Body).Decode(&asked); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		n.set(asked)
		w.WriteHeader(http.StatusNoContent)
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		<-n.ended
		_ = server.Close()
	}()
	go func() { _ = server.Serve(listener) }()
	return nil
}
