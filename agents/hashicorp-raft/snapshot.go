package agent

import (
	"context"
	"errors"
	"strings"

	"github.com/hashicorp/raft"

	"quorate.dev/agent/go/protocol"
)

// takeSnapshot has the node snapshot its state machine. It works in every role, without a quorum
// too; the library's two kinds of "not yet" are told apart.
func (a *Agent) takeSnapshot(ctx context.Context) (protocol.Receipt, *protocol.Refusal) {
	view := a.fresh(ctx)
	if view.Fault != nil {
		return protocol.Receipt{}, protocol.CoreStopped(*view.Fault)
	}
	take := func() error { return a.raft.Snapshot().Error() }
	ended, err := await(ctx, take)
	if ended && waitsForConfiguration(err) && view.State == protocol.Leader {
		// The state machine is not shown configurations and so never gets to this one; a barrier
		// is an entry it does get past.
		bar := func() error { return a.raft.Barrier(enqueue).Error() }
		if over, barred := await(ctx, bar); over && barred == nil {
			ended, err = await(ctx, take)
		}
	}
	switch {
	case !ended:
		return protocol.Receipt{}, protocol.Unknown("The snapshot was begun and its end was not seen in time.")
	case err == nil:
		return a.snapshotTaken(), nil
	case errors.Is(err, raft.ErrNothingNewToSnapshot):
		return protocol.Receipt{}, protocol.Rule("nothing-applied",
			"Nothing was applied since this process started; there is nothing to take a snapshot of yet.")
	case waitsForConfiguration(err):
		return protocol.Receipt{}, protocol.Rule("snapshot-waits",
			"The newest membership change is not applied by the state machine yet; write something, or ask the leader, and try again.")
	case errors.Is(err, raft.ErrRaftShutdown):
		return protocol.Receipt{}, protocol.CoreStopped("Raft is shut down")
	default:
		return protocol.Receipt{}, protocol.Rule("refused-by-core", err.Error())
	}
}

func waitsForConfiguration(err error) bool {
	return err != nil && strings.HasPrefix(err.Error(), "cannot take snapshot now, wait until the configuration entry")
}

func (a *Agent) snapshotTaken() protocol.Receipt {
	view := a.look()
	return protocol.Receipt{
		Action: protocol.Snapshot, Member: protocol.Known(view.Member), Outcome: protocol.Done,
		Revision: view.Membership.Revision, Leader: view.Leader, Term: view.Term, Snapshot: view.Snapshot,
	}
}
