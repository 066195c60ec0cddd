package startup

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/hashicorp/raft"
)

// Level is how current a read has to be.
type Level struct {
	name   string
	maxAge time.Duration
	maxLag uint64
}

// AnyState is a stale read: whatever this node's state machine holds, also during replay.
func AnyState() Level { return Level{name: "stale"} }

// Bounded is a read from a node that was ready, heard its leader within maxAge, and has applied
// all but maxLag of what it knows to be committed. Zero does not bound.
func Bounded(maxAge time.Duration, maxLag uint64) Level {
	return Level{name: "bounded", maxAge: maxAge, maxLag: maxLag}
}

// OnLeader is a read from a ready leader. One that was deposed without knowing may answer for as
// long as its lease lasts.
func OnLeader() Level { return Level{name: "leader"} }

// VerifiedLeader is OnLeader with a majority asked first; one round trip.
func VerifiedLeader() Level { return Level{name: "verified"} }

// Linearizable sees all that was committed when it was asked. It works on every node that can ask
// its leader; one round trip, and a call to the leader's agent from a follower.
func Linearizable() Level { return Level{name: "linearizable"} }

func (l Level) String() string { return l.name }

// NotYet is why a read was refused.
type NotYet struct {
	Level  string
	Reason string
	Report Report
}

func (n *NotYet) Error() string { return fmt.Sprintf("no %s read: %s", n.Level, n.Reason) }

func (s *Sync) notYet(level Level, reason string) *NotYet {
	return &NotYet{Level: level.name, Reason: reason, Report: s.Report()}
}

// Check is whether a read of this level may be served now; a *NotYet says why not. It waits, as long as the context
// lasts, for the answer of a majority and for entries to be applied up to what was confirmed, and for nothing else:
// who does not lead, has not been ready or lies beyond a bound is told so at once.
func (s *Sync) Check(ctx context.Context, level Level) error {
	if !s.follows() && level.name != "stale" {
		return s.notYet(level, "Raft is not running yet")
	}
	switch level.name {
	case "stale":
		return nil
	case "bounded":
		return s.bounded(level)
	case "leader":
		return s.leads(level)
	case "verified":
		if err := s.leads(level); err != nil {
			return err
		}
		return s.verified(ctx, level)
	default:
		return s.linearizable(ctx, level)
	}
}

func (s *Sync) bounded(level Level) error {
	if !s.ready() {
		return s.notYet(level, "replay is not over")
	}
	now := s.look()
	if level.maxAge > 0 && (now.LastContactMS == nil ||
		*now.LastContactMS > uint64(level.maxAge.Milliseconds())) {
		return s.notYet(level, "the leader was not heard of within the bound")
	}
	if level.maxLag > 0 && now.Commit > now.Applied && now.Commit-now.Applied > level.maxLag {
		return s.notYet(level, fmt.Sprintf("%d committed entries are not applied", now.Commit-now.Applied))
	}
	if phase := s.Report().Phase; phase == Removed || phase == Stopped {
		return s.notYet(level, "this node is "+string(phase))
	}
	return nil
}

func (s *Sync) leads(level Level) error {
	if s.raft.State() != raft.Leader {
		return s.notYet(level, "this node does not lead")
	}
	if !s.barrierThrough() {
		return s.notYet(level, "elected; what came before is not all applied yet")
	}
	return nil
}

func (s *Sync) barrierThrough() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.barred != 0 && s.barred == s.raft.CurrentTerm()
}

func (s *Sync) verified(ctx context.Context, level Level) error {
	done := make(chan error, 1)
	go func() {
		err := fmt.Errorf("the question failed")
		contained(func() { err = s.raft.VerifyLeader().Error() })
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			return s.notYet(level, "no majority confirms that this node leads")
		}
		return nil
	case <-ctx.Done():
		return s.notYet(level, "no majority confirmed in time that this node leads")
	}
}

