package protocol

import (
	"context"
	"slices"
	"time"
)

// freshIntervals is how many heartbeat intervals an acknowledgement may be old to count as an
// answer.
const freshIntervals = 3

// askedHoldsMS is how old a question to the member itself may be whose answer counts.
const askedHoldsMS = 1000

// glance is how often something awaited is looked at again.
const glance = 25 * time.Millisecond

// Limits are what the rules measure by.
type Limits struct {
	// PromoteLag is how many entries a learner may be behind when it is promoted.
	PromoteLag uint64
	// TransferLag is how many entries a voter may be behind when leadership is handed to it.
	TransferLag uint64
	// Patience is how long a refusal that time alone may cure is tried again.
	Patience time.Duration
	// AskedMS is how long ago the change was asked for. Only who has answered since then answers
	// now: a node that died a moment before still looks fresh.
	AskedMS uint64
}

// WithDefaults fills in what is not given: 100 entries, 4 entries, one second.
func (l Limits) WithDefaults() Limits {
	if l.PromoteLag == 0 {
		l.PromoteLag = 100
	}
	if l.TransferLag == 0 {
		l.TransferLag = 4
	}
	if l.Patience == 0 {
		l.Patience = time.Second
	}
	return l
}

// Leading is what holds for every change of a membership: this node leads, with a quorum behind
// it, the membership is the expected one, and nothing is under way.
func Leading(view *GroupView, expected string) *Refusal {
	switch {
	case view.Fault != nil:
		return CoreStopped(*view.Fault)
	case view.State != Leader:
		return NotLeader(Hint(view))
	case view.QuorumEvidenceMS == nil || *view.QuorumEvidenceMS > view.ElectionTimeoutMS:
		return NoQuorum()
	case view.Membership.Revision != expected:
		return Moved(view.Membership.Revision)
	case len(view.Membership.Configs) > 1:
		return InProgress("A joint configuration is in force; one change at a time.")
	case !view.Membership.Committed:
		return InProgress("The last membership change is not committed yet.")
	default:
		return nil
	}
}

// Patiently looks until the action on the member is allowed, for as long as time alone may cure
// the refusal, and returns the view it was allowed on.
func Patiently(
	ctx context.Context, look func() *GroupView,
	action Action, member, expected string, limits Limits,
) (*GroupView, *Refusal) {
	asked := time.Now()
	for {
		// Counted before the look, so that what it sees is certainly newer.
		limits.AskedMS = uint64(time.Since(asked).Milliseconds())
		view := look()
		if refused := Leading(view, expected); refused != nil {
			return nil, refused
		}
		refused := Allows(view, action, member, limits)
		if refused == nil {
			return view, nil
		}
		if !refused.MayPass() || time.Since(asked) >= limits.Patience || !sleep(glance, ctx.Done()) {
			return nil, refused
		}
	}
}

// Allows is whether the action on the member would change something, and cost no quorum.
func Allows(view *GroupView, action Action, member string, limits Limits) *Refusal {
	switch action {
	case AddLearner:
		return mayAdd(view, member)
	case Promote:
		return mayPromote(view, member, limits)
	case Demote:
		return mayDemote(view, member, limits)
	case Remove:
		return mayRemove(view, member, limits)
	case Transfer:
		return mayTransfer(view, member, limits)
	default:
		return nil
	}
}

func mayAdd(view *GroupView, member string) *Refusal {
	if roleOf(view, member) != "" {
		return Rulef("already-member", "%s is a member already.", member)
	}
	if slices.Contains(view.Burned, member) {
		return Rulef("id-burned", "%s was a member once; an id is never used again.", member)
	}
	return nil
}

func mayPromote(view *GroupView, member string, limits Limits) *Refusal {
	switch roleOf(view, member) {
	case "":
		return unknownMember(member)
	case RoleLearner:
	case RoleWitness:
		return Rulef("not-supported", "%s is a witness: it votes, holds no data, and cannot become a full voter.", member)
	default:
		return Rulef("already-voter", "%s votes already.", member)
	}
	if refused := heard(view, member, limits); refused != nil {
		return refused
	}
	if refused := level(view, member, limits.PromoteLag); refused != nil {
		return refused
	}
	return majorityAnswers(view, append(voters(view), member), limits)
}

