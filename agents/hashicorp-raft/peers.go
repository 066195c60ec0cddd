package agent

import (
	"sync"

	"github.com/hashicorp/raft"
)

// source is what a sign of life was.
type source string

const (
	byHeartbeat source = "heartbeat"
	byAppend    source = "append"
	byPipeline  source = "pipeline"
	bySnapshot  source = "snapshot"
)

// peer is what this node has learnt of another while it led in one term.
type peer struct {
	term uint64
	// contact is when the newest request was sent that was answered. The answer itself may have
	// lain in a buffer for long: who was asked then was alive then, and nothing later is proved.
	contact int64
	source  source
	// matched is known to be in its log; only if hasMatched.
	matched    uint64
	hasMatched bool
	// roundTrip is smoothed, in nanoseconds, of heartbeats only: they wait for no disk.
	roundTrip int64
	// snapshots on their way to it.
	snapshots int
	failures  uint64
}

// peers is the table of all others, fed by the transport.
type peers struct {
	mutex sync.Mutex
	known map[raft.ServerID]*peer
}

func newPeers() *peers { return &peers{known: map[raft.ServerID]*peer{}} }

// in is the entry of a peer for a term; what was learnt in an older one is forgotten.
func (p *peers) in(id raft.ServerID, term uint64) *peer {
	entry := p.known[id]
	if entry == nil || entry.term < term {
		entry = &peer{term: term}
		p.known[id] = entry
	}
	if entry.term > term {
		return &peer{}
	}
	return entry
}

// isHeartbeat: it asks for nothing and proves nothing about the log.
func isHeartbeat(asked *raft.AppendEntriesRequest) bool {
	return asked.PrevLogEntry == 0 && asked.LeaderCommitIndex == 0 && len(asked.Entries) == 0
}

// answered takes in a response to a request for entries. A success proves that the follower's log
// matches up to the last entry sent, or where none was sent up to the entry before; the log length
// a response carries may count entries that conflict, so it can only lower what was known.
func (p *peers) answered(
	id raft.ServerID, asked *raft.AppendEntriesRequest, told *raft.AppendEntriesResponse,
	how source, start int64,
) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if told.Term > asked.Term {
		return
	}
	entry := p.in(id, asked.Term)
	if isHeartbeat(asked) {
		how = byHeartbeat
		entry.measure(now() - start)
	}
	entry.heard(start, how)
	if how == byHeartbeat {
		return
	}
	if !told.Success {
		entry.matched = min(entry.matched, told.LastLog)
		return
	}
	matched := asked.PrevLogEntry
	if last := len(asked.Entries); last > 0 {
		matched = asked.Entries[last-1].Index
	}
	entry.matched, entry.hasMatched = max(entry.matched, matched), true
}

func (e *peer) heard(start int64, how source) {
	e.failures = 0
	if start > e.contact {
		e.contact, e.source = start, how
	}
}

func (e *peer) measure(took int64) {
	if e.roundTrip == 0 {
		e.roundTrip = took
		return
	}
	e.roundTrip += (took - e.roundTrip) / 8
}

func (p *peers) failed(id raft.ServerID, term uint64) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.in(id, term).failures++
}

func (p *peers) snapshotBegins(id raft.ServerID, term uint64) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.in(id, term).snapshots++
}

func (p *peers) snapshotEnds(
	id raft.ServerID, asked *raft.InstallSnapshotRequest, told *raft.InstallSnapshotResponse,
	start int64, err error,
) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	entry := p.in(id, asked.Term)
	entry.snapshots--
	switch {
	case err != nil:
		entry.failures++
	case told.Term <= asked.Term:
		entry.heard(start, bySnapshot)
		if told.Success {
			entry.matched, entry.hasMatched = max(entry.matched, asked.LastLogIndex), true
		}
	}
}

// of is a copy of what was learnt of a peer in a term.
func (p *peers) of(id raft.ServerID, term uint64) (peer, bool) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	entry := p.known[id]
	if entry == nil || entry.term != term {
		return peer{}, false
	}
	return *entry, true
}

// keep forgets everybody but these.
func (p *peers) keep(servers []raft.Server) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for id := range p.known {
		if !has(servers, id) {
			delete(p.known, id)
		}
	}
}
