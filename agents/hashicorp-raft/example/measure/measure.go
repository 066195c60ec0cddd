// Package measure measures what a start costs: how long a node that was away needs until it is
// ready, under different settings.
package measure

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/hashicorp/raft"

	"quorate.dev/agent/hashicorp-raft/example/node"
	"quorate.dev/agent/hashicorp-raft/startup"
)

// trial is one setting.
type trial struct {
	name string
	// maxAppend is raft.Config.MaxAppendEntries.
	maxAppend int
	// missed is how many entries are written while the node is away, had how many before.
	had, missed int
	// ownSnapshot is taken on the node before it goes, leaderSnapshot on the leader while it is away.
	ownSnapshot, leaderSnapshot bool
	persistEvery                time.Duration
	// killed keeps the node from writing its applied index a last time.
	killed bool
	// wiped takes its data away: it comes back as a new learner would.
	wiped bool
	// load is how many entries a second are written while it comes back.
	load int64
}

// result is what was measured.
type result struct {
	ready   time.Duration
	again   uint64
	applied uint64
	writes  uint64
}

// Run measures all settings and prints a table.
func Run(arguments []string, out io.Writer) error {
	flags := flag.NewFlagSet("measure", flag.ContinueOnError)
	entries := flags.Int("entries", 10_000, "entries in the log")
	runs := flags.Int("runs", 3, "runs of each setting; the middle one is told")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "setting\tready after\tentries replayed\tof these new to the hook\twrites of the index before")
	for _, each := range trials(*entries) {
		middle, err := each.middleOf(*runs)
		if err != nil {
			return fmt.Errorf("%s: %w", each.name, err)
		}
		_, _ = fmt.Fprintf(table, "%s\t%d ms\t%d\t%d\t%d\n",
			each.name, middle.ready.Milliseconds(), middle.applied, middle.again, middle.writes)
	}
	return table.Flush()
}

func trials(entries int) []trial {
	list := []trial{{name: "nothing missed, no snapshot", maxAppend: 64, had: entries}}
	for _, size := range []int{16, 64, 256, 1024} {
		list = append(list, trial{
			name:      fmt.Sprintf("all missed, MaxAppendEntries %d", size),
			maxAppend: size, missed: entries,
		})
	}
	list = append(list,
		trial{
			name:      "all missed, MaxAppendEntries 64, 500 writes a second meanwhile",
			maxAppend: 64, missed: entries, load: 500,
		},
		trial{name: "nothing missed, own snapshot", maxAppend: 64, had: entries, ownSnapshot: true},
		trial{name: "all missed, leader's snapshot", maxAppend: 64, missed: entries, leaderSnapshot: true, wiped: true},
	)
	for _, every := range []time.Duration{100 * time.Millisecond, time.Second, 10 * time.Second} {
		list = append(list, trial{
			name:      fmt.Sprintf("killed while writing, index kept every %s", every),
			maxAppend: 64, had: entries, persistEvery: every, killed: true,
		})
	}
	return list
}

func (t trial) middleOf(runs int) (result, error) {
	results := make([]result, 0, runs)
	for range max(1, runs) {
		one, err := t.run()
		if err != nil {
			return result{}, err
		}
		at := len(results)
		for at > 0 && results[at-1].ready > one.ready {
			at--
		}
		results = append(results[:at], append([]result{one}, results[at:]...)...)
	}
	return results[len(results)/2], nil
}

// stage is two nodes: one that leads throughout, one that is started anew.
type stage struct {
	dir   string
	trial trial
	a, b  *node.Node
	given node.Options
}

