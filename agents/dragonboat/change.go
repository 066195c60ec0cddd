package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/lni/dragonboat/v4"

	"quorate.dev/agent/dragonboat/role"
	"quorate.dev/agent/go/protocol"
)

const (
	// raftTimeout bounds one configuration change. One that the leader drops is told to nobody: its caller
	// waits to the end.
	raftTimeout = 3 * time.Second
	// afterTimeout bounds the look for what became of a change whose end was not told.
	afterTimeout = 2 * time.Second
	// grace is how long a replica has to be ready before leadership is handed to it: just after its start the
	// others still dial it with pauses, and the offer ends in an election.
	grace = 3 * time.Second
)

// Change carries out one change, with all checks.
func (a *Agent) Change(ctx context.Context, group string, asked protocol.ChangeRequest) (protocol.Receipt, error) {
	at := a.attached.Load()
	shard, known := a.program.Shard(group)
	if at == nil || !known {
		return protocol.Receipt{}, protocol.UnknownGroup()
	}
	a.Refresh(ctx)
	if _, running := a.row(shard); !running {
		return protocol.Receipt{}, protocol.UnknownGroup()
	}
	c := &change{agent: a, at: at, shard: shard, group: group, asked: asked, ctx: ctx}
	receipt, refused := c.run()
	if refused != nil {
		return receipt, refused
	}
	return receipt, nil
}

// change is one change under way.
type change struct {
	agent *Agent
	at    *attachment
	shard uint64
	group string
	asked protocol.ChangeRequest
	ctx   context.Context
	// seen is the membership that the change was allowed on.
	seen *role.Membership
	// readyFor holds how long each other member has been ready, where its agent follows that.
	readyFor map[string]time.Duration
	mu       sync.Mutex
}

func (c *change) run() (protocol.Receipt, *protocol.Refusal) {
	switch c.asked.Action {
	case protocol.Snapshot:
		return c.snapshot()
	case protocol.AddLearner:
		return c.add()
	case protocol.Demote:
		if view := c.look(); view.State != protocol.Leader {
			return protocol.Receipt{}, protocol.NotLeader(protocol.Hint(view))
		}
		return protocol.Receipt{}, protocol.Rule("not-supported", "Dragonboat has no demotion. Remove the member and add it again as a learner.")
	case protocol.Promote:
		return c.promote()
	case protocol.Remove:
		return c.remove()
	case protocol.Transfer:
		return c.transfer()
	}
	return protocol.Receipt{}, protocol.Malformed("There is no such action.")
}

// look is the leader's view with what the members' own agents say at this moment: Dragonboat tells a leader
// nothing of how far its followers are. Who leads no more is not asked any further.
func (c *change) look() *protocol.GroupView {
	first, _ := c.agent.row(c.shard)
	if first.info.LeaderID != first.info.ReplicaID || first.info.LeaderID == 0 {
		view, _ := c.agent.View(c.ctx, c.group)
		if view.State != protocol.Leader {
			return &view
		}
	}
	progress := c.progress(first.full())
	view, _ := c.agent.View(c.ctx, c.group)
	now, _ := c.agent.row(c.shard)
	c.seen = now.full()
	view.Progress = progress
	return &view
}

func (c *change) progress(members *role.Membership) map[string]protocol.Progress {
	ctx, cancel := context.WithTimeout(c.ctx, askTimeout)
	defer cancel()
	found, readyFor := map[string]protocol.Progress{}, map[string]time.Duration{}
	answered := map[string]time.Time{}
	var asking sync.WaitGroup
	for _, part := range []map[uint64]string{members.Voters, members.NonVotings, members.Witnesses} {
		for _, address := range part {
			host := c.agent.hosts.at(address)
			if address == c.at.library.RaftAddress() || host.AgentAddress == "" {
				continue
			}
			asking.Go(func() {
				defer c.agent.contain("asking " + host.Name)
				asked := time.Now()
				view, err := c.agent.options.Peer.View(ctx, host.AgentAddress, c.group)
				if err != nil || view.Member != host.Name {
					return
				}
				c.mu.Lock()
				defer c.mu.Unlock()
				found[host.Name], answered[host.Name] = heard(&view), asked
				if view.Readiness != nil {
					readyFor[host.Name] = 0
				}
				if view.Readiness != nil && view.Readiness.Phase == phaseReady {
					readyFor[host.Name] = time.Duration(view.Readiness.SinceMS) * time.Millisecond
				}
			})
		}
	}
	asking.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readyFor = readyFor
	for name, progress := range found {
		if progress.Asked {
			progress.LastContactMS = protocol.Known(uint64(time.Since(answered[name]).Milliseconds()))
			found[name] = progress
		}
	}
	return found
}

