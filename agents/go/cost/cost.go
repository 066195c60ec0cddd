// Package cost measures what an agent costs the program it runs in: the same program without it, with it, and
// with it while a console looks, side by side on the same machine at the same time.
//
// The variants take turns, round by round, so that whatever else the machine does falls on all of them; and the
// program without an agent is there twice, so that what two equal programs differ by is known too. It knows
// nothing of Raft: how a round is run is the caller's.
package cost

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Variant of the program, running.
type Variant struct {
	Name string
	// Leader is the process that is measured at rest.
	Leader int
	// Round makes so many proposals, one after the other, and tells how long each took, in microseconds.
	Round func(proposals int) ([]int64, error)
}

// Plan of a measurement.
type Plan struct {
	// Rest is how long the processes are watched doing nothing, Settle how long before they are left alone.
	Settle, Rest time.Duration
	// Rounds of each variant, in turns, of so many proposals each.
	Rounds, Proposals int
}

// figures of one variant.
type figures struct {
	cpu      float64
	memory   int
	p50, p99 []float64
}

// Measure runs the plan and writes a table. The first variant is what the others are compared with.
func Measure(out io.Writer, title string, variants []Variant, plan Plan) error {
	found, err := rest(variants, plan)
	if err != nil {
		return err
	}
	// Not counted: files grow, connections warm up.
	if err := rounds(variants, found, Plan{Rounds: 1, Proposals: plan.Proposals}); err != nil {
		return err
	}
	for n := range found {
		found[n].p50, found[n].p99 = nil, nil
	}
	if err := rounds(variants, found, plan); err != nil {
		return err
	}
	tell(out, title, variants, found, plan)
	return nil
}

// rest measures all at the same time: what the machine does besides is the same for all.
func rest(variants []Variant, plan Plan) ([]figures, error) {
	time.Sleep(plan.Settle)
	found, before := make([]figures, len(variants)), make([]time.Duration, len(variants))
	began := time.Now()
	for n, variant := range variants {
		spent, _, err := Spent(variant.Leader)
		if err != nil {
			return nil, err
		}
		before[n] = spent
	}
	time.Sleep(plan.Rest)
	for n, variant := range variants {
		spent, memory, err := Spent(variant.Leader)
		if err != nil {
			return nil, err
		}
		found[n].cpu = 100 * float64(spent-before[n]) / float64(time.Since(began))
		found[n].memory = memory
	}
	return found, nil
}

// rounds has each variant begin equally often.
func rounds(variants []Variant, found []figures, plan Plan) error {
	for round := range plan.Rounds {
		for turn := range variants {
			n := (round + turn) % len(variants)
			took, err := variants[n].Round(plan.Proposals)
			if err != nil {
				return fmt.Errorf("%s: %w", variants[n].Name, err)
			}
			slices.Sort(took)
			found[n].p50 = append(found[n].p50, float64(took[len(took)/2]))
			found[n].p99 = append(found[n].p99, float64(took[len(took)*99/100]))
		}
	}
	return nil
}

func tell(out io.Writer, title string, variants []Variant, found []figures, plan Plan) {
	fmt.Fprintf(out, "\n%s: %d rounds of %d proposals each, in turns; medians, and in brackets the middle half\n\n", title, plan.Rounds, plan.Proposals)
	fmt.Fprintln(out, "| | idle, of a core | memory | p50 | p99 | p50 against the first | p99 against the first |")
	fmt.Fprintln(out, "| --- | --- | --- | --- | --- | --- | --- |")
	for n, variant := range variants {
		f := found[n]
		fmt.Fprintf(out, "| %s | %.1f %% | %d MB | %s | %s | %s | %s |\n", variant.Name, f.cpu, f.memory,
			milliseconds(f.p50), milliseconds(f.p99), ratio(f.p50, found[0].p50), ratio(f.p99, found[0].p99))
	}
}

// quartiles are the lower one, the median and the upper one.
func quartiles(values []float64) (low, middle, high float64) {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	last := len(sorted) - 1
	return sorted[last/4], sorted[last/2], sorted[last-last/4]
}

func milliseconds(micros []float64) string {
	low, middle, high := quartiles(micros)
	return fmt.Sprintf("%.2f ms (%.2f–%.2f)", middle/1000, low/1000, high/1000)
}

// ratio of the rounds that were run next to each other.
func ratio(of, to []float64) string {
	each := make([]float64, len(of))
	for n := range of {
		each[n] = of[n] / to[n]
	}
	low, middle, high := quartiles(each)
	return fmt.Sprintf("%.2f (%.2f–%.2f)", middle, low, high)
}

// Spent is the processor time of a process, and what it holds in memory, in MB.
func Spent(pid int) (time.Duration, int, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	pages, _ := strconv.Atoi(fields[21])
	return time.Duration(user+system) * 10 * time.Millisecond, pages * os.Getpagesize() >> 20, nil
}
