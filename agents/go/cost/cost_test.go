package cost

import (
	"os"
	"strings"
	"testing"
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
