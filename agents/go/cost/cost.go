// Package cost measures what an agent costs the program it runs in: the same program without it, with it, and
// with it while a console looks, side by side on the same machine at the same time.
//
// The variants take turns, round by round, so that whatever else the machine does falls on all of them; and the
// program without an agent is there twice, so that what two equal programs differ by is known too. It knows
// nothing of Raft: how a round is run is the caller's.
package cost

import (
	"errors"
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
	// Twin is the first variant once more: what two equal programs differ by.
	Twin bool
	// Round makes so many proposals, one after the other, and tells how long each took, in microseconds. It ends
	// within a bounded time, if need be with an error: a round with an election in it is left out.
	Round func(proposals int) ([]int64, error)
}

// Plan of a measurement.
type Plan struct {
	// Rest is how long the processes are watched doing nothing, Settle how long before they are left alone.
	Settle, Rest time.Duration
	// Rounds of each variant, in turns, of so many proposals each.
	Rounds, Proposals int
	// Limit of all rounds together; those that were not run by then are left out. None if 0.
	Limit time.Duration
}

// figures of one variant.
type figures struct {
	cpu      float64
	memory   int
	p50, p99 []float64
}

// Measure runs the plan, writes a table, and what it decides. The first variant is what the others are compared
// with. It is an error only if no round at all could be run.
func Measure(out io.Writer, title string, variants []Variant, plan Plan) error {
	found, err := rest(variants, plan)
	if err != nil {
		return err
	}
	// Not counted: files grow, connections warm up.
	_, _ = rounds(variants, make([]figures, len(variants)), Plan{Rounds: 1, Proposals: plan.Proposals})
	run, err := rounds(variants, found, plan)
	if run == 0 {
		return fmt.Errorf("not one of %d rounds could be run: %w", plan.Rounds, err)
	}
	tell(out, title, variants, found, plan, run)
	if err != nil {
		fmt.Fprintf(out, "\nLeft out: %d of %d rounds; the last of them: %v\n", plan.Rounds-run, plan.Rounds, err)
	}
	decide(out, variants, found, plan, run)
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

var errLate = errors.New("the time for all rounds was over")

// rounds has each variant begin equally often, and tells how many rounds could be run, and why the last of the
// others could not. A round counts for all variants or for none: it is the neighbours that are compared.
func rounds(variants []Variant, found []figures, plan Plan) (run int, last error) {
	began := time.Now()
	for round := range plan.Rounds {
		if round > 0 && plan.Limit > 0 && time.Since(began) > plan.Limit {
			return run, errLate
		}
		sorted, err := turns(variants, round, plan.Proposals)
		if err != nil {
			last = err
			continue
		}
		for n, took := range sorted {
			found[n].p50 = append(found[n].p50, float64(took[len(took)/2]))
			found[n].p99 = append(found[n].p99, float64(took[len(took)*99/100]))
		}
		run++
	}
	return run, last
}

func turns(variants []Variant, round, proposals int) ([][]int64, error) {
	sorted := make([][]int64, len(variants))
	for turn := range variants {
		n := (round + turn) % len(variants)
		took, err := variants[n].Round(proposals)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", variants[n].Name, err)
		}
		if len(took) == 0 {
			return nil, fmt.Errorf("%s: no proposal was made", variants[n].Name)
		}
		slices.Sort(took)
		sorted[n] = took
	}
	return sorted, nil
}

func tell(out io.Writer, title string, variants []Variant, found []figures, plan Plan, run int) {
	fmt.Fprintf(out, "\n%s: %d rounds of %d proposals each, in turns; medians, and in brackets the middle half\n\n", title, run, plan.Proposals)
	fmt.Fprintln(out, "| | idle, of a core | memory | p50 | p99 | p50 against the first | p99 against the first |")
	fmt.Fprintln(out, "| --- | --- | --- | --- | --- | --- | --- |")
	for n, variant := range variants {
		f := found[n]
		fmt.Fprintf(out, "| %s | %.1f %% | %d MB | %s | %s | %s | %s |\n", variant.Name, f.cpu, f.memory,
			milliseconds(f.p50), milliseconds(f.p99), ratio(f.p50, found[0].p50), ratio(f.p99, found[0].p99))
	}
}

// decide says of every variant what it costs. The middle half of two dozen rounds is wider than what is certain of
// their median, so a middle half that leaves out 1 is a difference; unless the twin differs like that as well.
func decide(out io.Writer, variants []Variant, found []figures, plan Plan, run int) {
	fmt.Fprintln(out)
	for n, variant := range variants {
		if n == 0 || variant.Twin {
			continue
		}
		for _, part := range []struct {
			name string
			of   func(figures) []float64
		}{
			{"p50", func(f figures) []float64 { return f.p50 }}, {"p99", func(f figures) []float64 { return f.p99 }},
		} {
			verdict := verdict(part.of(found[n]), part.of(found[0]))
			if run < 8 || 2*run < plan.Rounds {
				verdict = "not decided: too few rounds"
			}
			for twin := range variants {
				if variants[twin].Twin && differs(part.of(found[twin]), part.of(found[0])) {
					verdict = "not decided: the program differs from itself"
				}
			}
			fmt.Fprintf(out, "%s, at %s: %s\n", variant.Name, part.name, verdict)
		}
	}
}

func verdict(of, to []float64) string {
	low, middle, high := quartiles(ratios(of, to))
	if !differs(of, to) {
		return fmt.Sprintf("not measurable (%+.0f %%, the middle half from %+.0f to %+.0f %%)", 100*middle-100, 100*low-100, 100*high-100)
	}
	return fmt.Sprintf("%+.0f %% (%+.0f to %+.0f)", 100*middle-100, 100*low-100, 100*high-100)
}

func differs(of, to []float64) bool {
	low, _, high := quartiles(ratios(of, to))
	return low > 1 || high < 1
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

func ratio(of, to []float64) string {
	low, middle, high := quartiles(ratios(of, to))
	return fmt.Sprintf("%.2f (%.2f–%.2f)", middle, low, high)
}

// ratios of the rounds that were run next to each other.
func ratios(of, to []float64) []float64 {
	each := make([]float64, len(of))
	for n := range of {
		each[n] = of[n] / max(to[n], 1)
	}
	return each
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
