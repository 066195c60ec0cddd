package trials

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
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
		variants[1].Twin = true
		looked := ofThree(b, false)
		leader := looked.ownLeader()
		go looked.watched(ctx, leader)
		variants = append(variants, looked.variant("with it, and a console that looks twice a second", leader))
		// Groups that nobody writes to fall asleep some time after their start.
		plan := cost.Plan{Settle: 20 * time.Second, Rest: 20 * time.Second, Rounds: 24, Proposals: 200, Limit: 8 * time.Minute}
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
		leader = c.toldLeader()
		return leader != 0
	})
	return leader
}

// toldLeader is 0 if no host says that it leads.
func (c *cluster) toldLeader() int {
	for n := 1; n <= 3; n++ {
		if told := c.truth(n, 1); told != nil && told.Valid && told.Leader == uint64(n) {
			return n
		}
	}
	return 0
}

// leadsAgain hands leadership back that an election took away: it is one host that is measured.
func (c *cluster) leadsAgain(leader int) error {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		switch now := c.toldLeader(); now {
		case leader:
			return nil
		case 0:
		default:
			_ = c.raw(now, "transfer", fmt.Sprintf("shard=1&replica=%d", leader), nil)
		}
	}
	return fmt.Errorf("host-%d lost leadership, and did not get it back", leader)
}

func (c *cluster) variant(name string, leader int) cost.Variant {
	return cost.Variant{Name: name, Leader: c.hosts[leader].command.Process.Pid, Round: func(proposals int) ([]int64, error) {
		if err := c.leadsAgain(leader); err != nil {
			return nil, err
		}
		return c.latency(leader, proposals)
	}}
}

// latency is how long proposals to the first group took, one after the other, in microseconds.
func (c *cluster) latency(n, proposals int) ([]int64, error) {
	patient := &http.Client{Timeout: time.Minute}
	response, err := patient.Get(fmt.Sprintf("%s/switches/latency?shard=1&n=%d", c.hosts[n].origin(), proposals))
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", response.Status, strings.TrimSpace(string(body)))
	}
	var took []int64
	return took, json.Unmarshal(body, &took)
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

// A round ends within half a minute, and on a busy machine an election alone may take most of that.
func TestAMeasurementOutlivesProposalsThatAnElectionLost(t *testing.T) {
	c := running(t, 0, 1, false)
	var err error
	for range 5 {
		if err = c.measuredThroughAnElection(50); err == nil {
			return
		}
		t.Log(err)
	}
	t.Fatal(err)
}

func (c *cluster) measuredThroughAnElection(proposals int) error {
	leader := c.leader()
	c.partition(leader, true)
	answered := make(chan error, 1)
	go func() {
		took, err := c.latency(leader, proposals)
		if err == nil && len(took) != proposals {
			err = fmt.Errorf("%d proposals", len(took))
		}
		answered <- err
	}()
	c.eventually("another leads", func() bool { now := c.toldLeader(); return now != 0 && now != leader })
	c.partition(leader, false)
	if err := <-answered; err != nil {
		return err
	}
	return c.leadsAgain(leader)
}
