package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/hashicorp/raft"

	"quorate.dev/agent/go/protocol"
)

// knowledge is what has to be seen twice to be known.
type knowledge struct {
	mutex sync.Mutex
	// digest of the newest configuration, and where the log ended when it was first seen.
	digest string
	seenAt uint64
	// snapshot is the index of the newest snapshot whose configuration has been read.
	snapshot uint64
	// leading is the term led in, and termStart an index that lies in it, once there is one.
	leading, termStart uint64
}

// committed is whether a configuration without a known index is committed: all of the log that
// there was when it was first seen is.
func (k *knowledge) committed(digest string, last, commit uint64) bool {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if k.digest != digest {
		k.digest, k.seenAt = digest, last
	}
	return commit >= k.seenAt
}

// ownTerm is whether an entry of the term this node leads in is committed. Before, a commit index
// of a new leader may lag behind what its predecessor has committed.
func (k *knowledge) ownTerm(leads bool, term, lastTerm, last, commit uint64) bool {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if !leads {
		k.leading = 0
		return false
	}
	if k.leading != term {
		if lastTerm != term {
			return false
		}
		k.leading, k.termStart = term, last
	}
	return commit >= k.termStart
}

// isRead is whether the configuration of a snapshot has been read.
func (k *knowledge) isRead(snapshot uint64) bool {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	return snapshot <= k.snapshot
}

func (k *knowledge) read(snapshot uint64) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.snapshot = max(k.snapshot, snapshot)
}

// digestOf is a short hash of the members, in no order.
func digestOf(servers []raft.Server) string {
	lines := make([]string, 0, len(servers))
	for _, server := range servers {
		lines = append(lines, fmt.Sprintf("%q %q %d", server.ID, server.Address, server.Suffrage))
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:8])
}

const (
	byIndex = "index"
	byHash  = "hash"
)

// revision is the compare-and-set token of a configuration: its index in the log where that is
// known, else a hash of its members.
func (a *Agent) revision(servers []raft.Server, last, commit uint64) (token, source string, committed bool) {
	digest := digestOf(servers)
	if a.watched.machine != nil {
		known := a.watched.machine.configuration()
		if known.index > 0 && digestOf(known.servers) == digest {
			return strconv.FormatUint(known.index, 10), byIndex, true
		}
		if len(servers) > 0 {
			// Newer than any that is known to be committed, or older than this process's memory.
			return fmt.Sprintf("%d~%s", known.index, digest), byHash, a.settledWithoutIndex(digest, last, commit)
		}
	}
	if len(servers) == 0 {
		return "none", byHash, true
	}
	return "h" + digest, byHash, a.members.committed(digest, last, commit)
}

// settledWithoutIndex: a host that watches its state machine is told of each configuration as it
// is applied; one it was not told of can only be settled if it came by a way that does not tell.
func (a *Agent) settledWithoutIndex(digest string, last, commit uint64) bool {
	return a.members.committed(digest, last, commit) && a.watched.machine.configuration().index == 0
}

// previous is what to hand to the library for a revision: its index, or 0 for "do not compare".
func previous(revision string) uint64 {
	index, err := strconv.ParseUint(revision, 10, 64)
	if err != nil {
		return 0
	}
	return index
}

// readSnapshot takes in the configuration of the newest snapshot: one that was contained in it at
// the start, or came with it, is never told to the state machine.
func (a *Agent) readSnapshot(index uint64) {
	if a.options.Snapshots == nil || a.watched.machine == nil || a.members.isRead(index) {
		return
	}
	list, err := a.options.Snapshots.List()
	if err != nil || len(list) == 0 {
		return
	}
	a.watched.machine.learn(list[0].ConfigurationIndex, list[0].Configuration.Servers)
	a.members.read(list[0].Index)
}

func roleOf(server raft.Server) protocol.Role {
	if server.Suffrage == raft.Voter {
		return protocol.RoleVoter
	}
	return protocol.RoleLearner
}
