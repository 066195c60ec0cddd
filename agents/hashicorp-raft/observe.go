package agent

import (
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"quorate.dev/agent/go/protocol"
)

const (
	// tick is how often the node is looked at while nothing happens: a core that hangs says nothing.
	tick = 250 * time.Millisecond
	// healthCheck is how often the core is called while nobody asks.
	healthCheck = time.Second
)

// observe listens to the library. The channel is never waited for: what does not fit is dropped,
// and found at the next look.
func (a *Agent) observe() {
	a.observer = raft.NewObserver(a.events, false, func(seen *raft.Observation) bool {
		switch seen.Data.(type) {
		case raft.LeaderObservation, raft.RaftState, raft.PeerObservation,
			raft.FailedHeartbeatObservation, raft.ResumedHeartbeatObservation:
			return true
		default:
			return false
		}
	})
	a.raft.RegisterObserver(a.observer)
}

// run keeps the board up to date, and passes on what the library observed.
func (a *Agent) run() {
	defer a.running.Done()
	every := time.NewTicker(tick)
	defer every.Stop()
	var checked int64
	for {
		_ = contained(func() error {
			if checked == 0 || now()-checked > int64(healthCheck) {
				checked = max(1, now())
				a.core.ask()
			}
			view := a.look()
			a.board.Put(protocol.Summary(&view))
			a.upkeep()
			return nil
		})
		select {
		case <-a.ended:
			return
		case seen := <-a.events:
			_ = contained(func() error {
				a.tell(seen)
				a.drain()
				return nil
			})
		case <-a.moved:
		case <-every.C:
		}
	}
}

func (a *Agent) drain() {
	for {
		select {
		case seen := <-a.events:
			a.tell(seen)
		default:
			return
		}
	}
}

// nudge has the node looked at soon.
func (a *Agent) nudge() {
	select {
	case a.moved <- struct{}{}:
	default:
	}
}

func (a *Agent) upkeep() {
	if a.watched.peers != nil {
		a.watched.peers.keep(a.servers())
	}
	a.ledger.keep(a.burned())
}

func (a *Agent) tell(seen raft.Observation) {
	notice := protocol.Notice{Group: protocol.DefaultGroup}
	switch data := seen.Data.(type) {
	case raft.LeaderObservation:
		notice.Kind, notice.Member = "leader", string(data.LeaderID)
	case raft.RaftState:
		notice.Kind, notice.Member = "state", string(a.options.Member)
		notice.Detail = data.String()
	case raft.PeerObservation:
		notice.Kind, notice.Member = "peer-added", string(data.Peer.ID)
		if data.Removed {
			notice.Kind = "peer-removed"
		}
	case raft.FailedHeartbeatObservation:
		notice.Kind, notice.Member = "heartbeat-failed", string(data.PeerID)
		if !data.LastContact.IsZero() {
			notice.Detail = fmt.Sprintf("last contact %d ms ago", sinceTime(data.LastContact))
		}
	case raft.ResumedHeartbeatObservation:
		notice.Kind, notice.Member = "heartbeat-resumed", string(data.PeerID)
	default:
		return
	}
	a.board.Tell(notice)
}

// sinceTime is the age of a moment the library has taken, in milliseconds, by its own clock.
func sinceTime(moment time.Time) uint64 { return uint64(max(0, time.Since(moment).Milliseconds())) }
