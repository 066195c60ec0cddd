package protocol

import (
	"context"
	"testing"
	"time"
)

// five is the view of a leader: n1 leads, n2 to n4 vote and answer, n5 learns and is level.
func five(change func(*GroupView)) *GroupView {
	heard := Progress{MatchedIndex: Known(uint64(100)), LastContactMS: Known(uint64(10))}
	view := &GroupView{
		Group: "default", Member: "n1", State: Leader, Term: 3, Leader: Known("n1"),
		ClaimsLeadership: true, QuorumEvidenceMS: Known(uint64(10)),
		ElectionTimeoutMS: 1000, HeartbeatIntervalMS: 100, LastIndex: Known(uint64(100)),
		Membership: Membership{Revision: "7", Committed: true, Configs: [][]string{{"n1", "n2", "n3", "n4"}}},
		Progress:   map[string]Progress{"n2": heard, "n3": heard, "n4": heard, "n5": heard},
		Burned:     []string{"gone"},
	}
	for _, id := range []string{"n1", "n2", "n3", "n4"} {
		view.Membership.Members = append(view.Membership.Members, Member{ID: id, Role: RoleVoter})
	}
	view.Membership.Members = append(view.Membership.Members, Member{ID: "n5", Role: RoleLearner})
	if change != nil {
		change(view)
	}
	return view
}

func silent(ids ...string) func(*GroupView) {
	return func(view *GroupView) {
		for _, id := range ids {
			view.Progress[id] = Progress{MatchedIndex: Known(uint64(100)), LastContactMS: Known(uint64(5000))}
		}
	}
}

func behind(id string, lag uint64) func(*GroupView) {
	return func(view *GroupView) {
		view.Progress[id] = Progress{MatchedIndex: Known(100 - lag), LastContactMS: Known(uint64(10))}
	}
}

func TestTheRules(t *testing.T) {
	limits := Limits{AskedMS: 100, PromoteLag: 20}.WithDefaults()
	for _, c := range []struct {
		name   string
		action Action
		member string
		change func(*GroupView)
		code   string
	}{
		{"add", AddLearner, "n6", nil, ""},
		{"add a member", AddLearner, "n5", nil, "already-member"},
		{"add a former member", AddLearner, "gone", nil, "id-burned"},
		{"promote", Promote, "n5", nil, ""},
		{"promote nobody", Promote, "x", nil, "member-unknown"},
		{"promote a voter", Promote, "n2", nil, "already-voter"},
		{"promote the silent", Promote, "n5", silent("n5"), "not-heard"},
		{"promote who never answered", Promote, "n5", func(v *GroupView) { delete(v.Progress, "n5") }, "not-heard"},
		{"promote at the limit", Promote, "n5", behind("n5", 20), ""},
		{"promote beyond the limit", Promote, "n5", behind("n5", 21), "not-level"},
		{"promote into a lost majority", Promote, "n5", silent("n2", "n3", "n4"), "majority-at-risk"},
		{"demote", Demote, "n2", nil, ""},
		{"demote the silent", Demote, "n2", silent("n2"), ""},
		{"demote where it costs the majority", Demote, "n2", silent("n3", "n4"), "majority-at-risk"},
		{"demote a learner", Demote, "n5", nil, "not-a-voter"},
		{"demote the leader", Demote, "n1", nil, "is-leader"},
		{"demote nobody", Demote, "x", nil, "member-unknown"},
		{"remove a voter", Remove, "n2", nil, ""},
		{"remove a voter while a learner is silent too: it counts for no majority", Remove, "n2", silent("n3", "n5"), ""},
		{"remove a dead learner", Remove, "n5", silent("n5"), ""},
		{"remove the leader", Remove, "n1", nil, "is-leader"},
		{"remove nobody", Remove, "x", nil, "member-unknown"},
		{"transfer", Transfer, "n2", nil, ""},
		{"transfer to the leader", Transfer, "n1", nil, "already-leader"},
		{"transfer to a learner", Transfer, "n5", nil, "not-a-voter"},
		{"transfer to nobody", Transfer, "x", nil, "member-unknown"},
		{"transfer to the silent", Transfer, "n2", silent("n2"), "not-heard"},
		{"transfer to who is behind", Transfer, "n2", behind("n2", 5), "not-level"},
		{"snapshot", Snapshot, "", nil, ""},
	} {
		refused := Allows(five(c.change), c.action, c.member, limits)
		if (refused == nil) != (c.code == "") || refused != nil && refused.Code != c.code {
			t.Errorf("%s: %v instead of %q", c.name, refused, c.code)
		}
	}
}

func TestWhatHoldsForEveryChange(t *testing.T) {
	for _, c := range []struct {
		code   string
		change func(*GroupView)
	}{
		{"", nil},
		{"core-stopped", func(v *GroupView) { v.Fault = Known("it hangs") }},
		{"not-leader", func(v *GroupView) { v.State = Follower }},
		{"no-quorum", func(v *GroupView) { v.QuorumEvidenceMS = nil }},
		{"no-quorum", func(v *GroupView) { v.QuorumEvidenceMS = Known(uint64(1001)) }},
		{"revision-moved", func(v *GroupView) { v.Membership.Revision = "8" }},
		{"change-in-progress", func(v *GroupView) { v.Membership.Committed = false }},
		{"change-in-progress", func(v *GroupView) { v.Membership.Configs = append(v.Membership.Configs, nil) }},
	} {
		refused := Leading(five(c.change), "7")
		if (refused == nil) != (c.code == "") || refused != nil && refused.Code != c.code {
			t.Errorf("%v instead of %q", refused, c.code)
		}
	}
}

func TestOnlyWhoHasAnsweredSinceTheQuestionAnswersNow(t *testing.T) {
	looks := 0
	look := func() *GroupView {
		looks++
		return five(func(v *GroupView) {
			if looks > 1 {
				v.Progress["n5"] = Progress{MatchedIndex: Known(uint64(100)), LastContactMS: Known(uint64(0))}
				v.Progress["n2"], v.Progress["n3"] = v.Progress["n5"], v.Progress["n5"]
			}
		})
	}
	limits := Limits{Patience: 5 * time.Second}.WithDefaults()
	if _, refused := Patiently(context.Background(), look, Promote, "n5", "7", limits); refused != nil || looks < 2 {
		t.Fatal(refused, looks)
	}
	began := time.Now()
	_, refused := Patiently(context.Background(), look, Promote, "n2", "7", limits)
	if refused == nil || time.Since(began) > time.Second {
		t.Fatal("what time does not cure was waited for", refused)
	}
}
