package agent

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/lni/dragonboat/v4"

	"quorate.dev/agent/go/protocol"
)

// snapshotTimeout bounds a snapshot; a large state machine may take longer, which is then told as unknown.
const snapshotTimeout = 9 * time.Second

// snapshot takes one of this host's own replica. It needs no quorum. Where it goes is the host's choice alone:
// no path ever comes from the network.
func (c *change) snapshot() (protocol.Receipt, *protocol.Refusal) {
	option, folder, refused := c.agent.snapshotPlace(c.group)
	if refused != nil {
		return protocol.Receipt{}, refused
	}
	ctx, cancel := context.WithTimeout(c.ctx, snapshotTimeout)
	defer cancel()
	index, err := c.at.library.TakeSnapshot(ctx, c.shard, option)
	switch {
	case errors.Is(err, dragonboat.ErrRejected):
		return protocol.Receipt{}, protocol.Rule("nothing-applied", "Nothing was applied since the last snapshot, or one is being taken.")
	case errors.Is(err, dragonboat.ErrTimeout):
		return protocol.Receipt{}, protocol.Unknown("The snapshot was not done in time; it may still end.")
	case err != nil:
		return protocol.Receipt{}, protocol.Rule("refused-by-core", err.Error())
	}
	now, _ := c.agent.row(c.shard)
	membership := now.full()
	term, ok := c.at.library.Term(c.shard, index)
	if !ok {
		term = now.info.Term
	}
	receipt := protocol.Receipt{
		Action: protocol.Snapshot, Member: &c.agent.options.Member, Outcome: protocol.Done, Term: now.info.Term,
		Revision: strconv.FormatUint(membership.Index, 10), Leader: c.agent.leader(&now, membership),
		Snapshot: &protocol.Mark{Index: index, Term: term},
	}
	if folder != "" {
		receipt.Note = fmt.Sprintf("Exported to %s on %s.", filepath.Join(folder, fmt.Sprintf("snapshot-%016X", index)), c.agent.options.Member)
	}
	return receipt, nil
}

func (a *Agent) snapshotPlace(group string) (dragonboat.SnapshotOption, string, *protocol.Refusal) {
	if a.options.Snapshots == "" {
		return dragonboat.SnapshotOption{}, "", nil
	}
	// A name with a separator or dots stays one folder.
	name := url.PathEscape(group)
	if name == "." || name == ".." {
		name = "%2E" + name[1:]
	}
	folder := filepath.Join(a.options.Snapshots, name)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return dragonboat.SnapshotOption{}, "", protocol.Rule("refused-by-core", "The folder for snapshots cannot be made: "+err.Error())
	}
	return dragonboat.SnapshotOption{Exported: true, ExportPath: folder}, folder, nil
}