// heard is what a member's own view proves. Only a linearizable read that went through just now shows that
// it hears the leader and the leader it; an agent that answers proves no more than a process. The contact is as
// old as the question: the answer may have lain somewhere while its sender died.
func heard(view *protocol.GroupView) protocol.Progress {
	return protocol.Progress{MatchedIndex: view.LastIndex, Asked: view.ReadIndex != nil}
}

// allowed waits until the rules let the change pass, and finds the member in the membership.
func (c *change) allowed() (replica uint64, address string, refused *protocol.Refusal) {
	_, refused = protocol.Patiently(c.ctx, c.look, c.asked.Action, c.asked.Member, c.asked.ExpectedRevision, c.agent.options.Limits)
	if refused != nil {
		return 0, "", refused
	}
	for _, part := range []map[uint64]string{c.seen.Voters, c.seen.NonVotings, c.seen.Witnesses} {
		for id, at := range part {
			if c.agent.hosts.at(at).Name == c.asked.Member {
				return id, at, nil
			}
		}
	}
	return 0, "", protocol.Rulef("member-unknown", "%s is no member of this group.", c.asked.Member)
}

func (c *change) promote() (protocol.Receipt, *protocol.Refusal) {
	replica, address, refused := c.allowed()
	if refused != nil {
		return protocol.Receipt{}, refused
	}
	err := c.hand(func(ctx context.Context, revision uint64) error {
		return c.at.library.Promote(ctx, c.shard, replica, address, revision)
	})
	return c.settle(err, func(m *role.Membership) bool { return m.Voters[replica] == address }, c.asked.Member)
}

func (c *change) remove() (protocol.Receipt, *protocol.Refusal) {
	replica, address, refused := c.allowed()
	if refused != nil {
		return protocol.Receipt{}, refused
	}
	err := c.hand(func(ctx context.Context, revision uint64) error {
		return c.at.library.Delete(ctx, c.shard, replica, revision)
	})
	receipt, refused := c.settle(err, func(m *role.Membership) bool { return m.HasRemoved(replica) }, c.asked.Member)
	if refused != nil {
		return receipt, refused
	}
	receipt.Note = fmt.Sprintf("Replica %d stops by itself on %s if that host runs and hears of it; if not, its agent says so and stops it on "+
		"request. Its data stays on disk and may be deleted.", replica, c.asked.Member)
	c.agent.register(c.ctx, role.Key{Shard: c.shard, Replica: replica}, address, role.Removed, c.revision(receipt))
	return receipt, nil
}

// hand gives a change to Raft, compared with the membership it was decided on: by Raft where the shard is
// ordered, by the agent just before where it is not.
func (c *change) hand(send func(ctx context.Context, revision uint64) error) error {
	ctx, cancel := context.WithTimeout(c.ctx, raftTimeout)
	defer cancel()
	if !c.agent.program.Ordered(c.shard) {
		m, err := c.agent.read(ctx, c.shard, viewLimit)
		if err != nil || m.Index != c.seen.Index {
			return errors.Join(errMoved, err)
		}
	}
	return send(ctx, c.seen.Index)
}

var errMoved = errors.New("the membership moved just before the change was sent")

