package role

import (
	"context"
	"errors"
)

// ErrMoved means that somebody else wrote the entry since it was read.
var ErrMoved = errors.New("the entry was changed by somebody else")

// Key of a replica in the registry.
type Key struct{ Shard, Replica uint64 }

// Registry is the authority on how replicas joined, where there is one. It decides no role: that is Raft's.
type Registry interface {
	// Entries reads all replicas of the deployment. Entries that make no sense are in faults.
	Entries(ctx context.Context) (entries map[Key]Entry, faults map[Key]string, err error)
	// Write creates the entry (Version 0) or replaces the one of that version; ErrMoved if it is another.
	Write(ctx context.Context, key Key, entry Entry) error
}

// Peers asks the agents of the other hosts.
type Peers interface {
	// Words gives what those who answer say of some shards, or of all if none is named, by replica, and how
	// many were asked.
	Words(ctx context.Context, shards []uint64) (words map[Key][]PeerWord, asked int)
}
