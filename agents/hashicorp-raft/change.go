package agent

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/raft"

	"quorate.dev/agent/go/protocol"
)

// enqueue is how long the library may take to accept a change; it waits behind an earlier one
// that is not committed.
const enqueue = 2 * time.Second

// Change carries out one change, with all checks: what POST groups/default/changes does. Its
// error is a *protocol.Refusal. The server lets one change in at a time; a host that calls this by
// itself relies on the library's comparison alone.
func (a *Agent) Change(
	ctx context.Context, group string, asked protocol.ChangeRequest,
) (protocol.Receipt, error) {
	if group != protocol.DefaultGroup {
		return protocol.Receipt{}, protocol.UnknownGroup()
	}
	defer a.nudge()
	receipt, refused := a.carryOut(ctx, asked)
	if refused != nil {
		return protocol.Receipt{}, refused
	}
	return receipt, nil
}

func (a *Agent) carryOut(
	ctx context.Context, asked protocol.ChangeRequest,
) (protocol.Receipt, *protocol.Refusal) {
	if asked.Action == protocol.Snapshot {
		return a.takeSnapshot(ctx)
	}
	if refused := protocol.Leading(a.fresh(ctx), asked.ExpectedRevision); refused != nil {
		return protocol.Receipt{}, refused
	}
	switch asked.Action {
	case protocol.AddLearner:
		return a.addLearner(ctx, asked)
	case protocol.Transfer:
		return a.transfer(ctx, asked)
	default:
		return a.changeRole(ctx, asked)
	}
}

// fresh is a view taken with the core called first.
func (a *Agent) fresh(ctx context.Context) *protocol.GroupView {
	view, _ := a.View(ctx, protocol.DefaultGroup)
	return &view
}

// allowed looks until the change is allowed, as long as time alone may cure the refusal.
func (a *Agent) allowed(
	ctx context.Context, action protocol.Action, member, expected string,
) *protocol.Refusal {
	look := func() *protocol.GroupView {
		// Besides its answer, this has every follower sent a heartbeat at once.
		a.core.ask()
		view := a.look()
		return &view
	}
	_, refused := protocol.Patiently(ctx, look, action, member, expected, a.options.Limits)
	return refused
}

func (a *Agent) addLearner(
	ctx context.Context, asked protocol.ChangeRequest,
) (protocol.Receipt, *protocol.Refusal) {
	origin := asked.Address
	if !strings.Contains(origin, "://") {
		// A Raft address: its agent is where the members' agents are.
		origin = a.agentAddress(raft.Server{Address: raft.ServerAddress(asked.Address)})
	}
	identity := a.Identity()
	met, refused := a.options.Peer.Meet(ctx, origin, protocol.DefaultGroup, asked.Member, identity.ClusterID)
	if refused != nil {
		return protocol.Receipt{}, refused
	}
	member := met.Identity.Member
	if met.Identity.RaftAddress == nil || *met.Identity.RaftAddress == "" {
		return protocol.Receipt{}, protocol.Rulef("newcomer-silent",
			"%s does not say where its Raft answers.", member)
	}
	if met.Identity.Implementation != identity.Implementation {
		return protocol.Receipt{}, protocol.Rulef("newcomer-other-cluster",
			"%s runs %s, not %s.", member, met.Identity.Implementation, identity.Implementation)
	}
	if refused := a.allowed(ctx, protocol.AddLearner, member, asked.ExpectedRevision); refused != nil {
		return protocol.Receipt{}, refused
	}
	address := raft.ServerAddress(*met.Identity.RaftAddress)
	index := previous(asked.ExpectedRevision)
	return a.finish(ctx, protocol.AddLearner, member, protocol.RoleLearner, func() raft.IndexFuture {
		return a.raft.AddNonvoter(raft.ServerID(member), address, index, enqueue)
	})
}

