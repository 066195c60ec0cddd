package protocol

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

const (
	// mostAtOnce is how many groups are told of before a stream looks whether it is still heard.
	mostAtOnce = 64
	// writeLimit ends a stream whose reader does not read.
	writeLimit = 10 * time.Second
	// pause between two looks at a busy board: changes in between are told once.
	pause = 20 * time.Millisecond
)

// stream is one reader of events. It keeps two numbers, whatever it misses.
type stream struct {
	server *Server
	to     http.ResponseWriter
	out    *http.ResponseController
	moved  uint64
	told   uint64
	began  bool
}

func (s *Server) events(w http.ResponseWriter, request *http.Request) {
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		refusal(http.StatusServiceUnavailable, "too-many-streams",
			"As many event streams as this agent serves are open.").write(w)
		return
	}
	_, _ = guarded(s, lookLimit, func(ctx context.Context) struct{} {
		s.node.Refresh(ctx)
		return struct{}{}
	})
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	_, told := s.board.noticesAfter(0)
	stream := &stream{server: s, to: w, out: http.NewResponseController(w), told: told}
	// A listener's limits for ordinary calls do not hold for a stream.
	_ = stream.out.SetWriteDeadline(time.Time{})
	_ = stream.out.SetReadDeadline(time.Time{})
	stream.run(request.Context().Done())
}

func (s *stream) run(hungUp <-chan struct{}) {
	silent := time.NewTicker(s.server.options.KeepAlive)
	defer silent.Stop()
	for {
		groups, next, changed := s.server.board.after(s.moved, mostAtOnce)
		if !s.began {
			groups, next = s.begin(groups, next)
		}
		if !s.tell(groups) || !s.tellNotices() {
			return
		}
		s.moved = next
		if len(groups) == mostAtOnce {
			changed = closed
		}
		select {
		case <-hungUp:
			return
		case <-s.server.ended:
			return
		case <-silent.C:
			if !s.write(": still here\n\n") {
				return
			}
		case <-changed:
			if !sleep(pause, hungUp) {
				return
			}
		}
	}
}

// begin leaves of a node with very many groups only one to be told of at once; the others follow
// when they move.
func (s *stream) begin(groups []string, next uint64) ([]string, uint64) {
	s.began = true
	if len(groups) == mostAtOnce {
		return groups[:1], s.server.board.newest()
	}
	return groups, next
}

var closed = func() <-chan struct{} {
	channel := make(chan struct{})
	close(channel)
	return channel
}()

func sleep(duration time.Duration, unless <-chan struct{}) bool {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-unless:
		return false
	}
}

func (s *stream) tell(groups []string) bool {
	for _, group := range groups {
		view, refused := s.server.view(group)
		if refused != nil {
			continue
		}
		data, err := json.Marshal(view)
		if err != nil {
			continue
		}
		summary := Summary(view)
		if !s.write(fmt.Sprintf("event: group\nid: %s\ndata: %s\n\n", summary.GroupRevision(), data)) {
			return false
		}
	}
	return true
}

func (s *stream) tellNotices() bool {
	notices, told := s.server.board.noticesAfter(s.told)
	s.told = told
	for _, notice := range notices {
		data, err := json.Marshal(notice)
		if err != nil {
			continue
		}
		if !s.write(fmt.Sprintf("event: notice\ndata: %s\n\n", data)) {
			return false
		}
	}
	return true
}

func (s *stream) write(text string) bool {
	_ = s.out.SetWriteDeadline(time.Now().Add(writeLimit))
	if _, err := s.to.Write([]byte(text)); err != nil {
		return false
	}
	return s.out.Flush() == nil
}
