package main

import (
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// machine is the replicated state: how many entries there were. It can be slowed down.
type machine struct {
	mutex sync.Mutex
	count uint64
	delay time.Duration
}

func (m *machine) slow(delay time.Duration) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.delay = delay
}

// applied is what has been applied, which Raft itself does not know.
func (m *machine) applied() uint64 {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.count
}

func (m *machine) Apply(*raft.Log) any {
	m.mutex.Lock()
	delay := m.delay
	m.mutex.Unlock()
	time.Sleep(delay)
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.count++
	return nil
}

func (m *machine) Snapshot() (raft.FSMSnapshot, error) {
	return image(strconv.FormatUint(m.applied(), 10)), nil
}

func (m *machine) Restore(snapshot io.ReadCloser) error {
	defer func() { _ = snapshot.Close() }()
	content, err := io.ReadAll(snapshot)
	if err != nil {
		return err
	}
	count, err := strconv.ParseUint(string(content), 10, 64)
	if err != nil {
		return err
	}
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.count = count
	return nil
}

// image is a snapshot that is ready to be written.
type image []byte

func (i image) Persist(sink raft.SnapshotSink) error {
	if _, err := sink.Write(i); err != nil {
		_ = sink.Cancel()
		return err
	}
	return sink.Close()
}

func (i image) Release() {}
