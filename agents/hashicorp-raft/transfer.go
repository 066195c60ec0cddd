package agent

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/raft"

	"quorate.dev/agent/go/protocol"
)

// glance is how often something awaited is looked at.
const glance = 20 * time.Millisecond

// transfer hands leadership over and says who got it: the library's "done" only means that the old
// leader lost it.
func (a *Agent) transfer(
	ctx context.Context, asked protocol.ChangeRequest,
) (protocol.Receipt, *protocol.Refusal) {
	if refused := a.allowed(ctx, protocol.Transfer, asked.Member, asked.ExpectedRevision); refused != nil {
		return protocol.Receipt{}, refused
	}
	// From the configuration, never from the caller: the library goes to whatever address it is
	// given, and whoever answers there leads.
	server, known := a.memberNamed(asked.Member)
	if !known || server.Suffrage != raft.Voter {
		return protocol.Receipt{}, protocol.Rulef("member-unknown", "%s is no voter of this group.", asked.Member)
	}
	before := a.look()
	ended, err := a.offer(ctx, server)
	if errors.Is(err, raft.ErrLeadershipTransferInProgress) {
		// An earlier transfer is given up some moments after it was answered.
		time.Sleep(100 * time.Millisecond)
		ended, err = a.offer(ctx, server)
	}
	if ended && err != nil {
		if refused := a.notOffered(err, &before, asked.Member); refused != nil {
			return protocol.Receipt{}, refused
		}
	}
	return a.seeWhoLeads(ctx, &before, asked.Member)
}

func (a *Agent) offer(ctx context.Context, server raft.Server) (bool, error) {
	return await(ctx, func() error {
		return a.raft.LeadershipTransferToServer(server.ID, server.Address).Error()
	})
}

// notOffered is what became of an offer that failed; nil if leadership may have moved all the same.
func (a *Agent) notOffered(err error, before *protocol.GroupView, target string) *protocol.Refusal {
	if errors.Is(err, raft.ErrLeadershipTransferInProgress) || errors.Is(err, raft.ErrEnqueueTimeout) {
		return protocol.InProgress("Leadership is being handed over already.")
	}
	now := a.look()
	if now.State == protocol.Leader && now.Term == before.Term {
		return protocol.Rulef("transfer-not-taken", "%s did not take over; %s still leads.", target, now.Member)
	}
	return nil
}

func (a *Agent) seeWhoLeads(
	ctx context.Context, before *protocol.GroupView, target string,
) (protocol.Receipt, *protocol.Refusal) {
	limit := 2 * time.Duration(before.ElectionTimeoutMS) * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	every := time.NewTicker(glance)
	defer every.Stop()
	for {
		view := a.look()
		if view.Term > before.Term && view.Leader != nil {
			outcome := protocol.Other
			if *view.Leader == target {
				outcome = protocol.Done
			}
			return protocol.Receipt{
				Action: protocol.Transfer, Member: &target, Outcome: outcome,
				Revision: view.Membership.Revision, Leader: view.Leader, Term: view.Term,
			}, nil
		}
		select {
		case <-every.C:
		case <-ctx.Done():
			if view.ClaimsLeadership && view.Term == before.Term {
				return protocol.Receipt{}, protocol.Rulef("transfer-not-taken",
					"%s did not take over; %s still leads.", target, view.Member)
			}
			return protocol.Receipt{}, protocol.Unknown("Leadership was let go of and no new leader was seen in time.")
		}
	}
}
