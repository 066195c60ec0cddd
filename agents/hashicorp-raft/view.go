package agent

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/raft"

	"quorate.dev/agent/go/protocol"
)

// patience is how long a view waits for the core to answer a call.
const patience = 300 * time.Millisecond

// View is this node's own view of its group: what GET groups/default answers.
func (a *Agent) View(ctx context.Context, group string) (protocol.GroupView, bool) {
	if group != protocol.DefaultGroup {
		return protocol.GroupView{}, false
	}
	asked := max(1, now())
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	answer, answered := a.core.after(ctx, asked)
	view := a.look()
	if answered && answer.leads && answer.term == view.Term && a.leadsOwnTerm(&view) {
		view.ReadIndex = protocol.Known(answer.commit)
	}
	return view, true
}

// Refresh brings the board up to date.
func (a *Agent) Refresh(ctx context.Context) {
	if view, known := a.View(ctx, protocol.DefaultGroup); known {
		a.board.Put(protocol.Summary(&view))
	}
}

// look is the view from memory alone.
func (a *Agent) look() protocol.GroupView {
	stats := a.raft.Stats()
	servers := a.servers()
	a.readSnapshot(number(stats, "last_snapshot_index"))
	last, commit := number(stats, "last_log_index"), number(stats, "commit_index")
	revision, source, committed := a.revision(servers, last, commit)
	reloadable := a.raft.ReloadableConfig()
	_, leader := a.raft.LeaderWithID()
	view := protocol.GroupView{
		Group: protocol.DefaultGroup, Member: string(a.options.Member), Instance: a.instance,
		Term: number(stats, "term"),
		// Followers wait for once to twice these before they elect somebody else.
		ElectionTimeoutMS: uint64(2 * max(reloadable.HeartbeatTimeout, reloadable.ElectionTimeout).Milliseconds()),
		// A leader sends one in a tenth to two tenths of the time-out.
		HeartbeatIntervalMS: max(1, uint64(reloadable.HeartbeatTimeout.Milliseconds()/5)),
		LastIndex:           protocol.Known(last),
		AppliedIndex:        a.applied(stats),
		Membership:          a.membership(servers, revision, source, committed),
		Burned:              a.burned(),
	}
	if leader != "" {
		view.Leader = protocol.Known(string(leader))
	}
	// A node that has just started knows of no commit; 0 would look like knowledge.
	if commit > 0 || last == 0 {
		view.CommitIndex = protocol.Known(commit)
	}
	if index := number(stats, "last_snapshot_index"); index > 0 {
		view.Snapshot = &protocol.Mark{Term: number(stats, "last_snapshot_term"), Index: index}
	}
	view.Voter = a.votes(servers)
	a.stateInto(&view, servers, stats)
	a.leadershipInto(&view, servers, stats)
	view.Activity = a.activity(&view, servers)
	if a.options.Startup != nil {
		view.Readiness = readiness(a.options.Startup.Report())
	}
	return view
}

func number(stats map[string]string, key string) uint64 {
	value, err := strconv.ParseUint(stats[key], 10, 64)
	if err != nil {
		return 0
	}
	return value
}

func (a *Agent) servers() []raft.Server {
	future := a.raft.GetConfiguration()
	if future.Error() != nil {
		return nil
	}
	return future.Configuration().Servers
}

func (a *Agent) votes(servers []raft.Server) bool {
	return slices.ContainsFunc(servers, func(server raft.Server) bool {
		return server.ID == a.options.Member && server.Suffrage == raft.Voter
	})
}

// applied is nil where nobody can tell: without the state machine being watched, what Raft calls
// applied is only true while nothing waits in line.
func (a *Agent) applied(stats map[string]string) *uint64 {
	handed, pending := number(stats, "applied_index"), number(stats, "fsm_pending") > 0
	if a.watched.machine == nil {
		if pending {
			return nil
		}
		return &handed
	}
	finished, inside := a.watched.machine.applied()
	return protocol.Known(a.gauge.Read(handed, pending, finished, inside))
}

