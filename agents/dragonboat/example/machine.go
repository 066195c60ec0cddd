package main

import (
	"encoding/binary"
	"io"
	"sync"
	"sync/atomic"

	"github.com/lni/dragonboat/v4/statemachine"
)

// counter is the state of one group: how many entries it has got, and the index of the last of them.
type counter struct {
	count, applied atomic.Uint64
}

// counters are those of the groups that run here.
type counters struct{ byShard sync.Map }

func (c *counters) create(shard, _ uint64) statemachine.IStateMachine {
	machine := &counter{}
	c.byShard.Store(shard, machine)
	return machine
}

func (c *counters) applied(shard uint64) (uint64, bool) {
	found, ok := c.byShard.Load(shard)
	if !ok {
		return 0, false
	}
	machine, ok := found.(*counter)
	if !ok {
		return 0, false
	}
	return machine.applied.Load(), true
}

func (c *counter) Update(entry statemachine.Entry) (statemachine.Result, error) {
	c.applied.Store(entry.Index)
	return statemachine.Result{Value: c.count.Add(1)}, nil
}

func (c *counter) Lookup(any) (any, error) { return c.count.Load(), nil }

func (c *counter) SaveSnapshot(w io.Writer, _ statemachine.ISnapshotFileCollection, _ <-chan struct{}) error {
	return binary.Write(w, binary.LittleEndian, [2]uint64{c.count.Load(), c.applied.Load()})
}

func (c *counter) RecoverFromSnapshot(r io.Reader, _ []statemachine.SnapshotFile, _ <-chan struct{}) error {
	var state [2]uint64
	if err := binary.Read(r, binary.LittleEndian, &state); err != nil {
		return err
	}
	c.count.Store(state[0])
	c.applied.Store(state[1])
	return nil
}

func (c *counter) Close() error { return nil }
