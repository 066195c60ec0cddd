package cost

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"quorate.dev/agent/go/protocol"
)

// nodesProgram names the variable with the path of the program whose nodes are measured.
const nodesProgram = "QUORATE_TEST_OPENRAFT_NODES"

const nodesToken = "a-token-for-measurements"

// BenchmarkWhatTheAgentOfOpenraftCosts measures the demo's nodes, which sync every write to the disk: without the
// agent, without it once more, with it, and with it while a console looks. The agent is Rust, so its nodes are
// programs of their own; a proposal is a request to the leader. Once is enough: `-benchtime 1x`.
func BenchmarkWhatTheAgentOfOpenraftCosts(b *testing.B) {
	program := os.Getenv(nodesProgram)
	if program == "" {
		b.Skipf("NOT MEASURED: %s does not say where the program is", nodesProgram)
	}
	for b.Loop() {
		looked := newNodes(b, program)
		end := looked.lookedAt(b)
		variants := []Variant{
			newNodes(b, program, "--without-agent").variant("without the agent"),
			newNodes(b, program, "--without-agent").variant("without it, once more"),
			newNodes(b, program).variant("with the agent"),
			looked.variant("with it, and a console that looks twice a second"),
		}
		variants[1].Twin = true
		plan := Plan{Settle: 5 * time.Second, Rest: 20 * time.Second, Rounds: 24, Proposals: 400, Limit: 5 * time.Minute}
		err := Measure(os.Stdout, "openraft, the leader of three", variants, plan)
		end()
		if err != nil {
			b.Fatal(err)
		}
	}
}

// nodes are three processes, and which of them leads.
type nodes struct {
	leader  string
	pids    map[string]int
	origins []string
	http    *http.Client
}

func newNodes(b *testing.B, program string, more ...string) *nodes {
	dir := b.TempDir()
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte(nodesToken), 0o600); err != nil {
		b.Fatal(err)
	}
	n := &nodes{pids: map[string]int{}, http: &http.Client{Timeout: 30 * time.Second}}
	voters := map[string]string{}
	for _, id := range []string{"1", "2", "3"} {
		at := filepath.Join(dir, "node-"+id)
		arguments := append([]string{"demo-node", "--dir", at, "--listen", "127.0.0.1:0", "--id", id, "--cluster-id",
			"measured", "--token-file", token, "--parent", strconv.Itoa(os.Getpid()), "--first-start"}, more...)
		command := exec.Command(program, arguments...)
		command.Stderr = os.Stderr
		if err := command.Start(); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			_ = command.Process.Kill()
			_ = command.Wait()
		})
		voters[id] = address(b, at)
		origin := "http://" + voters[id]
		n.pids[origin] = command.Process.Pid
		n.origins = append(n.origins, origin)
	}
	first, err := json.Marshal(voters)
	if err != nil {
		b.Fatal(err)
	}
	eventually(b, "it takes its first members", func() bool {
		return n.ask(http.MethodPost, n.origins[0]+"/demo/init", first) == nil
	})
	eventually(b, "somebody leads", n.led)
	return n
}

// address is where a node listens by its own record.
func address(b *testing.B, dir string) (found string) {
	eventually(b, "it listens", func() bool {
		var record struct{ Address string }
		text, err := os.ReadFile(filepath.Join(dir, "node.json"))
		if err != nil || json.Unmarshal(text, &record) != nil {
			return false
		}
		found = record.Address
		return true
	})
	return found
}

func eventually(b *testing.B, what string, holds func() bool) {
	b.Helper()
	for began := time.Now(); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			b.Fatalf("never seen: %s", what)
		}
	}
}

func (n *nodes) ask(method, url string, body []byte) error {
	request, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+nodesToken)
	request.Header.Set("Content-Type", "application/json")
	response, err := n.http.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	told, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, strings.TrimSpace(string(told)))
	}
	return err
}

func (n *nodes) propose(origin string) error {
	return n.ask(http.MethodPut, origin+"/kv/measured", []byte("an entry"))
}

// led looks who takes a proposal: that is the leader.
func (n *nodes) led() bool {
	for _, origin := range n.origins {
		if n.propose(origin) == nil {
			n.leader = origin
			return true
		}
	}
	return false
}

// wait until somebody leads again, but not for ever.
func (n *nodes) wait() {
	for began := time.Now(); time.Since(began) < 10*time.Second && !n.led(); {
		time.Sleep(100 * time.Millisecond)
	}
}

func (n *nodes) variant(name string) Variant {
	return Variant{Name: name, Leader: n.pids[n.leader], Round: func(proposals int) ([]int64, error) {
		took := make([]int64, 0, proposals)
		for range proposals {
			began := time.Now()
			if err := n.propose(n.leader); err != nil {
				n.wait() // For the next round.
				return nil, errors.Join(errors.New("a proposal was lost"), err)
			}
			took = append(took, time.Since(began).Microseconds())
		}
		return took, nil
	}}
}

// lookedAt is a console that asks every node twice a second, once each of them has answered it.
func (n *nodes) lookedAt(b *testing.B) func() {
	ctx, cancel := context.WithCancel(context.Background())
	peer := protocol.Peer{Token: nodesToken}
	for _, origin := range n.origins {
		look := func() bool {
			_, err := peer.View(ctx, origin, protocol.DefaultGroup)
			return err == nil
		}
		eventually(b, "the agent answers", look)
		go func() {
			for ctx.Err() == nil {
				look()
				time.Sleep(500 * time.Millisecond)
			}
		}()
	}
	return cancel
}
