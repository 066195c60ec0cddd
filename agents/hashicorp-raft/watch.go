package agent

import (
	"time"

	"github.com/hashicorp/raft"
)

// Watched stands between Raft and what the host gives to it, and sees what the library does not
// tell: each follower's place in the log, and the index of each configuration.
//
// It adds some atomic stores to a call and never waits for anybody.
type Watched struct {
	// FSM and Transport are to be handed to raft.NewRaft in place of the host's own.
	FSM       raft.FSM
	Transport raft.Transport

	machine *machine
	peers   *peers
	address raft.ServerAddress
}

// Watch wraps a state machine and a transport. What optional interfaces they have, their wrappers
// have: BatchingFSM, ConfigurationStore, pre-vote, closing. Either may be nil; then the agent
// tells less, and changes less: see [New].
func Watch(fsm raft.FSM, transport raft.Transport) *Watched {
	watched := &Watched{}
	if fsm != nil {
		watched.machine = &machine{}
		watched.FSM = wrapFSM(fsm, watched.machine)
	}
	if transport != nil {
		watched.peers = newPeers()
		watched.Transport = wrapTransport(transport, watched.peers)
		watched.address = transport.LocalAddr()
	}
	return watched
}

// Applied is the index of the last entry the state machine has finished with, and whether it is
// inside a call now. Unlike raft.AppliedIndex it does not count what only waits in line.
func (w *Watched) Applied() (index uint64, inside bool) {
	if w.machine == nil {
		return 0, false
	}
	return w.machine.applied()
}

// began is where all times of a process are counted from: differences only, no clock.
var began = time.Now()

func now() int64 { return int64(time.Since(began)) }

// millisSince is the age of a moment told by now.
func millisSince(moment int64) uint64 { return uint64(max(0, now()-moment)) / 1e6 }
