package protocol

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
)

// chance makes up values: the same ones in every run.
type chance struct{ *rand.Rand }

// awkward is what JSON escapes, what looks like it, and what is no text at all.
var awkward = []string{
	"a", "/", "'", "<", ">", "&", "\"", "\\", "\x00", "\b", "\t", "\n", "\f", "\r", "\x1f", "\x7f", "é", "😀", "\u2028", "\u2029",
	"\ufffd", "\xc3", "\xff", "\xed\xa0\x80",
}

func (c chance) text() (made string) {
	for range c.IntN(6) {
		made += awkward[c.IntN(len(awkward))]
	}
	return made
}

func (c chance) line() GroupSummary {
	line := GroupSummary{
		Member: c.text(), MembershipRevision: c.text(), Voters: int(c.Uint64()), Learners: c.IntN(3), Group: c.text(),
		Term: c.Uint64(), State: State(c.text()), ClaimsLeadership: c.IntN(2) == 0,
	}
	if fault := c.text(); c.IntN(2) == 0 {
		line.Fault = &fault
	}
	if leader := c.text(); c.IntN(2) == 0 {
		line.Leader = &leader
	}
	if c.IntN(2) == 0 {
		line.LastIndex, line.CommitIndex = Known(c.Uint64()>>c.IntN(64)), Known(c.Uint64())
	}
	return line
}

func TestWhateverIsInTheBulkStateItIsWrittenAsTheLibraryWouldWriteIt(t *testing.T) {
	c := chance{rand.New(rand.NewPCG(1, 2))}
	for range 5000 {
		groups := Groups{Revision: c.text(), Complete: c.IntN(2) == 0, Groups: []GroupSummary{}, Gone: []string{}}
		for range c.IntN(3) {
			groups.Groups, groups.Gone = append(groups.Groups, c.line()), append(groups.Gone, c.text())
		}
		wanted, err := json.Marshal(groups)
		if err != nil {
			t.Fatal(err)
		}
		if written, _ := encoded(groups); string(written) != string(wanted) {
			t.Fatalf("%s\nis not\n%s", written, wanted)
		}
	}
}
