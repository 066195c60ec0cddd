package agent

import (
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"
)

// mostDeparted is how many ids of former members are kept.
const mostDeparted = 10_000

// machine is what is seen of the state machine and of the configurations that pass it.
type machine struct {
	// inside is when the call began the machine is in now; 0 outside.
	inside atomic.Int64
	// finished is the index of the last entry it is done with.
	finished atomic.Uint64
	restores atomic.Uint64

	mutex sync.Mutex
	known configuration
	// departed are ids that were members and are none now.
	departed []string
}

// configuration is one that is committed, and its index in the log.
type configuration struct {
	index   uint64
	servers []raft.Server
}

func (m *machine) applied() (uint64, bool) {
	inside := m.inside.Load() != 0
	return m.finished.Load(), inside
}

func (m *machine) enter() { m.inside.Store(max(1, now())) }

func (m *machine) leave(index uint64) {
	if index > 0 {
		m.finished.Store(index)
	}
	m.inside.Store(0)
}

// learn takes in a committed configuration, from the log or from a snapshot.
func (m *machine) learn(index uint64, servers []raft.Server) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if index <= m.known.index {
		return
	}
	for _, server := range m.known.servers {
		id := string(server.ID)
		if !has(servers, server.ID) && !slices.Contains(m.departed, id) && len(m.departed) < mostDeparted {
			m.departed = append(m.departed, id)
		}
	}
	m.known = configuration{index, slices.Clone(servers)}
}

func (m *machine) configuration() configuration {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.known
}

func (m *machine) burned() []string {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	burned := []string{}
	for _, id := range m.departed {
		if !has(m.known.servers, raft.ServerID(id)) {
			burned = append(burned, id)
		}
	}
	return burned
}

// remember takes in ids that a file has kept.
func (m *machine) remember(ids []string) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	for _, id := range ids {
		if !slices.Contains(m.departed, id) && len(m.departed) < mostDeparted {
			m.departed = append(m.departed, id)
		}
	}
}

func has(servers []raft.Server, id raft.ServerID) bool {
	return slices.ContainsFunc(servers, func(server raft.Server) bool { return server.ID == id })
}

// watchedFSM is a state machine that is also told of configurations. Raft hands it each that is
// committed, and takes snapshots that would have to wait otherwise.
type watchedFSM struct {
	raft.FSM
	seen  *machine
	store raft.ConfigurationStore
}

// watchedBatches gets configurations among the entries of its batches.
type watchedBatches struct {
	watchedFSM
	batching raft.BatchingFSM
}

func wrapFSM(inner raft.FSM, seen *machine) raft.FSM {
	store, _ := inner.(raft.ConfigurationStore)
	plain := watchedFSM{FSM: inner, seen: seen, store: store}
	if batching, ok := inner.(raft.BatchingFSM); ok {
		return &watchedBatches{plain, batching}
	}
	return &plain
}

func (f *watchedFSM) Apply(log *raft.Log) any {
	f.seen.enter()
	defer f.seen.leave(log.Index)
	return f.FSM.Apply(log)
}

func (f *watchedFSM) Restore(snapshot io.ReadCloser) error {
	f.seen.enter()
	defer f.seen.leave(0)
	defer f.seen.restores.Add(1)
	return f.FSM.Restore(snapshot)
}

// StoreConfiguration makes it a raft.ConfigurationStore.
func (f *watchedFSM) StoreConfiguration(index uint64, configuration raft.Configuration) {
	f.seen.enter()
	defer f.seen.leave(index)
	if f.store != nil {
		f.store.StoreConfiguration(index, configuration)
	}
	f.seen.learn(index, configuration.Servers)
}

func (f *watchedBatches) ApplyBatch(logs []*raft.Log) []any {
	f.seen.enter()
	var last uint64
	if len(logs) > 0 {
		last = logs[len(logs)-1].Index
	}
	defer f.seen.leave(last)
	answers := f.batching.ApplyBatch(logs)
	for _, log := range logs {
		if log.Type == raft.LogConfiguration {
			f.seen.learn(log.Index, raft.DecodeConfiguration(log.Data).Servers)
		}
	}
	return answers
}

var (
	_ raft.ConfigurationStore = (*watchedFSM)(nil)
	_ raft.BatchingFSM        = (*watchedBatches)(nil)
)
