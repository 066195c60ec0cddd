// Package applied tells what a state machine has certainly done.
package applied

import (
	"sync"
	"time"
)

// settle is how far apart two looks have to be for what was taken out of the state machine's line
// to be inside it, or done.
const settle = 50 * time.Millisecond

// Gauge finds the last entry whose effects a state machine certainly has. The machine is not shown
// every entry, so the last it was shown falls short; what Raft calls applied is only put in line,
// so a busy node may say 2,505 and have done 9. The zero value is ready for use.
type Gauge struct {
	mutex   sync.Mutex
	sampled time.Time
	handed  uint64
	applied uint64
}

// Read takes one look in: the index Raft has handed on, whether some of that waits in line, the
// last index the machine has finished, and whether it is inside a call now.
func (g *Gauge) Read(handed uint64, pending bool, finished uint64, inside bool) uint64 {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.applied = max(g.applied, finished)
	if pending || inside {
		g.sampled = time.Time{}
		return g.applied
	}
	since := time.Since(g.sampled)
	if !g.sampled.IsZero() && since >= settle {
		// What was handed on before the last look was inside by now if it was not done.
		g.applied = max(g.applied, g.handed)
	}
	if g.sampled.IsZero() || since >= settle {
		g.sampled, g.handed = time.Now(), handed
	}
	return g.applied
}
