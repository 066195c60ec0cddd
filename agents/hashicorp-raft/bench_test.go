package agent_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"quorate.dev/agent/go/protocol"
	agent "quorate.dev/agent/hashicorp-raft"
	"quorate.dev/agent/hashicorp-raft/example/node"
)

// The bulk state of 10,000 groups and its deltas are measured beside the server that makes them, in
// ../go/protocol: BenchmarkBulkState, BenchmarkDelta.

// BenchmarkProposal is a write on three nodes, one after the other: bare, watched, and watched with
// a console that looks twice a second and follows events. p50 and p99 are told in microseconds.
func BenchmarkProposal(b *testing.B) {
	b.Run("bare", func(b *testing.B) {
		c := newCluster(b, 3)
		// Put together by agents, then started anew without.
		bareAgain(c)
		propose(b, c)
	})
	b.Run("watched", func(b *testing.B) { propose(b, newCluster(b, 3)) })
	b.Run("watched-and-looked-at", func(b *testing.B) {
		c := newCluster(b, 3)
		end := looksAt(b, c)
		defer end()
		propose(b, c)
	})
}

// bareAgain starts all nodes anew, neither watched.
func bareAgain(c *cluster) {
	for id := range c.given {
		c.stop(id)
	}
	for id := range c.given {
		c.restart(id, func(o *node.Options) { o.BareFSM, o.BareTransport = true, true })
	}
}

func propose(b *testing.B, c *cluster) {
	leader := c.nodes[c.leader()]
	took := make([]time.Duration, 0, 4096)
	for b.Loop() {
		began := time.Now()
		if err := leader.Put("k", "v"); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// looksAt is a console: every node asked twice a second, and its events followed.
func looksAt(b *testing.B, c *cluster) func() {
	ctx, cancel := context.WithCancel(context.Background())
	for _, running := range c.nodes {
		go func() {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, running.Origin+protocol.Base+"/events", nil)
			if err != nil {
				return
			}
			request.Header.Set("Authorization", "Bearer "+looking)
			if response, err := http.DefaultClient.Do(request); err == nil {
				_, _ = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
			}
		}()
		go func() {
			for every := time.NewTicker(500 * time.Millisecond); ; {
				select {
				case <-ctx.Done():
					every.Stop()
					return
				case <-every.C:
					_, _ = c.peer.View(ctx, running.Origin, protocol.DefaultGroup)
				}
			}
		}()
	}
	return cancel
}

// BenchmarkView is one look at a leader of three, from memory, without HTTP.
func BenchmarkView(b *testing.B) {
	c := newCluster(b, 3)
	leader := c.nodes[c.leader()].Agent
	b.ReportAllocs()
	for b.Loop() {
		if _, known := leader.View(context.Background(), protocol.DefaultGroup); !known {
			b.Fatal("no view")
		}
	}
}

// BenchmarkWatchedApply is what watching adds to one call of a state machine that does nothing.
func BenchmarkWatchedApply(b *testing.B) {
	watched := agent.Watch(&counts{}, nil)
	log := &raft.Log{Index: 1}
	for b.Loop() {
		watched.FSM.Apply(log)
	}
}

// BenchmarkManyWrites is how fast 2,000 entries given at once are committed.
func BenchmarkManyWrites(b *testing.B) {
	for _, bare := range []bool{true, false} {
		b.Run(map[bool]string{true: "bare", false: "watched"}[bare], func(b *testing.B) {
			c := newCluster(b, 3)
			if bare {
				bareAgain(c)
			}
			leader := c.nodes[c.leader()]
			round := 0
			for b.Loop() {
				round++
				if err := leader.PutMany(fmt.Sprint(round), 2000); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
