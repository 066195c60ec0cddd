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
func spent(t testing.TB, pid int) (time.Duration, int) {
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

// The benchmarks measure three hosts of 200 groups without the agent, with it, and with it while a console
// looks: idle, then proposing one entry after the other. Once each is enough: `-benchtime 1x`.
func BenchmarkAHostAlone(b *testing.B)         { cost(b, true, false) }
func BenchmarkAHostWithItsAgent(b *testing.B)  { cost(b, false, false) }
func BenchmarkAHostThatIsWatched(b *testing.B) { cost(b, false, true) }

func cost(b *testing.B, bare, watched bool) {
	for b.Loop() {
		c := newCluster(b, 0, 200, false)
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
		c.measure(b, leader, watched)
		c.close()
	}
}

func (c *cluster) measure(b *testing.B, leader int, watched bool) {
	pid := c.hosts[leader].command.Process.Pid
	// Groups that nobody writes to fall asleep some time after their start.
	_ = c.share(pid, 15*time.Second)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if watched {
		go c.watched(ctx, leader)
	}
	b.ReportMetric(c.share(pid, 10*time.Second), "%cpu")
	_, memory := spent(b, pid)
	b.ReportMetric(float64(memory), "MB")
	var took map[string]int64
	if err := c.raw(leader, "latency", "shard=1&n=2000", &took); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(took["p50"]), "p50-µs")
	b.ReportMetric(float64(took["p99"]), "p99-µs")
}

// share of a processor that a process takes for so long.
func (c *cluster) share(pid int, long time.Duration) float64 {
	c.t.Helper()
	before, _ := spent(c.t, pid)
	began := time.Now()
	time.Sleep(long)
	after, _ := spent(c.t, pid)
	return 100 * float64(after-before) / float64(time.Since(began))
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
