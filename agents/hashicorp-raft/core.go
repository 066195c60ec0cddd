package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// core knows whether Raft's main loop answers. Its indexes and states are read from memory and stay
// as they were when the loop hangs, on a disk or behind a state machine that does not return; a
// leader even goes on sending heartbeats. So it is called: VerifyLeader passes through the loop in
// every role. On a leader it also costs one heartbeat to each follower, and proves leadership.
type core struct {
	raft  *raft.Raft
	limit time.Duration

	mutex sync.Mutex
	// asked is when the call began that is under way; 0 if none is.
	asked int64
	done  chan struct{}
	last  verified
}

// verified is the newest answer of the core.
type verified struct {
	began, ended int64
	// leads: a majority confirmed it in this call.
	leads bool
	// commit was the commit index, and term the term, before the call began.
	commit, term uint64
	err          error
}

func newCore(r *raft.Raft, limit time.Duration) *core {
	if limit <= 0 {
		limit = max(time.Second, 2*r.ReloadableConfig().HeartbeatTimeout)
	}
	return &core{raft: r, limit: limit}
}

// ask begins a call if none is under way, and gives what ends with it and when it began. However
// long the core hangs, one goroutine hangs with it.
func (c *core) ask() (<-chan struct{}, int64) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.asked != 0 {
		return c.done, c.asked
	}
	c.asked, c.done = max(1, now()), make(chan struct{})
	go c.call(c.asked, c.done)
	return c.done, c.asked
}

func (c *core) call(began int64, done chan struct{}) {
	answer := verified{began: began, commit: c.raft.CommitIndex(), term: c.raft.CurrentTerm()}
	answer.err = contained(func() error { return c.raft.VerifyLeader().Error() })
	answer.leads = answer.err == nil
	answer.ended = now()
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.last, c.asked = answer, 0
	close(done)
}

// contained makes an error of a panic.
func contained(work func() error) (err error) {
	defer func() {
		if caught := recover(); caught != nil {
			err = fmt.Errorf("panic: %v", caught)
		}
	}()
	return work()
}

// after waits for an answer to a call that began after `moment`, as long as the context lasts.
func (c *core) after(ctx context.Context, moment int64) (verified, bool) {
	for {
		done, asked := c.ask()
		select {
		case <-done:
		case <-ctx.Done():
			return verified{}, false
		}
		if asked < moment {
			continue
		}
		c.mutex.Lock()
		answer := c.last
		c.mutex.Unlock()
		return answer, true
	}
}

// newest is the newest answer there was.
func (c *core) newest() verified {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.last
}

// fault is why the core cannot go on; empty if it can.
func (c *core) fault() string {
	if c.raft.State() == raft.Shutdown {
		return "Raft is shut down; only a restart of the process brings it back"
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	switch {
	case errors.Is(c.last.err, raft.ErrRaftShutdown):
		return "Raft is shut down; only a restart of the process brings it back"
	case c.asked != 0 && millisSince(c.asked) > uint64(c.limit.Milliseconds()):
		return fmt.Sprintf("the main loop has left a call unanswered for %d ms", millisSince(c.asked))
	default:
		return ""
	}
}