func (a *Agent) membership(
	servers []raft.Server, revision, source string, committed bool,
) protocol.Membership {
	told := protocol.Membership{Revision: revision, RevisionSource: source, Committed: committed}
	voters := []string{}
	for _, server := range servers {
		member := protocol.Member{
			ID: string(server.ID), Name: string(server.ID), Address: string(server.Address),
			Role: roleOf(server),
		}
		if origin := a.agentAddress(server); origin != "" {
			member.AgentAddress = &origin
		}
		if member.Role == protocol.RoleVoter {
			voters = append(voters, member.ID)
		}
		told.Members = append(told.Members, member)
	}
	if len(servers) > 0 {
		told.Configs = [][]string{voters}
	}
	return told
}

func (a *Agent) burned() []string {
	if a.watched.machine == nil {
		return []string{}
	}
	return a.watched.machine.burned()
}

func (a *Agent) stateInto(view *protocol.GroupView, servers []raft.Server, stats map[string]string) {
	if fault := a.core.fault(); fault != "" {
		view.Fault, view.State = &fault, protocol.Stopped
		return
	}
	switch stats["state"] {
	case raft.Leader.String():
		view.State = protocol.Leader
	case raft.Candidate.String():
		view.State = protocol.Candidate
	default:
		switch {
		case len(servers) == 0 && *view.LastIndex == 0:
			view.State = protocol.Outside
		case view.Voter:
			view.State = protocol.Follower
		default:
			// A learner, or a node that was removed and goes on in silence.
			view.State = protocol.Learner
		}
	}
}

// leadershipInto fills in what only a leader knows.
func (a *Agent) leadershipInto(view *protocol.GroupView, servers []raft.Server, stats map[string]string) {
	view.Progress = map[string]protocol.Progress{}
	leads := stats["state"] == raft.Leader.String()
	a.members.ownTerm(leads, view.Term, number(stats, "last_log_term"), *view.LastIndex, number(stats, "commit_index"))
	if view.State != protocol.Leader {
		return
	}
	for _, server := range servers {
		if server.ID != a.options.Member {
			view.Progress[string(server.ID)] = a.progress(server.ID, view.Term)
		}
	}
	view.QuorumEvidenceMS = a.evidence(view, servers)
	named := view.Leader != nil && *view.Leader == view.Member
	view.ClaimsLeadership = view.QuorumEvidenceMS != nil && named
}

func (a *Agent) leadsOwnTerm(view *protocol.GroupView) bool {
	stats := a.raft.Stats()
	return view.ClaimsLeadership && a.members.ownTerm(
		stats["state"] == raft.Leader.String(), view.Term, number(stats, "last_log_term"),
		number(stats, "last_log_index"), number(stats, "commit_index"))
}

func (a *Agent) progress(id raft.ServerID, term uint64) protocol.Progress {
	var told protocol.Progress
	if a.watched.peers == nil {
		return told
	}
	known, ok := a.watched.peers.of(id, term)
	if !ok {
		return told
	}
	if known.hasMatched {
		told.MatchedIndex = &known.matched
	}
	if known.contact != 0 {
		told.LastContactMS = protocol.Known(millisSince(known.contact))
	}
	if known.roundTrip != 0 {
		told.RoundTripMicros = protocol.Known(uint64(known.roundTrip) / 1000)
	}
	told.ReceivingSnapshot = known.snapshots > 0
	return told
}

// evidence is the age of the newest sign that a majority follows: of the contact that completes
// one, or of the start of a confirmed call where contacts are not seen.
func (a *Agent) evidence(view *protocol.GroupView, servers []raft.Server) *uint64 {
	var ages []uint64
	voters := 0
	for _, server := range servers {
		if server.Suffrage != raft.Voter {
			continue
		}
		voters++
		if server.ID == a.options.Member {
			ages = append(ages, 0)
		} else if contact := view.Progress[string(server.ID)].LastContactMS; contact != nil {
			ages = append(ages, *contact)
		}
	}
	majority := voters/2 + 1
	if voters > 0 && len(ages) >= majority {
		slices.Sort(ages)
		return &ages[majority-1]
	}
	if last := a.core.newest(); last.leads && last.term == view.Term {
		return protocol.Known(millisSince(last.began))
	}
	return nil
}
