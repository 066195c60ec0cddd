package protocol

// Version is the protocol version spoken here.
const Version = 1

// Base is where all calls live.
const Base = "/quorate/agent/v1"

// DefaultGroup is the name of the only group of a program that has one.
const DefaultGroup = "default"

// Action is a change that can be asked for.
type Action string

// The actions of version 1.
const (
	AddLearner Action = "add_learner"
	Promote    Action = "promote"
	Demote     Action = "demote"
	Remove     Action = "remove"
	Transfer   Action = "transfer"
	Snapshot   Action = "snapshot"
)

// Actions are all of them, in the order they are told.
var Actions = [...]Action{AddLearner, Promote, Demote, Remove, Transfer, Snapshot}

// State is what a node is to its group at the moment.
type State string

// The states of version 1.
const (
	Leader    State = "leader"
	Follower  State = "follower"
	Candidate State = "candidate"
	Learner   State = "learner"
	Witness   State = "witness"
	// Outside runs and belongs to no cluster yet.
	Outside State = "outside"
	// Stopped is a core that does not run, although the process answers.
	Stopped State = "stopped"
)

// Role is what a membership says of a member.
type Role string

// The roles of version 1.
const (
	RoleVoter   Role = "voter"
	RoleLearner Role = "learner"
	RoleWitness Role = "witness"
)

// Votes is whether the role counts for majorities.
func (r Role) Votes() bool { return r != RoleLearner }

// Identity is who answers, and what it can do.
type Identity struct {
	Protocol       int     `json:"protocol"`
	Implementation string  `json:"implementation"`
	LibraryVersion string  `json:"library_version"`
	AgentVersion   string  `json:"agent_version"`
	Program        string  `json:"program"`
	ClusterID      *string `json:"cluster_id"`
	Member         string  `json:"member"`
	// Instance changes when the node's process or data is replaced.
	Instance string `json:"instance"`
	// RaftAddress is where this node's Raft answers, as a membership would hold it.
	RaftAddress *string `json:"raft_address,omitempty"`
	// Rights of the caller; the server fills them in.
	Rights       []string     `json:"rights"`
	Capabilities []Capability `json:"capabilities"`
}

// Capability is whether an action can be asked for, and what is particular about it.
type Capability struct {
	Action    Action  `json:"action"`
	Supported bool    `json:"supported"`
	Target    bool    `json:"target"`
	Note      *string `json:"note"`
}

// Mark is a place in the log.
type Mark struct {
	Term  uint64 `json:"term"`
	Index uint64 `json:"index"`
}

// GroupView is a node's own view of one group. A nil pointer is a value that is not known.
type GroupView struct {
	Group    string  `json:"group"`
	Member   string  `json:"member"`
	Instance string  `json:"instance"`
	State    State   `json:"state"`
	Term     uint64  `json:"term"`
	Leader   *string `json:"leader"`
	// ClaimsLeadership: it leads as far as it knows, its core answers calls, and a majority has
	// followed it at least once.
	ClaimsLeadership    bool    `json:"claims_leadership"`
	QuorumEvidenceMS    *uint64 `json:"quorum_evidence_ms"`
	ElectionTimeoutMS   uint64  `json:"election_timeout_ms"`
	HeartbeatIntervalMS uint64  `json:"heartbeat_interval_ms"`
	LastIndex           *uint64 `json:"last_index"`
	CommitIndex         *uint64 `json:"commit_index"`
	AppliedIndex        *uint64 `json:"applied_index"`
	// FirstIndex is the oldest entry still in the log, where the library tells.
	FirstIndex *uint64 `json:"first_index,omitempty"`
	// ReadIndex is a commit index that was confirmed by a majority after this view was asked for.
	ReadIndex  *uint64             `json:"read_index,omitempty"`
	Snapshot   *Mark               `json:"snapshot"`
	Voter      bool                `json:"voter"`
	Membership Membership          `json:"membership"`
	Progress   map[string]Progress `json:"progress"`
	Fault      *string             `json:"fault"`
	Burned     []string            `json:"burned"`
	// Readiness is how far the start of this node has come, where the agent follows it.
	Readiness *Readiness `json:"readiness,omitempty"`
	// Activity is what is known of every other member, and from where.
	Activity []Activity `json:"activity,omitempty"`
}

// Membership is a configuration as the node holds it.
type Membership struct {
	// Revision is the compare-and-set token.
	Revision string `json:"revision"`
	// RevisionSource is "index" for the library's own compare-and-set, "hash" for a hash of the
	// members that the agent compares before it acts.
	RevisionSource string     `json:"revision_source,omitempty"`
	Committed      bool       `json:"committed"`
	Members        []Member   `json:"members"`
	Configs        [][]string `json:"configs"`
}

// Member is one member of a group.
type Member struct {
	ID           string  `json:"id"`
	Name         string  `json:"name"`
	Address      string  `json:"address"`
	AgentAddress *string `json:"agent_address"`
	Role         Role    `json:"role"`
	// Replica is the library's own number of this member where members are hosts of many groups.
	Replica uint64 `json:"replica,omitempty"`
}

