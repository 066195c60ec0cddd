package agent

import (
	"testing"

	"github.com/hashicorp/raft"
)

func asking(term, previous uint64, entries ...uint64) *raft.AppendEntriesRequest {
	asked := &raft.AppendEntriesRequest{Term: term, PrevLogEntry: previous, LeaderCommitIndex: previous}
	for _, index := range entries {
		asked.Entries = append(asked.Entries, &raft.Log{Index: index, Term: term})
	}
	return asked
}

func TestWhatAnAnswerProvesOfAFollower(t *testing.T) {
	const began = 7
	said := func(term, last uint64, success bool) *raft.AppendEntriesResponse {
		return &raft.AppendEntriesResponse{Term: term, LastLog: last, Success: success}
	}
	p := newPeers()
	matched := func(what string, term, index uint64, known bool) {
		t.Helper()
		peer, _ := p.of("b", term)
		if peer.matched != index || peer.hasMatched != known {
			t.Errorf("%s: %d %v", what, peer.matched, peer.hasMatched)
		}
	}
	// It asks for nothing, so it says nothing of the log; who was asked then was alive then.
	p.answered("b", asking(2, 0), said(2, 99, true), byAppend, began)
	matched("a heartbeat", 2, 0, false)
	if peer, _ := p.of("b", 2); peer.contact != began || peer.source != byHeartbeat {
		t.Errorf("heard %d, by %s", peer.contact, peer.source)
	}
	// The log it has may end in entries that are to be overwritten.
	p.answered("b", asking(2, 5), said(2, 99, true), byAppend, began)
	matched("an answer to no entries", 2, 5, true)
	p.answered("b", asking(2, 5, 6, 7), said(2, 99, true), byPipeline, began)
	matched("an answer to entries", 2, 7, true)
	p.answered("b", asking(2, 4, 5), said(2, 99, true), byAppend, began-1)
	matched("a late answer", 2, 7, true)
	if peer, _ := p.of("b", 2); peer.contact != began {
		t.Errorf("a late answer is told as heard at %d", peer.contact)
	}
	p.answered("b", asking(2, 9), said(2, 3, false), byAppend, began)
	matched("a refusal", 2, 3, true)
	// Another leads there already.
	p.answered("b", asking(2, 9, 10), said(3, 10, true), byAppend, began+1)
	matched("an answer of a newer term", 2, 3, true)
	// What was learnt in an older term is forgotten, and what comes later from it is not taken in.
	p.answered("b", asking(4, 1), said(4, 9, true), byAppend, began+2)
	matched("the next term", 4, 1, true)
	p.answered("b", asking(2, 8), said(2, 9, true), byAppend, began+3)
	matched("an answer to the older term", 4, 1, true)
	if _, known := p.of("b", 2); known {
		t.Error("an older term is remembered")
	}
	p.keep(servers("a"))
	if _, known := p.of("b", 4); known {
		t.Error("a former member is remembered")
	}
}

func servers(ids ...string) []raft.Server {
	var made []raft.Server
	for _, id := range ids {
		made = append(made, raft.Server{ID: raft.ServerID(id)})
	}
	return made
}
