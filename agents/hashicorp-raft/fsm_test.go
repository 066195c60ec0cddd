package agent

import (
	"fmt"
	"testing"

	"github.com/hashicorp/raft"
)

func TestFormerMembersAreKeptUpToABound(t *testing.T) {
	crowd := make([]raft.Server, mostDeparted)
	for n := range crowd {
		crowd[n].ID = raft.ServerID(fmt.Sprint("n", n))
	}
	seen := &machine{}
	seen.learn(1, crowd)
	seen.learn(2, []raft.Server{{ID: "a"}})
	seen.learn(3, []raft.Server{{ID: "b"}})
	seen.remember([]string{"x", "y"})
	burned := seen.burned()
	if len(burned) != mostDeparted || burned[0] != "n0" {
		t.Fatal(len(burned), "ids are kept")
	}
	// An older configuration, from a snapshot that is read late, changes nothing.
	seen.learn(2, crowd)
	if known := seen.configuration(); known.index != 3 || len(seen.burned()) != mostDeparted {
		t.Fatal(known.index)
	}
	// Who is a member again is not kept from use as long as it is one.
	seen.learn(4, crowd[:1])
	if len(seen.burned()) != mostDeparted-1 {
		t.Fatal(len(seen.burned()))
	}
}