// Progress is what a leader knows of another member.
type Progress struct {
	MatchedIndex  *uint64 `json:"matched_index"`
	LastContactMS *uint64 `json:"last_contact_ms"`
	// Asked: the member itself was asked for the change that is being decided, and has answered. Its contact is as
	// old as that question, however long the answer took.
	Asked bool `json:"-"`
	// RoundTripMicros is the smoothed time from request to acknowledgement.
	RoundTripMicros *uint64 `json:"round_trip_us,omitempty"`
	// ReceivingSnapshot: a snapshot is on its way; indexes stand still until it has arrived.
	ReceivingSnapshot bool `json:"receiving_snapshot,omitempty"`
}

// Activity is the last sign of life of another member, and what it was.
type Activity struct {
	Member string `json:"member"`
	State  string `json:"state"`
	Source string `json:"source"`
	// LastActiveMS is the age of that sign; nil if there was none.
	LastActiveMS *uint64 `json:"last_active_ms"`
}

// Readiness is how far the start of a node has come.
type Readiness struct {
	Phase  string `json:"phase"`
	Detail string `json:"detail"`
	// TargetIndex has to be applied before the node is ready; TargetSource says who told it.
	TargetIndex  *uint64 `json:"target_index"`
	TargetSource string  `json:"target_source,omitempty"`
	SinceMS      uint64  `json:"since_ms"`
}

// Groups is the bulk state: everything, or what changed since a revision.
type Groups struct {
	Revision string         `json:"revision"`
	Complete bool           `json:"complete"`
	Groups   []GroupSummary `json:"groups"`
	Gone     []string       `json:"gone"`
}

// GroupSummary is a group's line in the bulk state. What seldom differs between groups comes
// first, what differs together stands together: thousands of lines compress to half the size so.
type GroupSummary struct {
	Member             string  `json:"member"`
	MembershipRevision string  `json:"membership_revision"`
	Voters             int     `json:"voters"`
	Learners           int     `json:"learners"`
	Fault              *string `json:"fault"`
	Group              string  `json:"group"`
	LastIndex          *uint64 `json:"last_index"`
	CommitIndex        *uint64 `json:"commit_index"`
	Term               uint64  `json:"term"`
	State              State   `json:"state"`
	Leader             *string `json:"leader"`
	ClaimsLeadership   bool    `json:"claims_leadership"`
}

// ChangeRequest is a change asked for.
type ChangeRequest struct {
	Action Action `json:"action"`
	Member string `json:"member"`
	// Address is for AddLearner: where the newcomer answers.
	Address string `json:"address"`
	// ExpectedRevision is needed for all but a snapshot.
	ExpectedRevision string `json:"expected_revision"`
}

// Outcome is how a change ended.
type Outcome string

const (
	// Done is what was asked for.
	Done Outcome = "done"
	// Other: leadership moved, but to somebody else than was asked for.
	Other Outcome = "other"
)

// Receipt is a change done.
type Receipt struct {
	Action   Action  `json:"action"`
	Member   *string `json:"member"`
	Outcome  Outcome `json:"outcome"`
	Revision string  `json:"revision"`
	Leader   *string `json:"leader"`
	Term     uint64  `json:"term"`
	Snapshot *Mark   `json:"snapshot"`
	// Note is for people: what is left to do, for example.
	Note string `json:"note,omitempty"`
}

// LeaderHint is where the leader is, for whoever asked the wrong node.
type LeaderHint struct {
	Member       string  `json:"member"`
	AgentAddress *string `json:"agent_address"`
}

// Notice is something a library observed that moves no group by itself: a heartbeat that failed
// or came back, a peer that was added. It saves looking and proves nothing.
type Notice struct {
	Group  string `json:"group"`
	Kind   string `json:"kind"`
	Member string `json:"member,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// Summary is the group's line in the bulk state.
func Summary(view *GroupView) GroupSummary {
	summary := GroupSummary{
		Group: view.Group, Member: view.Member, State: view.State, Term: view.Term,
		Leader: view.Leader, ClaimsLeadership: view.ClaimsLeadership,
		MembershipRevision: view.Membership.Revision,
		LastIndex:          view.LastIndex, CommitIndex: view.CommitIndex, Fault: view.Fault,
	}
	for _, member := range view.Membership.Members {
		switch member.Role {
		case RoleVoter:
			summary.Voters++
		case RoleLearner:
			summary.Learners++
		}
	}
	return summary
}

// Hint says where the leader named in a view answers; nil if it names none.
func Hint(view *GroupView) *LeaderHint {
	if view.Leader == nil {
		return nil
	}
	hint := &LeaderHint{Member: *view.Leader}
	for _, member := range view.Membership.Members {
		if member.ID == *view.Leader {
			hint.AgentAddress = member.AgentAddress
		}
	}
	return hint
}

// Known makes a pointer of a value that is known.
func Known[T any](value T) *T { return &value }
