package startup

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hashicorp/raft"
)

func (s *Sync) judge(seen Report) (Phase, string) {
	servers := s.servers()
	member := slices.ContainsFunc(servers, func(server raft.Server) bool {
		return server.ID == s.options.Member
	})
	switch {
	case s.raft.State() == raft.Shutdown:
		return Stopped, "Raft is shut down; the process has to be started anew"
	case len(servers) == 0:
		return Starting, "this node belongs to no cluster yet"
	case !member:
		return Removed, "the configuration does not name this node any more"
	case s.raft.State() == raft.Leader:
		s.removedBy = ""
		return s.judgeLeader()
	case seen.Leader == "":
		return s.without("no leader is known")
	default:
		s.removedBy = ""
		return s.judgeFollower(seen)
	}
}

func (s *Sync) servers() []raft.Server {
	future := s.raft.GetConfiguration()
	if future.Error() != nil {
		return nil
	}
	return future.Configuration().Servers
}

// without is NoLeader, or Stale for a node that has served; the latter only once the last contact
// is too old, since an election among the living takes a moment.
func (s *Sync) without(why string) (Phase, string) {
	if s.removedBy != "" {
		return Removed, "this node does not know it yet, but " + string(s.removedBy) + " leads without it"
	}
	s.inquire()
	if !s.wasReady {
		return NoLeader, why
	}
	last := s.raft.LastContact()
	if s.report.Phase == Ready && !last.IsZero() && time.Since(last) < s.options.StaleAfter {
		return Ready, "an election is under way"
	}
	return Stale, why
}

// inquire asks the others whether this node is a member still, once there was no leader for a
// while: who was removed while it was cut off is never told by Raft.
func (s *Sync) inquire() {
	lately := time.Since(s.since) < s.options.StaleAfter || time.Since(s.inquired) < inquireEvery
	if s.others == nil || lately || (s.report.Phase != NoLeader && s.report.Phase != Stale) {
		return
	}
	s.inquired = time.Now()
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), askLimit)
		defer cancel()
		var by raft.ServerID
		contained(func() { by = s.others.RemovedBy(ctx) })
		s.mutex.Lock()
		defer s.mutex.Unlock()
		s.removedBy = by
	}()
}

func (s *Sync) judgeLeader() (Phase, string) {
	term := s.raft.CurrentTerm()
	if s.barred == term {
		return Ready, "leads, and its barrier is through"
	}
	if s.barring != term {
		s.barring, s.barringSince = term, time.Now()
		go contained(func() { s.bar(term) })
	}
	if s.options.HandOver && time.Since(s.barringSince) > s.options.BarrierLimit {
		s.barringSince = time.Now()
		go contained(func() { _ = s.raft.LeadershipTransfer().Error() })
	}
	return LeaderPending, "elected; what came before is not all applied yet"
}

// bar writes a barrier and waits for it, however long it takes; one at a time for each term.
func (s *Sync) bar(term uint64) {
	index := s.raft.LastIndex()
	err := s.raft.Barrier(s.options.BarrierLimit).Error()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	switch {
	case err == nil && s.raft.CurrentTerm() == term:
		s.barred, s.target, s.from = term, max(s.target, index), FromBarrier
	case s.barring == term:
		// Tried again at the next look, if it still leads.
		s.barring = 0
	}
}

func (s *Sync) judgeFollower(seen Report) (Phase, string) {
	fresh := seen.LastContactMS != nil &&
		*seen.LastContactMS < uint64(s.options.StaleAfter.Milliseconds())
	switch {
	case !fresh && s.wasReady:
		return Stale, "the leader has not been heard of for too long"
	case !fresh:
		return NoLeader, "a leader is named and has not been heard of"
	case s.target == 0:
		s.seek(seen)
		return CatchingUp, "the leader is asked how far it has committed"
	case seen.Applied < s.target:
		return CatchingUp, "entries up to the target are being applied"
	default:
		return Ready, "all that was committed when it was asked is applied"
	}
}

// seek has the leader asked, or falls back to the own commit index where nobody can be.
func (s *Sync) seek(seen Report) {
	if s.others != nil {
		if !s.asking {
			s.asking = true
			address, leader := s.raft.LeaderWithID()
			go s.question(leader, address)
		}
		return
	}
	s.ownCommit(seen.Commit)
}

func (s *Sync) question(leader raft.ServerID, address raft.ServerAddress) {
	ctx, cancel := context.WithTimeout(context.Background(), askLimit)
	defer cancel()
	var told Committed
	err := errors.New("the question failed")
	contained(func() { told, err = s.others.LeaderCommit(ctx, leader, address) })
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.asking = false
	switch {
	case err == nil && told.Index > 0:
		s.target, s.from = told.Index, FromLeader
	case errors.Is(err, ErrNoChannel):
		s.ownCommit(s.raft.CommitIndex())
	}
}

func (s *Sync) ownCommit(commit uint64) {
	if commit == 0 || commit != s.stood.at {
		s.stood = standing{commit, time.Now()}
		return
	}
	if time.Since(s.stood.since) >= ownCommitFor {
		s.target, s.from = commit, FromOwnCommit
	}
}
