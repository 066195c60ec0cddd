package cost

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

func TestVariantsTakeTurnsAndAreComparedRoundByRound(t *testing.T) {
	var order []string
	variant := func(name string, slow int64) Variant {
		return Variant{Name: name, Leader: os.Getpid(), Round: func(proposals int) ([]int64, error) {
			order = append(order, name)
			took := make([]int64, proposals)
			for n := range took {
				took[n] = slow
			}
			return took, nil
		}}
	}
	var out strings.Builder
	variants := []Variant{variant("alone", 1000), variant("alone again", 1000), variant("with", 1500)}
	if err := Measure(&out, "made up", variants, Plan{Rounds: 3, Proposals: 4}); err != nil {
		t.Fatal(err)
	}
	// The first round of each warms up; then each begins once.
	turns := strings.Join(order[3:], ", ")
	if turns != "alone, alone again, with, alone again, with, alone, with, alone, alone again" {
		t.Fatal(turns)
	}
	for _, part := range []string{"| alone again |", "1.50 ms (1.50–1.50)", "| 1.50 (1.50–1.50) | 1.50 (1.50–1.50) |", "| 1.00 (1.00–1.00) |"} {
		if !strings.Contains(out.String(), part) {
			t.Fatalf("%s is not in %s", part, out.String())
		}
	}
}

func measured(t *testing.T, plan Plan, variants ...Variant) string {
	t.Helper()
	var out strings.Builder
	if err := Measure(&out, "made up", variants, plan); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// noisy proposals take around so many microseconds, a tenth more and less from round to round.
func noisy(name string, micros int64) Variant {
	round := int64(0)
	return Variant{Name: name, Leader: os.Getpid(), Round: func(int) ([]int64, error) {
		round++
		return []int64{micros + micros/10*(round%3-1)}, nil
	}}
}

func shifted(v Variant) Variant {
	_, _ = v.Round(1)
	return v
}

func TestADifferenceIsDecidedAndNoiseIsSaidToBeNone(t *testing.T) {
	twin := shifted(noisy("again", 1000))
	twin.Twin = true
	out := measured(t, Plan{Rounds: 12, Proposals: 1}, noisy("alone", 1000), twin, shifted(noisy("as fast", 1000)), noisy("slow", 1500))
	for _, part := range []string{"as fast, at p99: not measurable", "slow, at p99: +50 % (+50 to +50)"} {
		if !strings.Contains(out, part) {
			t.Fatalf("%s is not in %s", part, out)
		}
	}
	twin = noisy("again", 2000)
	twin.Twin = true
	out = measured(t, Plan{Rounds: 12, Proposals: 1}, noisy("alone", 1000), twin, noisy("slow", 1500))
	if !strings.Contains(out, "slow, at p99: not decided: the program differs from itself") {
		t.Fatal(out)
	}
}

func TestARoundThatFailsIsLeftOutForAll(t *testing.T) {
	asked := 0
	shaky := Variant{Name: "shaky", Leader: os.Getpid(), Round: func(int) ([]int64, error) {
		if asked++; asked%3 == 0 {
			return nil, errors.New("an election")
		}
		return []int64{1000}, nil
	}}
	out := measured(t, Plan{Rounds: 12, Proposals: 1}, noisy("alone", 1000), shaky)
	if !strings.Contains(out, ": 8 rounds of 1") || !strings.Contains(out, "Left out: 4 of 12 rounds; the last of them: shaky: an election") {
		t.Fatal(out)
	}
	shaky.Round = func(int) ([]int64, error) { return nil, errors.New("an election") }
	if err := Measure(&strings.Builder{}, "made up", []Variant{noisy("alone", 1000), shaky}, Plan{Rounds: 12, Proposals: 1}); err == nil {
		t.Fatal("nothing was measured, and nobody was told")
	}
}

func TestTimeThatIsOverLeavesTheRestUndecided(t *testing.T) {
	out := measured(t, Plan{Rounds: 12, Proposals: 1, Limit: 1}, noisy("alone", 1000), Variant{Name: "slow", Leader: os.Getpid(),
		Round: func(int) ([]int64, error) { time.Sleep(time.Millisecond); return []int64{1000}, nil }})
	if !strings.Contains(out, errLate.Error()) || !strings.Contains(out, "slow, at p99: not decided: too few rounds") {
		t.Fatal(out)
	}
}
