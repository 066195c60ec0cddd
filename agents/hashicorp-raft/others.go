package agent

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/hashicorp/raft"

	"quorate.dev/agent/go/protocol"
	"quorate.dev/agent/hashicorp-raft/startup"
)

var _ startup.Others = (*Agent)(nil)

// LeaderCommit asks the leader's agent how far the leader has committed. It is how
// start-up synchronisation learns what has to be applied.
func (a *Agent) LeaderCommit(
	ctx context.Context, leader raft.ServerID, address raft.ServerAddress,
) (startup.Committed, error) {
	origin := a.agentAddress(raft.Server{ID: leader, Address: address})
	if origin == "" {
		return startup.Committed{}, startup.ErrNoChannel
	}
	view, err := a.options.Peer.View(ctx, origin, protocol.DefaultGroup)
	switch {
	case err != nil:
		return startup.Committed{}, err
	case view.State != protocol.Leader || view.Member != string(leader) || view.CommitIndex == nil:
		return startup.Committed{}, errors.New("whoever answers there does not lead")
	}
	return startup.Committed{Index: *view.CommitIndex, Verified: view.ReadIndex, Term: view.Term}, nil
}

// RemovedBy asks the agents of all other members, at once, and names a leader with a majority behind
// it that does not count this node as a member; empty if none does.
func (a *Agent) RemovedBy(ctx context.Context) raft.ServerID {
	var asked sync.WaitGroup
	servers := a.servers()
	found := make(chan raft.ServerID, len(servers))
	for _, server := range servers {
		origin := a.agentAddress(server)
		if server.ID == a.options.Member || origin == "" {
			continue
		}
		asked.Add(1)
		go func() {
			defer asked.Done()
			_ = contained(func() error {
				view, err := a.options.Peer.View(ctx, origin, protocol.DefaultGroup)
				if err == nil && view.Member == string(server.ID) && a.leadsWithoutUs(&view) {
					found <- server.ID
				}
				return err
			})
		}()
	}
	asked.Wait()
	close(found)
	return <-found
}

func (a *Agent) leadsWithoutUs(view *protocol.GroupView) bool {
	member := slices.ContainsFunc(view.Membership.Members, func(member protocol.Member) bool {
		return member.ID == string(a.options.Member)
	})
	fresh := view.QuorumEvidenceMS != nil && *view.QuorumEvidenceMS <= view.ElectionTimeoutMS
	return !member && fresh && view.ClaimsLeadership && view.Membership.Committed &&
		view.Term >= a.raft.CurrentTerm()
}
