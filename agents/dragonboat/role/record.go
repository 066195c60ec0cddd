// Package role decides how a Dragonboat replica has to be started.
//
// Dragonboat panics, in a goroutine of its own that no host can guard, when a replica that joined as
// non-voting is started without that flag, and goes wrong silently when a replica that joined as a voter is
// started with it. The right flag is a fact of how the replica joined; it never changes, neither by a
// promotion nor by a restart. This package keeps that fact, looks for it where it was lost, and refuses with
// an explanation where the sources contradict each other.
//
// Decide is pure. Records keeps the local files, Starter brings everything together. The package knows
// nothing of HTTP and of the agent's protocol.
package role

import (
	"maps"
	"slices"
	"time"
)

// Kind says how a replica came to its shard. It is fixed for the life of the replica.
type Kind string

const (
	// Unknown means that nobody remembers.
	Unknown Kind = ""
	// Initial replicas were in the member map that the shard was first started with.
	Initial Kind = "initial"
	// JoinedNonVoting replicas were added as non-voting; they may have been promoted since.
	JoinedNonVoting Kind = "joined-non-voting"
	// JoinedVoter replicas were added as voters directly.
	JoinedVoter Kind = "joined-voter"
	// Witness replicas vote and hold no data. They are known so that they are left alone: the host starts them
	// itself, with config.Config.IsWitness.
	Witness Kind = "witness"
)

// Valid tells whether k is one of the three kinds that are started here.
func (k Kind) Valid() bool {
	return k == Initial || k == JoinedNonVoting || k == JoinedVoter
}

// Membership is what a shard's Raft log says of its members up to the configuration change at Index.
type Membership struct {
	// Index is the log index of the last accepted configuration change.
	Index uint64 `json:"ccid"`
	// The members by replica id; values are Raft addresses.
	Voters     map[uint64]string `json:"voters"`
	NonVotings map[uint64]string `json:"non_votings,omitempty"`
	Witnesses  map[uint64]string `json:"witnesses,omitempty"`
	// Removed ids can never be members again.
	Removed []uint64 `json:"removed,omitempty"`
}

// Address of a member, and whether it is one.
func (m *Membership) Address(replica uint64) (string, bool) {
	if m == nil {
		return "", false
	}
	for _, part := range []map[uint64]string{m.Voters, m.NonVotings, m.Witnesses} {
		if address, ok := part[replica]; ok {
			return address, true
		}
	}
	return "", false
}

// ReplicaAt is the member at a Raft address.
func (m *Membership) ReplicaAt(address string) (uint64, bool) {
	if m == nil {
		return 0, false
	}
	for _, part := range []map[uint64]string{m.Voters, m.NonVotings, m.Witnesses} {
		for replica, at := range part {
			if at == address {
				return replica, true
			}
		}
	}
	return 0, false
}

// HasRemoved tells whether the id was a member once and is none now.
func (m *Membership) HasRemoved(replica uint64) bool {
	return m != nil && slices.Contains(m.Removed, replica)
}

// Highest is the highest replica id ever seen in the shard.
func (m *Membership) Highest() uint64 {
	var highest uint64
	if m == nil {
		return highest
	}
	for _, part := range []map[uint64]string{m.Voters, m.NonVotings, m.Witnesses} {
		for replica := range part {
			highest = max(highest, replica)
		}
	}
	for _, replica := range m.Removed {
		highest = max(highest, replica)
	}
	return highest
}

// Equal compares all parts.
func (m *Membership) Equal(o *Membership) bool {
	if m == nil || o == nil {
		return m == o
	}
	return m.Index == o.Index && maps.Equal(m.Voters, o.Voters) && maps.Equal(m.NonVotings, o.NonVotings) &&
		maps.Equal(m.Witnesses, o.Witnesses) && slices.Equal(m.Removed, o.Removed)
}

// Record is what this host remembers of one of its replicas, written before the replica's first start.
type Record struct {
	Deployment string `json:"deployment"`
	NodeHostID string `json:"nodehost_id"`
	Shard      uint64 `json:"shard"`
	Replica    uint64 `json:"replica"`
	Kind       Kind   `json:"kind"`
	// Target is the Raft address the replica was added with.
	Target string `json:"target"`
	// Started is set once a start has gone well: from then on its data must be on disk.
	Started bool `json:"started"`
	// Flag is what the replica was last started with (config.Config.IsNonVoting).
	Flag bool `json:"flag"`
	// Removed is set when the replica is known to be no member any more. It is never started again.
	Removed bool `json:"removed,omitempty"`
	// Membership is the newest one seen by a linearizable read, only ever replaced by a newer one.
	Membership *Membership `json:"membership,omitempty"`
	// At is when the file was written, for people who read it; nothing depends on it.
	At time.Time `json:"at"`
}

// State is how far the life of a replica has got, as the registry keeps it. The kind is beside it and
// stays: a promotion moves the state only.
type State string

const (
	Planned   State = "planned"
	Added     State = "added"
	Started   State = "started"
	Promoting State = "promoting"
	Voter     State = "voter"
	Removing  State = "removing"
	Removed   State = "removed"
)

// Entry is what the registry holds of one replica.
type Entry struct {
	Kind   Kind   `json:"kind"`
	Target string `json:"target"`
	State  State  `json:"state"`
	// Index is the shard's configuration index at which the state was written.
	Index uint64 `json:"ccid"`
	// Version is the registry's own compare-and-set token; 0 for an entry that is not there yet.
	Version uint64 `json:"-"`
}

// Known tells whether the entry can be made sense of.
func (e *Entry) Known() bool {
	if e == nil || !e.Kind.Valid() {
		return false
	}
	switch e.State {
	case Planned, Added, Started, Promoting, Voter, Removing, Removed:
		return true
	}
	return false
}
