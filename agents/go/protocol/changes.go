package protocol

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"
)

// Change carries out one change to its end, whether or not the caller waits for it.
func (s *Server) Change(group string, asked ChangeRequest) (Receipt, *Refusal) {
	place := place{group, asked.Action == Snapshot}
	if !s.take(place) {
		return Receipt{}, InProgress("Another change runs in this group.")
	}
	type ending struct {
		receipt Receipt
		err     error
	}
	limit := s.options.ChangeLimit
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	ended := make(chan ending, 1)
	go func() {
		defer s.leave(place)
		defer cancel()
		defer func() {
			if caught := recover(); caught != nil {
				s.failed(caught)
				ended <- ending{err: AgentFault("The agent failed while the change was running.")}
			}
		}()
		receipt, err := s.node.Change(ctx, group, asked)
		ended <- ending{receipt, err}
	}()
	select {
	case end := <-ended:
		return end.receipt, asRefusal(end.err)
	case <-time.After(limit + lookLimit):
		return Receipt{}, Unknown("The end of the change was not seen in time.")
	}
}

func asRefusal(err error) *Refusal {
	if err == nil {
		return nil
	}
	var refused *Refusal
	if errors.As(err, &refused) {
		return refused
	}
	return AgentFault(err.Error())
}

func (s *Server) take(place place) bool {
	s.places.Lock()
	defer s.places.Unlock()
	if _, taken := s.busy[place]; taken {
		return false
	}
	s.busy[place] = struct{}{}
	return true
}

func (s *Server) leave(place place) {
	s.places.Lock()
	defer s.places.Unlock()
	delete(s.busy, place)
}

func readChange(request *http.Request) (ChangeRequest, *Refusal) {
	var asked ChangeRequest
	kind, _, err := mime.ParseMediaType(request.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return asked, Malformed("The body has to be application/json.")
	}
	body, err := io.ReadAll(io.LimitReader(request.Body, bodyLimit+1))
	if err != nil || len(body) > bodyLimit {
		return asked, Malformed("The body could not be read, or is too large.")
	}
	if err := json.Unmarshal(body, &asked); err != nil {
		return asked, Malformed("The body is not understood: " + err.Error())
	}
	return asked, wellFormed(asked)
}

func wellFormed(asked ChangeRequest) *Refusal {
	for _, known := range Actions {
		if asked.Action != known {
			continue
		}
		switch {
		case known == Snapshot:
			return nil
		case asked.ExpectedRevision == "":
			return Malformed("`expected_revision` is needed for this action.")
		case known == AddLearner && asked.Address == "":
			return Malformed("`address` is needed: where the newcomer answers.")
		case known != AddLearner && asked.Member == "":
			return Malformed("`member` is needed for this action.")
		default:
			return nil
		}
	}
	return Malformed("There is no such action.")
}
