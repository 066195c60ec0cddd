package node

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/hashicorp/raft"

	"quorate.dev/agent/go/protocol"
	agent "quorate.dev/agent/hashicorp-raft"
	"quorate.dev/agent/hashicorp-raft/startup"
)

// Faults are the switches of a node; all that is not given is off.
type Faults struct {
	// FreezeApply has the state machine not return from its next call.
	FreezeApply bool `json:"freeze_apply"`
	// ApplyDelayMS slows each entry down.
	ApplyDelayMS int `json:"apply_delay_ms"`
	// Cut drops everything this node sends to these members.
	Cut []raft.ServerID `json:"cut"`
	// StopCore shuts Raft down; the process and its agent go on.
	StopCore bool `json:"stop_core"`
}

// Set switches faults on and off.
func (n *Node) Set(faults Faults) {
	n.machine.freeze(faults.FreezeApply, time.Duration(faults.ApplyDelayMS)*time.Millisecond)
	n.cuts.Set(faults.Cut)
	if faults.StopCore {
		n.Raft.Shutdown()
	}
}

// Load has this node write so many entries a second while it leads; zero ends it.
func (n *Node) Load(perSecond int64) { n.load.Store(perSecond) }

// Put writes one value; only the leader can.
func (n *Node) Put(key, value string) error {
	asked, err := json.Marshal(command{key, value})
	if err != nil {
		return err
	}
	return n.Raft.Apply(asked, 5*time.Second).Error()
}

// PutMany writes count values at once and waits for the last.
func (n *Node) PutMany(prefix string, count int) error {
	var last raft.ApplyFuture
	for i := range count {
		asked, err := json.Marshal(command{fmt.Sprintf("%s-%d", prefix, i), "v"})
		if err != nil {
			return err
		}
		last = n.Raft.Apply(asked, 10*time.Second)
	}
	if last == nil {
		return nil
	}
	return last.Error()
}

// Get reads what this node's own state machine holds.
func (n *Node) Get(key string) (string, bool) { return n.machine.get(key) }

// Applied counts what the state machine has applied since it began.
func (n *Node) Applied() uint64 { return n.machine.applied() }

func (n *Node) write() {
	every := time.NewTicker(20 * time.Millisecond)
	defer every.Stop()
	var owed float64
	for round := 0; ; round++ {
		select {
		case <-n.ended:
			return
		case <-every.C:
		}
		if n.Raft.State() != raft.Leader {
			owed = 0
			continue
		}
		for owed += float64(n.load.Load()) / 50; owed >= 1; owed-- {
			asked, err := json.Marshal(command{fmt.Sprintf("load-%d", round%1000), "v"})
			if err == nil {
				n.Raft.Apply(asked, time.Second)
			}
		}
	}
}

func (n *Node) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(protocol.Base+"/", n.Agent.Handler())
	mux.Handle("GET /live", startup.Live())
	mux.Handle("GET /ready", n.Starting.ReadyHandler())
	mux.Handle("GET /kv/{key}", n.guarded(http.HandlerFunc(n.read)))
	mux.HandleFunc("PUT /kv/{key}", n.writeValue)
	mux.HandleFunc("GET /raft", n.ownWords)
	mux.Handle("POST /faults", n.mayChange(n.switchFaults))
	mux.Handle("POST /load", n.mayChange(n.switchLoad))
	return mux
}

// guarded puts the guard of the level asked for before a handler: ?level=stale, bounded, leader,
// verified, linearizable (without it).
func (n *Node) guarded(next http.Handler) http.Handler {
	levels := map[string]startup.Level{
		"stale": startup.AnyState(), "bounded": startup.Bounded(2*time.Second, 100),
		"leader": startup.OnLeader(), "verified": startup.VerifiedLeader(),
		"": startup.Linearizable(), "linearizable": startup.Linearizable(),
	}
	guards := map[string]http.Handler{}
	for name, level := range levels {
		guards[name] = n.Starting.Guard(level, startup.GuardOptions{Redirect: toAgent})(next)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		guard, known := guards[request.URL.Query().Get("level")]
		if !known {
			http.Error(w, "no such level", http.StatusBadRequest)
			return
		}
		guard.ServeHTTP(w, request)
	})
}

func toAgent(leader raft.ServerID, address raft.ServerAddress, request *http.Request) string {
	origin := agent.PortOffset("http", 1)(raft.Server{ID: leader, Address: address})
	if origin == "" {
		return ""
	}
	return origin + request.URL.RequestURI()
}

func (n *Node) read(w http.ResponseWriter, request *http.Request) {
	value, known := n.Get(request.PathValue("key"))
	if !known {
		http.NotFound(w, request)
		return
	}
	_, _ = io.WriteString(w, value)
}

func (n *Node) writeValue(w http.ResponseWriter, request *http.Request) {
	value, err := io.ReadAll(http.MaxBytesReader(w, request.Body, 1<<16))
	if err != nil {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	}
	if err := n.Put(request.PathValue("key"), string(value)); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// OwnWords is what Raft itself says, to compare the agent with.
type OwnWords struct {
	Stats   map[string]string `json:"stats"`
	Servers []raft.Server     `json:"servers"`
	Leader  raft.ServerID     `json:"leader"`
	Applied uint64            `json:"applied_by_machine"`
}

// Words are what Raft itself says.
func (n *Node) Words() OwnWords {
	words := OwnWords{Stats: n.Raft.Stats(), Applied: n.Applied()}
	_, words.Leader = n.Raft.LeaderWithID()
	if future := n.Raft.GetConfiguration(); future.Error() == nil {
		words.Servers = future.Configuration().Servers
	}
	return words
}

func (n *Node) ownWords(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(n.Words())
}

func (n *Node) switchFaults(w http.ResponseWriter, request *http.Request) {
	var faults Faults
	if err := json.NewDecoder(request.Body).Decode(&faults); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	n.Set(faults)
	w.WriteHeader(http.StatusNoContent)
}

func (n *Node) switchLoad(w http.ResponseWriter, request *http.Request) {
	var asked struct {
		PerSecond int64 `json:"per_second"`
	}
	if err := json.NewDecoder(request.Body).Decode(&asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	n.Load(asked.PerSecond)
	w.WriteHeader(http.StatusNoContent)
}

// mayChange lets the change token through and nobody else.
func (n *Node) mayChange(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		ctx, cancel := context.WithTimeout(request.Context(), 5*time.Second)
		defer cancel()
		if !protocol.Bearer(request, protocol.NewToken(n.options.Token)) {
			http.Error(w, "the change token is needed", http.StatusUnauthorized)
			return
		}
		next(w, request.WithContext(ctx))
	})
}
