package trials

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"quorate.dev/agent/go/protocol"
)

// spent is the processor time of a process, and what it holds in memory.
func spent(t *testing.T, pid int) (time.Duration, int) {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	pages, _ := strconv.Atoi(fields[21])
	return time.Duration(user+system) * 10 * time.Millisecond, pages * os.Getpagesize() >> 20
}

// A measurement, with nothing to hold but that the bulk state of 200 real groups comes fast enough: three hosts
// with and without the agent, idle, watched twice a second, and proposing. It wants a machine of its own, so it
// is part of the slow rounds.
func TestWhatTheAgentCosts(t *testing.T) {
	if os.Getenv("QUORATE_TEST_SLOW") != "1" {
		return
	}
	for _, bare := range []bool{true, false, true, false} {
		c := newCluster(t, 0, 200, false)
		for n := 1; n <= 3; n++ {
			if bare {
				c.extra[n] = []string{"--bare"}
			}
			c.start(n)
		}
		leader := 0
		c.eventually("a leader", func() bool {
			for n := 1; n <= 3; n++ {
				if told := c.truth(n, 1); told != nil && told.Valid && told.Leader == uint64(n) {
					leader = n
				}
			}
			return leader != 0
		})
		pid := c.hosts[leader].command.Process.Pid
		c.measure(fmt.Sprintf("bare %t, idle", bare), pid, leader, false)
		if !bare {
			c.measure("watched", pid, leader, true)
		}
		c.close()
	}
}

func (c *cluster) measure(what string, pid, leader int, watched bool) {
	c.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if watched {
		go c.watched(ctx, leader)
	}
	before, _ := spent(c.t, pid)
	began := time.Now()
	time.Sleep(8 * time.Second)
	after, memory := spent(c.t, pid)
	share := 100 * float64(after-before) / float64(time.Since(began))
	var took map[string]int64
	if err := c.raw(leader, "latency", "shard=1&n=2000", &took); err != nil {
		c.t.Fatal(err)
	}
	c.t.Logf("%s: %.1f %% of a processor, %d MB, proposals p50 %d µs, p99 %d µs", what, share, memory, took["p50"], took["p99"])
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