func (t trial) run() (result, error) {
	dir, err := os.MkdirTemp("", "measure-")
	if err != nil {
		return result{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	s := &stage{dir: dir, trial: t}
	defer s.close()
	if err := s.prepare(); err != nil {
		return result{}, err
	}
	return s.startAnew()
}

func (s *stage) close() {
	for _, each := range []*node.Node{s.a, s.b} {
		if each != nil {
			_ = each.Close()
		}
	}
}

func (s *stage) options(id string) (node.Options, error) {
	port, err := freePort()
	return node.Options{
		ID: id, ClusterID: "measure", Dir: filepath.Join(s.dir, id), Raft: port, Token: "measure",
		Bootstrap: id == "a", PersistEvery: s.trial.persistEvery,
		Tune: func(config *raft.Config) {
			config.MaxAppendEntries = s.trial.maxAppend
			config.SnapshotThreshold = 1 << 40
			if s.trial.leaderSnapshot {
				config.TrailingLogs = 1
			}
		},
	}, err
}

// prepare writes the log, with the second node there for the part it had.
func (s *stage) prepare() error {
	for _, id := range []string{"a", "b"} {
		options, err := s.options(id)
		if err != nil {
			return err
		}
		running, err := node.Start(options)
		if err != nil {
			return err
		}
		if id == "a" {
			s.a = running
			err = wait("a leads", func() bool { return running.Starting.Report().Phase == startup.Ready })
		} else {
			s.b, s.given = running, options
			err = s.a.Raft.AddNonvoter("b", raft.ServerAddress(options.Raft), 0, 0).Error()
		}
		if err != nil {
			return err
		}
	}
	if err := wait("b is ready", func() bool { return s.b.Starting.Report().Phase == startup.Ready }); err != nil {
		return err
	}
	if err := s.writeWhatItHad(); err != nil {
		return err
	}
	_ = s.b.Close()
	if s.trial.wiped {
		if err := os.RemoveAll(s.given.Dir); err != nil {
			return err
		}
	}
	if err := write(s.a, "missed", s.trial.missed); err != nil {
		return err
	}
	if s.trial.leaderSnapshot {
		return s.a.Raft.Snapshot().Error()
	}
	return nil
}

func (s *stage) writeWhatItHad() error {
	if err := write(s.a, "had", s.trial.had); err != nil {
		return err
	}
	level := func() bool { return s.b.Starting.Report().Applied >= s.a.Raft.CommitIndex() }
	if err := wait("b is level", level); err != nil {
		return err
	}
	if s.trial.ownSnapshot {
		return s.b.Raft.Snapshot().Error()
	}
	if !s.trial.killed {
		return nil
	}
	// A steady load, and the file as it stood in the middle of it.
	s.a.Load(5000)
	time.Sleep(2300 * time.Millisecond)
	path := filepath.Join(s.given.Dir, "applied")
	content, err := os.ReadFile(path)
	s.a.Load(0)
	if err != nil {
		return err
	}
	_ = s.b.Close()
	return os.WriteFile(path, content, 0o600)
}

func (s *stage) startAnew() (result, error) {
	var mutex sync.Mutex
	var told *startup.Start
	writes := s.b.Persisted.Writes()
	s.given.OnReady = func(start startup.Start) {
		mutex.Lock()
		defer mutex.Unlock()
		told = &start
	}
	s.a.Load(s.trial.load)
	running, err := node.Start(s.given)
	if err != nil {
		return result{}, err
	}
	s.b = running
	ready := func() bool {
		mutex.Lock()
		defer mutex.Unlock()
		return told != nil
	}
	if err := wait("b is ready again", ready); err != nil {
		return result{}, err
	}
	again := told.Applied - min(told.Before, told.Applied)
	return result{ready: told.Took, again: again, applied: running.Applied(), writes: writes}, nil
}

// write writes in portions that the line of a state machine can take.
func write(to *node.Node, prefix string, count int) error {
	for done := 0; done < count; done += 2000 {
		portion := min(2000, count-done)
		if err := to.PutMany(fmt.Sprintf("%s-%d", prefix, done), portion); err != nil {
			return err
		}
	}
	return nil
}

func wait(what string, holds func() bool) error {
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if holds() {
			return nil
		}
	}
	return fmt.Errorf("never seen: %s", what)
}

func freePort() (string, error) {
	for range 200 {
		port := 15000 + 2*rand.IntN(2500)
		first, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		second, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+1))
		_ = first.Close()
		if err == nil {
			_ = second.Close()
			return fmt.Sprintf("127.0.0.1:%d", port), nil
		}
	}
	return "", fmt.Errorf("no two free ports in a row")
}
