package agent

import (
	"sync/atomic"

	"github.com/lni/dragonboat/v4/raftio"

	"quorate.dev/agent/dragonboat/role"
)

// mostEvents is how many events wait to be looked at. When more come, everything is looked at instead.
const mostEvents = 4096

type eventKind uint8

const (
	moved eventKind = iota
	unloaded
	deleted
	connected
	disconnected
)

type event struct {
	kind eventKind
	key  role.Key
	// leader is set when a leader was announced; address for connections.
	leader  uint64
	address string
}

// ears hear Dragonboat's events. Its callbacks run on Dragonboat's own goroutine, so they push to a bounded
// queue and return; what does not fit is made good by a look at everything.
type ears struct {
	queue    chan event
	overflow atomic.Bool
}

func newEars() *ears { return &ears{queue: make(chan event, mostEvents)} }

func (e *ears) push(ev event) {
	select {
	case e.queue <- ev:
	default:
		e.overflow.Store(true)
	}
}

// raftListener passes events on to the host's own listener.
type raftListener struct {
	ears *ears
	next raftio.IRaftEventListener
}

func (l raftListener) LeaderUpdated(info raftio.LeaderInfo) {
	l.ears.push(event{kind: moved, key: role.Key{Shard: info.ShardID, Replica: info.ReplicaID}, leader: info.LeaderID})
	if l.next != nil {
		l.next.LeaderUpdated(info)
	}
}

type systemListener struct {
	ears *ears
	next raftio.ISystemEventListener
}

func (l systemListener) push(kind eventKind, info raftio.NodeInfo) {
	l.ears.push(event{kind: kind, key: role.Key{Shard: info.ShardID, Replica: info.ReplicaID}})
}

func (l systemListener) NodeHostShuttingDown() {
	if l.next != nil {
		l.next.NodeHostShuttingDown()
	}
}

func (l systemListener) NodeUnloaded(info raftio.NodeInfo) {
	l.push(unloaded, info)
	if l.next != nil {
		l.next.NodeUnloaded(info)
	}
}

func (l systemListener) NodeDeleted(info raftio.NodeInfo) {
	l.push(deleted, info)
	if l.next != nil {
		l.next.NodeDeleted(info)
	}
}

func (l systemListener) NodeReady(info raftio.NodeInfo) {
	l.push(moved, info)
	if l.next != nil {
		l.next.NodeReady(info)
	}
}

func (l systemListener) MembershipChanged(info raftio.NodeInfo) {
	l.push(moved, info)
	if l.next != nil {
		l.next.MembershipChanged(info)
	}
}

func (l systemListener) ConnectionEstablished(info raftio.ConnectionInfo) {
	l.ears.push(event{kind: connected, address: info.Address})
	if l.next != nil {
		l.next.ConnectionEstablished(info)
	}
}

func (l systemListener) ConnectionFailed(info raftio.ConnectionInfo) {
	l.ears.push(event{kind: disconnected, address: info.Address})
	if l.next != nil {
		l.next.ConnectionFailed(info)
	}
}

func (l systemListener) SendSnapshotStarted(info raftio.SnapshotInfo) {
	if l.next != nil {
		l.next.SendSnapshotStarted(info)
	}
}

func (l systemListener) SendSnapshotCompleted(info raftio.SnapshotInfo) {
	if l.next != nil {
		l.next.SendSnapshotCompleted(info)
	}
}

func (l systemListener) SendSnapshotAborted(info raftio.SnapshotInfo) {
	if l.next != nil {
		l.next.SendSnapshotAborted(info)
	}
}

func (l systemListener) SnapshotReceived(info raftio.SnapshotInfo) {
	if l.next != nil {
		l.next.SnapshotReceived(info)
	}
}

func (l systemListener) SnapshotRecovered(info raftio.SnapshotInfo) {
	l.ears.push(event{kind: moved, key: role.Key{Shard: info.ShardID, Replica: info.ReplicaID}})
	if l.next != nil {
		l.next.SnapshotRecovered(info)
	}
}

func (l systemListener) SnapshotCreated(info raftio.SnapshotInfo) {
	if l.next != nil {
		l.next.SnapshotCreated(info)
	}
}

func (l systemListener) SnapshotCompacted(info raftio.SnapshotInfo) {
	if l.next != nil {
		l.next.SnapshotCompacted(info)
	}
}

func (l systemListener) LogCompacted(info raftio.EntryInfo) {
	if l.next != nil {
		l.next.LogCompacted(info)
	}
}

func (l systemListener) LogDBCompacted(info raftio.EntryInfo) {
	if l.next != nil {
		l.next.LogDBCompacted(info)
	}
}
