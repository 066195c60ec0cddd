package agent

import (
	"context"
	"errors"
	"math"
	"runtime/debug"
	"sync"
	"time"

	"github.com/lni/dragonboat/v4"

	"quorate.dev/agent/dragonboat/role"
)

// testedVersion is the revision of Dragonboat this agent was written for and tested with.
const testedVersion = "v4.0.0-20250723143628-076c7f6497dc"

// libraryVersion is the one that is built in, where the program knows.
var libraryVersion = sync.OnceValue(func() string {
	if built, ok := debug.ReadBuildInfo(); ok {
		for _, module := range built.Deps {
			if module.Path == "github.com/lni/dragonboat/v4" {
				return module.Version
			}
		}
	}
	return testedVersion
})

// commitTimeout bounds the wait for a commit index: the library has no limit of its own there.
const commitTimeout = 50 * time.Millisecond

// library is all that the agent asks of Dragonboat. Tests put a made-up one behind it.
type library interface {
	role.NodeHost
	// Shards lists the replicas of this NodeHost; false once it is closed.
	Shards() ([]dragonboat.ShardInfo, bool)
	// Leader is this replica's belief.
	Leader(shard uint64) (leader, term uint64, known bool)
	// Range of the log: first and last index. After a snapshot last may be first - 1.
	Range(shard uint64) (first, last uint64, ok bool)
	// Commit index; works without a quorum.
	Commit(shard uint64) (uint64, bool)
	// Snapshot is the newest one; false if there is none.
	Snapshot(shard uint64) (index, term uint64, ok bool)
	// Membership by a linearizable read.
	Membership(ctx context.Context, shard uint64) (*role.Membership, error)
	// Term of an entry.
	Term(shard, index uint64) (uint64, bool)

	AddNonVoting(ctx context.Context, shard, replica uint64, target string, revision uint64) error
	Promote(ctx context.Context, shard, replica uint64, target string, revision uint64) error
	Delete(ctx context.Context, shard, replica uint64, revision uint64) error
	Transfer(shard, replica uint64) error
	TakeSnapshot(ctx context.Context, shard uint64, option dragonboat.SnapshotOption) (uint64, error)
}

// nodeHost is the real one.
type nodeHost struct{ *dragonboat.NodeHost }

func (n nodeHost) Shards() ([]dragonboat.ShardInfo, bool) {
	info := n.GetNodeHostInfo(dragonboat.NodeHostInfoOption{SkipLogInfo: true})
	if info == nil {
		return nil, false
	}
	return info.ShardInfoList, true
}

func (n nodeHost) Leader(shard uint64) (uint64, uint64, bool) {
	leader, term, valid, err := n.GetLeaderID(shard)
	return leader, term, valid && err == nil && leader != 0
}

func (n nodeHost) Range(shard uint64) (uint64, uint64, bool) {
	reader, err := n.GetLogReader(shard)
	if err != nil {
		return 0, 0, false
	}
	first, last := reader.GetRange()
	return first, last, true
}

// Commit asks for entries far beyond the end: the answer tells the range that may be asked for, whose end
// is one past the commit index.
func (n nodeHost) Commit(shard uint64) (uint64, bool) {
	const beyond = math.MaxUint64 / 4
	state, err := n.QueryRaftLog(shard, beyond, beyond+1, 1)
	if err != nil {
		return 0, false
	}
	limit := time.NewTimer(commitTimeout)
	defer limit.Stop()
	select {
	case result := <-state.ResultC():
		if !result.RequestOutOfRange() {
			return 0, false
		}
		_, held := result.RaftLogs()
		if held.LastIndex == 0 {
			return 0, false
		}
		return held.LastIndex - 1, true
	case <-limit.C:
		return 0, false
	}
}

func (n nodeHost) Snapshot(shard uint64) (uint64, uint64, bool) {
	reader, err := n.GetLogReader(shard)
	if err != nil {
		return 0, 0, false
	}
	snapshot := reader.Snapshot()
	if snapshot.Index == 0 {
		return 0, 0, false // Nothing is held, and Unref would panic.
	}
	index, term := snapshot.Index, snapshot.Term
	_ = snapshot.Unref()
	return index, term, true
}

func (n nodeHost) Membership(ctx context.Context, shard uint64) (*role.Membership, error) {
	found, err := n.SyncGetShardMembership(ctx, shard)
	if err != nil {
		return nil, err
	}
	return role.FromRaft(found), nil
}

func (n nodeHost) Term(shard, index uint64) (uint64, bool) {
	reader, err := n.GetLogReader(shard)
	if err != nil {
		return 0, false
	}
	term, err := reader.Term(index)
	return term, err == nil && term != 0
}

func (n nodeHost) AddNonVoting(ctx context.Context, shard, replica uint64, target string, revision uint64) error {
	return n.SyncRequestAddNonVoting(ctx, shard, replica, target, revision)
}

// Promote is an addition of the same id at the same address as a voter.
func (n nodeHost) Promote(ctx context.Context, shard, replica uint64, target string, revision uint64) error {
	return n.SyncRequestAddReplica(ctx, shard, replica, target, revision)
}

func (n nodeHost) Delete(ctx context.Context, shard, replica uint64, revision uint64) error {
	return n.SyncRequestDeleteReplica(ctx, shard, replica, revision)
}

func (n nodeHost) Transfer(shard, replica uint64) error {
	return n.RequestLeaderTransfer(shard, replica)
}

func (n nodeHost) TakeSnapshot(ctx context.Context, shard uint64, option dragonboat.SnapshotOption) (uint64, error) {
	return n.SyncRequestSnapshot(ctx, shard, option)
}

// droppedBefore tells errors after which certainly nothing was handed to the log.
func droppedBefore(err error) bool {
	return errors.Is(err, dragonboat.ErrShardNotReady) || errors.Is(err, dragonboat.ErrSystemBusy) ||
		errors.Is(err, dragonboat.ErrShardNotFound) || errors.Is(err, dragonboat.ErrShardNotInitialized) ||
		errors.Is(err, dragonboat.ErrInvalidAddress) || errors.Is(err, dragonboat.ErrClosed)
}
