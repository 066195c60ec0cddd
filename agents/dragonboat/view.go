package agent

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"quorate.dev/agent/dragonboat/role"
	"quorate.dev/agent/go/protocol"
)

// viewLimit bounds the linearizable read behind a view. Without a quorum a voter is told so at once, a
// non-voting replica only by this limit.
const viewLimit = 250 * time.Millisecond

// phaseReady is the last phase of a replica's start.
const phaseReady = "ready"

// View is this host's own view of a group. Its linearizable read is the evidence of a quorum on a leader,
// and on everybody else that it is caught up and can reach the leader.
func (a *Agent) View(ctx context.Context, group string) (protocol.GroupView, bool) {
	at := a.attached.Load()
	shard, known := a.program.Shard(group)
	if at == nil || !known {
		return protocol.GroupView{}, false
	}
	a.Refresh(ctx)
	_, running := a.row(shard)
	readable := false
	if running {
		_, err := a.read(ctx, shard, viewLimit)
		readable = err == nil
		if !a.renew(at, shard) {
			a.look() // It has ended since the last look.
		}
	}
	now, running := a.row(shard)
	if running {
		return a.view(at, now, readable), true
	}
	for _, outcome := range at.starter.Outcomes() {
		if outcome.Key.Shard == shard {
			return a.unstarted(at, outcome), true
		}
	}
	return a.outside(at, shard), true
}

// row gives a copy, to be read without the lock.
func (a *Agent) row(shard uint64) (row, bool) {
	a.shards.mu.Lock()
	defer a.shards.mu.Unlock()
	now := a.shards.rows[shard]
	if now == nil {
		return row{}, false
	}
	return *now, true
}

// renew reads what may have moved since the last look at everything; false if the replica runs no more.
func (a *Agent) renew(at *attachment, shard uint64) bool {
	first, last, ok := at.library.Range(shard)
	leader, term, known := at.library.Leader(shard)
	s := &a.shards
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.rows[shard]
	if now == nil || !ok {
		return false
	}
	now.last, now.lastKnown = max(last, max(first, 1)-1), ok
	now.info.Term = max(now.info.Term, term)
	if !known {
		leader = 0
	}
	now.info.LeaderID = leader
	a.readCommit(at, now)
	return true
}

// full is the membership as this replica has applied it; complete only if it was read since it changed.
func (n *row) full() *role.Membership {
	if n.membership != nil && n.membership.Index >= n.info.ConfigChangeIndex {
		return n.membership
	}
	if n.info.Replicas == nil {
		return &role.Membership{}
	}
	// Dragonboat lists the voters only; itself it knows.
	partial := &role.Membership{Index: n.info.ConfigChangeIndex, Voters: n.info.Replicas}
	if n.info.IsNonVoting && n.membership != nil {
		if address, ok := n.membership.Address(n.info.ReplicaID); ok {
			partial.NonVotings = map[uint64]string{n.info.ReplicaID: address}
		}
	}
	return partial
}

func (a *Agent) view(at *attachment, now row, readable bool) protocol.GroupView {
	shard, own := now.info.ShardID, now.info.ReplicaID
	membership := now.full()
	election, heartbeat := a.program.Timing(shard)
	view := protocol.GroupView{
		Group: a.program.GroupName(shard), Member: a.options.Member, Instance: a.instance,
		State: a.state(&now, membership), Term: now.info.Term, Leader: a.leader(&now, membership),
		// Elections are drawn between one and two times ElectionRTT.
		ElectionTimeoutMS:   uint64((2 * time.Duration(election) * at.rtt).Milliseconds()),
		HeartbeatIntervalMS: uint64((time.Duration(heartbeat) * at.rtt).Milliseconds()),
		CommitIndex:         now.commit, Membership: a.membership(shard, membership),
		Fault: a.fault(at, &now, membership), Burned: burned(membership), Readiness: a.readiness(at, &now),
	}
	_, view.Voter = membership.Voters[own]
	if _, witness := membership.Witnesses[own]; witness {
		view.Voter = true
	}
	if now.lastKnown {
		view.LastIndex = protocol.Known(now.last)
		if first, _, ok := at.library.Range(shard); ok {
			view.FirstIndex = &first
		}
	}
	view.AppliedIndex = a.applied(&now)
	if index, term, ok := at.library.Snapshot(shard); ok {
		view.Snapshot = &protocol.Mark{Index: index, Term: term}
	}
	if readable {
		view.ReadIndex = now.commit
	}
	if view.State == protocol.Leader && !now.readAt.IsZero() && now.readTerm == now.info.Term {
		view.QuorumEvidenceMS = protocol.Known(uint64(time.Since(now.readAt).Milliseconds()))
		view.ClaimsLeadership = view.Fault == nil
	}
	return view
}

