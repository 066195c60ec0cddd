package trials

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"quorate.dev/agent/go/cost"
	"quorate.dev/agent/go/protocol"
)

// BenchmarkWhatTheAgentCosts measures three hosts of 200 groups, which sync every write to the disk: without the
// agent, without it once more, with it, and with it while a console looks. Once is enough: `-benchtime 1x`.
func BenchmarkWhatTheAgentCosts(b *testing.B) {
	for b.Loop() {
		ctx, cancel := context.WithCancel(context.Background())
		variants := []cost.Variant{
			hosts(b, "without the agent", true), hosts(b, "without it, once more", true), hosts(b, "with the agent", false),
		}
		looked := ofThree(b, false)
		leader := looked.ownLeader()
		go looked.watched(ctx, leader)
		variants = append(variants, looked.variant("with it, and a console that looks twice a second", leader))
		// Groups that nobody writes to fall asleep some time after their start.
		plan := cost.Plan{Settle: 20 * time.Second, Rest: 20 * time.Second, Rounds: 24, Proposals: 200}
		err := cost.Measure(os.Stdout, "Dragonboat, a host of 200 groups", variants, plan)
		cancel()
		if err != nil {
			b.Fatal(err)
		}
	}
}

func ofThree(b *testing.B, bare bool) *cluster {
	c := newCluster(b, 0, 200, false)
	for n := 1; n <= 3; n++ {
		if bare {
			c.extra[n] = []string{"--bare"}
		}
		c.start(n)
	}
	return c
}

func hosts(b *testing.B, name string, bare bool) cost.Variant {
	c := ofThree(b, bare)
	return c.variant(name, c.ownLeader())
}

// ownLeader is the host that Dragonboat itself says leads the first group.
func (c *cluster) ownLeader() (leader int) {
	c.eventually("a leader", func() bool {
		for n := 1; n <= 3; n++ {
			if told := c.truth(n, 1); told != nil && told.Valid && told.Leader == uint64(n) {
				leader = n
			}
		}
		return leader != 0
	})
	return leader
}

func (c *cluster) variant(name string, leader int) cost.Variant {
	patient := &http.Client{Timeout: 3 * time.Minute}
	return cost.Variant{Name: name, Leader: c.hosts[leader].command.Process.Pid, Round: func(proposals int) ([]int64, error) {
		response, err := patient.Get(fmt.Sprintf("%s/switches/latency?shard=1&n=%d", c.hosts[leader].origin(), proposals))
		if err != nil {
			return nil, err
		}
		defer func() { _ = response.Body.Close() }()
		if response.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s", response.Status)
		}
		var took []int64
		return took, json.NewDecoder(response.Body).Decode(&took)
	}}
}

// watched asks as a console does: the bulk state and one group, twice a second.
func (c *cluster) watched(ctx context.Context, n int) {
	for ctx.Err() == nil {
		request, _ := http.NewRequestWithContext(ctx, http.MethodGet, c.hosts[n].origin()+protocol.Base+"/groups", nil)
		request.Header.Set("Authorization", "Bearer "+token)
		if response, err := direct.Do(request); err == nil {
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
		}
		_, _ = c.view(n, "default")
		time.Sleep(500 * time.Millisecond)
	}
}