// settle finds out what became of a change. Raft's own answer is believed when it is a plain yes; everything
// else is looked up in the membership.
func (c *change) settle(err error, done func(*role.Membership) bool, member string) (protocol.Receipt, *protocol.Refusal) {
	if droppedBefore(err) {
		return protocol.Receipt{}, protocol.NoQuorum()
	}
	end := time.Now().Add(afterTimeout)
	for {
		m, readErr := c.agent.read(c.ctx, c.shard, viewLimit)
		switch {
		case readErr == nil && done(m):
			c.agent.look()
			return c.receipt(m, member), nil
		case readErr == nil && (errors.Is(err, dragonboat.ErrRejected) || errors.Is(err, errMoved)):
			return protocol.Receipt{}, c.rejected(m)
		}
		if time.Now().After(end) || c.ctx.Err() != nil {
			return protocol.Receipt{}, protocol.Unknown(fmt.Sprintf("The change was handed to Raft and its end was not seen (%v).", err))
		}
		pause(c.ctx, 50*time.Millisecond)
	}
}

// rejected finds the reason that Dragonboat does not tell.
func (c *change) rejected(m *role.Membership) *protocol.Refusal {
	if m.Index != c.seen.Index {
		return protocol.Moved(strconv.FormatUint(m.Index, 10))
	}
	return protocol.Rule("refused-by-core", "Dragonboat rejected the change and does not say why; its log does. The membership is as it was.")
}

func (c *change) receipt(m *role.Membership, member string) protocol.Receipt {
	receipt := protocol.Receipt{Action: c.asked.Action, Member: &member, Outcome: protocol.Done, Revision: strconv.FormatUint(m.Index, 10)}
	if now, ok := c.agent.row(c.shard); ok {
		receipt.Term, receipt.Leader = now.info.Term, c.agent.leader(&now, m)
	}
	return receipt
}

func (c *change) revision(receipt protocol.Receipt) uint64 {
	revision, _ := strconv.ParseUint(receipt.Revision, 10, 64)
	return revision
}

// add meets the newcomer, writes the intent where there is a registry, has the addition committed and asks
// the newcomer's agent to start the replica, in this order.
func (c *change) add() (protocol.Receipt, *protocol.Refusal) {
	view := c.look()
	if refused := protocol.Leading(view, c.asked.ExpectedRevision); refused != nil {
		return protocol.Receipt{}, refused
	}
	// Who is expected and a member already need not be met.
	if refused := protocol.Allows(view, protocol.AddLearner, c.asked.Member, c.agent.options.Limits); refused != nil {
		return protocol.Receipt{}, refused
	}
	newcomer, refused := c.agent.options.Peer.Meet(c.ctx, c.asked.Address, c.group, c.asked.Member, &c.agent.options.Cluster)
	if refused != nil {
		return protocol.Receipt{}, refused
	}
	identity := newcomer.Identity
	if identity.RaftAddress == nil || identity.Implementation != "dragonboat" {
		return protocol.Receipt{}, protocol.Rulef("newcomer-silent", "%s does not tell a Raft address of Dragonboat.", identity.Member)
	}
	target := *identity.RaftAddress
	if replica, used := c.seen.ReplicaAt(target); used {
		return protocol.Receipt{}, protocol.Rulef("already-member", "Replica %d is at %s already.", replica, target)
	}
	c.asked.Member = identity.Member
	if _, refused = protocol.Patiently(c.ctx, c.look, protocol.AddLearner, c.asked.Member, c.asked.ExpectedRevision, c.agent.options.Limits); refused != nil {
		return protocol.Receipt{}, refused
	}
	c.agent.hosts.learn([]Host{{Name: identity.Member, RaftAddress: target, AgentAddress: c.asked.Address}})
	replica, refused := c.freshReplica(target)
	if refused != nil {
		return protocol.Receipt{}, refused
	}
	err := c.hand(func(ctx context.Context, revision uint64) error {
		return c.at.library.AddNonVoting(ctx, c.shard, replica, target, revision)
	})
	receipt, refused := c.settle(err, func(m *role.Membership) bool { return m.NonVotings[replica] == target }, identity.Member)
	if refused != nil {
		if !refused.OutcomeUnknown() { // What was planned will not come; its id is not used again.
			c.agent.register(c.ctx, role.Key{Shard: c.shard, Replica: replica}, target, role.Removed, c.seen.Index)
		}
		return receipt, refused
	}
	c.agent.register(c.ctx, role.Key{Shard: c.shard, Replica: replica}, target, role.Added, c.revision(receipt))
	c.remember(replica, target)
	receipt.Note = c.haveItStarted(replica)
	return receipt, nil
}