// applied is how far the state machine has certainly come. The program counts the entries that reached it; the
// entries that a leader begins its term with and changes of the membership never do, so in a shard nobody
// writes to it counts none. The newest membership that was applied, and a linearizable read that went through
// here, prove more.
func (a *Agent) applied(now *row) *uint64 {
	counted, ok := a.program.Applied(now.info.ShardID)
	if !ok || now.witness {
		return nil
	}
	if now.info.Pending {
		return &counted
	}
	applied := max(counted, now.proven, now.info.ConfigChangeIndex)
	return &applied
}

func (a *Agent) state(now *row, membership *role.Membership) protocol.State {
	_, witness := membership.Witnesses[now.info.ReplicaID]
	switch {
	case a.shards.closed.Load():
		return protocol.Stopped
	case witness || now.witness:
		return protocol.Witness
	case now.info.IsNonVoting:
		return protocol.Learner
	case now.info.LeaderID != 0 && now.info.LeaderID == now.info.ReplicaID:
		return protocol.Leader
	}
	return protocol.Follower
}

// leader as this replica believes. A non-voting replica never forgets one; readers go by the voters.
func (a *Agent) leader(now *row, membership *role.Membership) *string {
	if now.info.LeaderID == 0 {
		return nil
	}
	address, ok := membership.Address(now.info.LeaderID)
	if !ok {
		return protocol.Known(fmt.Sprintf("replica-%d", now.info.LeaderID))
	}
	return protocol.Known(a.hosts.at(address).Name)
}

// fault is why a replica cannot go on, or cannot do what its role asks of it.
func (a *Agent) fault(at *attachment, now *row, membership *role.Membership) *string {
	condition := at.starter.Condition(role.Key{Shard: now.info.ShardID, Replica: now.info.ReplicaID})
	_, votes := membership.Voters[now.info.ReplicaID]
	say := func(format string, args ...any) *string { return protocol.Known(fmt.Sprintf(format, args...)) }
	switch {
	case a.shards.closed.Load():
		return say("the NodeHost is closed")
	case a.lookedAt() > hanging:
		return say("the NodeHost has not answered for %d s", int(a.lookedAt().Seconds()))
	case now.removedSays != "":
		return say("replica %d was removed from the group while this host was away, as %s says; it hears of nobody any more: "+
			"stop it and delete its data", now.info.ReplicaID, now.removedSays)
	case !now.witness && !now.pendingFrom.IsZero() && time.Since(now.pendingFrom) > longPending:
		return say("it has been replaying its log for %d s", int(time.Since(now.pendingFrom).Seconds()))
	case votes && condition.Running && condition.Kind == role.JoinedVoter && condition.Flag:
		return say("it joined as a voter and was started as non-voting: it votes, and never leads. Start it again in its role")
	case votes && condition.Unproven:
		return say("it votes, and nobody remembers how it joined. If it joined as a voter it will never lead as it runs now. " +
			"Hand leadership to it once to find out, or say how it joined and start it again")
	}
	return nil
}

