package agent

import (
	"github.com/hashicorp/raft"

	"quorate.dev/agent/go/protocol"
	"quorate.dev/agent/hashicorp-raft/startup"
)

// activity is the table of all other members: the last sign of life of each and what it was. A
// leader has heard everybody it replicates to; a follower has heard its leader and nobody else.
func (a *Agent) activity(view *protocol.GroupView, servers []raft.Server) []protocol.Activity {
	table := []protocol.Activity{}
	for _, server := range servers {
		if server.ID == a.options.Member {
			continue
		}
		if view.State == protocol.Leader {
			table = append(table, a.heardByLeader(view, server.ID))
		} else {
			table = append(table, a.heardByFollower(view, server.ID))
		}
	}
	return table
}

func (a *Agent) heardByLeader(view *protocol.GroupView, id raft.ServerID) protocol.Activity {
	line := protocol.Activity{Member: string(id), State: "unknown", Source: "none"}
	if a.watched.peers == nil {
		return line
	}
	known, ok := a.watched.peers.of(id, view.Term)
	if !ok {
		return line
	}
	switch {
	case known.snapshots > 0:
		line.State = "receiving-snapshot"
	case known.contact == 0:
		line.State = "silent"
	case millisSince(known.contact) > 3*view.HeartbeatIntervalMS:
		// It answered this leader once and does not any more. Whether it runs is not known.
		line.State = "silent"
	default:
		line.State = "answers"
	}
	if known.contact != 0 {
		line.Source = string(known.source)
		line.LastActiveMS = protocol.Known(millisSince(known.contact))
	}
	return line
}

func (a *Agent) heardByFollower(view *protocol.GroupView, id raft.ServerID) protocol.Activity {
	line := protocol.Activity{Member: string(id), State: "unknown", Source: "none"}
	if view.Leader == nil || *view.Leader != string(id) {
		return line
	}
	last := a.raft.LastContact()
	if last.IsZero() {
		return line
	}
	line.LastActiveMS = protocol.Known(sinceTime(last))
	line.Source, line.State = "leader", "answers"
	if *line.LastActiveMS > view.ElectionTimeoutMS {
		line.State = "silent"
	}
	return line
}

func readiness(report startup.Report) *protocol.Readiness {
	told := &protocol.Readiness{
		Phase: string(report.Phase), Detail: report.Detail, SinceMS: report.SinceMS,
		TargetSource: string(report.TargetSource),
	}
	if report.Target > 0 {
		told.TargetIndex = &report.Target
	}
	return told
}
