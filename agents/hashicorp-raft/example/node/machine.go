package node

import (
	"encoding/json"
	"io"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"quorate.dev/agent/hashicorp-raft/startup"
)

// machine is the replicated state: keys and values. Apply can be frozen or slowed down, which is
// how a state machine fails: it does not return.
type machine struct {
	starting *startup.Sync
	// changed is called for each key that changes once replay is over. It may be nil.
	changed func(key string)

	mutex  sync.Mutex
	values map[string]string
	count  uint64

	gate  sync.Mutex
	thaw  chan struct{}
	delay time.Duration
}

type command struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func newMachine(starting *startup.Sync, changed func(string)) *machine {
	return &machine{starting: starting, changed: changed, values: map[string]string{}}
}

func (m *machine) Apply(log *raft.Log) any {
	m.pass()
	var asked command
	if err := json.Unmarshal(log.Data, &asked); err != nil {
		return err
	}
	m.mutex.Lock()
	m.values[asked.Key] = asked.Value
	m.count++
	m.mutex.Unlock()
	if m.starting.Note(log.Index, asked.Key) && m.changed != nil {
		m.changed(asked.Key)
	}
	return nil
}

// pass waits while the machine is frozen.
func (m *machine) pass() {
	m.gate.Lock()
	thaw, delay := m.thaw, m.delay
	m.gate.Unlock()
	if thaw != nil {
		<-thaw
	}
	if delay > 0 {
		time.Sleep(delay)
	}
}

func (m *machine) freeze(frozen bool, delay time.Duration) {
	m.gate.Lock()
	defer m.gate.Unlock()
	m.delay = delay
	switch {
	case frozen && m.thaw == nil:
		m.thaw = make(chan struct{})
	case !frozen && m.thaw != nil:
		close(m.thaw)
		m.thaw = nil
	}
}

func (m *machine) get(key string) (string, bool) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	value, known := m.values[key]
	return value, known
}

// applied counts the entries since the process began, or its last snapshot was read.
func (m *machine) applied() uint64 {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.count
}

func (m *machine) Snapshot() (raft.FSMSnapshot, error) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	content, err := json.Marshal(m.values)
	return image(content), err
}

func (m *machine) Restore(snapshot io.ReadCloser) error {
	defer func() { _ = snapshot.Close() }()
	values := map[string]string{}
	if err := json.NewDecoder(snapshot).Decode(&values); err != nil {
		return err
	}
	m.mutex.Lock()
	m.values = values
	m.mutex.Unlock()
	if m.starting.Restored() && m.changed != nil {
		m.changed("")
	}
	return nil
}

// image is a snapshot that is ready to be written.
type image []byte

func (c image) Persist(sink raft.SnapshotSink) error {
	if _, err := sink.Write(c); err != nil {
		_ = sink.Cancel()
		return err
	}
	return sink.Close()
}

func (c image) Release() {}