func (a *Agent) readiness(at *attachment, now *row) *protocol.Readiness {
	condition := at.starter.Condition(role.Key{Shard: now.info.ShardID, Replica: now.info.ReplicaID})
	if !condition.Running {
		return nil
	}
	readiness := &protocol.Readiness{Phase: phaseReady, Detail: "A linearizable read has gone through since the start.",
		SinceMS: uint64(condition.ReadyFor.Milliseconds())}
	switch {
	case condition.Ready:
	case now.info.Pending:
		readiness.Phase, readiness.Detail = "starting", "It replays its log."
	case now.info.LeaderID == 0:
		readiness.Phase, readiness.Detail = "no-leader", "It has heard of no leader since the start."
	default:
		readiness.Phase, readiness.Detail = "catching-up", "No linearizable read has gone through since the start."
	}
	if !condition.Ready {
		readiness.SinceMS = uint64(condition.Age.Milliseconds())
	}
	return readiness
}

func (a *Agent) membership(shard uint64, m *role.Membership) protocol.Membership {
	told := protocol.Membership{Revision: strconv.FormatUint(m.Index, 10), RevisionSource: "index", Committed: true}
	if !a.program.Ordered(shard) {
		// The number is Raft's all the same; but only the agent compares it.
		told.RevisionSource = "index-compared-by-agent"
	}
	voters := []string{}
	add := func(part map[uint64]string, as protocol.Role) {
		for replica, address := range part {
			host := a.hosts.at(address)
			member := protocol.Member{ID: host.Name, Name: host.Name, Address: address, Role: as, Replica: replica}
			if host.AgentAddress != "" {
				member.AgentAddress = &host.AgentAddress
			}
			told.Members = append(told.Members, member)
			if as.Votes() {
				voters = append(voters, member.ID)
			}
		}
	}
	add(m.Voters, protocol.RoleVoter)
	add(m.NonVotings, protocol.RoleLearner)
	add(m.Witnesses, protocol.RoleWitness)
	slices.SortFunc(told.Members, func(x, y protocol.Member) int { return cmp.Compare(x.ID, y.ID) })
	slices.Sort(voters)
	if len(voters) > 0 {
		told.Configs = [][]string{voters}
	}
	return told
}

// burned are replica ids, which no operator chooses: the agent takes a fresh one for every newcomer.
func burned(m *role.Membership) []string {
	names := make([]string, 0, len(m.Removed))
	for _, replica := range m.Removed {
		names = append(names, fmt.Sprintf("replica-%d", replica))
	}
	return names
}

// summary is the row's line on the board.
func (a *Agent) summary(at *attachment, now *row) protocol.GroupSummary {
	membership := now.full()
	line := protocol.GroupSummary{
		Group: a.program.GroupName(now.info.ShardID), Member: a.options.Member, State: a.state(now, membership),
		Term: now.info.Term, Leader: a.leader(now, membership), MembershipRevision: strconv.FormatUint(membership.Index, 10),
		Voters: len(membership.Voters) + len(membership.Witnesses), Learners: len(membership.NonVotings), CommitIndex: now.commit,
		Fault: a.fault(at, now, membership),
	}
	if now.lastKnown {
		line.LastIndex = protocol.Known(now.last)
	}
	line.ClaimsLeadership = line.State == protocol.Leader && line.Fault == nil
	return line
}

// unstarted is the view of a replica that should run here and was not started.
func (a *Agent) unstarted(at *attachment, outcome role.Outcome) protocol.GroupView {
	view := a.outside(at, outcome.Key.Shard)
	view.State = protocol.Stopped
	view.Fault = protocol.Known(outcome.String())
	if record, err := a.records.Read(outcome.Key.Shard, outcome.Key.Replica); err == nil && record != nil && record.Membership != nil {
		view.Membership = a.membership(outcome.Key.Shard, record.Membership)
		_, view.Voter = record.Membership.Voters[outcome.Key.Replica]
	}
	return view
}

// outside is the view of a shard that this host could run and does not.
func (a *Agent) outside(at *attachment, shard uint64) protocol.GroupView {
	election, heartbeat := a.program.Timing(shard)
	return protocol.GroupView{
		Group: a.program.GroupName(shard), Member: a.options.Member, Instance: a.instance, State: protocol.Outside,
		ElectionTimeoutMS:   uint64((2 * time.Duration(election) * at.rtt).Milliseconds()),
		HeartbeatIntervalMS: uint64((time.Duration(heartbeat) * at.rtt).Milliseconds()),
		Membership:          protocol.Membership{Revision: "none", Committed: true},
	}
}
