package startup

import "time"

// mostNotes is how many different things are noted during replay; beyond, everything changed.
const mostNotes = 10_000

// notes are what changed during replay, each once.
type notes struct {
	before     uint64
	known      map[string]struct{}
	order      []string
	everything bool
	// restored: the state machine was given a snapshot before Raft ran.
	restored bool
}

// Note is for the host's Apply: it says that an entry changes something, and answers whether
// replay is over, so that whoever depends on it is told now. While it is not, the change is noted
// for the hook, once, if it lies beyond what the run before had applied.
//
//	if starting.Note(log.Index, key) {
//		handlers.Changed(key)
//	}
func (s *Sync) Note(index uint64, what string) (live bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.wasReady {
		return true
	}
	s.notes.take(index, what)
	return false
}

// Restored is for the host's Restore: a snapshot changes things without a word about which. It
// answers whether replay is over, so that whoever depends on the state looks at all of it now; while
// it is not, the hook is told that everything changed, unless the snapshot holds nothing beyond what
// the run before had applied.
func (s *Sync) Restored() (live bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	switch {
	case s.wasReady:
		return true
	case s.follows():
		s.notes.all()
	default:
		s.notes.restored = true
	}
	return false
}

// Seen is whether an entry was applied by the run before already, as far as that was persisted.
func (s *Sync) Seen(index uint64) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return index <= s.notes.before
}

func (n *notes) take(index uint64, what string) {
	if index <= n.before || n.everything {
		return
	}
	if _, known := n.known[what]; known {
		return
	}
	if len(n.order) == mostNotes {
		n.all()
		return
	}
	if n.known == nil {
		n.known = map[string]struct{}{}
	}
	n.known[what] = struct{}{}
	n.order = append(n.order, what)
}

func (n *notes) all() { n.everything, n.known, n.order = true, nil, nil }

// end hands over what was noted and lets go of it.
func (n *notes) end(applied uint64, took time.Duration) Start {
	start := Start{
		Applied: applied, Before: n.before, Changed: n.order, Everything: n.everything, Took: took,
	}
	n.known, n.order = nil, nil
	return start
}

// rate is how fast entries are applied, over about a second.
type rate struct {
	since time.Time
	from  uint64
	last  float64
}

func (r *rate) take(applied uint64) float64 {
	if r.since.IsZero() {
		r.since, r.from = time.Now(), applied
		return 0
	}
	if passed := time.Since(r.since); passed >= time.Second {
		r.last = float64(applied-min(r.from, applied)) / passed.Seconds()
		r.since, r.from = time.Now(), applied
	}
	return r.last
}