func (s *Sync) linearizable(ctx context.Context, level Level) error {
	var target uint64
	if s.raft.State() == raft.Leader {
		if err := s.leads(level); err != nil {
			return err
		}
		target = s.raft.CommitIndex()
		if err := s.verified(ctx, level); err != nil {
			return err
		}
	} else {
		confirmed, err := s.confirmedByLeader(ctx, level)
		if err != nil {
			return err
		}
		target = confirmed
	}
	return s.appliedUpTo(ctx, level, target)
}

func (s *Sync) confirmedByLeader(ctx context.Context, level Level) (uint64, error) {
	address, leader := s.raft.LeaderWithID()
	if s.others == nil || leader == "" {
		return 0, s.notYet(level, "there is no leader that could be asked")
	}
	told, err := s.others.LeaderCommit(ctx, leader, address)
	switch {
	case err != nil:
		return 0, s.notYet(level, "the leader did not answer: "+err.Error())
	case told.Verified == nil:
		return 0, s.notYet(level, "no majority confirms the leader")
	default:
		return *told.Verified, nil
	}
}

func (s *Sync) appliedUpTo(ctx context.Context, level Level, target uint64) error {
	every := time.NewTicker(5 * time.Millisecond)
	defer every.Stop()
	for s.applied() < target {
		select {
		case <-every.C:
		case <-ctx.Done():
			return s.notYet(level, fmt.Sprintf("entry %d was not applied in time", target))
		}
	}
	return nil
}

// GuardOptions say how a guard behaves.
type GuardOptions struct {
	// Patience is how long a request waits for what [Sync.Check] waits for; zero means one second.
	Patience time.Duration
	// Redirect makes of the leader the address to go to for a request; with it, what only the
	// leader can answer is answered by 307. Empty, or nil: refuse.
	Redirect func(leader raft.ServerID, address raft.ServerAddress, request *http.Request) string
}

// Guard stands before handlers that read: a request passes when its level holds, is sent to the
// leader, or is refused with 503 and the reason.
func (s *Sync) Guard(level Level, options GuardOptions) func(http.Handler) http.Handler {
	if options.Patience <= 0 {
		options.Patience = time.Second
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
			ctx, cancel := context.WithTimeout(request.Context(), options.Patience)
			defer cancel()
			err := s.Check(ctx, level)
			if err == nil {
				next.ServeHTTP(w, request)
				return
			}
			if to := s.elsewhere(options, request); to != "" {
				w.Header().Set("Location", to)
				w.WriteHeader(http.StatusTemporaryRedirect)
				return
			}
			w.Header().Set("Retry-After", "1")
			s.writeReport(w, http.StatusServiceUnavailable, err.Error())
		})
	}
}

func (s *Sync) elsewhere(options GuardOptions, request *http.Request) string {
	if !s.follows() || options.Redirect == nil {
		return ""
	}
	address, leader := s.raft.LeaderWithID()
	if leader == "" || leader == s.options.Member {
		return ""
	}
	return options.Redirect(leader, address, request)
}

// Live answers 200 as long as the process does.
func Live() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
}

// ReadyHandler answers 200 with the report when the node is ready and 503 when it is not. With
// `?sync=1` it waits up to ten seconds for all that the leader has committed by now.
func (s *Sync) ReadyHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if request.URL.Query().Get("sync") == "1" {
			ctx, cancel := context.WithTimeout(request.Context(), 10*time.Second)
			defer cancel()
			if err := s.Check(ctx, Linearizable()); err != nil {
				s.writeReport(w, http.StatusServiceUnavailable, err.Error())
				return
			}
		}
		status := http.StatusOK
		if s.Report().Phase != Ready {
			status = http.StatusServiceUnavailable
		}
		s.writeReport(w, status, "")
	})
}

func (s *Sync) writeReport(w http.ResponseWriter, status int, why string) {
	body, err := json.Marshal(struct {
		Report
		Refused string `json:"refused,omitempty"`
	}{s.Report(), why})
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