// remember keeps how the newcomer joined, for the day its host and the registry have forgotten.
func (c *change) remember(replica uint64, target string) {
	err := c.agent.records.Write(role.Record{
		Deployment: c.agent.options.Cluster, Shard: c.shard, Replica: replica, Kind: role.JoinedNonVoting, Target: target,
	})
	if err != nil {
		c.agent.options.Log.Warn("how a newcomer joined cannot be kept", "group", c.group, "error", err)
	}
}

// freshReplica takes an id that neither the shard nor the registry has ever seen, and plans it there.
func (c *change) freshReplica(target string) (uint64, *protocol.Refusal) {
	replica := c.seen.Highest() + 1
	registry := c.agent.options.Registry
	if registry == nil {
		return replica, nil
	}
	ctx, cancel := context.WithTimeout(c.ctx, raftTimeout)
	defer cancel()
	entries, _, err := registry.Entries(ctx)
	if err != nil {
		return 0, protocol.Rulef("registry-away", "The registry has to know of a newcomer first, and does not answer: %v.", err)
	}
	for key := range entries {
		if key.Shard == c.shard {
			replica = max(replica, key.Replica+1)
		}
	}
	entry := role.Entry{Kind: role.JoinedNonVoting, Target: target, State: role.Planned, Index: c.seen.Index}
	if err := registry.Write(ctx, role.Key{Shard: c.shard, Replica: replica}, entry); err != nil {
		return 0, protocol.Rulef("registry-away", "The registry does not take the newcomer: %v.", err)
	}
	return replica, nil
}

// haveItStarted asks the newcomer's agent to start its replica. That the member is there does not hang on it.
func (c *change) haveItStarted(replica uint64) string {
	ctx, cancel := context.WithTimeout(c.ctx, joinTimeout)
	defer cancel()
	now, _ := c.agent.row(c.shard)
	request := joinRequest{Replica: replica, Kind: role.JoinedNonVoting, Membership: now.full(), Hosts: c.agent.hosts.all()}
	var answer joinAnswer
	path := "dragonboat/groups/" + c.group + "/join"
	err := c.agent.options.Peer.Call(ctx, http.MethodPost, c.asked.Address, path, request, &answer)
	switch {
	case err != nil:
		return fmt.Sprintf("Replica %d is a learner; its host did not start it yet: %v.", replica, err)
	case !answer.Started:
		return fmt.Sprintf("Replica %d is a learner; its host did not start it: %s.", replica, answer.Why)
	}
	return fmt.Sprintf("Replica %d runs on %s.", replica, c.asked.Member)
}

// register tells the registry what became of a replica, as far as it has an entry. What is missed here is
// made good by the replica's own host.
func (a *Agent) register(ctx context.Context, key role.Key, target string, state role.State, revision uint64) {
	if a.options.Registry == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	entries, _, err := a.options.Registry.Entries(ctx)
	if err != nil {
		a.options.Log.Warn("the registry was not told", "state", state, "error", err)
		return
	}
	entry, known := entries[key]
	if !known || entry.Target != target {
		return
	}
	entry.State, entry.Index = state, revision
	if err := a.options.Registry.Write(ctx, key, entry); err != nil && !errors.Is(err, role.ErrMoved) {
		a.options.Log.Warn("the registry was not told", "state", state, "error", err)
	}
}