func (a *Agent) changeRole(
	ctx context.Context, asked protocol.ChangeRequest,
) (protocol.Receipt, *protocol.Refusal) {
	member, expected := asked.Member, asked.ExpectedRevision
	if refused := a.allowed(ctx, asked.Action, member, expected); refused != nil {
		return protocol.Receipt{}, refused
	}
	server, known := a.memberNamed(member)
	if !known {
		return protocol.Receipt{}, protocol.Rulef("member-unknown", "%s is no member of this group.", member)
	}
	index := previous(expected)
	switch asked.Action {
	case protocol.Promote:
		// For a server that is a non-voter, at the address it has, AddVoter is "promote".
		return a.finish(ctx, asked.Action, member, protocol.RoleVoter, func() raft.IndexFuture {
			return a.raft.AddVoter(server.ID, server.Address, index, enqueue)
		})
	case protocol.Demote:
		return a.finish(ctx, asked.Action, member, protocol.RoleLearner, func() raft.IndexFuture {
			return a.raft.DemoteVoter(server.ID, index, enqueue)
		})
	case protocol.Remove:
		return a.finish(ctx, asked.Action, member, "", func() raft.IndexFuture {
			return a.raft.RemoveServer(server.ID, index, enqueue)
		})
	default:
		return protocol.Receipt{}, protocol.Malformed("There is no such action.")
	}
}

func (a *Agent) memberNamed(member string) (raft.Server, bool) {
	servers := a.servers()
	at := slices.IndexFunc(servers, func(server raft.Server) bool { return string(server.ID) == member })
	if at < 0 {
		return raft.Server{}, false
	}
	return servers[at], true
}

// finish waits for the end of a change, and looks whether it is as it was meant.
func (a *Agent) finish(
	ctx context.Context, action protocol.Action, member string, role protocol.Role,
	begin func() raft.IndexFuture,
) (protocol.Receipt, *protocol.Refusal) {
	ctx, cancel := context.WithTimeout(ctx, a.options.ChangeLimit)
	defer cancel()
	var index uint64
	ended, err := await(ctx, func() error {
		future := begin()
		if err := future.Error(); err != nil {
			return err
		}
		index = future.Index()
		return nil
	})
	if !ended {
		return protocol.Receipt{}, protocol.Unknown("Raft did not say in time whether the change was committed.")
	}
	if err != nil {
		return protocol.Receipt{}, a.refused(err)
	}
	found := protocol.Role("")
	if server, known := a.memberNamed(member); known {
		found = roleOf(server)
	}
	if found != role {
		return protocol.Receipt{}, protocol.Unknown("Raft called the change done, and the configuration is another one.")
	}
	view := a.look()
	receipt := protocol.Receipt{
		Action: action, Member: &member, Outcome: protocol.Done,
		Revision: view.Membership.Revision, Leader: view.Leader, Term: view.Term,
	}
	if view.Membership.RevisionSource == byHash && a.watched.machine != nil {
		receipt.Revision = strconv.FormatUint(index, 10)
	}
	if action == protocol.Remove {
		receipt.Note = "Stop the process of " + member + " and delete its data; its id is not used again."
	}
	return receipt, nil
}

// await is the end of a call, if it comes before that of the context. The library's calls may not
// return while it is busy; one goroutine waits on.
func await(ctx context.Context, work func() error) (ended bool, err error) {
	done := make(chan error, 1)
	go func() { done <- contained(work) }()
	select {
	case err := <-done:
		return true, err
	case <-ctx.Done():
		return false, nil
	}
}

// refused says what an error of the library means. Texts that name pointers are not passed on.
func (a *Agent) refused(err error) *protocol.Refusal {
	view := a.look()
	text := err.Error()
	switch {
	case errors.Is(err, raft.ErrNotLeader):
		return protocol.NotLeader(protocol.Hint(&view))
	case errors.Is(err, raft.ErrLeadershipLost):
		return protocol.Unknown("Leadership was lost while the change was being written.")
	case errors.Is(err, raft.ErrRaftShutdown):
		return protocol.Unknown("Raft was shut down while the change ran.")
	case errors.Is(err, raft.ErrEnqueueTimeout):
		return protocol.InProgress("Raft did not take the change: an earlier one is not committed yet.")
	case errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return protocol.InProgress("Leadership is being handed over.")
	case strings.HasPrefix(text, "configuration changed since"):
		return protocol.Moved(view.Membership.Revision)
	case strings.HasPrefix(text, "need at least one voter"):
		return protocol.Rule("last-voter", "Somebody has to be left who votes.")
	case strings.HasPrefix(text, "panic:"):
		return protocol.AgentFault(text)
	default:
		return protocol.Rule("refused-by-core", text)
	}
}