func mayDemote(view *GroupView, member string, limits Limits) *Refusal {
	switch roleOf(view, member) {
	case "":
		return unknownMember(member)
	case RoleVoter:
		return mayLeave(view, member, limits)
	default:
		return Rulef("not-a-voter", "%s is no voter that could be demoted.", member)
	}
}

func mayRemove(view *GroupView, member string, limits Limits) *Refusal {
	switch roleOf(view, member) {
	case "":
		return unknownMember(member)
	case RoleLearner:
		return nil
	default:
		return mayLeave(view, member, limits)
	}
}

func mayLeave(view *GroupView, member string, limits Limits) *Refusal {
	if member == view.Member {
		return Rulef("is-leader", "%s leads; hand leadership to another voter first.", member)
	}
	left := slices.DeleteFunc(voters(view), func(id string) bool { return id == member })
	if len(left) == 0 {
		return Rulef("last-voter", "%s is the last voter.", member)
	}
	return majorityAnswers(view, left, limits)
}

func mayTransfer(view *GroupView, member string, limits Limits) *Refusal {
	switch roleOf(view, member) {
	case "":
		return unknownMember(member)
	case RoleVoter:
	case RoleWitness:
		return Rulef("not-a-voter", "%s cannot lead: a witness holds no data.", member)
	default:
		return Rulef("not-a-voter", "%s cannot lead: it is no full voter.", member)
	}
	if member == view.Member {
		return Rulef("already-leader", "%s leads already.", member)
	}
	if refused := heard(view, member, limits); refused != nil {
		return refused
	}
	return level(view, member, limits.TransferLag)
}

func unknownMember(member string) *Refusal {
	return Rulef("member-unknown", "%s is no member of this group.", member)
}

// roleOf is empty for somebody who is no member.
func roleOf(view *GroupView, member string) Role {
	for _, known := range view.Membership.Members {
		if known.ID == member {
			return known.Role
		}
	}
	return ""
}

func voters(view *GroupView) []string {
	var voters []string
	for _, member := range view.Membership.Members {
		if member.Role.Votes() {
			voters = append(voters, member.ID)
		}
	}
	return voters
}

func answers(view *GroupView, member string, limits Limits) bool {
	if member == view.Member {
		return true
	}
	progress := view.Progress[member]
	limit := min(view.HeartbeatIntervalMS*freshIntervals, limits.AskedMS)
	if progress.Asked {
		limit = askedHoldsMS
	}
	return progress.LastContactMS != nil && *progress.LastContactMS < limit
}

func heard(view *GroupView, member string, limits Limits) *Refusal {
	if answers(view, member, limits) {
		return nil
	}
	if contact := view.Progress[member].LastContactMS; contact != nil {
		return Rulef("not-heard", "%s has not answered the leader for %d ms.", member, *contact)
	}
	return Rulef("not-heard", "%s has never answered this leader.", member)
}

func level(view *GroupView, member string, limit uint64) *Refusal {
	matched := view.Progress[member].MatchedIndex
	if matched == nil || view.LastIndex == nil {
		return Rulef("not-level", "Nothing of the log is known to be at %s.", member)
	}
	if *matched >= *view.LastIndex || *view.LastIndex-*matched <= limit {
		return nil
	}
	return Rulef("not-level", "%s is %d entries behind; at most %d are allowed.",
		member, *view.LastIndex-*matched, limit)
}

func majorityAnswers(view *GroupView, voters []string, limits Limits) *Refusal {
	answering := 0
	for _, voter := range voters {
		if answers(view, voter, limits) {
			answering++
		}
	}
	majority := len(voters)/2 + 1
	if answering >= majority {
		return nil
	}
	return Rulef("majority-at-risk",
		"Afterwards %d would vote and %d answer; %d are needed.", len(voters), answering, majority)
}
